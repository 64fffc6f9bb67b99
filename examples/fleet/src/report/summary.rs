//! [`summary`]: an outcome in words.

use super::board::GroupLine;
use super::outcome::{Ending, Outcome, Unanswered};

/// Of more devices than this that don't answer, only so many are named. The database and the
/// JSON name them all.
const MOST_NAMED: usize = 20;

/// The longest name of a group that is shown whole. The table then fits 30 columns.
const LONGEST_NAME: usize = 10;

/// Returns a line for each group, under a heading. The times are medians of the latencies, in
/// milliseconds.
#[must_use]
pub fn groups_table(groups: &[GroupLine]) -> Vec<String> {
    let heading = row("group", "lights", "on", "ms");
    let lines = groups.iter().map(|line| {
        let median = line.latencies.map_or(0.0, |latencies| latencies.median);
        let name = shortened(&line.group);
        row(&name, &line.lights.to_string(), &line.on.to_string(), &format!("{median:.1}"))
    });
    std::iter::once(heading).chain(lines).collect()
}

fn row(group: &str, lights: &str, on: &str, median: &str) -> String {
    format!("{group:LONGEST_NAME$} {lights:>6} {on:>4} {median:>6}")
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST_NAME {
        return name.to_owned();
    }
    let kept: String = name.chars().take(LONGEST_NAME - 1).collect();
    kept + "…"
}

/// Returns the outcome of a search as it is shown at its end.
#[must_use]
pub fn summary(outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |words: String| text.extend([words.as_str(), "\n"]);
    if !outcome.groups.is_empty() {
        groups_table(&outcome.groups).into_iter().for_each(&mut line);
        line(String::new());
    }
    line(what_came_of_it(outcome));
    if !outcome.unanswered.is_empty() {
        line(String::from("no answer from"));
        outcome.unanswered.iter().take(MOST_NAMED).map(named).for_each(&mut line);
        if let Some(more) = outcome.unanswered.len().checked_sub(MOST_NAMED).filter(|m| *m > 0) {
            line(format!("  and {more} more"));
        }
    }
    if let Some(times) = outcome.latency_ms {
        line(format!(
            "latency: median {:.1} ms, 90 % within {:.1}, 99 % within {:.1}, slowest {:.1} ms",
            times.median, times.p90, times.p99, times.slowest
        ));
    }
    let packets = outcome.packets;
    line(format!(
        "packets: {} sent, {} received; {} were of lights seen before, {} late or twice",
        packets.sent, packets.received, packets.known, packets.unasked
    ));
    if packets.refused + packets.foreign > 0 {
        line(format!(
            "         {} were not understood, {} were for another client",
            packets.refused, packets.foreign
        ));
    }
    line(written(outcome));
    text
}

fn written(outcome: &Outcome) -> String {
    let database = outcome.database.display();
    match (outcome.run, &outcome.unwritten) {
        (Some(run), None) => format!("written to {database} as run {run}"),
        (Some(run), Some(_)) => format!("not all of it is written to {database}, as run {run}"),
        (None, _) => format!("nothing of it is written to {database}"),
    }
}

fn what_came_of_it(outcome: &Outcome) -> String {
    let (answered, seconds) = (outcome.answered.len(), outcome.seconds);
    let of = outcome.expected.unwrap_or(outcome.seen);
    let counted = format!("{answered} of {of} lights answered in {seconds:.1} s");
    match outcome.ending {
        Ending::Complete => counted,
        Ending::OutOfTime => format!("out of time: {counted}"),
        Ending::Interrupted => format!("interrupted: {counted}"),
        Ending::Failed => format!("failed: {counted}"),
    }
}

fn named(unanswered: &Unanswered) -> String {
    let Unanswered { serial, address, reason, dead } = unanswered;
    let at = address.map(|address| format!(" at {address}")).unwrap_or_default();
    let dead = if *dead { " (simulated as dead)" } else { "" };
    format!("  {serial}{at}: {reason}{dead}")
}
