//! A test that runs itself again: in a process of its own, with its own limits and signals.

use std::env;
use std::process::{Command, Output};

const CHILD: &str = "CALLSOON_TEST_IS_CHILD";

/// In the parent runs the test `name` again, by a shell that does `first` before, and returns its
/// output; in the child returns none.
pub(crate) fn output_of_child(name: &str, first: &str) -> Option<Output> {
    if env::var_os(CHILD).is_some() {
        return None;
    }
    let own = env::current_exe().expect("the test program");
    let mut shell = if cfg!(unix) {
        let mut shell = Command::new("sh");
        // An emulator runs no shell, and a shell no program of another machine: ci/platforms/run.
        let exec = "exec $CALLSOON_EMULATOR \"$0\" \"$1\" --exact --nocapture";
        shell.args(["-c", &format!("{first}; {exec}")]).arg(own);
        shell
    } else {
        let mut itself = Command::new(own);
        match first.strip_prefix("export ").and_then(|set| set.split_once('=')) {
            Some((name, value)) => _ = itself.env(name, value),
            None => assert!(["true", ":"].contains(&first), "no shell here for {first}"),
        }
        itself.args(["--exact", "--nocapture"]);
        itself
    };
    Some(shell.arg(name).env(CHILD, "1").output().expect("a process"))
}

/// Returns true in the child. The parent runs the child, and asserts that it succeeds.
#[track_caller]
pub(crate) fn is_child(name: &str, first: &str) -> bool {
    let Some(output) = output_of_child(name, first) else { return true };
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{failed}", output.status);
    assert!(said.contains("1 passed"), "the child ran no test: {said}");
    false
}
