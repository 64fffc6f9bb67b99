//! Bursts: a million callbacks or timers at once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use callsoon::{EventLoop, Handle, Result};

const MANY: usize = 1_000_000;

#[test]
fn a_million_ready_callbacks_run_in_one_turn_in_their_order() {
    let event_loop = EventLoop::with_virtual_time();
    let next = Rc::new(Cell::new(0));
    for number in 0..MANY {
        let next = next.clone();
        let call = move || assert_eq!(next.replace(number + 1), number);
        event_loop.call_soon(call).unwrap();
    }
    assert_eq!(event_loop.run_once(None).unwrap(), MANY);
    assert_eq!(next.get(), MANY);
}

#[test]
fn the_first_of_a_million_may_cancel_all_the_others() {
    let event_loop = EventLoop::with_virtual_time();
    let (handles, held) = (Rc::new(RefCell::new(Vec::<Handle>::new())), Rc::new(()));
    let others = handles.clone();
    let cancels = move || others.take().iter().for_each(Handle::cancel);
    event_loop.call_soon(cancels).unwrap();
    for _ in 1..MANY {
        let own = held.clone();
        let never = move || -> Result<()> { unreachable!("{own:?}") };
        let handle = event_loop.call_soon(never).unwrap();
        handles.borrow_mut().push(handle);
    }
    // A cancelled callback keeps its place, and nothing that it captured.
    assert_eq!(event_loop.run_once(None).unwrap(), MANY);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_million_timers_of_one_time_run_in_one_turn_in_their_order() {
    let event_loop = EventLoop::with_virtual_time();
    let next = Rc::new(Cell::new(0));
    for number in 0..MANY {
        let next = next.clone();
        let call = move || assert_eq!(next.replace(number + 1), number);
        event_loop.call_later(Duration::from_secs(9), call).unwrap();
    }
    assert_eq!(event_loop.run_once(None).unwrap(), MANY);
    assert_eq!((next.get(), event_loop.time()), (MANY, Duration::from_secs(9)));
}
