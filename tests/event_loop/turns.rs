//! The callbacks and tasks that a turn runs, and their order.

use std::io::Write;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use callsoon::EventLoop;

use crate::support::sockets::local_pair;
use crate::support::trace::Trace;

#[test]
fn callbacks_run_in_the_order_in_which_they_were_scheduled() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    for name in ["a", "b", "c"] {
        event_loop.call_soon(trace.says(name)).unwrap();
    }
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    trace.expect(["a", "b", "c"]);
}

#[test]
fn turn_runs_ready_entries_then_threads_sockets_and_timers() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (mut theirs, ours) = local_pair().unwrap();
    let ours = Rc::new(ours);
    // Made in another order than they are to run in; of the socket's two the writer is first.
    event_loop.call_later(Duration::ZERO, trace.says("timer")).unwrap();
    let pushes = trace.clone();
    event_loop.add_writer(ours.clone(), move || pushes.push("writer")).unwrap();
    let pushes = trace.clone();
    event_loop.add_reader(ours.clone(), move || pushes.push("reader")).unwrap();
    theirs.write_all(b"!").unwrap();
    event_loop.call_soon(trace.says("ready")).unwrap();
    let (handle, says) = (event_loop.handle(), trace.says("thread"));
    thread::spawn(move || handle.call_soon_threadsafe(says)).join().unwrap().unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 5);
    trace.expect(["ready", "thread", "reader", "writer", "timer"]);
}

#[test]
fn what_a_turn_schedules_runs_in_the_next_one() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    for name in ["a", "b"] {
        let (on, says) = (event_loop.clone(), trace.clone());
        let callback = move || {
            says.push(name);
            on.call_later(Duration::ZERO, says.says(format!("timer of {name}"))).unwrap();
            on.call_soon(says.says(format!("soon of {name}"))).unwrap();
        };
        event_loop.call_soon(callback).unwrap();
    }
    assert_eq!(event_loop.run_once(None).unwrap(), 2);
    trace.expect(["a", "b"]);
    assert_eq!(event_loop.run_once(None).unwrap(), 4);
    trace.expect(["soon of a", "soon of b", "timer of a", "timer of b"]);
}

#[test]
fn callback_that_reschedules_itself_keeps_none_from_running() {
    fn again(on: callsoon::LoopRef, trace: Trace) {
        trace.push("again");
        let next = on.clone();
        on.call_soon(move || again(next, trace)).unwrap();
    }
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (mut theirs, ours) = local_pair().unwrap();
    let pushes = trace.clone();
    event_loop.add_reader(ours, move || pushes.push("reader")).unwrap();
    let (on, says) = (event_loop.clone(), trace.clone());
    event_loop.call_soon(move || again(on, says)).unwrap();
    let handle = event_loop.handle();
    let says = trace.says("thread");
    let arrives = move || {
        theirs.write_all(b"!").unwrap();
        thread::spawn(move || handle.call_soon_threadsafe(says)).join().unwrap().unwrap();
    };
    event_loop.call_soon(arrives).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 2);
    trace.expect(["again"]);
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    trace.expect(["again", "thread", "reader"]);
}

#[test]
fn a_cancelled_callback_still_takes_its_place_in_the_turn() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let first = event_loop.call_soon(trace.says("first")).unwrap();
    event_loop.call_soon(trace.says("second")).unwrap();
    first.cancel();
    assert_eq!(event_loop.run_once(None).unwrap(), 2);
    trace.expect(["second"]);
}

#[test]
fn threadsafe_call_on_the_loops_thread_keeps_its_place() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (on, says) = (event_loop.clone(), trace.clone());
    let inside = move || {
        on.call_soon(says.says("inside 1")).unwrap();
        on.handle().call_soon_threadsafe(says.says("inside 2")).unwrap();
        on.call_soon(says.says("inside 3")).unwrap();
    };
    event_loop.call_soon(inside).unwrap();
    event_loop.handle().call_soon_threadsafe(trace.says("before the run 1")).unwrap();
    event_loop.call_soon(trace.says("before the run 2")).unwrap();
    event_loop.handle().call_soon_threadsafe(trace.says("before the run 3")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 4);
    trace.expect(["before the run 1", "before the run 2", "before the run 3"]);
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    trace.expect(["inside 1", "inside 2", "inside 3"]);
}
