//! A machine that refuses in the midst of it: what was learnt is shown, and the error says of what.

use std::process::Command;

use serde_json::Value;

use crate::running::{Running, ending, fresh, rows};

/// Runs the program by a shell that does `first` before: its exit code, and both outputs.
fn fleet_after(first: &str, arguments: &str) -> (i32, String, String) {
    let script = format!("{first} exec {} {arguments}", env!("CARGO_BIN_EXE_fleet"));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// No file may grow any more, as where the disk is full.
#[test]
fn a_full_disk_leaves_all_answers_shown() {
    let database = fresh("full.sqlite");
    let path = database.to_str().unwrap();
    let full = "trap '' XFSZ; ulimit -f 300;";
    let arguments = format!("--loss 0 --json --database {path}");
    let (code, output, errors) = fleet_after(full, &arguments);
    assert_eq!(code, 1, "{errors}");
    let outcome: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(outcome["answered"].as_array().unwrap().len(), 195);
    assert_eq!(outcome["ending"], "complete");
    let expected = format!("the database {path} can't be used: ");
    assert!(outcome["unwritten"].as_str().unwrap().starts_with(&expected), "{errors}");
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with(&format!("fleet: {expected}")), "{errors}");
    // The answers that there was room for are in the database.
    let written = rows(&database, "answered", outcome["run"].as_i64().unwrap());
    assert!((1..195).contains(&written.as_array().unwrap().len()), "{written}");
    let (code, output, _) = fleet_after(full, &format!("--loss 0 --database {path}"));
    assert!(code == 1 && output.contains("195 of 200 lights answered"), "{output}");
}

#[test]
fn a_machine_without_threads_leaves_all_answers_shown() {
    let database = fresh("no-threads.sqlite");
    let path = database.to_str().unwrap();
    // No stack of this size fits into a process.
    let first = "RUST_MIN_STACK=140737488355328; export RUST_MIN_STACK;";
    let arguments = format!("--devices 2 --loss 0 --database {path}");
    let (code, output, errors) = fleet_after(first, &arguments);
    assert_eq!(code, 1, "{errors}");
    assert!(output.contains("2 of 2 lights answered"), "{output}");
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with("fleet: thread 1 (\"database"), "{errors}");
    assert!(last.contains(" can't be started: "), "{errors}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_output_is_an_error() {
    let database = fresh("full-output.sqlite");
    let arguments = format!("--devices 2 --loss 0 --database {} >/dev/full", database.display());
    let (code, _, errors) = fleet_after("", &arguments);
    assert_eq!(code, 1);
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with("fleet: the outcome can't be printed: No space left"), "{errors}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_error_output_that_is_full_stops_nothing() {
    let database = fresh("full-errors.sqlite");
    for path in [database.to_str().unwrap(), "/no/such/folder/fleet.sqlite"] {
        let arguments = format!("--devices 2 --loss 0 --database {path} 2>/dev/full");
        let (code, output, _) = fleet_after("", &arguments);
        assert_eq!(code, i32::from(path.starts_with("/no")));
        assert!(output.contains("2 of 2 lights answered"), "{output}");
    }
}

/// The first socket is the search's own.
#[test]
fn without_a_descriptor_left_it_says_for_what() {
    let database = fresh("no-descriptors.sqlite");
    let arguments = format!("--devices 2 --database {}", database.display());
    for most in [4, 6, 8, 10] {
        let (code, _, errors) = fleet_after(&format!("ulimit -n {most};"), &arguments);
        let last = errors.lines().last().unwrap();
        let (about, refused) = last.rsplit_once(": ").unwrap();
        assert_eq!(code, 1, "{errors}");
        assert!(
            about.len() > "fleet: ".len() && refused.contains("oo many open"),
            "{most}: {errors}"
        );
    }
}

#[test]
fn output_that_is_read_no_more_is_an_error() {
    let database = fresh("broken-pipe.sqlite");
    let path = database.to_str().unwrap();
    let mut running = Running::new(&["--devices", "2", "--loss", "0", "--database", path]);
    // Closes the reading end.
    drop(running.child.stdout.take());
    let (code, errors) = running.end_without_output();
    assert_eq!(code, 1, "{errors}");
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with("fleet: the outcome can't be printed: Broken pipe"), "{errors}");
    assert_eq!(rows(&database, "answered", 1).as_array().unwrap().len(), 2);
    assert_eq!(ending(&database, 1).as_deref(), Some("complete"));
}
