//! Readers and writers: sockets and pipes to callbacks.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::{Rc, Weak};
use std::time::Duration;

use callsoon::{ErrorKind, EventLoop, LoopRef};

use crate::machine::Machine;
use crate::support::on_drop::on_drop;
use crate::support::sockets::{LocalStream, assert_closed, local_pair};
use crate::support::trace::Trace;

const NOW: Option<Duration> = Some(Duration::ZERO);

/// Two ends, of which ours can be watched and kept.
fn pair() -> (Rc<LocalStream>, LocalStream) {
    let (ours, theirs) = local_pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Rc::new(ours), theirs)
}

fn says(trace: &Trace, line: &'static str) -> impl FnMut() + 'static {
    let trace = trace.clone();
    move || trace.push(line)
}

fn read_one(mut from: &LocalStream) {
    from.read_exact(&mut [0]).unwrap();
}

#[test]
fn reader_runs_in_each_turn_with_something_to_read() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (ours, mut theirs) = pair();
    event_loop.add_reader(ours.clone(), says(&trace, "reader")).unwrap();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
    theirs.write_all(b"!").unwrap();
    for _ in 0..3 {
        assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    }
    read_one(&ours);
    assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
    trace.expect(["reader", "reader", "reader"]);
}

#[test]
fn of_one_socket_the_reader_runs_before_the_writer() {
    for writer_first in [false, true] {
        let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
        let (ours, mut theirs) = pair();
        theirs.write_all(b"!").unwrap();
        if writer_first {
            event_loop.add_writer(ours.clone(), says(&trace, "writer")).unwrap();
        }
        event_loop.add_reader(ours.clone(), says(&trace, "reader")).unwrap();
        if !writer_first {
            event_loop.add_writer(ours.clone(), says(&trace, "writer")).unwrap();
        }
        assert_eq!(event_loop.run_once(NOW).unwrap(), 2);
        trace.expect(["reader", "writer"]);
    }
}

#[test]
fn one_side_may_go_and_the_other_stay() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (ours, mut theirs) = pair();
    theirs.write_all(b"!").unwrap();
    event_loop.add_reader(ours.clone(), says(&trace, "reader")).unwrap();
    event_loop.add_writer(ours.clone(), says(&trace, "writer")).unwrap();
    assert!(event_loop.remove_writer(&ours).unwrap());
    assert!(!event_loop.remove_writer(&ours).unwrap());
    assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    trace.expect(["reader"]);
    event_loop.add_writer(ours.clone(), says(&trace, "writer")).unwrap();
    assert!(event_loop.remove_reader(&ours).unwrap());
    assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    trace.expect(["writer"]);
    assert!(event_loop.remove_writer(&ours).unwrap());
    assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
    assert_eq!(event_loop.run_once(None).unwrap_err().kind(), ErrorKind::Stalled);
}

#[test]
fn reader_added_again_replaces_a_ready_one() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (ours, mut theirs) = pair();
    let captured = on_drop(trace.says("the old one goes"));
    let old = trace.clone();
    let keeps = move || {
        let _captured = &captured;
        old.push("old");
    };
    event_loop.add_reader(ours.clone(), keeps).unwrap();
    theirs.write_all(b"!").unwrap();
    let (on, again, new) = (event_loop.clone(), ours.clone(), trace.clone());
    // Writers come behind readers, so the old reader is on the queue behind this callback.
    let replaces = move || on.add_reader(again, says(&new, "new"));
    event_loop.call_soon(replaces).unwrap();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 2);
    trace.expect(["the old one goes"]);
    assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    trace.expect(["new"]);
    assert!(event_loop.remove_reader(&ours).unwrap());
    assert!(!event_loop.remove_reader(&ours).unwrap());
}

#[test]
fn a_reader_that_is_removed_while_it_is_ready_does_not_run() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (ours, mut theirs) = pair();
    theirs.write_all(b"!").unwrap();
    event_loop.add_reader(ours.clone(), says(&trace, "reader")).unwrap();
    let (on, own) = (event_loop.clone(), ours.clone());
    let removes = move || assert!(on.remove_reader(&own).unwrap());
    event_loop.call_soon(removes).unwrap();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 2);
    trace.expect_nothing();
}

