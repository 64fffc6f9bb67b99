//! Mutants of the ported programs (`mutations.txt`): the comparison names the place of each.
#![allow(unused)]

use std::fs;
use std::path::Path;

use callsoon::{Result, testing};
use port_check::{Trace, compare, report};

/// Adds a line to the trace: the programs call it `println!`.
macro_rules! println {
    ($($word:tt)*) => { callsoon::testing::log(format!($($word)*)) };
}

/// The name, the golden trace, the main, and the lines at which the traces diverge.
type Mutant = (&'static str, &'static str, fn() -> Result<()>, &'static str, &'static str);

include!(concat!(env!("OUT_DIR"), "/mutants.rs"));

#[test]
fn divergence_of_each_mutation_is_found_at_its_place() {
    assert!(MUTANTS.len() >= 20, "{}", MUTANTS.len());
    let mut wrong = String::new();
    for (name, golden, main, python, rust) in MUTANTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(golden);
        let expected = fs::read_to_string(path.with_extension("trace")).expect("a golden trace");
        // Some end in an error.
        let actual = testing::record(|| drop(main()));
        let ours = Trace::read(&expected, &[]).unwrap();
        let theirs = Trace::read(&actual, &[]).unwrap();
        let comparison = compare(&ours, &theirs);
        let line = |trace: &Trace, place: usize| {
            trace.lines.get(place).map_or_else(|| "(nothing more)".into(), |line| line.text.clone())
        };
        let found =
            comparison.divergence.map(|at| (line(&ours, at.python), line(&theirs, at.rust)));
        if found != Some(((*python).to_owned(), (*rust).to_owned())) {
            wrong += &format!("{name}: {found:?}\n{}\n", report(&ours, &theirs, &comparison));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
