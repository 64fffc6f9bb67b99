//! [`Screen`]: where it is shown what comes in.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::board::Board;
use super::summary::groups_table;

/// Shows a board while it changes, on the standard error: a bar and a table where that is a
/// terminal, else a line for each change.
#[derive(Debug)]
pub struct Screen(Kind);

#[derive(Debug)]
enum Kind {
    /// The table is the message of the bar.
    Terminal(ProgressBar),
    /// With the line that was last shown.
    Lines(String),
}

impl Screen {
    /// The screen that there is.
    #[must_use]
    pub fn new() -> Screen {
        if !stderr().is_terminal() {
            return Screen(Kind::Lines(String::new()));
        }
        let style = ProgressStyle::with_template("{msg}\n{wide_bar} {pos}/{len}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Screen(Kind::Terminal(ProgressBar::new(0).with_style(style)))
    }

    /// The interval at which changes are worth showing.
    #[must_use]
    pub fn pace(&self) -> Duration {
        match self.0 {
            Kind::Terminal(_) => Duration::from_millis(100),
            Kind::Lines(_) => Duration::from_millis(500),
        }
    }

    /// Says something that stays.
    pub fn say(&mut self, words: &str) {
        match &self.0 {
            Kind::Terminal(bar) => bar.println(words),
            // A failed write, as to a closed pipe, is no reason to stop.
            Kind::Lines(_) => drop(writeln!(stderr(), "{words}")),
        }
    }

    /// Shows `board` as it is now.
    pub fn show(&mut self, board: &Board) {
        let line = board.line();
        match &mut self.0 {
            Kind::Lines(last) if *last == line => {}
            Kind::Lines(last) => {
                drop(writeln!(stderr(), "{line}"));
                *last = line;
            }
            Kind::Terminal(bar) => {
                let mut lines = groups_table(&board.groups());
                lines.push(line);
                bar.set_length(board.expected().unwrap_or(board.seen()) as u64);
                bar.set_position(board.told().len() as u64);
                bar.set_message(lines.join("\n"));
            }
        }
    }

    /// Clears what doesn't stay.
    pub fn clear(&mut self) {
        if let Kind::Terminal(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Default for Screen {
    fn default() -> Screen {
        Screen::new()
    }
}
