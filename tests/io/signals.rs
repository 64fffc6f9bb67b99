//! Signals that the loop handles, each test in a process of its own: signals are the process's.

use std::rc::Rc;
use std::time::Duration;

use callsoon::{ErrorKind, EventLoop};
#[cfg(windows)] // which has none for the program's own use
use signal_hook::consts::{SIGABRT as SIGUSR2, SIGINT as SIGUSR1};
use signal_hook::consts::{SIGFPE, SIGTERM};
#[cfg(unix)]
use signal_hook::consts::{SIGUSR1, SIGUSR2};
use signal_hook::low_level::raise;

use crate::child::{is_child, output_of_child};
use crate::run::NOW;
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

fn says(trace: &Trace, line: &'static str) -> impl FnMut() + 'static {
    let trace = trace.clone();
    move || trace.push(line)
}

/// The child has ended as its system ends a process that gets `signal`.
#[track_caller]
pub(crate) fn assert_ended_by(signal: i32, output: &std::process::Output) {
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&output.status),
        Some(signal),
        "{output:?}"
    );
    // The number that the C library gives to what it ends.
    #[cfg(windows)]
    assert_eq!(output.status.code(), Some(3), "signal {signal}: {output:?}");
}

#[test]
fn handler_runs_once_per_signal_in_the_turn_after_it_was_seen() {
    const NAME: &str = "signals::handler_runs_once_per_signal_in_the_turn_after_it_was_seen";
    if !is_child(NAME, "true") {
        return;
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.add_signal_handler(SIGUSR1, says(&trace, "one")).unwrap();
    event_loop.add_signal_handler(SIGUSR2, says(&trace, "two")).unwrap();
    raise(SIGUSR1).unwrap();
    raise(SIGUSR1).unwrap();
    trace.expect_nothing();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    trace.expect_nothing();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 2);
    trace.expect(["one", "one"]);
    raise(SIGUSR2).unwrap();
    event_loop.run_once(NOW).unwrap();
    event_loop.run_once(NOW).unwrap();
    trace.expect(["two"]);
    assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
}

