//! Ctrl-C, whenever it comes.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use fleet::simulation::{Health, Population};
use serde_json::Value;

use crate::running::{Running, ending, fresh, rows};
use crate::search::{state, told};

const MOMENTS: u64 = 20;
const AT_A_TIME: u64 = 2;

/// The search ends at the earliest when it has asked in vain for 1.8 s. On a machine that has much
/// else to do an interrupt may come later all the same.
const LATEST: Duration = Duration::from_millis(1_200);

/// That it ends with the interrupt, and not when it would have ended, shows in how few have answered.
#[test]
fn interrupt_at_any_moment_ends_it_and_shows_what_was_written() {
    let population = Population::new(200, 23, 20);
    let live = population.residents().iter().filter(|resident| resident.health == Health::Well);
    let live: BTreeSet<String> = live.map(|resident| state(resident).to_string()).collect();
    let mut counts = BTreeSet::new();
    for first in (0..MOMENTS).step_by(AT_A_TIME as usize) {
        let threads: Vec<_> = (first..first + AT_A_TIME)
            .map(|moment| {
                let live = live.clone();
                thread::spawn(move || interrupt_at(moment, &live))
            })
            .collect();
        counts.extend(threads.into_iter().filter_map(|thread| thread.join().unwrap()));
    }
    assert!(counts.len() > 3, "the moments differ: {counts:?}");
}

/// Interrupts a search at a random moment; returns how many devices had answered, or none if the
/// search had ended before.
fn interrupt_at(moment: u64, live: &BTreeSet<String>) -> Option<usize> {
    let database = fresh(&format!("interrupt-{moment}.sqlite"));
    let path = database.to_str().unwrap();
    let mut running = Running::new(&["--seed", "23", "--json", "--database", path]);
    assert!(running.line().starts_with("looking for 200"));
    thread::sleep(LATEST.mul_f64(fastrand::f64()));
    running.interrupt();
    let (code, output, errors) = running.end();
    let outcome: Value = serde_json::from_str(&output).unwrap();
    if outcome["ending"] == "complete" {
        assert!(code == 0 || code == 3, "{code}\n{errors}");
        return None;
    }
    assert_eq!(code, 130, "{output}\n{errors}");
    assert_eq!(outcome["ending"], "interrupted");
    let number = outcome["run"].as_i64().unwrap();
    assert_eq!(ending(&database, number).as_deref(), Some("interrupted"));
    assert_eq!(rows(&database, "answered", number), outcome["answered"]);
    assert_eq!(rows(&database, "unanswered", number), outcome["unanswered"]);
    let answered = outcome["answered"].as_array().unwrap();
    for row in answered {
        assert!(live.contains(&told(row).to_string()), "{row}");
    }
    Some(answered.len())
}
