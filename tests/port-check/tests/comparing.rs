//! Comparisons of traces that are written by hand.

use port_check::{Comparison, Divergence, Harmless, Malformed, Trace, compare, picture, report};

fn read(lines: &[&str]) -> Trace {
    Trace::read(&lines.join("\n"), &[]).unwrap()
}

fn virtual_trace(lines: &[&str]) -> Trace {
    read(&[&["callsoon-trace 1 virtual"], lines].concat())
}

const TIMERS: [&str; 4] = ["outside", "make timer1 due 2", "make timer2 due 2", "turn 1 at 2"];

#[test]
fn compare_ties_of_timers_mean_nothing() {
    let python = virtual_trace(
        &[&TIMERS[..], &["timer2", "wake t2", "timer1", "turn 2 at 2", "step t2"]].concat(),
    );
    let rust = virtual_trace(
        &[&TIMERS[..], &["timer1", "timer2", "wake t2", "turn 2 at 2", "step t2"]].concat(),
    );
    let tie = Harmless::Tie { turn: 1, python: "timer2".into(), rust: "timer1".into() };
    assert_eq!(compare(&python, &rust), Comparison { harmless: vec![tie], divergence: None });
}

#[test]
fn compare_goes_on_behind_a_tie() {
    let python = virtual_trace(
        &[&TIMERS[..], &["timer2", "wake t2", "timer1", "turn 2 at 2", "step t2"]].concat(),
    );
    let rust = virtual_trace(
        &[&TIMERS[..], &["timer1", "timer2", "wake t2", "turn 2 at 2", "step t3"]].concat(),
    );
    let divergence = Some(Divergence { python: 7, rust: 7 });
    assert_eq!(compare(&python, &rust).divergence, divergence);
}

#[test]
fn compare_another_order_of_other_timers_is_a_divergence() {
    let made = ["outside", "make timer1 due 1", "make timer2 due 2", "turn 1 at 2"];
    let python = virtual_trace(&[&made[..], &["timer1", "timer2"]].concat());
    let rust = virtual_trace(&[&made[..], &["timer2", "timer1"]].concat());
    assert_eq!(compare(&python, &rust).divergence, Some(Divergence { python: 4, rust: 4 }));
}

#[test]
fn compare_real_times_do_not_count() {
    let python =
        read(&["callsoon-trace 1 real", "make timer1 due 1.5", "turn 1 at 1.50001", "timer1"]);
    let rust =
        read(&["callsoon-trace 1 real", "make timer1 due 9.25", "turn 1 at 9.2502", "timer1"]);
    assert_eq!(compare(&python, &rust), Comparison { harmless: vec![], divergence: None });
    let earlier = virtual_trace(&["make timer1 due 1", "turn 1 at 1"]);
    let later = virtual_trace(&["make timer1 due 1", "turn 1 at 2"]);
    assert_eq!(compare(&earlier, &later).divergence, Some(Divergence { python: 1, rust: 1 }));
}

#[test]
fn compare_end_of_one_trace_is_a_divergence() {
    let python = virtual_trace(&["turn 1 at 0", "step t1", "end t1 result"]);
    let rust = virtual_trace(&["turn 1 at 0", "step t1"]);
    let comparison = compare(&python, &rust);
    assert_eq!(comparison.divergence, Some(Divergence { python: 2, rust: 2 }));
    assert!(report(&python, &rust, &comparison).contains("> rust           (nothing more)\n"));
}

#[test]
fn read_leaves_kinds_out_and_refuses_other_files() {
    let text = "callsoon-trace 1 virtual\nturn 1 at 0\nstep t1\nlog a\nend t1 result\n";
    let trace = Trace::read(text, &["log".to_owned()]).unwrap();
    assert_eq!(trace.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 3, 5]);
    let refused = |text| Trace::read(text, &[]).unwrap_err();
    assert_eq!(refused(""), Malformed("the file is empty".into()));
    assert_eq!(
        refused("callsoon-trace 2 real"),
        Malformed("version 2 of the language is not known".into())
    );
    assert!(refused("step t1").0.starts_with("the first line"));
}

#[test]
fn read_leaves_out_calls_reasons_and_turns_without_lines() {
    let lines = ["callsoon-trace 1 virtual", "outside", "make call1", "turn 1 at 0", "call1"];
    let more = ["turn 2 at 0", "step t1", "wait t1 on Lock.acquire", "turn 3 at 0", "callback"];
    let text =
        [&lines[..], &more, &["set future1 result", "outside", "cancel call2", "turn 4 at 0"]]
            .concat();
    let without = ["set", "callback", "call", "reason"].map(str::to_owned);
    let trace = Trace::read(&text.join("\n"), &without).unwrap();
    let left: Vec<_> = trace.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(left, ["outside", "turn 2 at 0", "step t1", "wait t1", "outside"]);
}

#[test]
fn picture_marks_what_one_side_alone_has() {
    let python = virtual_trace(&["turn 1 at 0", "step t1", "log a < b", "end t1 result"]);
    let rust = virtual_trace(&["turn 1 at 0", "step t1", "end t1 result"]);
    let page = picture(&python, &rust, &compare(&python, &rust));
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("<tr")).collect();
    assert_eq!(rows[3], "<tr class=differs id=divergence><td class=effect>log a &lt; b<td>");
    assert_eq!(rows[4], "<tr><td class=effect>end t1 result<td class=effect>end t1 result");
}

