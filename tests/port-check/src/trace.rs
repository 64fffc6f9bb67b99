//! [`Trace`]: a trace as its lines, each with the turn and the entry in which it stands.

use std::fmt;

/// A trace, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Set where the loop's time was virtual, so that times count.
    pub is_virtual: bool,
    pub lines: Vec<Line>,
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number of the line in its file, from one.
    pub number: usize,
    pub text: String,
    /// The number and the time of the turn; zero before the first.
    pub turn: usize,
    pub time: String,
    /// The place of the line of the entry in which it stands: its own for the line of an entry.
    pub entry: usize,
}

/// A file that is no trace.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

impl Trace {
    /// Reads a trace without the lines of the kinds in `without`.
    pub fn read(text: &str, without: &[String]) -> Result<Trace, Malformed> {
        let mut trace = Trace::default();
        let (mut turn, mut time, mut entry) = (0, String::from("0"), 0);
        let mut has_head = false;
        for (place, text) in text.lines().enumerate() {
            let mut words = text.split(' ');
            match (words.next(), words.next()) {
                (Some("callsoon-trace"), Some("1")) => {
                    trace.is_virtual = words.next() == Some("virtual");
                    has_head = true;
                    continue;
                }
                (Some("callsoon-trace"), version) => {
                    let version = version.unwrap_or("none");
                    return Err(Malformed(format!(
                        "version {version} of the language is not known"
                    )));
                }
                (Some("turn"), Some(_)) => {
                    turn += 1;
                    time = words.nth(1).unwrap_or("0").to_owned();
                    entry = trace.lines.len();
                }
                (Some(kind), subject) if is_left_out(kind, subject, without) => continue,
                _ => {}
            }
            let text = without_reason(text, without);
            if !has_head {
                return Err(Malformed(
                    "the first line of a trace is `callsoon-trace 1 ...`".into(),
                ));
            }
            let line =
                Line { number: place + 1, text: text.to_owned(), turn, time: time.clone(), entry };
            if line.is_entry() {
                entry = trace.lines.len();
            }
            if line.is_turn() || line.text == "outside" {
                trace.drop_empty_turn(without);
                entry = entry.min(trace.lines.len());
            }
            trace.lines.push(Line { entry, ..line });
        }
        trace.drop_empty_turn(without);
        if has_head { Ok(trace) } else { Err(Malformed("the file is empty".into())) }
    }
}

impl Trace {
    /// Drops the last line if it is a turn's of which nothing is left.
    fn drop_empty_turn(&mut self, without: &[String]) {
        if !without.is_empty() && self.lines.last().is_some_and(Line::is_turn) {
            self.lines.pop();
        }
    }
}

/// Returns whether a line of this kind is left out: `call` and `timer` stand for all lines about such.
fn is_left_out(kind: &str, subject: Option<&str>, without: &[String]) -> bool {
    let is_named = |word: &str| {
        let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
        without.iter().any(|left_out| left_out == name)
    };
    is_named(kind) || matches!(kind, "make" | "cancel") && subject.is_some_and(is_named)
}

/// The text of a line: without what a task waits on, if reasons are left out.
fn without_reason<'a>(text: &'a str, without: &[String]) -> &'a str {
    let is_short = text.starts_with("wait ") && without.iter().any(|kind| kind == "reason");
    if is_short { text.split(" on ").next().unwrap_or(text) } else { text }
}

impl Line {
    pub fn kind(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// The task, timer, callback or future that the line is about.
    pub fn subject(&self) -> &str {
        match self.kind() {
            "turn" | "log" => "",
            kind if kind.starts_with("timer") || kind.starts_with("call") => kind,
            _ => self.text.split(' ').nth(1).unwrap_or_default(),
        }
    }

    /// Returns whether it begins an entry of the ready queue, or what happens outside of a run.
    pub fn is_entry(&self) -> bool {
        let kind = self.kind();
        let is_numbered =
            |name: &str| kind.strip_prefix(name).is_some_and(|rest| rest.parse::<usize>().is_ok());
        matches!(kind, "step" | "callback" | "outside")
            || is_numbered("timer")
            || is_numbered("call")
    }

    pub fn is_turn(&self) -> bool {
        self.kind() == "turn"
    }

    /// The part that is the same in equal traces: without the number of a turn, and where clocks are
    /// real without times.
    pub fn key(&self, is_virtual: bool) -> String {
        match (self.kind(), is_virtual) {
            ("turn", true) => format!("turn at {}", self.time),
            ("turn", false) => "turn".into(),
            ("make", false) => self.text.split(" due ").next().unwrap_or_default().to_owned(),
            _ => self.text.clone(),
        }
    }
}
