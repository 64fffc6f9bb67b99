//! `Async` itself: any source, its modes, its errors, what it returns.

use std::cell::{Cell, RefCell};
use std::io::{Error as IoError, ErrorKind as IoErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use callsoon::io::Async;
use callsoon::{ErrorKind, EventLoop, create_task};

use crate::run::{on, run, settle};
use crate::support::sockets::{LocalStream, assert_closed, local_pair};
use crate::support::trace::Trace;

#[test]
fn new_sets_any_source_to_non_blocking_mode() {
    run(async {
        let (stream, _peer) = local_pair()?;
        let stream = Async::new(stream)?;
        let refused = stream.get_ref().read(&mut [0]).unwrap_err();
        assert_eq!(refused.kind(), IoErrorKind::WouldBlock);
        assert_eq!(format!("{stream:?}"), format!("Async({:?})", stream.get_ref()));
        Ok(())
    });
}

/// Which the standard library itself can't do.
#[cfg(unix)]
#[test]
fn new_sets_a_pipe_to_non_blocking_mode() {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};
    run(async {
        let (input, output) = (Stdio::piped(), Stdio::piped());
        let mut cat = Command::new("cat").stdin(input).stdout(output).spawn()?;
        let pipe = Async::new(cat.stdout.take().unwrap())?;
        let mut byte = [0];
        let reads = |byte: &mut [u8]| {
            // A read takes a pipe mutably, unless it is a file.
            File::from(pipe.get_ref().as_fd().try_clone_to_owned()?).read(byte)
        };
        assert_eq!(reads(&mut byte).unwrap_err().kind(), IoErrorKind::WouldBlock);
        cat.stdin.take().unwrap().write_all(b"!")?;
        assert_eq!(pipe.read_with(|_| reads(&mut byte)).await?, 1);
        assert_eq!(&byte, b"!");
        cat.wait()?;
        Ok(())
    });
}

/// A program sets options by the descriptor, without the source's own type.
#[cfg(unix)]
#[test]
fn async_has_the_descriptor_of_its_source() {
    use std::os::fd::{AsFd, AsRawFd};
    run(async {
        let (stream, _peer) = local_pair()?;
        let descriptor = stream.as_raw_fd();
        let stream = Async::new(stream)?;
        assert_eq!(stream.as_raw_fd(), descriptor);
        assert_eq!(stream.as_fd().as_raw_fd(), descriptor);
        Ok(())
    });
}

thread_local! {
    static TAKEN: RefCell<Option<Async<LocalStream>>> = const { RefCell::new(None) };
    static LEFT: RefCell<Option<LocalStream>> = const { RefCell::new(None) };
}

/// Takes the source out when it wakes, or is dropped.
struct Takes;

