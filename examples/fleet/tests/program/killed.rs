//! Signals that no program can handle: killed and stopped in the midst of its writing.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::Duration;

use fleet::simulation::{Health, Population};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::running::{Running, ending, fresh, rows, run};
use crate::search::{state, told};

const SEED: &str = "31";

/// The live lights of a search with [`SEED`], each as its row must be.
fn live() -> BTreeSet<String> {
    let population = Population::new(200, 31, 0);
    let live = population.residents().iter().filter(|resident| resident.health == Health::Well);
    live.map(|resident| state(resident).to_string()).collect()
}

/// Waits until so many answers are in the database.
fn wait_for_rows(running: &mut Running, database: &Path, count: i64) {
    let read = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(database, flags)?;
        connection.query_row("SELECT count(*) FROM answered", [], |row| row.get::<_, i64>(0))
    };
    // The tables aren't there at first, and the database may be locked.
    while read().unwrap_or_default() < count {
        assert!(running.child.try_wait().unwrap().is_none(), "it has ended");
        thread::yield_now();
    }
}

#[test]
fn kill_amid_writes_leaves_whole_rows() {
    let live = live();
    for count in [1, 20, 80] {
        let database = fresh(&format!("killed-{count}.sqlite"));
        let path = database.to_str().unwrap();
        let arguments = ["--seed", SEED, "--loss", "0", "--json", "--database", path];
        let mut running = Running::new(&arguments);
        wait_for_rows(&mut running, &database, count);
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        // Its rows are there, and its end is not.
        assert_eq!(ending(&database, 1), None);
        let written = rows(&database, "answered", 1);
        let written = written.as_array().unwrap();
        assert!(written.len() as i64 >= count);
        for row in written {
            assert!(live.contains(&told(row).to_string()), "{row}");
        }
        // The next run writes beside them.
        let (code, output, errors) = run(&arguments);
        assert_eq!(code, 0, "{errors}");
        let outcome: Value = serde_json::from_str(&output).unwrap();
        assert_eq!(outcome["run"], 2);
        assert_eq!(ending(&database, 2).as_deref(), Some("complete"));
        assert_eq!(rows(&database, "answered", 2), outcome["answered"]);
        assert_eq!(outcome["answered"].as_array().unwrap().len(), live.len());
    }
}

/// Limits may be over by the time it goes on: answers that have come meanwhile count first.
#[test]
fn stop_for_seconds_loses_no_answer() {
    let database = fresh("stopped.sqlite");
    let path = database.to_str().unwrap();
    let arguments = ["--seed", SEED, "--loss", "0", "--json", "--database", path];
    let mut running = Running::new(&arguments);
    wait_for_rows(&mut running, &database, 20);
    running.signal("-STOP");
    // The machine's clock goes on without it, further than the limit of each of its attempts.
    thread::sleep(Duration::from_secs(3));
    running.signal("-CONT");
    let (code, output, errors) = running.end();
    assert_eq!(code, 0, "{errors}");
    let outcome: Value = serde_json::from_str(&output).unwrap();
    let answered = outcome["answered"].as_array().unwrap();
    assert_eq!(answered.iter().map(|row| told(row).to_string()).collect::<BTreeSet<_>>(), live());
    assert_eq!(rows(&database, "answered", 1), outcome["answered"]);
    assert_eq!(ending(&database, 1).as_deref(), Some("complete"));
}
