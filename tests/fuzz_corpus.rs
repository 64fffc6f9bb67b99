//! The inputs that the fuzzers found worth keeping, and all that ever broke a target, run again on
//! the plain toolchain: `fuzz/seeds/TARGET` holds an input a file. See `docs/reliability.md`.

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;
#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;

fn seeds(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fuzz", "seeds", target].iter().collect()
}

/// Runs a target on every input that is kept of it, in the order of their names.
fn replay(target: &str) {
    let folder = fs::read_dir(seeds(target)).expect("a folder of kept inputs");
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "nothing is kept of {target}");
    for file in files {
        // Where it panics, the last line says which input it was.
        println!("{}", file.display());
        bodies::run(target, &fs::read(&file).expect("a file that can be read"));
    }
}

macro_rules! targets {
    ($($(#[$only:meta])? $target:ident),* $(,)?) => {
        $(
            #[test]
            $(#[$only])?
            fn $target() {
                replay(stringify!($target));
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let names: Vec<&str> = bodies::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$($(#[$only])? stringify!($target)),*]);
            let folders = fs::read_dir(seeds("")).expect("the folder of all kept inputs");
            let all = [$(stringify!($target)),*];
            assert_eq!(folders.count(), all.len(), "a folder that no target has");
        }
    };
}

targets! {
    cancel_walk, future_and_task, generator, hostile, inbox, memory, program, queue, ready_and_handles,
    stream_reader, streamer, threads, timer_wheel,
    #[cfg(unix)]
    wire,
}