#[test]
fn a_reader_may_remove_or_replace_itself() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (ours, mut theirs) = pair();
    theirs.write_all(b"!").unwrap();
    let (on, own, out) = (event_loop.clone(), ours.clone(), trace.clone());
    let captured = on_drop(trace.says("first goes"));
    let first = move || {
        let _captured = &captured;
        out.push("first");
        let (inner, own_too, second) = (on.clone(), own.clone(), out.clone());
        let next = move || {
            second.push("second");
            assert!(inner.remove_reader(&own_too).unwrap());
        };
        on.add_reader(own.clone(), next).unwrap();
        out.push("replaced");
    };
    event_loop.add_reader(ours, first).unwrap();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    trace.expect(["first", "replaced", "first goes"]);
    assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
    trace.expect(["second"]);
}

#[test]
fn the_loop_keeps_what_it_watches_open() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (ours, mut theirs) = local_pair().unwrap();
    event_loop.add_reader(ours, says(&trace, "reader")).unwrap();
    theirs.write_all(b"!").unwrap();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
    trace.expect(["reader"]);
    event_loop.close().unwrap();
    assert_closed(theirs);
}

#[test]
fn source_is_dropped_once_it_is_unwatched() {
    let event_loop = EventLoop::with_virtual_time();
    let (ours, theirs) = pair();
    event_loop.add_reader(ours.clone(), || ()).unwrap();
    event_loop.add_writer(ours.clone(), || ()).unwrap();
    let watched: Weak<LocalStream> = Rc::downgrade(&ours);
    assert!(event_loop.remove_reader(&ours).unwrap());
    assert!(event_loop.remove_writer(&ours).unwrap());
    drop(ours);
    assert!(watched.upgrade().is_none());
    assert_closed(theirs);
}

/// The system uses the lowest number that is free: the next socket has the one of the last.
#[test]
fn descriptor_with_a_reused_number_is_another_one() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    for round in 0..3 {
        let (ours, mut theirs) = pair();
        let out = trace.clone();
        event_loop.add_reader(ours.clone(), move || out.push(round)).unwrap();
        theirs.write_all(b"!").unwrap();
        assert_eq!(event_loop.run_once(NOW).unwrap(), 1);
        assert!(event_loop.remove_reader(&ours).unwrap());
        assert!(!event_loop.remove_reader(&ours).unwrap());
    }
    trace.expect(["0", "1", "2"]);
}

/// The number is the first that a table of so many has no room for.
#[cfg(unix)]
#[test]
fn reader_stays_known_beside_a_high_descriptor() {
    let (count, event_loop) = (Rc::new(Cell::new(0)), EventLoop::with_virtual_time());
    let adds = |number| {
        let count = count.clone();
        move || count.set(count.get() + number)
    };
    let (ours, mut theirs) = pair();
    event_loop.add_reader(ours.clone(), adds(1)).unwrap();
    let high = Rc::new(rustix::io::fcntl_dupfd_cloexec(&*ours, 512).unwrap());
    event_loop.add_writer(high.clone(), adds(10)).unwrap();
    event_loop.add_writer(ours.clone(), adds(100)).unwrap();
    theirs.write_all(b"!").unwrap();
    assert_eq!(event_loop.run_once(NOW).unwrap(), 3);
    assert_eq!(count.get(), 111);
    assert!(event_loop.remove_writer(&high).unwrap());
    assert!(!event_loop.remove_writer(&high).unwrap());
    assert!(event_loop.remove_writer(&ours).unwrap() && event_loop.remove_reader(&ours).unwrap());
    assert_eq!(event_loop.run_once(NOW).unwrap(), 0);
}

