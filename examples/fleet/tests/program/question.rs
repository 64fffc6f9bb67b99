//! SIGUSR1: the tasks of a search that is going on.
#![cfg(unix)]

use std::path::Path;

use crate::running::{Running, fresh};

/// So much is lost that the search is never over before it is interrupted.
const LOSS: &str = "97";

#[test]
fn report_in_the_middle_names_each_task_its_wait_and_its_place() {
    let database = fresh("question.sqlite");
    let path = database.to_str().unwrap();
    let mut running = Running::new(&["--loss", LOSS, "--seed", "5", "--database", path]);
    assert!(running.line().starts_with("looking for 200"));
    // Before a light was seen there is no inquiry.
    let tree = loop {
        let tree = ask(&mut running);
        if tree.iter().any(|line| line.trim_start().starts_with("inquiry of ")) {
            break tree;
        }
    };
    running.interrupt();
    let (code, output, errors) = running.end();
    assert_eq!(code, 130, "{output}\n{errors}");

    for line in &tree {
        check(line);
    }
    let find = |name: &str| {
        let found = tree.iter().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_else(|| panic!("no {name} in {tree:#?}"))
    };
    assert!(find("Task-1 ").contains("made at examples/fleet/src/main.rs:"), "{tree:#?}");
    assert!(find("session ").ends_with("waits on readiness of a source"), "{tree:#?}");
    assert!(find("session ").contains("made at examples/fleet/src/search.rs:"), "{tree:#?}");
    for name in ["network ", "screen ", "discovery "] {
        find(name);
    }
    let sleeps = tree.iter().any(|line| line.contains("waits on Queue.get"));
    assert!(sleeps, "the simulated network waits for what is due: {tree:#?}");
}

/// The lines of a tree, without its first.
fn ask(running: &mut Running) -> Vec<String> {
    running.signal("-USR1");
    let first = loop {
        let line = running.line();
        if line.contains(" tasks at ") {
            break line;
        }
    };
    let count: usize = first.split(' ').next().unwrap().parse().unwrap();
    let mut lines = Vec::new();
    let mut left = count;
    while left > 0 {
        let line = running.line().trim_end().to_owned();
        if !line.ends_with(": as above") {
            left -= 1;
        }
        lines.push(line);
    }
    lines
}

/// Checks that a task is named, with the place where it was made and what it does.
fn check(line: &str) {
    let (task, does) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
    if does == "as above" {
        return;
    }
    let (name, place) =
        task.trim_start().split_once(" made at ").unwrap_or_else(|| panic!("{line}"));
    let (file, number) = place.rsplit_once(':').unwrap_or_else(|| panic!("{line}"));
    assert!(
        !name.is_empty() && Path::new(file).extension().is_some_and(|end| end == "rs"),
        "{line}"
    );
    assert!(number.parse::<u32>().is_ok(), "{line}");
    let says = does.starts_with("waits on ") || does.starts_with("is ready") || does == "runs now";
    assert!(says && !does.contains("unknown"), "{line}");
    assert!(!does.ends_with("waits on nothing"), "{line}");
}