impl Wake for Takes {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Takes {
    fn drop(&mut self) {
        if let Some(source) = TAKEN.take() {
            LEFT.set(Some(source.into_inner()));
        }
    }
}

#[test]
fn into_inner_works_in_a_waker_that_the_source_wakes() {
    run(async {
        let (stream, mut peer) = local_pair()?;
        TAKEN.set(Some(Async::new(stream)?));
        let waker = Waker::from(Arc::new(Takes));
        TAKEN.with_borrow(|source| {
            let (source, mut context) = (source.as_ref().unwrap(), Context::from_waker(&waker));
            let read = source.poll_read_with(&mut context, |mut stream| stream.read(&mut [0]));
            assert!(read.is_pending());
            let full = IoErrorKind::WouldBlock;
            let written = source.poll_write_with(&mut context, |_| Err::<(), _>(full.into()));
            assert!(written.is_pending());
        });
        drop(waker);
        peer.write_all(b"!")?;
        settle().await?;
        let mut stream = LEFT.take().expect("the waker ran");
        assert_eq!(stream.read(&mut [0; 8])?, 1);
        Ok(())
    });
}

#[test]
fn into_inner_works_where_the_loop_drops_its_readers() {
    let event_loop = EventLoop::new();
    let (stream, mut peer) = local_pair().unwrap();
    let (watched, _peer) = local_pair().unwrap();
    event_loop
        .run_until_complete(async move {
            let takes = Takes;
            on().add_reader(Rc::new(watched), move || {
                let _held = &takes;
            })?;
            TAKEN.set(Some(Async::new(stream)?));
            Ok(())
        })
        .unwrap();
    event_loop.close().unwrap();
    peer.write_all(b"!").unwrap();
    let mut stream = LEFT.take().expect("the callback was dropped");
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn operation_is_retried_after_would_block_and_interrupted() {
    run(async {
        let (stream, mut peer) = local_pair()?;
        let stream = Async::new(stream)?;
        peer.write_all(b"!")?;
        let trace = Trace::new();
        let mut tries = [IoErrorKind::Interrupted, IoErrorKind::WouldBlock].into_iter();
        let operation = |_: &LocalStream| match tries.next() {
            Some(kind) => {
                trace.push(kind);
                Err(IoError::from(kind))
            }
            None => Ok(7),
        };
        assert_eq!(stream.read_with(operation).await?, 7);
        let once = stream.write_with(|_| Err::<(), _>(IoErrorKind::BrokenPipe.into()));
        let error = once.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(error.io_error().unwrap().kind(), IoErrorKind::BrokenPipe);
        trace.expect(["operation interrupted", "operation would block"]);
        Ok(())
    });
}

#[test]
fn wait_ends_in_the_turn_in_which_the_source_was_ready() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let (stream, mut peer) = local_pair().unwrap();
    let says = trace.clone();
    let task = event_loop.create_task(async move {
        Async::new(stream)?.readable().await?;
        says.push("readable");
        Ok(())
    });
    let task = task.unwrap();
    assert_eq!(event_loop.run_once(crate::run::NOW).unwrap(), 1);
    assert_eq!(event_loop.run_once(crate::run::NOW).unwrap(), 0);
    trace.expect_nothing();
    peer.write_all(b"!").unwrap();
    assert_eq!(event_loop.run_once(crate::run::NOW).unwrap(), 1);
    trace.expect(["readable"]);
    assert!(task.done());
}

#[test]
fn writable_waits_for_room() {
    run(async {
        let (stream, mut peer) = local_pair()?;
        let stream = Rc::new(Async::new(stream)?);
        let block = [0; 1 << 16];
        while stream.get_ref().write(&block).is_ok() {}
        let waits = stream.clone();
        let waiting = create_task(async move { waits.writable().await });
        settle().await?;
        assert!(!waiting.done());
        peer.set_nonblocking(true)?;
        while peer.read(&mut [0; 1 << 16]).is_ok() {}
        waiting.await?;
        assert!(stream.get_ref().write(&block).is_ok());
        Ok(())
    });
}

#[test]
fn readable_says_what_the_poller_says_again_and_again() {
    run(async {
        let (stream, mut peer) = local_pair()?;
        let stream = Rc::new(Async::new(stream)?);
        stream.writable().await?;
        let waits = stream.clone();
        let waiting = create_task(async move {
            waits.readable().await?;
            waits.readable().await
        });
        settle().await?;
        assert!(!waiting.done());
        peer.write_all(b"!")?;
        settle().await?;
        assert!(waiting.done());
        assert_eq!(stream.get_ref().read(&mut [0; 8])?, 1);
        let waits = stream.clone();
        let again = create_task(async move { waits.readable().await });
        settle().await?;
        assert!(!again.done());
        peer.write_all(b"!")?;
        again.await
    });
}

#[test]
fn into_inner_deregisters_and_returns_the_source() {
    run(async {
        let (stream, mut peer) = local_pair()?;
        let stream = Rc::new(Async::new(stream)?);
        let waits = stream.clone();
        let waiting = create_task(async move { waits.readable().await });
        settle().await?; // it is registered by now
        waiting.cancel();
        assert!(waiting.await.unwrap_err().is_cancelled());
        let stream = Rc::into_inner(stream).unwrap().into_inner();
        // The poller has forgotten it, or it would refuse it now.
        let again = Async::new(stream)?;
        peer.write_all(b"!")?;
        again.readable().await?;
        let mut stream = again.into_inner();
        assert_eq!(stream.read(&mut [0; 8])?, 1);
        drop(stream);
        assert_closed(peer);
        Ok(())
    });
}

#[test]
fn registered_source_is_refused_and_so_is_a_reader_for_it() {
    run(async {
        let (stream, _peer) = local_pair()?;
        let stream = Rc::new(stream);
        on().add_reader(stream.clone(), || ())?;
        let refused = Async::new(stream.clone()).unwrap_err();
        assert_eq!(refused.message(), "the descriptor is watched by this loop already");
        on().remove_reader(&stream)?;
        let awaited = Async::new(stream.clone())?;
        let second = Async::new(stream.clone()).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Runtime);
        let awaited_by = "the descriptor is awaited by an `Async` of this loop";
        for refused in [
            on().add_reader(stream.clone(), || ()).unwrap_err(),
            on().add_writer(stream.clone(), || ()).unwrap_err(),
            on().remove_reader(&stream).unwrap_err(),
        ] {
            assert_eq!(
                (refused.kind(), refused.message().as_str()),
                (ErrorKind::Runtime, awaited_by)
            );
        }
        drop(awaited);
        on().add_reader(stream.clone(), || ())?;
        assert!(on().remove_reader(&stream)?);
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn a_regular_file_can_be_read_and_not_be_waited_for() {
    run(async {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let file = Async::new(std::fs::File::open(manifest)?)?;
        assert_eq!(file.read_with(|mut file| file.read(&mut [0; 2])).await?, 2);
        let refused = file.readable().await.unwrap_err();
        assert_eq!(refused.io_error().unwrap().kind(), IoErrorKind::PermissionDenied);
        Ok(())
    });
}

#[test]
fn without_a_loop_that_runs_there_is_nothing_to_wait_on() {
    let (one, two) = local_pair().unwrap();
    assert_eq!(Async::new(one).unwrap_err().kind(), ErrorKind::Runtime);
    let event_loop = EventLoop::with_virtual_time();
    let source = Async::new_on(&event_loop, two).unwrap();
    assert!(source.get_loop().ptr_eq(&event_loop));
    event_loop.run_until_complete(async move { source.writable().await }).unwrap();
}

/// A peer that never pauses must not keep the loop from its other work.
#[test]
fn after_64_operations_that_did_not_wait_the_loop_gets_its_turn() {
    run(async {
        let (stream, _peer) = local_pair()?;
        let stream = Async::new(stream)?;
        let done = Rc::new(Cell::new(0));
        let (seen, so_far) = (Rc::new(Cell::new(0)), done.clone());
        let sees = seen.clone();
        on().call_soon(move || sees.set(so_far.get()))?;
        for _ in 0..200 {
            stream.read_with(|_| Ok(())).await?;
            done.set(done.get() + 1);
        }
        assert_eq!(seen.get(), 64);
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn making_one_takes_no_second_descriptor() {
    const NAME: &str = "async_source::making_one_takes_no_second_descriptor";
    if !crate::child::is_child(NAME, "ulimit -n 64") {
        return;
    }
    let event_loop = EventLoop::with_virtual_time();
    let (ours, _theirs) = local_pair().unwrap();
    let null = || std::fs::File::open("/dev/null").ok();
    let all: Vec<_> = std::iter::from_fn(null).collect();
    let source = Async::new_on(&event_loop, ours).unwrap();
    let blocked = (&mut source.get_ref()).read(&mut [0]).unwrap_err();
    assert_eq!(blocked.kind(), IoErrorKind::WouldBlock);
    drop(all);
    // The descriptor was borrowed, and is open still.
    source.into_inner().set_nonblocking(false).unwrap();
}

#[test]
fn ready_for_either_reports_what_has_come() {
    use callsoon::io::{Interest, Readiness};
    run(async {
        let (ours, theirs) = local_pair()?;
        theirs.set_nonblocking(true)?;
        let ours = Async::new(ours)?;
        let says = |readiness: Readiness| (readiness.readable, readiness.writable);
        assert_eq!(says(ours.ready(Interest::Writable).await?), (false, true));
        assert_eq!(says(ours.ready(Interest::Either).await?), (false, true));
        while ours.get_ref().write(&[0; 65536]).is_ok() {}
        let ours = Rc::new(ours);
        let waits = ours.clone();
        let either = create_task(async move { waits.ready(Interest::Either).await.map(says) });
        settle().await?;
        assert!(!either.done());
        (&theirs).write_all(b"!")?;
        assert_eq!(either.await?, (true, false));
        assert_eq!(says(ours.ready(Interest::Readable).await?), (true, false));
        let waits = ours.clone();
        let cancelled = create_task(async move {
            assert_eq!(waits.get_ref().read(&mut [0; 8])?, 1);
            waits.ready(Interest::Either).await.map(says)
        });
        settle().await?;
        assert!(cancelled.cancel());
        assert!(cancelled.await.unwrap_err().is_cancelled());
        Ok(())
    });
}
