//! [`traced`]: the system calls of a test, as `strace` sees them.

use std::process::{Command, Stdio};
use std::{env, fs};

use super::tools::go_without;

const CHILD: &str = "CALLSOON_TEST_IS_TRACED";

/// Whether this is the process that is looked at.
pub(crate) fn is_traced() -> bool {
    env::var_os(CHILD).is_some()
}

/// Returns the system calls of the test `name`, which is run again in a process of its own, under
/// `strace`; there it must ask for a file called `callsoon-mark` or the like.
///
/// Fails where there is no `strace`, or it may not trace; or returns none, if the tests are told to go
/// without: this one has run without it then.
pub(crate) fn traced(name: &str) -> Option<String> {
    // Other tests of this process look at theirs meanwhile.
    let file = format!("callsoon-strace-{}-{}", std::process::id(), name.replace("::", "-"));
    let log = env::temp_dir().join(file);
    let own = env::current_exe().unwrap();
    let child = |mut command: Command| {
        command.args([name, "--exact", "--test-threads=1"]).env(CHILD, "1");
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    };
    let mut strace = Command::new("strace");
    strace.arg("-f").arg("-o").arg(&log).arg(&own);
    let traced = child(strace);
    let calls = fs::read_to_string(&log).unwrap_or_default();
    // It may never have been made.
    let _ = fs::remove_file(&log);
    if traced && calls.contains("callsoon-mark") {
        // A call amid which another thread made one stands in two lines. The second says that it
        // has come back.
        let began = calls.lines().filter(|line| !line.contains(" <... "));
        return Some(began.flat_map(|line| [line, "\n"]).collect());
    }
    assert!(child(Command::new(&own)), "the child fails without strace, too");
    go_without("strace");
    None
}
