//! Nothing is left of a process: no child and no descriptor, whatever is cancelled or dropped. Each
//! test runs in a process of its own.
#![allow(unsafe_code)] // the standard library has no fork, and takes no descriptor from its owner

use core::ffi::c_int;
use std::fs::{self, File};
use std::io::Read;
use std::mem;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;

use callsoon::process::{
    Process, Stdio, SubprocessOptions, SubprocessProtocol, create_subprocess_exec,
    create_subprocess_shell,
};
use callsoon::{ErrorKind, EventLoop, Result, create_task, running_loop, yield_now};

use crate::child::is_child;
use crate::descriptors::descriptors;

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
    assert_eq!(held.returncode(), Some(-9));
    drop((held, event_loop));
    assert_eq!(descriptors(), before);
}

/// Runs `step` again and again, and cancels it after its n-th turn for each n, until it is done before.
/// Each turn waits for what comes next, so that no stage of the step is passed over.
fn cancel_after_each_turn<F: Future<Output = Result<()>> + 'static>(
    step: impl Fn() -> F,
    ended: impl AsyncFn(bool) -> Result<()> + 'static,
) {
    let (event_loop, ended) = (prepared(), Rc::new(ended));
    let before = descriptors();
    for turns in 0.. {
        let task = event_loop.create_task(step()).unwrap();
        for _ in 0..turns {
            if !task.done() {
                event_loop.run_once(None).unwrap();
            }
        }
        let cancelled = task.cancel();
        let ended = ended.clone();
        let ending = async move {
            assert_eq!(task.await.is_err(), cancelled);
            ended(cancelled).await?;
            while !children().is_empty() || descriptors() > before {
                yield_now().await?;
            }
            Ok(())
        };
        event_loop.run_until_complete(ending).unwrap();
        if !cancelled {
            assert!(turns > 5, "{turns}");
            return;
        }
    }
}

// CPython: test_subprocess.SubprocessMixin.test_cancel_make_subprocess_transport_exec
// CPython: test_subprocess.SubprocessMixin.test_cancel_post_init
#[test]
fn cancelled_start_leaves_nothing() {
    if !is_child("leaks::cancelled_start_leaves_nothing", ":") {
        return;
    }
    cancel_after_each_turn(async || cat().await.map(drop), async |_| Ok(()));
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
    cancel_after_each_turn(step, async move |cancelled| {
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

/// `run` cancels what connects the pipes, and what waits for that.
#[test]
fn start_that_a_shutdown_interrupts_ends() {
    if !is_child("leaks::start_that_a_shutdown_interrupts_ends", ":") {
        return;
    }
    drop(prepared());
    let before = descriptors();
    for turns in 0..10 {
        let starting = async move {
            drop(create_task(async { cat().await.map(drop) }));
            for _ in 0..turns {
                yield_now().await?;
            }
            Ok(())
        };
        let event_loop = EventLoop::new();
        event_loop.run_until_complete(starting).unwrap();
        let outcome = event_loop.wind_down();
        drop(event_loop);
        assert!(outcome.is_ok(), "after {turns} turns: {outcome:?}");
        assert_eq!((children(), descriptors()), (Vec::new(), before), "after {turns} turns");
    }
}

struct PanicsAtDrop;

impl SubprocessProtocol for PanicsAtDrop {}

impl Drop for PanicsAtDrop {
    fn drop(&mut self) {
        panic!("a drop of a protocol");
    }
}

#[test]
fn protocol_that_panics_at_its_drop_spares_no_child() {
    if !is_child("leaks::protocol_that_panics_at_its_drop_spares_no_child", ":") {
        return;
    }
    let event_loop = EventLoop::new();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| {})));
    let starting = async {
        let (on, piped) = (running_loop()?, SubprocessOptions::piped);
        drop(on.subprocess_exec(|| PanicsAtDrop, "cat", ["-"], piped()).await?);
        cat().await
    };
    let held = event_loop.run_until_complete(async { starting.await.map(Rc::new) }).unwrap();
    assert_eq!(children().len(), 2);
    event_loop.close().unwrap();
    assert_eq!((children(), held.returncode()), (Vec::new(), Some(-9)));
}

