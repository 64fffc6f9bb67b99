//! Conformance: programs run on callsoon, and compared with their committed traces on CPython's
//! asyncio and the original Photons helpers. `conformance/PROGRAMS.md` is their language;
//! `conformance/fresh` compares new programs with the oracle, `conformance/goldens` makes the
//! committed traces anew.

#[path = "conformance/machine/mod.rs"]
mod machine;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::{fs, panic};

use callsoon::{Disorder, LoopRef};
use serde_json::{Value, json};

/// Programs of one golden file, with the traces that the oracle left.
struct Golden {
    program: Value,
    trace: Vec<String>,
    /// The behaviour that a hand-written program shows.
    says: Option<String>,
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "conformance", name].iter().collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn goldens(name: &str) -> Vec<Golden> {
    let text = read(&format!("golden/{name}.jsonl"));
    let goldens = text.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).expect("golden files hold JSON");
        Golden {
            trace: serde_json::from_value(line["trace"].take())
                .expect("a trace is a list of texts"),
            says: line["says"].as_str().map(str::to_owned),
            program: line["program"].take(),
        }
    });
    goldens.collect()
}

/// Runs every program of a golden file and reports those with a trace that differs.
fn hold_to(name: &str, at_least: usize) {
    let goldens = goldens(name);
    assert!(goldens.len() >= at_least, "{name}: only {} programs", goldens.len());
    let reports: Vec<String> = goldens.iter().filter_map(difference).collect();
    let count = reports.len();
    assert!(reports.is_empty(), "{count} of {} differ\n\n{}", goldens.len(), reports.join("\n"));
}

/// Calls `run` where context variables are used, if they are there: each callback and each task has a
/// context then, and nothing of a trace depends on that.
fn in_context<R>(run: impl FnOnce() -> R) -> R {
    #[cfg(feature = "contextvars")]
    {
        static USED: callsoon::ContextVar<()> = callsoon::ContextVar::new("used");

        callsoon::Context::new().run(|| {
            USED.set(());
            run()
        })
    }
    #[cfg(not(feature = "contextvars"))]
    run()
}

/// Where a program's trace leaves the oracle's, for reading; none where it doesn't.
fn difference(golden: &Golden) -> Option<String> {
    let ours = in_context(|| machine::run(&golden.program))
        .unwrap_or_else(|error| vec![error.to_string()]);
    if ours == golden.trace {
        return None;
    }
    let at = ours.iter().zip(&golden.trace).take_while(|(ours, theirs)| ours == theirs).count();
    let mut report = format!("{} differs at line {}\n", golden.program["name"], at + 1);
    if let Some(says) = &golden.says {
        let _ = writeln!(report, "  {says}");
    }
    for line in &golden.trace[at.saturating_sub(4)..at] {
        let _ = writeln!(report, "    both   {line}");
    }
    for (who, trace) in [("oracle", &golden.trace), ("ours  ", &ours)] {
        let line = trace.get(at).map_or("(nothing more)", String::as_str);
        let _ = writeln!(report, "    {who} {line}");
    }
    Some(report)
}

