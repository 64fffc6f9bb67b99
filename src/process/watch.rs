//! [`watch`]: notices the end of a child process.

use alloc::format;
use alloc::rc::Rc;
use std::thread;

use super::system::Child;
use crate::error::{Result, about};
use crate::event_loop::LoopRef;

/// Reaps `child` when it has ended, and schedules `exited` with its return code. Linux has a
/// descriptor that is readable then; elsewhere a thread waits.
pub(super) fn watch(
    on: &LoopRef,
    child: &Rc<Child>,
    exited: impl FnOnce(i32) -> Result<()> + 'static,
) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use std::io::ErrorKind::{PermissionDenied, Unsupported};
        match child.open_pidfd() {
            Ok(descriptor) => return watch_descriptor(on, child, descriptor, exited),
            // An old kernel, or a security policy that forbids it.
            Err(error) if matches!(error.kind(), PermissionDenied | Unsupported) => {}
            Err(error) => return about(Err(error), || "no pidfd".into()),
        }
    }
    watch_by_thread(on, child, exited)
}

/// asyncio's `PidfdChildWatcher`.
#[cfg(target_os = "linux")]
fn watch_descriptor(
    on: &LoopRef,
    child: &Rc<Child>,
    descriptor: Rc<std::os::fd::OwnedFd>,
    exited: impl FnOnce(i32) -> Result<()> + 'static,
) -> Result<()> {
    let (event_loop, child, source) = (on.clone(), Rc::clone(child), Rc::clone(&descriptor));
    let mut exited = Some(exited);
    on.add_reader(descriptor, move || {
        // The child is reaped even where the descriptor can't be removed.
        let removed = event_loop.remove_reader(&source);
        let code = child.reap();
        if let Some(exited) = exited.take() {
            event_loop.call_soon(move || exited(code))?;
        }
        removed.map(drop)
    })
}

/// asyncio's `ThreadedChildWatcher`, but that the loop reaps.
fn watch_by_thread(
    on: &LoopRef,
    child: &Rc<Child>,
    exited: impl FnOnce(i32) -> Result<()> + 'static,
) -> Result<()> {
    let (event_loop, own) = (on.clone(), Rc::clone(child));
    let ending = about(child.ending(), || "no handle of a process".into())?;
    let answer = on.expect_answer(move |_: Result<()>| {
        let code = own.reap();
        // A loop that has closed calls nothing.
        event_loop.call_soon_or_report(move || exited(code));
    })?;
    let waits = move || {
        ending.wait();
        // A loop that has closed has reaped the child.
        let _ = answer.give(Ok(()));
    };
    let thread = thread::Builder::new().name(format!("wait for process {}", child.pid()));
    about(thread.spawn(waits), || "no thread to wait for a process".into())?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use core::cell::Cell;
    use std::process::{Command, Stdio};

    use rustix::io::Errno;
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    use super::super::started::Started;
    use super::*;
    use crate::event_loop::EventLoop;

    #[test]
    fn watch_by_thread_reaps_and_reports() {
        let event_loop = EventLoop::with_virtual_time();
        let mut command = Command::new("sh");
        command.args(["-c", "read line; exit 7"]).stdin(Stdio::piped());
        let shell = command.spawn().expect("a shell");
        let pid = Pid::from_child(&shell);
        let started = Started::new(shell, None);
        let child = Rc::new(started.child);
        let code = Rc::new(Cell::new(None));
        let (noted, on) = (Rc::clone(&code), event_loop.clone());
        let exited = move |code| {
            noted.set(Some(code));
            on.stop();
            Ok(())
        };
        watch_by_thread(&event_loop, &child, exited).unwrap();
        event_loop.run_once(Some(core::time::Duration::ZERO)).unwrap();
        assert_eq!(code.get(), None);
        drop(started.stdin);
        event_loop.run_forever().unwrap();
        assert_eq!(code.get(), Some(7));
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        assert_eq!(waitid(WaitId::Pid(pid), options).err(), Some(Errno::CHILD));
    }
}