#[test]
fn signals_of_one_turn_run_by_number() {
    if !is_child("signals::signals_of_one_turn_run_by_number", "true") {
        return;
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.add_signal_handler(SIGTERM, says(&trace, "15")).unwrap();
    event_loop.add_signal_handler(SIGUSR1, says(&trace, "10")).unwrap();
    for signal in [SIGTERM, SIGUSR1, SIGTERM] {
        raise(signal).unwrap();
    }
    event_loop.run_once(NOW).unwrap();
    event_loop.run_once(NOW).unwrap();
    let by_number = if SIGUSR1 < SIGTERM { ["10", "15", "15"] } else { ["15", "15", "10"] };
    trace.expect(by_number);
}

#[test]
fn later_handler_replaces_and_drops_the_former() {
    if !is_child("signals::later_handler_replaces_and_drops_the_former", "true") {
        return;
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (former, goes) = (trace.clone(), on_drop(trace.says("the former goes")));
    let former = move || {
        let _goes = &goes;
        former.push("former");
    };
    event_loop.add_signal_handler(SIGUSR1, former).unwrap();
    event_loop.add_signal_handler(SIGUSR1, says(&trace, "later")).unwrap();
    trace.expect(["the former goes"]);
    raise(SIGUSR1).unwrap();
    event_loop.run_once(NOW).unwrap();
    event_loop.run_once(NOW).unwrap();
    trace.expect(["later"]);
    assert!(event_loop.remove_signal_handler(SIGUSR1).unwrap());
    assert!(!event_loop.remove_signal_handler(SIGUSR1).unwrap());
}

/// A handler is something that could still happen, so the loop sleeps and does not stall.
#[cfg(target_os = "linux")] // which says whether a thread is asleep
#[test]
fn a_signal_from_another_process_wakes_a_loop_that_is_asleep() {
    const NAME: &str = "signals::a_signal_from_another_process_wakes_a_loop_that_is_asleep";
    if !is_child(NAME, "true") {
        return;
    }
    let event_loop = EventLoop::new();
    let on = event_loop.clone();
    event_loop.add_signal_handler(SIGTERM, move || on.stop()).unwrap();
    let own = std::process::id();
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let thread = thread.display();
    let asleep = format!("grep -q ^State:.S /proc/{thread}/status");
    let script = format!("until {asleep}; do :; done; kill {own}");
    let mut kill = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
    event_loop.run_forever().unwrap();
    assert!(kill.wait().unwrap().success());
}

#[test]
fn every_loop_that_handles_a_signal_is_told() {
    if !is_child("signals::every_loop_that_handles_a_signal_is_told", "true") {
        return;
    }
    let (trace, one, two) =
        (Trace::new(), EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    one.add_signal_handler(SIGUSR1, says(&trace, "one")).unwrap();
    two.add_signal_handler(SIGUSR1, says(&trace, "two")).unwrap();
    raise(SIGUSR1).unwrap();
    for event_loop in [&one, &two] {
        event_loop.run_once(NOW).unwrap();
        event_loop.run_once(NOW).unwrap();
    }
    trace.expect(["one", "two"]);
    one.close().unwrap();
    assert!(!one.remove_signal_handler(SIGUSR1).unwrap());
    raise(SIGUSR1).unwrap(); // which would end the process if it had no handler
    two.run_once(NOW).unwrap();
    two.run_once(NOW).unwrap();
    trace.expect(["two"]);
}

#[test]
fn signal_without_its_handler_has_its_default_action() {
    const NAME: &str = "signals::signal_without_its_handler_has_its_default_action";
    if let Some(output) = output_of_child(NAME, "true") {
        assert_ended_by(SIGTERM, &output);
        return;
    }
    let event_loop = EventLoop::with_virtual_time();
    event_loop.add_signal_handler(SIGTERM, || ()).unwrap();
    raise(SIGTERM).unwrap();
    event_loop.remove_signal_handler(SIGTERM).unwrap();
    event_loop.add_signal_handler(SIGTERM, || ()).unwrap();
    raise(SIGTERM).unwrap();
    // A signal that is ignored by default is ignored again.
    #[cfg(unix)]
    {
        use signal_hook::consts::SIGCHLD;
        event_loop.add_signal_handler(SIGCHLD, || ()).unwrap();
        event_loop.remove_signal_handler(SIGCHLD).unwrap();
        raise(SIGCHLD).unwrap();
    }
    drop(event_loop);
    raise(SIGTERM).unwrap();
}

#[test]
fn what_can_not_be_caught_and_what_is_no_signal_is_refused() {
    let event_loop = EventLoop::with_virtual_time();
    #[cfg(windows)]
    use signal_hook::consts::{SIGILL as SIGKILL, SIGSEGV as SIGSTOP};
    #[cfg(unix)]
    use signal_hook::consts::{SIGKILL, SIGSTOP};
    for signal in [SIGKILL, SIGSTOP, SIGFPE] {
        let message = format!("sig {signal} cannot be caught");
        let refused = event_loop.add_signal_handler(signal, || ()).unwrap_err();
        assert_eq!((refused.kind(), refused.message()), (ErrorKind::Runtime, message));
        assert!(!event_loop.remove_signal_handler(signal).unwrap());
    }
    for signal in [-1, 0, 1000] {
        for refused in [
            event_loop.add_signal_handler(signal, || ()).unwrap_err(),
            event_loop.remove_signal_handler(signal).unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Value);
            assert_eq!(refused.message(), format!("invalid signal number {signal}"));
        }
    }
    // It may be one elsewhere.
    #[cfg(target_os = "linux")]
    assert!(!event_loop.remove_signal_handler(100).unwrap());
    event_loop.close().unwrap();
    let refused = event_loop.add_signal_handler(SIGUSR1, || ()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
}

#[test]
fn a_handler_may_remove_itself_and_its_errors_are_told() {
    if !is_child("signals::a_handler_may_remove_itself_and_its_errors_are_told", "true") {
        return;
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let told = trace.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |_, context| {
        told.push(context.exception.as_ref().unwrap().message());
    })));
    let on = event_loop.clone();
    let handler = move || {
        assert!(on.remove_signal_handler(SIGUSR1)?);
        Err::<(), _>(callsoon::Error::new(ErrorKind::Value, "of the handler"))
    };
    event_loop.add_signal_handler(SIGUSR1, handler).unwrap();
    raise(SIGUSR1).unwrap();
    event_loop.call_later(Duration::from_secs(1), || ()).unwrap();
    while event_loop.run_once(None).is_ok() {}
    trace.expect(["of the handler"]);
}

/// CPython, too, looks for the handler when it reads that the signal came.
#[test]
fn a_signal_that_was_not_read_yet_goes_to_the_new_handler() {
    if !is_child("signals::a_signal_that_was_not_read_yet_goes_to_the_new_handler", "true") {
        return;
    }
    for removed in [false, true] {
        let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
        event_loop.add_signal_handler(SIGUSR1, says(&trace, "old")).unwrap();
        raise(SIGUSR1).unwrap();
        raise(SIGUSR1).unwrap();
        if removed {
            assert!(event_loop.remove_signal_handler(SIGUSR1).unwrap());
        }
        event_loop.add_signal_handler(SIGUSR1, says(&trace, "new")).unwrap();
        for _ in 0..2 {
            event_loop.run_once(NOW).unwrap();
        }
        trace.expect(["new", "new"]);
        assert!(event_loop.remove_signal_handler(SIGUSR1).unwrap());
        event_loop.run_once(NOW).unwrap();
        assert_eq!(event_loop.run_once(None).unwrap_err().kind(), ErrorKind::Stalled);
    }
}

/// The first signal is read at the end of a round, after the step in which the second came.
#[test]
fn a_replaced_handler_is_read_together_with_the_new_one() {
    if !is_child("signals::a_replaced_handler_is_read_together_with_the_new_one", "true") {
        return;
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    event_loop.add_signal_handler(SIGUSR1, says(&trace, "old")).unwrap();
    raise(SIGUSR1).unwrap();
    event_loop.add_signal_handler(SIGUSR1, says(&trace, "new")).unwrap();
    event_loop.call_soon(|| raise(SIGUSR1).map_err(callsoon::Error::from)).unwrap();
    for _ in 0..2 {
        event_loop.run_once(NOW).unwrap();
    }
    trace.expect(["new", "new"]);
}

/// The signals of a loop share one socket: once it is drained, the next signal is read a turn later.
#[test]
fn signal_after_replaced_handlers_is_read_in_its_turn() {
    if !is_child("signals::signal_after_replaced_handlers_is_read_in_its_turn", "true") {
        return;
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let raised = || raise(SIGUSR1).map_err(callsoon::Error::from);
    event_loop.add_signal_handler(SIGUSR1, says(&trace, "first")).unwrap();
    raised().unwrap();
    event_loop.add_signal_handler(SIGUSR1, says(&trace, "second")).unwrap();
    let (on, third) = (event_loop.clone(), trace.clone());
    event_loop
        .call_soon(move || {
            raised()?;
            on.add_signal_handler(SIGUSR1, says(&third, "third"))
        })
        .unwrap();
    event_loop.run_once(NOW).unwrap();
    trace.expect_nothing();
    event_loop.call_soon(raised).unwrap();
    event_loop.run_once(NOW).unwrap();
    trace.expect(["third", "third"]);
    event_loop.run_once(NOW).unwrap();
    trace.expect_nothing();
    event_loop.run_once(NOW).unwrap();
    trace.expect(["third"]);
}