const ABORTED: [&str; 3] = ["turn 1 at 0", "callback", "cancel t1"];

#[test]
fn compare_tasks_cancelled_together_have_any_order() {
    let second = ["cancel t2", "set future1 cancelled", "wake t2"];
    let (third, fourth) = (["cancel t3", "set future2 cancelled", "wake t3"], ["turn 2 at 0"]);
    let python = [&ABORTED[..], &third, &second, &fourth, &["step t3", "step t2"]].concat();
    let rust = [&ABORTED[..], &second, &third, &fourth, &["step t2", "step t3"]].concat();
    let order =
        Harmless::CancelOrder { turn: 1, python: "cancel t3".into(), rust: "cancel t2".into() };
    let comparison = compare(&virtual_trace(&python), &virtual_trace(&rust));
    assert_eq!(comparison, Comparison { harmless: vec![order], divergence: None });
}

#[test]
fn compare_another_task_cancelled_is_a_divergence() {
    let python = virtual_trace(&[&ABORTED[..], &["cancel t3", "wake t3"]].concat());
    let rust = virtual_trace(&[&ABORTED[..], &["cancel t2", "wake t2"]].concat());
    assert_eq!(compare(&python, &rust).divergence, Some(Divergence { python: 3, rust: 3 }));
}

/// Two tasks wait on `reasons`, and are woken: in Python by callbacks in a turn of their own.
fn awaited(reasons: [&str; 2], is_python: bool) -> Trace {
    let waits = [2, 3].map(|task| format!("wait t{task} on {}", reasons[task - 2]));
    let first = ["turn 1 at 0", "step t2", &waits[0], "step t3", &waits[1]];
    let woken: &[&str] = if is_python {
        &["turn 2 at 0", "callback", "wake t2", "callback", "wake t3", "turn 3 at 0"]
    } else {
        &["wake t2", "wake t3", "turn 2 at 0"]
    };
    virtual_trace(&[&first[..], woken, &["step t2", "end t2 result", "step t3"]].concat())
}

#[test]
fn compare_awaited_sockets_take_a_turn_less_in_rust() {
    let reasons = ["readiness of a source"; 2];
    let sockets = Harmless::AwaitedSockets { turn: 2, tasks: vec!["t2".into(), "t3".into()] };
    assert_eq!(
        compare(&awaited(reasons, true), &awaited(reasons, false)),
        Comparison { harmless: vec![sockets], divergence: None }
    );
}

#[test]
fn compare_a_turn_less_for_other_waits_is_a_divergence() {
    let reasons = ["readiness of a source", "Event.wait"];
    let comparison = compare(&awaited(reasons, true), &awaited(reasons, false));
    assert_eq!(comparison.divergence, Some(Divergence { python: 5, rust: 5 }));
}

const INTERRUPTED: [&str; 4] = ["turn 1 at 0", "step t1", "wait t1 on t2", "step t2"];

#[test]
fn compare_interrupt_cancels_at_the_end_of_the_step_in_rust() {
    let python = virtual_trace(
        &[&INTERRUPTED[..], &["cancel t1", "wake t1", "make t3", "end t2 result"]].concat(),
    );
    let rust = virtual_trace(
        &[&INTERRUPTED[..], &["make t3", "end t2 result", "cancel t1", "wake t1"]].concat(),
    );
    let interrupt = Harmless::Interrupt { turn: 1, task: "t1".into() };
    assert_eq!(compare(&python, &rust), Comparison { harmless: vec![interrupt], divergence: None });
}

#[test]
fn compare_cancel_from_another_entry_is_a_divergence() {
    let python =
        virtual_trace(&[&INTERRUPTED[..], &["cancel t1", "end t2 result", "step t3"]].concat());
    let rust =
        virtual_trace(&[&INTERRUPTED[..], &["end t2 result", "step t3", "cancel t1"]].concat());
    assert_eq!(compare(&python, &rust).divergence, Some(Divergence { python: 4, rust: 4 }));
}

fn ends_with(errors: &[&str]) -> Trace {
    let mut lines = vec!["turn 1 at 0".to_owned(), "step t1".to_owned()];
    lines.extend(errors.iter().map(|error| format!("end t1 error{error}")));
    virtual_trace(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[track_caller]
fn assert_errors(python: &[&str], rust: &[&str], diverge_at: Option<usize>) {
    let place = diverge_at.map(|at| Divergence { python: 2 + at, rust: 2 + at });
    assert_eq!(compare(&ends_with(python), &ends_with(rust)).divergence, place);
}

#[test]
fn compare_known_errors_by_name() {
    assert_errors(&[" TimeoutError", " KeyError"], &[" TimeoutError", " ValueError"], Some(1));
    assert_errors(&[" QueueEmpty"], &[" EmptyError"], Some(0));
    assert_errors(&[" BadJob"], &[" TimeoutError"], Some(0));
    assert_errors(&[" KeyError", " TimeoutError"], &[" LookupError", " OSError"], None);
}

#[test]
fn compare_own_errors_by_names_that_both_have() {
    assert_errors(&[" BadJob", " ValueError"], &[" JobError", " ParseIntError"], None);
    assert_errors(&[" BadJob", " NoJob"], &[" BadJob", " BadJob"], Some(1));
    assert_errors(&[" NoJob", " BadJob"], &[" BadJob", " BadJob"], Some(0));
    assert_errors(&[" BadJob"], &[""], None);
}
