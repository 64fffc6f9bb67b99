//! Mutants of the ported programs (`mutations.txt`): the comparison names the place of each.
#![allow(unused, clippy::all)]

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

/// The trace of the Python half, and that of a mutant, which may end in an error.
fn traces(golden: &str, main: fn() -> Result<()>) -> (Trace, Trace) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(golden);
    let expected = fs::read_to_string(path.with_extension("trace")).expect("a golden trace");
    let actual = testing::record(|| drop(main()));
    (Trace::read(&expected, &[]).unwrap(), Trace::read(&actual, &[]).unwrap())
}

/// The mutation that the guide shows.
const SHOWN: &str = "lock_held_while_putting";

#[test]
fn guide_shows_both_halves_the_mistake_and_the_report() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(here.join(path)).expect(path);
    let guide = read("../../docs/port-check.md");
    for (language, half) in [("python", "programs/broker.py"), ("rust", "programs/broker.rs")] {
        let block = format!("```{language}\n{}```\n", read(half));
        assert!(guide.contains(&block), "{half} is not in docs/port-check.md");
    }
    let (_, golden, main, ..) = MUTANTS.iter().find(|mutant| mutant.0 == SHOWN).expect(SHOWN);
    let (python, rust) = traces(golden, *main);
    let report = report(&python, &rust, &compare(&python, &rust));
    assert!(
        guide.contains(&format!("```text\n{report}```\n")),
        "docs/port-check.md lacks\n{report}"
    );
}

#[test]
fn divergence_of_each_mutation_is_found_at_its_place() {
    assert!(MUTANTS.len() >= 20, "{}", MUTANTS.len());
    let mut wrong = String::new();
    for (name, golden, main, python, rust) in MUTANTS {
        let (ours, theirs) = traces(golden, *main);
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