/// One test a family, held to what `conformance/families` lists.
macro_rules! families {
    ($($(#[$only:meta])* $family:ident),* $(,)?) => {
        $(
            #[test]
            $(#[$only])*
            fn $family() {
                hold_to(stringify!($family), 50);
            }
        )*

        #[test]
        fn every_family_is_tested() {
            let listed = read("families");
            assert_eq!(listed.lines().collect::<Vec<_>>(), [$(stringify!($family)),*]);
        }
    };
}

families! {
    futures, tasks, wrappers, waiting, timeouts, generators, queue, ticker, holder, streamer,
    locks, channels, groups, mixed, tangle, endings,
    #[cfg_attr(not(feature = "signals"), ignore = "needs the feature signals")]
    interrupts,
    #[cfg_attr(not(unix), ignore = "needs Unix sockets")]
    streams,
    #[cfg_attr(not(unix), ignore = "needs Unix sockets")]
    transports,
}

/// The families with turns that depend on the program alone, and not on what the poller reports.
fn without_poller() -> Vec<String> {
    let families = read("families");
    let polled = ["interrupts", "streams", "transports"];
    families.lines().filter(|family| !polled.contains(family)).map(str::to_owned).collect()
}

#[test]
fn hand_written() {
    hold_to("hand-written", 200);
}

#[test]
fn every_hand_written_program_says_what_it_shows() {
    for golden in goldens("hand-written") {
        let says = golden.says.unwrap_or_default();
        assert!(says.ends_with('.'), "{} says {says:?}", golden.program["name"]);
    }
}

/// The trace of a golden program, and the hash of its schedule.
fn hashed(golden: &Golden, disorder: Option<Disorder>) -> (Vec<String>, Option<u64>) {
    let mut on = None;
    let trace = machine::execute::run_with(&golden.program, |event_loop| {
        event_loop.set_disorder(disorder);
        event_loop.start_schedule_hash();
        on = Some(LoopRef::clone(event_loop));
    });
    (trace.expect("a program"), on.and_then(|on| on.schedule_hash()))
}

/// In virtual time the contract leaves nothing free but turns in which nothing happens.
#[test]
fn free_disorder_changes_no_trace_and_no_hash() {
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut hashes, mut count) = (BTreeSet::new(), 0);
    let families = without_poller();
    let names = families.iter().map(String::as_str).chain(["hand-written"]);
    for golden in names.flat_map(goldens) {
        let (trace, hash) = hashed(&golden, None);
        assert_eq!(trace, golden.trace, "{}", golden.program["name"]);
        hashes.insert(hash);
        count += 1;
        for _ in 0..3 {
            let disorder = Disorder::free(rng.u64(..));
            let again = hashed(&golden, Some(disorder));
            assert_eq!(again, (trace.clone(), hash), "{disorder}: {}", golden.program["name"]);
        }
    }
    // Some programs differ in what they say only, and not in what the loop does.
    let told_apart = hashes.len();
    assert!(told_apart * 4 > count * 3, "only {told_apart} of {count} are told from each other");
}

/// Callbacks and tasks that are ready run in another order: another run, and a run all the same.
#[test]
fn ready_disorder_gives_another_run_that_its_seed_repeats() {
    let (mut runs, mut others) = (0, 0);
    let families = without_poller();
    for golden in families.iter().flat_map(|family| goldens(family).into_iter().take(12)) {
        for seed in 0..3 {
            let disorder = Some(Disorder::ready(seed));
            let (trace, hash) = hashed(&golden, disorder);
            assert!(trace.iter().any(|line| line.contains(" end: ")), "{}", golden.program["name"]);
            assert_eq!(hashed(&golden, disorder), (trace.clone(), hash), "the seed gives it again");
            (runs, others) = (runs + 1, others + usize::from(trace != golden.trace));
        }
    }
    assert!(others * 4 > runs, "only {others} of {runs} differ");
}

/// The trace of a program with this main and nothing else.
fn trace_of(main: Value) -> Vec<String> {
    machine::run(&json!({"name": "here", "main": main})).expect("a program")
}

/// Returns the error for a value that is no program.
fn refusal(program: &Value) -> String {
    machine::run(program).expect_err("no program").to_string()
}

#[test]
fn an_unknown_statement_ends_the_program_before_it_starts() {
    let unsupported = ["0 end: unsupported juggle"];
    assert_eq!(trace_of(json!([["log", "x"], ["juggle", 3]])), unsupported);
    assert_eq!(trace_of(json!([["try", [["repeat", 2, [["juggle"]]]], {}]])), unsupported);
    let elsewhere = json!({"main": [], "callbacks": {"unused": [["juggle"]]}});
    assert_eq!(machine::run(&elsewhere).expect("a program"), unsupported);
}

/// Python gathers anything; here the children of a gathering have results of one type.
#[test]
fn a_gathering_of_a_gathering_and_a_future_is_unsupported() {
    let main =
        json!(
            [["future", "f"], ["gather", "a", ["f"]], ["log", "."], ["gather", "n", ["a", "f"]],]
        );
    assert_eq!(trace_of(main), ["0 end: unsupported gather"]);
    let main = json!([["future", "f"], ["gather", "a", ["f"]], ["shield", "s", "a"]]);
    assert_eq!(trace_of(main), ["0 end: unsupported gathering"]);
}

#[test]
fn what_is_no_program_is_refused() {
    let refusals = [
        (json!(7), "no main"),
        (json!({"coros": {}}), "no main"),
        (json!({"main": {"log": 1}}), "not a list of statements: {\"log\":1}"),
        (json!({"main": [7]}), "not a statement: 7"),
        (json!({"main": [[]]}), "not a statement: []"),
        (json!({"main": [[["log"]]]}), "not a statement: [[\"log\"]]"),
        (json!({"main": [["log"]]}), "log: no name"),
        (json!({"main": [["log", 7]]}), "log: 7 is no name"),
        (json!({"main": [["log", "a", "b"]]}), "log: \"b\" is too much"),
        (json!({"main": [["sleep", -1]]}), "sleep: -1 is no time in seconds"),
        (
            json!({"main": [["sleep", u64::MAX]]}),
            "sleep: 18446744073709551615 is no time in seconds",
        ),
        (json!({"main": [["set_result", "f", [1]]]}), "set_result: [1] is no value"),
        (json!({"main": [["repeat", 1.5, []]]}), "repeat: 1.5 is no count"),
        (json!({"main": [["repeat", 2]]}), "repeat: no statements"),
        (json!({"main": [["add", "n", 1.5]]}), "add: 1.5 is no whole number"),
        (json!({"main": [["timeout_at", "t", -1, []]]}), "timeout_at: -1 is no time in seconds"),
        (json!({"main": [["try", [], []]]}), "try: [] are no options"),
        (json!({"main": [["try", [], {"error": 1}]]}), "not a list of statements: 1"),
        (json!({"main": [["spawn", "t", "k", {"silent": 1}]]}), "spawn: silent can't be 1"),
        (json!({"main": [], "coros": []}), "coros is no object"),
    ];
    for (program, expected) in refusals {
        assert_eq!(refusal(&program), expected, "of {program}");
    }
}

#[test]
fn coroutines_that_call_each_other_for_ever_are_stopped() {
    let program = json!({
        "main": [["call", "even"]],
        "coros": {"even": [["call", "odd"]], "odd": [["call", "even"]]},
    });
    let trace = machine::run(&program).expect("a program");
    assert_eq!(trace[0], "0 even#51: raise RecursionError");
    assert_eq!(trace[trace.len() - 1], "0 end: main is exception:RecursionError");
}

/// The oracle has no trace of this one: cancelling in a circle, CPython runs out of stack.
#[test]
fn tasks_that_await_each_other_stall_and_can_be_cancelled() {
    let program = json!({
        "main": [["task", "t", "k"], ["task", "u", "l"], ["await", "t"]],
        "coros": {"k": [["await", "u"]], "l": [["await", "t"]]},
    });
    let expected = [
        "0 end: stalled",
        "0 end: main is pending",
        "0 end: t is pending",
        "0 end: u is pending",
        "0 l#1: await t -> cancelled",
        "0 l#1: raise cancelled",
        "0 k#1: await u -> cancelled",
        "0 k#1: raise cancelled",
        "0 main: await t -> cancelled",
        "0 main: raise cancelled",
        "0 end: over",
    ];
    assert_eq!(machine::run(&program).expect("a program"), expected);
}

/// Golden programs with leaves changed at random: most still run, and whatever they do, a run
/// ends, with a report or a refusal.
#[test]
fn damaged_programs_neither_panic_nor_hang() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut ran = 0;
    for golden in without_poller().iter().flat_map(|family| goldens(family)) {
        let mut program = golden.program;
        for _ in 0..4 {
            damage(&mut program, &mut rng);
            let ended = panic::catch_unwind(|| machine::run(&program));
            let Ok(trace) = ended.unwrap_or_else(|_| panic!("it panicked: {program}")) else {
                continue;
            };
            ran += 1;
            assert!(trace.iter().any(|line| line.contains(" end: ")), "{program}");
        }
    }
    assert!(ran > 100, "only {ran} were still programs");
}

/// Puts something else in the place of one leaf.
fn damage(json: &mut Value, rng: &mut fastrand::Rng) {
    let inner: Vec<&mut Value> = match json {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(map) => map.values_mut().collect(),
        _ => Vec::new(),
    };
    match inner.len() {
        0 => {
            *json = [json!(null), json!(3), json!("f0"), json!("g0"), json!("log")][rng.usize(..5)]
                .take()
        }
        count => damage(inner.into_iter().nth(rng.usize(..count)).expect("it is in there"), rng),
    }
}
