//! Differences that mean nothing: what CPython leaves open, and what `docs/deviations.md` lists.

use std::fmt;

use crate::compare::Divergence;
use crate::error_names;
use crate::trace::{Line, Trace};

/// A difference that means nothing, with the turn of the Python trace in which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harmless {
    /// Timers that are due at one time: CPython's heap runs them in any order.
    Tie { turn: usize, python: String, rust: String },
    /// `ThreadPoolExecutor.shutdown` blocks in Python, and is awaited in Rust.
    AwaitedShutdown { turn: usize, task: String },
    /// Tasks that are cancelled together, by a task group or at the end of `run`: CPython goes through a set.
    CancelOrder { turn: usize, python: String, rust: String },
    /// Tasks await sockets: Python wakes them by callbacks, in a turn of their own, and Rust before that turn.
    AwaitedSockets { turn: usize, tasks: Vec<String> },
    /// Ctrl-C cancels the main task amid a step in Python, and at the end of the step in Rust.
    Interrupt { turn: usize, task: String },
}

impl fmt::Display for Harmless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Harmless::Tie { turn, python, rust } => write!(
                f,
                "turn {turn}: {python} (Python) and {rust} (Rust) are due at one time; CPython leaves open which runs first"
            ),
            Harmless::AwaitedShutdown { turn, task } => write!(
                f,
                "turn {turn}: {task} awaits the shutdown of an executor, where Python's blocks (docs/deviations.md, \"Loop\")"
            ),
            Harmless::CancelOrder { turn, python, rust } => write!(
                f,
                "turn {turn}: {python} (Python) and {rust} (Rust) come first; CPython cancels the tasks of a group, and those that a run leaves, in the order of a set (docs/deviations.md, \"Gathering\")"
            ),
            Harmless::AwaitedSockets { turn, tasks } => write!(
                f,
                "turn {turn}: Python wakes {} by callbacks of sockets, in a turn that Rust doesn't need (docs/deviations.md, \"Loop\")",
                tasks.join(", ")
            ),
            Harmless::Interrupt { turn, task } => write!(
                f,
                "turn {turn}: an interrupt cancels {task} amid a step in Python, and at its end in Rust (docs/deviations.md, \"Loop\")"
            ),
        }
    }
}

fn kinds(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(Line::kind).collect()
}

/// The port awaits a shutdown that blocks in Python: two turns of the task alone.
pub(crate) fn awaited_shutdown(
    python: &Trace,
    rust: &Trace,
    at: Divergence,
) -> Option<(Harmless, Divergence)> {
    let lines = rust.lines.get(at.rust..at.rust + 6)?;
    let task = lines[0].subject();
    let waits = lines[0].text == format!("wait {task} on run_in_executor");
    let alone = kinds(lines) == ["wait", "turn", "callback", "wake", "turn", "step"];
    let returns = lines[3].subject() == task && lines[5].text == format!("step {task}");
    // Where Python awaits at this place, too, it is not the same thing.
    let goes_on = python.lines.get(at.python).is_some_and(|line| line.kind() != "wait");
    (waits && alone && returns && goes_on).then(|| {
        let turn = python.lines[at.python].turn;
        let found = Harmless::AwaitedShutdown { turn, task: task.to_owned() };
        (found, Divergence { python: at.python, rust: at.rust + 6 })
    })
}

/// The sockets of tasks are ready, and nothing else: in Python a turn runs a callback for each, which wakes its
/// task, and Rust wakes them when it finds the sockets ready, before the turn of their steps.
pub(crate) fn awaited_sockets(
    python: &Trace,
    rust: &Trace,
    at: Divergence,
) -> Option<(Harmless, Divergence)> {
    let turn = python.lines.get(at.python).filter(|line| line.is_turn())?.turn;
    let wakes = rust.lines.get(at.rust..)?.iter().take_while(|line| line.kind() == "wake");
    let tasks: Vec<String> = wakes.map(|line| line.subject().to_owned()).collect();
    let alone = python.lines[at.python + 1..].iter().take_while(|line| line.turn == turn);
    let wakes = tasks.iter().flat_map(|task| ["callback".to_owned(), format!("wake {task}")]);
    let awaits_socket = |trace: &Trace, end: usize, task: &str| {
        let wait = format!("wait {task} on ");
        let mut reasons =
            trace.lines[..end].iter().rev().filter_map(|line| line.text.strip_prefix(&wait));
        reasons.next() == Some("readiness of a source")
    };
    let all_await = tasks
        .iter()
        .all(|task| awaits_socket(python, at.python, task) && awaits_socket(rust, at.rust, task));
    (all_await && !tasks.is_empty() && alone.map(|line| line.text.clone()).eq(wakes)).then(|| {
        let next =
            Divergence { python: at.python + 1 + 2 * tasks.len(), rust: at.rust + tasks.len() };
        (Harmless::AwaitedSockets { turn, tasks }, next)
    })
}

