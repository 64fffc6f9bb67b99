//! A host that sleeps between turns: how it learns of work, and until when it may sleep.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use callsoon::EventLoop;

use crate::machine::Machine;
use crate::support::trace::Trace;

const SECOND: Duration = Duration::from_secs(1);

fn turn(event_loop: &EventLoop) -> usize {
    event_loop.run_once(Some(Duration::ZERO)).unwrap()
}

#[test]
fn call_between_turns_notifies_once() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    let handle = event_loop.handle();
    handle.call_soon_threadsafe(trace.says("early")).unwrap();
    assert_eq!(machine.take_notifications(), 0, "the host has not begun");
    assert_eq!(turn(&event_loop), 1);
    let remote = handle.clone();
    thread::spawn(move || {
        remote.call_soon_threadsafe(|| ()).unwrap();
        remote.call_soon_threadsafe(|| ()).unwrap();
    })
    .join()
    .unwrap();
    assert_eq!(machine.take_notifications(), 1);
    assert_eq!(turn(&event_loop), 2);
    handle.call_soon_threadsafe(trace.says("late")).unwrap();
    assert_eq!(machine.take_notifications(), 1);
    assert_eq!(turn(&event_loop), 1);
    trace.expect(["early", "late"]);
}

#[test]
fn call_soon_between_turns_notifies() {
    let (machine, event_loop) = Machine::with_loop();
    assert_eq!(turn(&event_loop), 0);
    event_loop.call_soon(|| ()).unwrap();
    event_loop.call_soon(|| ()).unwrap();
    assert_eq!(machine.take_notifications(), 1);
    assert_eq!(turn(&event_loop), 2);
}

#[test]
fn task_waker_between_turns_notifies() {
    let (machine, event_loop) = Machine::with_loop();
    let kept = Rc::new(RefCell::new(None::<Waker>));
    let keeps = kept.clone();
    let body = poll_fn(move |cx| {
        *keeps.borrow_mut() = Some(cx.waker().clone());
        Poll::<callsoon::Result<()>>::Pending
    });
    let _task = event_loop.create_task(body).unwrap();
    assert_eq!(turn(&event_loop), 1);
    kept.borrow().as_ref().unwrap().wake_by_ref();
    assert_eq!(machine.take_notifications(), 1);
    assert_eq!(turn(&event_loop), 1);
}

#[test]
fn call_within_a_turn_does_not_notify() {
    let (machine, event_loop) = Machine::with_loop();
    assert_eq!(turn(&event_loop), 0);
    let (on, handle) = (event_loop.clone(), event_loop.handle());
    event_loop
        .call_soon(move || {
            let remote = handle.clone();
            thread::spawn(move || remote.call_soon_threadsafe(|| ())).join().unwrap().unwrap();
            on.call_soon(|| ()).unwrap();
        })
        .unwrap();
    assert_eq!(machine.take_notifications(), 1);
    assert_eq!(turn(&event_loop), 1);
    assert_eq!(machine.take_notifications(), 0);
    assert_eq!(event_loop.time_until_turn(), Some(Duration::ZERO));
    assert_eq!(turn(&event_loop), 2);
}

#[test]
fn time_until_turn_is_that_of_the_first_timer() {
    let (trace, (machine, event_loop)) = (Trace::new(), Machine::with_loop());
    assert_eq!(event_loop.time_until_turn(), None);
    event_loop.call_later(5 * SECOND, trace.says("five")).unwrap();
    let timer = event_loop.call_later(2 * SECOND, trace.says("two")).unwrap();
    assert_eq!(event_loop.time_until_turn(), Some(2 * SECOND));
    timer.cancel();
    assert_eq!(event_loop.time_until_turn(), Some(5 * SECOND));
    machine.set_now(3 * SECOND);
    assert_eq!(event_loop.time_until_turn(), Some(2 * SECOND));
    machine.set_now(7 * SECOND);
    assert_eq!(event_loop.time_until_turn(), Some(Duration::ZERO));
    assert_eq!(turn(&event_loop), 1);
    assert_eq!(event_loop.time_until_turn(), None);
    trace.expect(["five"]);
    assert_eq!(machine.take_waits(), []);
}

#[test]
fn time_until_turn_is_zero_with_work() {
    let (_machine, event_loop) = Machine::with_loop();
    event_loop.call_soon(|| ()).unwrap();
    assert_eq!(event_loop.time_until_turn(), Some(Duration::ZERO));
    assert_eq!(turn(&event_loop), 1);
    event_loop.handle().call_soon_threadsafe(|| ()).unwrap();
    assert_eq!(event_loop.time_until_turn(), Some(Duration::ZERO));
    assert_eq!(turn(&event_loop), 1);
    event_loop.stop();
    assert_eq!(event_loop.time_until_turn(), Some(Duration::ZERO));
    assert_eq!(turn(&event_loop), 0);
    event_loop.close().unwrap();
    assert_eq!(event_loop.time_until_turn(), None);
}
