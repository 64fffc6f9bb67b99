//! A system without a descriptor left, a descriptor that is closed behind the loop's back, a sleep
//! that a signal interrupts. Each in a process of its own.
#![allow(unsafe_code)] // closing a descriptor that other code owns can't be done without

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use callsoon::{ErrorKind, EventLoop};

use crate::child::is_child;
use crate::support::trace::Trace;

const EMFILE: i32 = 24;
const EBADF: i32 = 9;

/// Opens files until the system refuses.
fn eat_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
fn socket_is_refused_without_a_descriptor_and_a_later_one_works() {
    const NAME: &str = "descriptors::socket_is_refused_without_a_descriptor_and_a_later_one_works";
    if !is_child(NAME, "ulimit -n 48") {
        return;
    }
    let (event_loop, trace) = (EventLoop::new(), Trace::new());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (ours, held) = (Rc::new(ours), Rc::new(()));
    let eaten = eat_descriptors();
    for _ in 0..3 {
        let own = held.clone();
        let refused = event_loop.add_reader(ours.clone(), move || drop(own.clone())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Io);
        assert_eq!(refused.io_error().unwrap().raw_os_error(), Some(EMFILE));
        // Nothing of it stays.
        assert_eq!((Rc::strong_count(&ours), Rc::strong_count(&held)), (1, 1));
        assert!(!event_loop.remove_reader(&ours).unwrap());
    }
    // All else works as before, and so does a sleep that a thread ends.
    event_loop.call_later(Duration::from_millis(1), trace.says("timer")).unwrap();
    assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
    let (handle, says) = (event_loop.handle(), trace.says("thread"));
    let thread = std::thread::spawn(move || handle.call_soon_threadsafe(says).unwrap());
    assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
    thread.join().unwrap();
    trace.expect(["timer", "thread"]);
    drop(eaten);
    let (says, on) = (trace.clone(), event_loop.clone());
    let reads = move || {
        says.push("read");
        on.stop();
    };
    event_loop.add_reader(ours.clone(), reads).unwrap();
    theirs.write_all(b"!").unwrap();
    event_loop.run_forever().unwrap();
    trace.expect(["read"]);
}

#[test]
fn descriptor_closed_elsewhere_does_not_disturb_the_others() {
    const NAME: &str = "descriptors::descriptor_closed_elsewhere_does_not_disturb_the_others";
    if !is_child(NAME, ":") {
        return;
    }
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let (lost, mut to_lost) = UnixStream::pair().unwrap();
    let (kept, mut to_kept) = UnixStream::pair().unwrap();
    let (lost, kept) = (Rc::new(lost), Rc::new(kept));
    event_loop.add_reader(lost.clone(), trace_reads(&trace, "lost", &lost)).unwrap();
    event_loop.add_reader(kept.clone(), trace_reads(&trace, "kept", &kept)).unwrap();
    // SAFETY: It is not: the loop's source owns this descriptor, which is what is tried. In this
    // process nothing else is opened that could get its number before the end.
    drop(unsafe { OwnedFd::from_raw_fd(lost.as_raw_fd()) });
    let _ = to_lost.write_all(b"!");
    to_kept.write_all(b"!").unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    trace.expect(["kept"]);
    // Asked to forget it, the system says that it knows nothing of it, and the loop does forget.
    let unknown = event_loop.remove_reader(&lost).unwrap_err();
    assert_eq!(unknown.io_error().unwrap().raw_os_error(), Some(EBADF));
    assert!(!event_loop.remove_reader(&lost).unwrap());
    assert_eq!(Rc::strong_count(&lost), 1);
    to_kept.write_all(b"!").unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    trace.expect(["kept"]);
    assert!(event_loop.remove_reader(&kept).unwrap());
    // It is closed already.
    let _ = Rc::into_inner(lost).expect("the only handle").into_raw_fd();
}

fn trace_reads(
    trace: &Trace,
    name: &'static str,
    from: &Rc<UnixStream>,
) -> impl FnMut() + 'static + use<> {
    // Weak, as the callback is held by the loop, which holds the stream anyhow.
    let (trace, from) = (trace.clone(), Rc::downgrade(from));
    move || {
        let from = from.upgrade().expect("the loop holds it");
        (&*from).read_exact(&mut [0]).expect("it is readable");
        trace.push(name);
    }
}

/// A stop and a continuation of the process interrupt a thread that sleeps in the poller.
#[test]
fn a_sleep_that_a_signal_interrupts_goes_on() {
    const NAME: &str = "descriptors::a_sleep_that_a_signal_interrupts_goes_on";
    if !is_child(NAME, ":") {
        return;
    }
    let event_loop = EventLoop::new();
    let script = "for i in 1 2 3 4 5; do kill -STOP $0; kill -CONT $0; done; echo over";
    let own = std::process::id().to_string();
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", script, &own]).stdout(Stdio::piped()).spawn();
    let mut shell = shell.expect("a shell");
    let said = Rc::new(shell.stdout.take().unwrap());
    let (from, on, ended) = (said.clone(), event_loop.clone(), Rc::new(Cell::new(false)));
    let ends = ended.clone();
    let reads = move || {
        // The whole line is there: the shell writes it at once.
        let mut line = [0; 5];
        File::from(from.as_fd().try_clone_to_owned().unwrap()).read_exact(&mut line).unwrap();
        assert_eq!(line, *b"over\n");
        ends.set(true);
        on.stop();
    };
    event_loop.add_reader(said, reads).unwrap();
    event_loop.run_forever().unwrap();
    assert!(ended.get());
    assert!(shell.wait().unwrap().success());
}

#[test]
fn a_loop_that_watched_nothing_makes_no_poller_for_its_close() {
    const NAME: &str = "descriptors::a_loop_that_watched_nothing_makes_no_poller_for_its_close";
    if !is_child(NAME, "true") {
        return;
    }
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let event_loop = EventLoop::new();
    event_loop.run_until_complete(async { Ok(()) }).unwrap();
    let before = count();
    event_loop.close().unwrap();
    assert_eq!(count(), before);
}