#[test]
fn a_socket_may_be_watched_by_two_loops() {
    let trace = Trace::new();
    let (one, two) = (EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    let (ours, mut theirs) = pair();
    one.add_reader(ours.clone(), says(&trace, "one")).unwrap();
    two.add_reader(ours.clone(), says(&trace, "two")).unwrap();
    theirs.write_all(b"!").unwrap();
    assert_eq!(one.run_once(NOW).unwrap(), 1);
    assert_eq!(two.run_once(NOW).unwrap(), 1);
    one.close().unwrap();
    assert_eq!(two.run_once(NOW).unwrap(), 1);
    trace.expect(["one", "two", "two"]);
}

#[cfg(unix)]
#[test]
fn a_regular_file_can_not_be_watched_and_nothing_of_it_stays() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let file = Rc::new(std::fs::File::open(manifest).unwrap());
    let captured = on_drop(trace.says("reader goes"));
    let error = event_loop.add_reader(file.clone(), move || _ = &captured).unwrap_err();
    let system = error.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(system.kind(), std::io::ErrorKind::PermissionDenied);
    trace.expect(["reader goes"]);
    assert_eq!(Rc::strong_count(&file), 1);
    assert!(!event_loop.remove_reader(&file).unwrap());
    assert_eq!(event_loop.run_once(None).unwrap_err().kind(), ErrorKind::Stalled);
}

#[test]
fn a_host_without_a_reactor_says_so() {
    let (_machine, event_loop) = Machine::with_loop();
    let (ours, _theirs) = pair();
    let refused = [
        event_loop.add_reader(ours.clone(), || ()).unwrap_err(),
        event_loop.add_writer(ours.clone(), || ()).unwrap_err(),
        event_loop.remove_reader(&ours).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Runtime);
        assert_eq!(error.message(), "the loop's host has no reactor");
    }
}

#[test]
fn close_drops_readers_writers_and_their_sources() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (ours, mut theirs) = pair();
    let watched = Rc::downgrade(&ours);
    theirs.write_all(b"!").unwrap();
    let reader = on_drop(trace.says("reader goes"));
    event_loop.add_reader(ours.clone(), move || _ = &reader).unwrap();
    let (writer, on) = (on_drop(trace.says("writer goes")), event_loop.clone());
    event_loop.add_writer(ours, move || _ = (&writer, &on)).unwrap();
    // Both are on the ready queue behind the callback that stops before they ran.
    let own = event_loop.clone();
    event_loop.call_soon(move || own.stop()).unwrap();
    event_loop.run_forever().unwrap();
    event_loop.close().unwrap();
    trace.expect(["reader goes", "writer goes"]);
    assert!(watched.upgrade().is_none());
    assert_closed(theirs);
}

#[test]
fn a_real_loop_sleeps_until_its_socket_is_ready() {
    let (trace, event_loop) = (Trace::new(), EventLoop::new());
    let (ours, mut theirs) = pair();
    let (on, own, out) = (event_loop.clone(), ours.clone(), trace.clone());
    let reads = move || {
        read_one(&own);
        out.push("read");
        on.stop();
    };
    event_loop.add_reader(ours, reads).unwrap();
    let writes = std::thread::spawn(move || {
        theirs.write_all(b"!").unwrap();
        theirs
    });
    event_loop.run_forever().unwrap();
    trace.expect(["read"]);
    writes.join().unwrap();
}

#[test]
fn a_loop_with_a_socket_is_woken_by_threads_and_timers_too() {
    let (trace, event_loop) = (Trace::new(), EventLoop::new());
    let (ours, _theirs) = pair();
    event_loop.add_reader(ours, says(&trace, "never")).unwrap();
    event_loop.call_later(Duration::from_nanos(1), trace.says("timer")).unwrap();
    while event_loop.run_once(None).unwrap() == 0 {}
    let (handle, stop) = (event_loop.handle(), trace.says("thread"));
    let thread = std::thread::spawn(move || handle.call_soon_threadsafe(stop));
    while event_loop.run_once(None).unwrap() == 0 {}
    thread.join().unwrap().unwrap();
    trace.expect(["timer", "thread"]);
}

