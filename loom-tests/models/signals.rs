//! Signals that come on another thread while the loop changes what it does about them.
//!
//! The loop is the machine's own: it never sleeps here, as a sleep of the system would stop loom. A signal
//! is what stands for signal-hook in `../signal-hook`; it says how often the default action was taken.

use core::cell::Cell;
use core::time::Duration;
use std::rc::Rc;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::{low_level::raise, mark, take_defaults};

use super::check::{Search, check, thread};
use crate::EventLoop;

fn turn(event_loop: &EventLoop) {
    mark();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    mark();
}

/// A counter, and a callback that adds to it.
fn counter() -> (Rc<Cell<usize>>, impl Fn() + 'static) {
    let count = Rc::new(Cell::new(0));
    let theirs = count.clone();
    (count, move || theirs.set(theirs.get() + 1))
}

/// A loop of which the process has handled `signal` before: from then on hooks stand for the default, too.
fn event_loop(signal: i32) -> EventLoop {
    let event_loop = EventLoop::new();
    event_loop.add_signal_handler(signal, || ()).unwrap();
    event_loop.remove_signal_handler(signal).unwrap();
    event_loop
}

/// A signal while the loop takes turns: the handler runs once, and the default action isn't taken.
#[test]
fn signal_against_turns() {
    check("signal_against_turns", Search::Preemptions(3), || {
        let event_loop = event_loop(SIGUSR1);
        let (count, handler) = counter();
        event_loop.add_signal_handler(SIGUSR1, handler).unwrap();
        let thread = thread::spawn(|| raise(SIGUSR1).unwrap());
        turn(&event_loop);
        thread.join().unwrap();
        // One turn reads the signal, the next runs its handler.
        turn(&event_loop);
        turn(&event_loop);
        assert_eq!((count.get(), take_defaults(SIGUSR1)), (1, 0));
        event_loop.close().unwrap();
    });
}

/// A signal while its handler is added, and while it is removed: the handler runs, or the default action
/// is taken. The signal isn't lost in between.
#[test]
fn signal_against_add_and_remove() {
    check("signal_against_add_and_remove", Search::Preemptions(3), || {
        let event_loop = event_loop(SIGUSR2);
        let (count, handler) = counter();
        let thread = thread::spawn(|| raise(SIGUSR2).unwrap());
        mark();
        event_loop.add_signal_handler(SIGUSR2, handler).unwrap();
        turn(&event_loop);
        turn(&event_loop);
        event_loop.remove_signal_handler(SIGUSR2).unwrap();
        mark();
        thread.join().unwrap();
        // A signal that was unread at the removal goes to the next handler.
        let (late, handler) = counter();
        event_loop.add_signal_handler(SIGUSR2, handler).unwrap();
        turn(&event_loop);
        turn(&event_loop);
        let told = count.get() + late.get();
        assert!(told + take_defaults(SIGUSR2) >= 1);
        assert!(told <= 1);
        event_loop.close().unwrap();
    });
}

/// A signal while its handler is replaced: one of the two runs, once.
#[test]
fn signal_against_replace() {
    check("signal_against_replace", Search::Preemptions(3), || {
        let event_loop = event_loop(SIGTERM);
        let (count, handler) = counter();
        event_loop.add_signal_handler(SIGTERM, handler).unwrap();
        let thread = thread::spawn(|| raise(SIGTERM).unwrap());
        turn(&event_loop);
        let (late, handler) = counter();
        event_loop.add_signal_handler(SIGTERM, handler).unwrap();
        turn(&event_loop);
        thread.join().unwrap();
        turn(&event_loop);
        turn(&event_loop);
        assert_eq!((count.get() + late.get(), take_defaults(SIGTERM)), (1, 0));
        event_loop.close().unwrap();
    });
}

/// Ctrl-C while an interrupt is engaged, and while it is released: the callback is called, or the default
/// action is taken.
#[test]
fn interrupt_against_release() {
    check("interrupt_against_release", Search::Preemptions(3), || {
        let event_loop = event_loop(SIGINT);
        let (count, callback) = counter();
        let thread = thread::spawn(|| raise(SIGINT).unwrap());
        mark();
        let engaged = event_loop.engage_interrupt(callback).unwrap().unwrap();
        turn(&event_loop);
        event_loop.release_interrupt(&engaged).unwrap();
        mark();
        thread.join().unwrap();
        assert!(count.get() + take_defaults(SIGINT) >= 1);
        assert!(count.get() <= 1);
        event_loop.close().unwrap();
    });
}