/// An interrupt cancels a task: in Python where it comes, and in Rust behind the last line of the step, where
/// no code of the program can cancel anything. What follows from the cancel stands behind it in both.
pub(crate) fn interrupt(
    python: &Trace,
    rust: &Trace,
    at: Divergence,
) -> Option<(Harmless, Divergence)> {
    let (ours, theirs) = (&python.lines[at.python..], &rust.lines[at.rust..]);
    let cancel = ours.first().filter(|line| line.kind() == "cancel")?;
    let end = ours.iter().position(|line| matches!(line.kind(), "wait" | "yield" | "end"))? + 1;
    let is_effect = |line: &&Line| matches!(line.kind(), "cancel" | "set" | "wake");
    let effects = ours[..end].iter().take_while(is_effect).count();
    let in_entry = ours[..end].iter().all(|line| line.entry == cancel.entry);
    let theirs: Vec<_> = theirs.get(..end)?.iter().map(|line| &line.text).collect();
    let is_late = |count: &usize| {
        let (moved, rest) = ours[..end].split_at(*count);
        rest.iter().chain(moved).map(|line| &line.text).eq(theirs.iter().copied())
    };
    (in_entry && (1..=effects).any(|count| is_late(&count))).then(|| {
        let found = Harmless::Interrupt { turn: cancel.turn, task: cancel.subject().to_owned() };
        (found, Divergence { python: at.python + end, rust: at.rust + end })
    })
}

/// When a timer is due, as its line says.
fn due<'a>(trace: &'a Trace, timer: &str) -> Option<&'a str> {
    let made = format!("make {timer} due ");
    trace.lines.iter().find_map(|line| line.text.strip_prefix(&made))
}

/// Each runs another timer now, of those that are due at one time.
pub(crate) fn tie(python: &Trace, rust: &Trace, at: Divergence) -> Option<Harmless> {
    let (ours, theirs) = (python.lines.get(at.python)?, rust.lines.get(at.rust)?);
    let are_timers =
        [ours, theirs].iter().all(|line| line.is_entry() && line.kind().starts_with("timer"));
    if !are_timers || ours.turn != theirs.turn {
        return None;
    }
    let is_tie = due(python, ours.kind())? == due(python, theirs.kind())?;
    let runs_later = python.lines[at.python..].iter().take_while(|line| line.turn == ours.turn);
    let both_run = runs_later.into_iter().any(|line| line.text == theirs.text);
    (is_tie && both_run).then(|| Harmless::Tie {
        turn: ours.turn,
        python: ours.text.clone(),
        rust: theirs.text.clone(),
    })
}

/// Each cancels another task now, of those that both cancel in this entry.
pub(crate) fn cancel_order(python: &Trace, rust: &Trace, at: Divergence) -> Option<Harmless> {
    let (ours, theirs) = (python.lines.get(at.python)?, rust.lines.get(at.rust)?);
    let rest_of = |trace: &Trace, at: usize| {
        let entry = trace.lines[at].entry;
        let cancels = trace.lines[at..].iter().take_while(|line| line.entry == entry);
        let mut cancels: Vec<_> = cancels
            .filter(|line| line.kind() == "cancel" && line.subject().starts_with('t'))
            .map(|line| line.text.clone())
            .collect();
        cancels.sort();
        cancels
    };
    let both_cancel = [ours, theirs]
        .iter()
        .all(|line| line.kind() == "cancel" && !line.subject().starts_with("timer"));
    (both_cancel && rest_of(python, at.python) == rest_of(rust, at.rust)).then(|| {
        Harmless::CancelOrder {
            turn: ours.turn,
            python: ours.text.clone(),
            rust: theirs.text.clone(),
        }
    })
}

/// A line without the numbers that follow from an order, and without an error's name.
fn unnumbered(line: &Line) -> String {
    let words = error_names::split(&line.text).0.split(' ').map(|word| {
        let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
        if ["timer", "future", "call"].contains(&name) { name } else { word }
    });
    if line.is_turn() {
        format!("turn at {}", line.time)
    } else {
        words.collect::<Vec<_>>().join(" ")
    }
}

fn turn_of(trace: &Trace, turn: usize) -> Option<(usize, Vec<String>)> {
    let first = trace.lines.iter().position(|line| line.turn == turn)?;
    let lines = trace.lines[first..].iter().take_while(|line| line.turn == turn);
    let mut lines: Vec<_> = lines.map(unnumbered).collect();
    lines.sort();
    Some((first, lines))
}

/// The first turn from that of `at` on in which not the same things happen, in whatever order.
pub(crate) fn first_other_turn(python: &Trace, rust: &Trace, at: Divergence) -> Option<Divergence> {
    for turn in python.lines[at.python].turn.. {
        match (turn_of(python, turn), turn_of(rust, turn)) {
            (None, None) => return None,
            (Some((_, ours)), Some((_, theirs))) if ours == theirs => {}
            (ours, theirs) => {
                let place =
                    |of: Option<(usize, _)>, trace: &Trace| of.map_or(trace.lines.len(), |of| of.0);
                return Some(Divergence { python: place(ours, python), rust: place(theirs, rust) });
            }
        }
    }
    None
}
