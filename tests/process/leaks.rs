//! Nothing is left of a process: no child and no descriptor, whatever is cancelled or dropped. Each
//! test runs in a process of its own.

use std::fs;
use std::rc::Rc;

use callsoon::process::{Process, SubprocessOptions, create_subprocess_exec};
use callsoon::{ErrorKind, EventLoop, Result, create_task, yield_now};

use crate::child::is_child;

/// The children of this process, ended or not.
fn children() -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let of_thread = |thread: std::io::Result<fs::DirEntry>| {
        let children = fs::read_to_string(thread.unwrap().path().join("children"));
        children.expect("a kernel that lists children")
    };
    let all: Vec<String> = threads.map(of_thread).collect();
    all.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn cat() -> Result<Process> {
    create_subprocess_exec("cat", ["-"], SubprocessOptions::piped()).await
}

/// A loop that has its poller already.
fn prepared() -> EventLoop {
    let event_loop = EventLoop::new();
    let first = async { cat().await?.communicate(None).await.map(drop) };
    event_loop.run_until_complete(first).unwrap();
    event_loop
}

// CPython: test_subprocess.GenericWatcherTests.test_create_subprocess_with_pidfd
#[test]
fn ended_process_leaves_nothing() {
    if !is_child("leaks::ended_process_leaves_nothing", ":") {
        return;
    }
    drop(prepared());
    let before = descriptors();
    drop(prepared());
    assert_eq!((children(), descriptors()), (Vec::new(), before));
}

#[test]
fn dropped_process_is_reaped_when_it_ends() {
    if !is_child("leaks::dropped_process_is_reaped_when_it_ends", ":") {
        return;
    }
    let event_loop = prepared();
    let before = descriptors();
    let dropping = async {
        drop(cat().await?);
        assert_eq!(children().len(), 1);
        while !children().is_empty() {
            yield_now().await?;
        }
        // The ends of its output come by turns of their own.
        for _ in 0..10 {
            yield_now().await?;
        }
        Ok(())
    };
    event_loop.run_until_complete(dropping).unwrap();
    assert_eq!(descriptors(), before);
}

#[test]
fn process_ends_with_its_loop() {
    if !is_child("leaks::process_ends_with_its_loop", ":") {
        return;
    }
    drop(prepared());
    let before = descriptors();
    let event_loop = EventLoop::new();
    let held = event_loop.run_until_complete(async { Ok(Rc::new(cat().await?)) }).unwrap();
    assert_eq!(children().len(), 1);
    event_loop.close().unwrap();
    assert!(children().is_empty());
    assert!(held.send_signal(15).is_err());
    drop((held, event_loop));
    assert_eq!(descriptors(), before);
}

/// The most turns of a step that are tried: the number of all depends on the machine.
const MOST_TURNS: usize = 40;

/// Runs `step` again and again, and cancels it in its n-th turn for each n, until it is done before.
fn cancel_at_each_turn<F: Future<Output = Result<()>> + 'static>(
    step: impl Fn() -> F + 'static,
    mut ended: impl AsyncFnMut(bool) -> Result<()> + 'static,
) {
    let event_loop = prepared();
    let before = descriptors();
    let all = async move {
        for turns in 0..MOST_TURNS {
            let task = create_task(step());
            for _ in 0..turns {
                yield_now().await?;
            }
            let cancelled = task.cancel();
            let outcome = task.await;
            assert_eq!(outcome.is_err(), cancelled);
            ended(cancelled).await?;
            while !children().is_empty() || descriptors() > before {
                yield_now().await?;
            }
            if !cancelled {
                return Ok(turns);
            }
        }
        Ok(MOST_TURNS)
    };
    let turns = event_loop.run_until_complete(all).unwrap();
    assert!(turns > 5, "{turns}");
}

// CPython: test_subprocess.SubprocessMixin.test_cancel_make_subprocess_transport_exec
// CPython: test_subprocess.SubprocessMixin.test_cancel_post_init
#[test]
fn cancelled_start_leaves_nothing() {
    if !is_child("leaks::cancelled_start_leaves_nothing", ":") {
        return;
    }
    cancel_at_each_turn(async || cat().await.map(drop), async |_| Ok(()));
}

#[test]
fn cancelled_communicate_loses_nothing() {
    if !is_child("leaks::cancelled_communicate_loses_nothing", ":") {
        return;
    }
    let process = Rc::new(std::cell::RefCell::new(None));
    let own = process.clone();
    let step = move || {
        let own = own.clone();
        async move {
            let process = Rc::new(cat().await?);
            own.replace(Some(process.clone()));
            process.communicate(Some(&input())).await?;
            Ok(())
        }
    };
    cancel_at_each_turn(step, async move |cancelled| {
        let Some(process) = process.take() else { return Ok(()) };
        if cancelled {
            let (output, _) = process.communicate(None).await?;
            assert!(output.unwrap() == input());
        }
        drop(process);
        Ok(())
    });
}

fn input() -> Vec<u8> {
    (0..75_000_u32).flat_map(u32::to_be_bytes).collect()
}

// CPython: test_subprocess.SubprocessMixin.test_popen_error_with_stdin_pipe
#[test]
fn no_descriptor_left_is_an_error() {
    if !is_child("leaks::no_descriptor_left_is_an_error", "ulimit -n 40") {
        return;
    }
    let event_loop = prepared();
    let before = descriptors();
    let starting = async move {
        // With each descriptor more, the start fails at another place, until it doesn't.
        for room in 0.. {
            let mut eaten: Vec<fs::File> =
                std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
            eaten.truncate(eaten.len() - room);
            let started = cat().await;
            drop(eaten);
            match started {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Io),
                Ok(cat) => {
                    let (output, _) = cat.communicate(Some(b"hello")).await?;
                    assert_eq!(output.unwrap(), b"hello");
                    assert!(room > 3, "{room}");
                    break;
                }
            }
            assert_eq!((children(), descriptors()), (Vec::new(), before), "{room}");
        }
        Ok(())
    };
    event_loop.run_until_complete(starting).unwrap();
    assert_eq!((children(), descriptors()), (Vec::new(), before));
}
