//! The sleeps that the loop asks of the machine: how long they are, and when there is none.

use std::time::Duration;

use callsoon::ErrorKind;

use crate::machine::Machine;
use crate::support::trace::Trace;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn loop_sleeps_until_the_first_timer_unless_work_is_ready() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    event_loop.call_later(5 * SECOND, trace.says("five")).unwrap();
    event_loop.call_later(2 * SECOND, trace.says("two")).unwrap();
    event_loop.call_soon(trace.says("soon")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(machine.take_waits(), []);
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(machine.take_waits(), [Some(2 * SECOND), Some(3 * SECOND)]);
    trace.expect(["soon", "two", "five"]);
}

#[test]
fn a_timer_that_is_due_already_is_not_waited_for() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    machine.set_now(10 * SECOND);
    event_loop.call_at(3 * SECOND, trace.says("late")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(machine.take_waits(), []);
    trace.expect(["late"]);
}

#[test]
fn without_timers_the_loop_sleeps_until_it_is_called() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    let (handle, says) = (event_loop.handle(), trace.says("called"));
    let _could_call = event_loop.handle();
    machine.arrives(move || handle.call_soon_threadsafe(says).unwrap());
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(machine.take_waits(), [None]);
    trace.expect(["called"]);
}

#[test]
fn a_bound_on_the_wait_is_kept() {
    let (machine, event_loop) = Machine::with_loop();
    let timer = event_loop.call_later(5 * SECOND, || ()).unwrap();
    assert_eq!(event_loop.run_once(Some(Duration::ZERO)).unwrap(), 0);
    assert_eq!(machine.take_waits(), []);
    assert_eq!(event_loop.run_once(Some(SECOND)).unwrap(), 0);
    assert_eq!(event_loop.run_once(Some(6 * SECOND)).unwrap(), 1);
    assert_eq!(machine.take_waits(), [Some(SECOND), Some(4 * SECOND)]);
    timer.cancel();
    assert_eq!(event_loop.run_once(Some(7 * SECOND)).unwrap(), 0);
    assert_eq!(machine.take_waits(), [Some(7 * SECOND)]);
}

/// Not so in CPython, which wakes for nothing every 24 hours.
#[test]
fn a_far_timer_is_waited_for_in_one_piece() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    event_loop.call_later(1000 * DAY, trace.says("far")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(machine.take_waits(), [Some(1000 * DAY)]);
    trace.expect(["far"]);
}

#[test]
fn a_delay_too_long_to_count_lasts_for_ever() {
    let (machine, event_loop) = Machine::with_loop();
    machine.set_now(SECOND);
    let timer = event_loop.call_later(Duration::MAX, || ()).unwrap();
    assert_eq!(timer.when(), Duration::MAX);
    machine.arrives(|| ());
    assert_eq!(event_loop.run_once(None).unwrap(), 0);
    assert_eq!(machine.take_waits(), [Some(Duration::from_nanos(u64::MAX) - SECOND)]);
}

/// 1,000 years, where the loop counts 584 in nanoseconds.
#[test]
fn timer_beyond_the_clock_knows_its_time() {
    let (machine, event_loop) = Machine::with_loop();
    machine.set_now(SECOND);
    let far = 365_000 * DAY;
    let timer = event_loop.call_later(far, || ()).unwrap();
    assert_eq!(timer.when(), far + SECOND);
    assert_eq!(event_loop.call_at(far, || ()).unwrap().when(), far);
}

#[test]
fn a_cancelled_earliest_timer_does_not_wake_the_loop() {
    let (machine, event_loop) = Machine::with_loop();
    let first = event_loop.call_later(SECOND, || ()).unwrap();
    event_loop.call_later(5 * SECOND, || ()).unwrap();
    first.cancel();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    assert_eq!(machine.take_waits(), [Some(5 * SECOND)]);
}

/// Not so in CPython, which never wakes for a cancelled timer: here that would cost a search
/// whenever one of many is cancelled. Where memory is scarce, the timers are in a tree, and it doesn't.
#[cfg(not(callsoon_scarce))]
#[test]
fn one_of_many_timers_cancelled_may_wake_the_loop_in_vain() {
    const NANO: Duration = Duration::from_nanos(1);
    let (machine, event_loop) = Machine::with_loop();
    let crowd = [30, 10, 20].map(|n| event_loop.call_at(DAY + n * NANO, || ()).unwrap());
    crowd[1].cancel();
    let ran: Vec<usize> = (0..3).map(|_| event_loop.run_once(None).unwrap()).collect();
    assert_eq!(ran, [0, 1, 1]);
    assert_eq!(machine.take_waits(), [Some(DAY + 10 * NANO), Some(10 * NANO), Some(10 * NANO)]);
}

#[test]
fn wait_without_any_source_is_an_error_and_the_loop_stays_sound() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    assert_eq!(event_loop.run_once(None).unwrap_err().kind(), ErrorKind::Stalled);
    assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
    assert!(!event_loop.is_running());
    assert_eq!(machine.take_waits(), []);
    event_loop.call_soon(trace.says("runs all the same")).unwrap();
    assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
    trace.expect(["runs all the same"]);
}

#[test]
fn what_is_ready_runs_before_a_loop_stalls_in_virtual_time_too() {
    let (trace, event_loop) = (Trace::new(), callsoon::EventLoop::with_virtual_time());
    event_loop.call_later(SECOND, trace.says("timer")).unwrap();
    assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
    assert_eq!(event_loop.time(), SECOND);
    trace.expect(["timer"]);
}

#[test]
fn error_of_the_machine_is_returned_by_the_run() {
    struct Broken;

    impl callsoon::Host for Broken {
        fn now(&self) -> Duration {
            Duration::ZERO
        }
        fn wait(&self, _: Option<Duration>) -> callsoon::Result<()> {
            Err(callsoon::Error::new(ErrorKind::Io, "no more sleep"))
        }
        fn notifier(&self) -> std::sync::Arc<dyn callsoon::Notify> {
            std::sync::Arc::new(Broken)
        }
    }

    impl callsoon::Notify for Broken {
        fn notify(&self) {}
    }

    let (trace, event_loop) = (Trace::new(), callsoon::EventLoop::with_host(Broken));
    event_loop.call_soon(trace.says("ready")).unwrap();
    event_loop.call_later(SECOND, trace.says("timer")).unwrap();
    assert_eq!(event_loop.run_forever().unwrap_err().message(), "no more sleep");
    trace.expect(["ready"]);
    assert!(!event_loop.is_running());
    assert_eq!(event_loop.pending_timers(), 1);
}

#[test]
fn call_of_another_thread_during_a_wait_runs_in_the_same_turn() {
    let (machine, event_loop) = Machine::with_loop();
    let (handle, trace) = (event_loop.handle(), Trace::new());
    machine.arrives(move || {
        std::thread::spawn(move || handle.call_soon_threadsafe(|| ())).join().unwrap().unwrap();
    });
    event_loop.call_later(SECOND, trace.says("timer")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 1, "what was sent");
    trace.expect_nothing();
    assert_eq!(event_loop.run_once(None).unwrap(), 1);
    trace.expect(["timer"]);
}
