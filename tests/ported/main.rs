//! Programs of asyncio beside their ports: `NAME.py` and `NAME.rs` have the same trace, which is
//! `NAME.txt`, left by CPython. A line of a trace is what a program prints, behind the time on
//! its loop's clock. `docs/from-asyncio.md` shows them.
//!
//! `run.py` keeps the traces anew (`--write`), and compares.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use callsoon::{Result, running_loop};

thread_local! {
    static TRACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Replaces `println!` in the programs below: prints a line of the trace.
macro_rules! println {
    ($($word:tt)*) => { crate::print_with_time(&format!($($word)*)) };
}

#[cfg(unix)]
mod cache;
mod cleanup;
#[cfg(all(unix, feature = "process"))] // its commands are those of a Unix shell
mod commands;
mod crawler;
mod finally;
mod gather;
mod generator;
mod lifx;
#[cfg(unix)]
mod pages;
mod shield;
mod task_group;
mod threads;
mod timeout;
mod workers;

fn print_with_time(line: &str) {
    let time = running_loop().expect("a program prints on its loop").time();
    TRACE.with_borrow_mut(|trace| *trace += &format!("{} {line}\n", time.as_secs_f64()));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ported")
}

fn text_of(path: &Path) -> String {
    let text = fs::read_to_string(path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs the Rust half of a program, and holds it to the trace of the Python half.
fn hold_to_the_trace(name: &str, main: fn() -> Result<()>) {
    main().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(TRACE.take(), text_of(&folder().join(name).with_extension("txt")), "{name}");
}

macro_rules! programs {
    ($($(#[$only:meta])* $program:ident),* $(,)?) => {
        const PROGRAMS: &[&str] = &[$(stringify!($program)),*];

        $(
            $(#[$only])*
            #[test]
            fn $program() {
                hold_to_the_trace(stringify!($program), $program::main);
            }
        )*
    };
}

programs! {
    #[cfg(unix)]
    cache,
    cleanup,
    #[cfg(all(unix, feature = "process"))]
    commands,
    crawler, finally, gather, generator, lifx,
    #[cfg(unix)]
    pages,
    shield, task_group, threads, timeout, workers,
}

#[test]
fn every_program_has_two_halves_and_a_trace_and_is_tested() {
    let files = fs::read_dir(folder()).expect("the folder of the programs");
    let files = files.map(|file| file.expect("a file of the folder").file_name());
    let found: BTreeSet<String> = files
        .map(|name| name.into_string().expect("plain names"))
        .filter(|name| !["main.rs", "run.py", "__pycache__"].contains(&name.as_str()))
        .collect();
    let halves = |name: &&str| ["py", "rs", "txt"].map(|extension| format!("{name}.{extension}"));
    assert_eq!(found, PROGRAMS.iter().flat_map(halves).collect::<BTreeSet<String>>());
}

#[test]
#[ignore = "needs CPython 3.13: --ignored runs it"]
fn the_python_halves_leave_the_traces_that_are_kept() {
    let found = Command::new("bash")
        .arg(folder().join("../conformance/find-python"))
        .output()
        .expect("bash runs");
    assert!(found.status.success(), "there is no CPython 3.13");
    let python = String::from_utf8(found.stdout).expect("a path");
    let ran = Command::new(python.trim()).arg("-B").arg(folder().join("run.py")).output();
    let ran = ran.expect("it runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}{}", said(&ran.stdout), said(&ran.stderr));
}

/// So that what is read there is what is tested here.
#[test]
fn the_guide_shows_both_halves_as_they_are() {
    let guide = text_of(&folder().join("../../docs/from-asyncio.md"));
    for name in PROGRAMS {
        // The guide's own tests have the default features only.
        let rust = if *name == "commands" { "rust,ignore" } else { "rust" };
        for (language, extension) in [("python", "py"), (rust, "rs")] {
            let program = text_of(&folder().join(name).with_extension(extension));
            let block = format!("```{language}\n{program}```\n");
            assert!(guide.contains(&block), "{name}.{extension} is not in docs/from-asyncio.md");
        }
    }
}
