//! [`traced`]: the system calls of a test, as `strace` sees them.

use std::process::{Command, Stdio};
use std::{env, fs};

const CHILD: &str = "CALLSOON_TEST_IS_TRACED";

/// Returns true in the process that is traced.
pub(crate) fn is_traced() -> bool {
    env::var_os(CHILD).is_some()
}

/// Returns the system calls of the test `name`, which is run again in a process of its own, under
/// `strace`; there it must ask for a file called `callsoon-mark` or the like.
///
/// # Panics
///
/// Where there is no `strace`, or it may not trace, and where the test fails under it.
pub(crate) fn traced(name: &str) -> String {
    // Other tests of this process look at theirs meanwhile.
    let file = format!("callsoon-strace-{}-{}", std::process::id(), name.replace("::", "-"));
    let log = env::temp_dir().join(file);
    let mut strace = Command::new("strace");
    strace.arg("-f").arg("-o").arg(&log).arg(env::current_exe().unwrap());
    strace.args([name, "--exact", "--include-ignored", "--test-threads=1"]).env(CHILD, "1");
    strace.stdout(Stdio::null()).stderr(Stdio::null());
    let ran = strace.status().expect("there is strace");
    let calls = fs::read_to_string(&log).unwrap_or_default();
    // It may never have been made.
    let _ = fs::remove_file(&log);
    assert!(ran.success() && calls.contains("callsoon-mark"), "under strace: {ran}");
    // A call amid which another thread made one stands in two lines. The second shows that it
    // has returned.
    let began = calls.lines().filter(|line| !line.contains(" <... "));
    began.flat_map(|line| [line, "\n"]).collect()
}
