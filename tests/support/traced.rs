//! [`traced`]: the system calls of a test, as `strace` sees them.

use std::process::{Command, Stdio};
use std::{env, fs};

const CHILD: &str = "CALLSOON_TEST_IS_TRACED";
/// Set where there is no `strace`, and whatever set it says that nothing was traced: `.ci/run` does.
const WITHOUT: &str = "CALLSOON_WITHOUT_STRACE";

/// Whether this is the process that is looked at.
pub(crate) fn is_traced() -> bool {
    env::var_os(CHILD).is_some()
}

/// Returns the system calls of the test `name`, which is run again in a process of its own, under
/// `strace`; there it must ask for a file called `callsoon-mark` or the like.
///
/// Fails where there is no `strace`, or it may not trace; returns none there if `WITHOUT` is set: the
/// test has run without it then.
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
    let without = env::var_os(WITHOUT).is_some();
    assert!(without, "strace is missing or may not trace; with {WITHOUT}=1 nothing is traced");
    None
}
