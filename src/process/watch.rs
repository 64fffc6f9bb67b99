//! [`watch`]: notices the end of a child process.

use alloc::format;
use alloc::rc::Rc;
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::child::Child;
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
        use rustix::process::{PidfdFlags, pidfd_open};
        match pidfd_open(child.pid(), PidfdFlags::empty()) {
            Ok(descriptor) => return watch_descriptor(on, child, descriptor, exited),
            // An old kernel, or a security policy that forbids it.
            Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS) => {}
            Err(error) => return about(Err(std::io::Error::from(error)), || "no pidfd".into()),
        }
    }
    watch_by_thread(on, child, exited)
}

/// asyncio's `PidfdChildWatcher`.
#[cfg(target_os = "linux")]
fn watch_descriptor(
    on: &LoopRef,
    child: &Rc<Child>,
    descriptor: std::os::fd::OwnedFd,
    exited: impl FnOnce(i32) -> Result<()> + 'static,
) -> Result<()> {
    let descriptor = Rc::new(descriptor);
    child.set_pidfd(&descriptor);
    let (event_loop, child, source) = (on.clone(), Rc::clone(child), Rc::clone(&descriptor));
    let mut exited = Some(exited);
    on.add_reader(descriptor, move || {
        // The child is reaped even where the descriptor can't be let go.
        let removed = event_loop.remove_reader(&source);
        let code = child.reap();
        if let Some(exited) = exited.take() {
            event_loop.call_soon(move || exited(code))?;
        }
        removed.map(drop)
    })
}

/// asyncio's `ThreadedChildWatcher`. The thread doesn't reap, so that the child's number stays its
/// own until the loop has heard of its end.
fn watch_by_thread(
    on: &LoopRef,
    child: &Rc<Child>,
    exited: impl FnOnce(i32) -> Result<()> + 'static,
) -> Result<()> {
    let (event_loop, own, pid) = (on.clone(), Rc::clone(child), child.pid());
    let answer = on.expect_answer(move |_: Result<()>| {
        let code = own.reap();
        // A loop that has closed calls nothing.
        let _ = event_loop.call_soon(move || exited(code));
    })?;
    let waits = move || {
        wait_for_end(pid);
        // A loop that has closed has reaped the child.
        let _ = answer.give(Ok(()));
    };
    let thread = thread::Builder::new().name(format!("wait for process {}", pid.as_raw_nonzero()));
    about(thread.spawn(waits), || "no thread to wait for a process".into())?;
    Ok(())
}

/// Waits until the child of this number has ended, or was reaped.
fn wait_for_end(pid: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use std::process::{Command, Stdio};

    use super::super::child::Started;
    use super::*;
    use crate::event_loop::EventLoop;

    #[test]
    fn watch_by_thread_reaps_and_reports() {
        let event_loop = EventLoop::with_virtual_time();
        let mut command = Command::new("sh");
        command.args(["-c", "read line; exit 7"]).stdin(Stdio::piped());
        let started = Started::new(command.spawn().expect("a shell"), None);
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
        assert_eq!(waitid(WaitId::Pid(child.pid()), options).err(), Some(Errno::CHILD));
    }
}