unsafe extern "C" {
    fn fork() -> c_int;
    fn waitpid(child: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
}

#[test]
fn forked_child_spares_its_parents_children() {
    if !is_child("leaks::forked_child_spares_its_parents_children", ":") {
        return;
    }
    let event_loop = EventLoop::new();
    let process = event_loop.run_until_complete(async { Ok(Rc::new(cat().await?)) }).unwrap();
    // SAFETY: The child allocates, which the C library has made safe, and starts no thread.
    let forked = unsafe { fork() };
    if forked == 0 {
        process.transport().close();
        drop(event_loop);
        // SAFETY: It ends the child, without what the parent has registered for its own end.
        unsafe { _exit(i32::from(process.returncode().is_some())) };
    }
    let mut status = 1;
    // SAFETY: The number lives longer than the call.
    assert_eq!(unsafe { waitpid(forked, &raw mut status, 0) }, forked);
    assert_eq!(status, 0, "the child has failed");
    let talking = async move { process.communicate(Some(b"alive")).await };
    let (output, _) = event_loop.run_until_complete(talking).unwrap();
    assert_eq!(output.unwrap(), b"alive");
}

/// The number of the descriptor by which the loop watches its only child.
fn pidfd() -> Option<i32> {
    let links = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let is_pidfd = |path: &std::path::PathBuf| {
        fs::read_link(path).is_ok_and(|to| to.to_string_lossy().contains("pidfd"))
    };
    let path = links.into_iter().find(is_pidfd)?;
    path.file_name()?.to_str()?.parse().ok()
}

/// Another file is put in the place of the descriptor, so that the poller can't forget it.
#[test]
fn child_with_an_irrevocable_watch_is_reaped() {
    if !is_child("leaks::child_with_an_irrevocable_watch_is_reaped", ":") {
        return;
    }
    let event_loop = EventLoop::new();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| {})));
    let ending = async {
        let cat = cat().await?;
        let Some(number) = pidfd() else { return Ok(()) };
        // SAFETY: The descriptor is open until the child has ended.
        let kept = unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned()?;
        // SAFETY: It is forgotten, so that the loop goes on owning it.
        let mut taken = mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
        rustix::io::dup2(File::open("/dev/null")?, &mut taken)?;
        cat.communicate(None).await?;
        assert_eq!((cat.returncode(), children()), (Some(0), Vec::new()));
        drop(kept);
        Ok(())
    };
    event_loop.run_until_complete(ending).unwrap();
}

/// A child of the child holds the pipes, so that none of them ends by itself.
#[test]
fn start_cancelled_with_pipes_held_elsewhere_ends() {
    if !is_child("leaks::start_cancelled_with_pipes_held_elsewhere_ends", ":") {
        return;
    }
    let event_loop = prepared();
    let before = descriptors();
    let cancelling = async move {
        for turns in 1..10 {
            let (mut ready, tells) = std::os::unix::net::UnixStream::pair()?;
            let (input, holds) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
            let command = "exec 3<&0; (echo >&2; exec cat <&3 2>/dev/null) & wait";
            let options = SubprocessOptions::new().stdin(Stdio::Fd(input)).stdout(Stdio::Pipe);
            let options = options.stderr(Stdio::Fd(tells.into()));
            let starting =
                create_task(
                    async move { create_subprocess_shell(command, options).await.map(drop) },
                );
            yield_now().await?;
            ready.read_exact(&mut [0])?;
            for _ in 1..turns {
                yield_now().await?;
            }
            let cancelled = starting.cancel();
            assert_eq!(starting.await.is_err(), cancelled);
            drop((holds, ready));
            while descriptors() > before {
                yield_now().await?;
            }
        }
        Ok(())
    };
    event_loop.run_until_complete(cancelling).unwrap();
}
