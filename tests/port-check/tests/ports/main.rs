//! The Rust halves of programs, held to the traces that CPython has left of the Python halves, in
//! `golden`. `goldens` makes those anew.

use std::fs;
use std::path::{Path, PathBuf};

use callsoon::{Result, testing};
use port_check::{Trace, compare, report};

/// Adds a line to the trace: the programs below call it `println!`.
macro_rules! println {
    ($($word:tt)*) => { callsoon::testing::log(format!($($word)*)) };
}

#[path = "../../../ported"]
mod ported {
    pub(crate) mod cleanup;
    pub(crate) mod crawler;
    pub(crate) mod finally;
    pub(crate) mod gather;
    pub(crate) mod generator;
    pub(crate) mod shield;
    pub(crate) mod task_group;
    pub(crate) mod threads;
    pub(crate) mod timeout;
    pub(crate) mod workers;
}

#[path = "../../programs"]
mod programs {
    pub(crate) mod broker;
    pub(crate) mod rate_limiter;
    pub(crate) mod retrying_client;
    pub(crate) mod scheduler;
    pub(crate) mod servers;
    pub(crate) mod worker_pool;
}

macro_rules! tests {
    ($($folder:ident: $($program:ident),*;)*) => {
        $($(
            #[test]
            fn $program() {
                hold_to_golden(stringify!($program), $folder::$program::main);
            }
        )*)*
    };
}

tests! {
    ported: cleanup, crawler, finally, gather, generator, shield, task_group, threads, timeout, workers;
    programs: broker, rate_limiter, retrying_client, scheduler, servers, worker_pool;
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name).with_extension("trace")
}

/// Runs the Rust half of a program, and compares its trace with that of the Python half.
fn hold_to_golden(name: &str, main: fn() -> Result<()>) {
    let actual = testing::record(|| main().unwrap_or_else(|error| panic!("{name}: {error}")));
    let expected = fs::read_to_string(golden(name)).expect("a golden trace");
    let (python, rust) = (Trace::read(&expected, &[]).unwrap(), Trace::read(&actual, &[]).unwrap());
    let comparison = compare(&python, &rust);
    assert!(comparison.divergence.is_none(), "{}", report(&python, &rust, &comparison));
    if comparison.harmless.is_empty() {
        // Equal to the last line: names of a program's own errors may be others.
        assert_eq!(python.lines.len(), rust.lines.len(), "{name}");
    } else {
        assert_eq!((name, comparison.harmless.len()), ("threads", 1), "{:?}", comparison.harmless);
    }
}
