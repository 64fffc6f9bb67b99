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
    for (name, trace, place, other, other_place) in sides {
        let mut led = causes(trace, place);
        let task = trace.lines.get(place).map_or("", |line| line.subject());
        let elsewhere = state(other, task, other_place);
        if led.is_empty() && elsewhere.is_none() {
            continue;
        }
        let _ = writeln!(text, "\nwhat led to it in {name}:");
        if let Some(elsewhere) = elsewhere {
            let other = if name == "rust" { "python" } else { "rust" };
            led.push(format!("in {other}, {elsewhere}"));
        }
        for cause in led {
            let _ = writeln!(text, "    {cause}");
        }
    }
}
