//! [`report`]: a comparison as text.

use std::fmt::Write;

use crate::causes::{causes, state};
use crate::compare::{Comparison, Divergence};
use crate::trace::Trace;

/// Lines before a divergence that are shown, and lines behind it.
const BEFORE: usize = 10;
const BEHIND: usize = 5;

/// The comparison as text.
pub fn report(python: &Trace, rust: &Trace, comparison: &Comparison) -> String {
    let mut text = String::new();
    for harmless in &comparison.harmless {
        let _ = writeln!(text, "harmless: {harmless}");
    }
    match comparison.divergence {
        Some(divergence) => write_divergence(&mut text, python, rust, divergence),
        None if comparison.harmless.is_empty() => {
            let turns = python.lines.last().map_or(0, |line| line.turn);
            let _ = writeln!(text, "equal: {} lines, {turns} turns", python.lines.len());
        }
        None => text += "equal, but for that\n",
    }
    text
}

fn write_divergence(text: &mut String, python: &Trace, rust: &Trace, at: Divergence) {
    let turn = |trace: &Trace, place: usize| {
        let line = trace.lines.get(place).or(trace.lines.last());
        line.map_or((0, "0".to_owned()), |line| (line.turn, line.time.clone()))
    };
    let (number, time) = turn(python, at.python);
    let _ = writeln!(text, "the traces diverge in turn {number}, at {time} s\n");
    for line in &python.lines[at.python.saturating_sub(BEFORE)..at.python] {
        let _ = writeln!(text, "      both    {:>5}  {}", line.number, line.text);
    }
    let sides =
        [("python", python, at.python, rust, at.rust), ("rust", rust, at.rust, python, at.python)];
    for (name, trace, place, _, _) in &sides {
        let lines = trace.lines.get(*place..).unwrap_or_default();
        if lines.is_empty() {
            let _ = writeln!(text, "    > {name:6}         (nothing more)");
        }
        for line in lines.iter().take(BEHIND) {
            let _ = writeln!(text, "    > {name:6}  {:>5}  {}", line.number, line.text);
        }
    }
    let ours = causes(python, at.python);
    if ours == causes(rust, at.rust) {
        write_causes(text, "both", &ours);
    } else {
        write_causes(text, "python", &ours);
        write_causes(text, "rust", &causes(rust, at.rust));
    }
    for (name, trace, place, other, other_place) in sides {
        let task = trace.lines.get(place).map_or("", |line| line.subject());
        if let Some(state) = state(other, task, other_place) {
            let elsewhere = if name == "rust" { "python" } else { "rust" };
            let _ = writeln!(text, "\nmeanwhile in {elsewhere}, {state}");
        }
    }
}

fn write_causes(text: &mut String, name: &str, causes: &[String]) {
    if !causes.is_empty() {
        let _ = writeln!(text, "\nwhat led to it in {name}:");
    }
    for cause in causes {
        let _ = writeln!(text, "    {cause}");
    }
}