#[test]
fn a_timer_for_ever_away_does_not_disturb_a_loop_with_a_socket() {
    let (trace, event_loop) = (Trace::new(), EventLoop::new());
    let (ours, theirs) = pair();
    event_loop.call_later(Duration::MAX, trace.says("never")).unwrap();
    event_loop.add_reader(ours, says(&trace, "closed")).unwrap();
    let closes = std::thread::spawn(move || drop(theirs));
    while event_loop.run_once(None).unwrap() == 0 {}
    trace.expect(["closed"]);
    closes.join().unwrap();
}

/// An echo of a thousand bytes, one at a time, by two callbacks that take turns.
#[test]
fn readers_and_writers_changed_in_every_turn_lose_nothing() {
    const BYTES: usize = 1000;
    let event_loop = EventLoop::with_virtual_time();
    let (ours, mut theirs) = pair();
    let sent: Vec<u8> = (0..BYTES).map(|n| n as u8).collect();
    let thread = std::thread::spawn({
        let sent = sent.clone();
        move || {
            theirs.write_all(&sent).unwrap();
            let mut back = vec![0; BYTES];
            theirs.read_exact(&mut back).unwrap();
            back
        }
    });
    let done = Rc::new(Cell::new(0));
    reads(&event_loop, &ours, &done);
    while done.get() < BYTES {
        event_loop.run_once(None).unwrap();
    }
    assert_eq!(thread.join().unwrap(), sent);

    fn reads(on: &LoopRef, ours: &Rc<LocalStream>, done: &Rc<Cell<usize>>) {
        let (inner, own, count) = (on.clone(), ours.clone(), done.clone());
        let callback = move || {
            let mut byte = [0];
            (&*own).read_exact(&mut byte).unwrap();
            assert!(inner.remove_reader(&own).unwrap());
            writes(&inner, &own, byte, &count);
        };
        on.add_reader(ours.clone(), callback).unwrap();
    }

    fn writes(on: &LoopRef, ours: &Rc<LocalStream>, byte: [u8; 1], done: &Rc<Cell<usize>>) {
        let (inner, own, count) = (on.clone(), ours.clone(), done.clone());
        let callback = move || {
            (&*own).write_all(&byte).unwrap();
            count.set(count.get() + 1);
            assert!(inner.remove_writer(&own).unwrap());
            if count.get() < BYTES {
                reads(&inner, &own, &count);
            }
        };
        on.add_writer(ours.clone(), callback).unwrap();
    }
}

#[test]
fn a_source_that_asks_the_loop_when_it_is_dropped_gets_answers() {
    struct Asks(LocalStream, RefCell<Option<Box<dyn FnOnce()>>>);
    impl Drop for Asks {
        fn drop(&mut self) {
            if let Some(asks) = self.1.take() {
                asks();
            }
        }
    }
    #[cfg(unix)]
    impl std::os::fd::AsFd for Asks {
        fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    #[cfg(windows)]
    impl std::os::windows::io::AsSocket for Asks {
        fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
            self.0.as_socket()
        }
    }
    // SAFETY: The stream owns its descriptor, and is dropped with the whole.
    #[allow(unsafe_code)]
    unsafe impl callsoon::Source for Asks {}

    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let asks = |line: &'static str| {
        let (on, out) = (event_loop.clone(), trace.clone());
        let (ours, theirs) = local_pair().unwrap();
        let does: Box<dyn FnOnce()> = Box::new(move || {
            let other = Rc::new(theirs);
            let added = on.add_reader(other.clone(), || ());
            let removed = on.remove_reader(&other).unwrap();
            out.push(format!("{line}: {} {removed}", added.is_ok()));
        });
        Rc::new(Asks(ours, RefCell::new(Some(does))))
    };
    let (removed, closed) = (asks("removed"), asks("closed"));
    event_loop.add_reader(removed.clone(), || ()).unwrap();
    let weak = Rc::downgrade(&removed);
    assert!(event_loop.remove_reader(&removed).unwrap());
    drop(removed);
    assert!(weak.upgrade().is_none());
    trace.expect(["removed: true true"]);
    event_loop.add_reader(closed, || ()).unwrap();
    event_loop.close().unwrap();
    trace.expect(["closed: false false"]);
}
