//! The causes of a line: the entry that woke its task, and the one that woke the task of that.

use crate::trace::{Line, Trace};

/// Steps back that are shown.
const DEPTH: usize = 5;

/// Returns the causes of the line at `place`, the nearest first.
pub(crate) fn causes(trace: &Trace, place: usize) -> Vec<String> {
    let mut said = Vec::new();
    let Some(line) = trace.lines.get(place) else { return said };
    let mut entry =
        if line.is_turn() { (place + 1).min(trace.lines.len() - 1) } else { line.entry };
    while said.len() < DEPTH {
        let head = &trace.lines[entry];
        let Some((text, next)) = cause(trace, head, entry) else { break };
        said.push(text);
        entry = next;
    }
    said
}

/// The cause of an entry as text, and the entry in which it lies.
fn cause(trace: &Trace, head: &Line, place: usize) -> Option<(String, usize)> {
    let before = &trace.lines[..place];
    let is_cause = |line: &&Line| match head.kind() {
        "step" => {
            let is_own = line.subject() == head.subject();
            is_own && matches!(line.kind(), "wake" | "yield" | "make")
        }
        kind => {
            line.text.starts_with(&format!("make {kind} ")) || line.text == format!("make {kind}")
        }
    };
    let found = before.iter().rev().find(is_cause)?;
    let (what, entry) = (head.text.as_str(), &trace.lines[found.entry]);
    let by = match found.kind() {
        "yield" => "yielded".to_owned(),
        "wake" => format!("was woken by `{}`", entry.text),
        _ => format!("was made by `{}`", entry.text),
    };
    Some((
        format!(
            "`{what}`: {} {by}, in turn {} (line {})",
            head.subject(),
            found.turn,
            found.number
        ),
        found.entry,
    ))
}

/// Describes the state of a task at `place`, by the last line about it before.
pub(crate) fn state(trace: &Trace, task: &str, place: usize) -> Option<String> {
    let is_of = |line: &&Line| {
        line.subject() == task
            && matches!(line.kind(), "step" | "wait" | "yield" | "end" | "make" | "wake")
    };
    let line = trace.lines[..place.min(trace.lines.len())].iter().rev().find(is_of)?;
    let what = match line.kind() {
        "wait" => format!("waits: `{}`", line.text),
        "yield" => "has yielded".into(),
        "end" => format!("has ended: `{}`", line.text),
        "wake" => "was woken".into(),
        "step" => "runs".into(),
        _ => "was made".into(),
    };
    Some(format!("{task} {what}, since turn {} (line {})", line.turn, line.number))
}
