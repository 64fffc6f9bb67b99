//! [`Child`]: a child process until it is reaped.

#[cfg(target_os = "linux")]
use alloc::rc::Rc;
#[cfg(target_os = "linux")]
use core::cell::OnceCell;
use core::cell::{Cell, RefCell};
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
#[cfg(target_os = "linux")]
use rustix::process::{PidfdFlags, pidfd_open};

use super::kill::kill;
use crate::error::Result;
use crate::logging::say;

pub(crate) const SIGKILL: i32 = Signal::KILL.as_raw();
pub(crate) const SIGTERM: i32 = Signal::TERM.as_raw();

/// The return code of a child that was reaped elsewhere, as asyncio has it.
const UNKNOWN: i32 = 255;

/// A child process. Its number is its own until it is reaped, which only this does.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    /// The descriptor that stands for it: another process never has it, even if this one is reaped
    /// elsewhere.
    #[cfg(target_os = "linux")]
    pidfd: OnceCell<Rc<OwnedFd>>,
    /// The process that has started it. One that was forked from that neither kills it nor reaps it.
    parent: u32,
    child: RefCell<process::Child>,
    /// Known once it is reaped.
    returncode: Cell<Option<i32>>,
}

impl Child {
    pub(crate) fn new(child: process::Child) -> Child {
        Child {
            pid: Pid::from_child(&child),
            #[cfg(target_os = "linux")]
            pidfd: OnceCell::new(),
            parent: process::id(),
            child: RefCell::new(child),
            returncode: Cell::new(None),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// A descriptor that is readable when it has ended, by which it gets its signals from now on.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_pidfd(&self) -> io::Result<Rc<OwnedFd>> {
        let opened = pidfd_open(self.pid, PidfdFlags::empty())?;
        Ok(Rc::clone(self.pidfd.get_or_init(|| Rc::new(opened))))
    }

    /// Returns the wait for the end, for another thread.
    #[expect(clippy::unnecessary_wraps)] // on Windows it may fail
    pub(crate) fn ending(&self) -> io::Result<Ending> {
        Ok(Ending(self.pid))
    }

    /// Sends a signal. One that has ended gets none.
    pub(crate) fn send_signal(&self, signal: i32) -> Result<()> {
        if self.returncode.get().is_some() {
            return Ok(());
        }
        match self.signal(signal) {
            Err(error) if error.raw_os_error() != Some(Errno::SRCH.raw_os_error()) => {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let (Some(pidfd), Some(named)) = (self.pidfd.get(), Signal::from_named_raw(signal)) {
            match rustix::process::pidfd_send_signal(pidfd, named) {
                // A security policy may forbid it where it allows the other way.
                Err(Errno::NOSYS | Errno::PERM) => {}
                sent => return Ok(sent?),
            }
        }
        kill(self.pid, signal)
    }

    fn is_own(&self) -> bool {
        self.parent == process::id()
    }

    /// Returns whether it has not ended. One that has ended is left to be reaped.
    pub(crate) fn is_running(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.returncode.get().is_none()
            && matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Kills the child, unless it has ended or is another user's. Returns whether it ends.
    pub(crate) fn kill(&self) -> bool {
        self.returncode.get().is_some()
            || self.is_own() && self.signal(Signal::KILL.as_raw()).is_ok()
    }

    /// Waits for the child, which has ended, and returns its return code: negative, the signal that
    /// has ended it.
    pub(crate) fn reap(&self) -> i32 {
        if let Some(code) = self.returncode.get() {
            return code;
        }
        let status = self.child.borrow_mut().wait();
        let code = match status {
            Ok(status) => {
                status.code().or(status.signal().map(|signal| -signal)).unwrap_or(UNKNOWN)
            }
            Err(error) => {
                let pid = self.pid;
                say!(Warn, "child {pid:?} was reaped elsewhere, returncode {UNKNOWN}: {error}");
                UNKNOWN
            }
        };
        self.returncode.set(Some(code));
        code
    }

    /// Reaps the child, which is killed if it goes on. Returns its return code, unless it may not be
    /// killed.
    pub(crate) fn end(&self) -> Option<i32> {
        if !self.is_own() {
            return self.returncode.get();
        }
        // One that was reaped elsewhere is an error here.
        let goes_on = matches!(self.child.borrow_mut().try_wait(), Ok(None));
        if goes_on && !self.kill() { None } else { Some(self.reap()) }
    }
}

/// Waits for the end of a child. It doesn't reap it, so that the child's number stays its own until the
/// loop has heard of its end.
pub(crate) struct Ending(Pid);

impl Ending {
    /// Waits until the child has ended, or was reaped.
    pub(crate) fn wait(self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(self.0), options) {}
    }
}

/// Python's `ProcessLookupError`.
pub(crate) fn no_such_process() -> io::Error {
    Errno::SRCH.into()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// A child that ends when its standard input does.
    fn cat() -> process::Child {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a child")
    }

    fn pidfd_of(child: &process::Child) -> Rc<OwnedFd> {
        Rc::new(pidfd_open(Pid::from_child(child), PidfdFlags::empty()).expect("a descriptor"))
    }

    #[test]
    fn child_gets_its_signals_by_its_descriptor() {
        let (mut meant, mut numbered) = (cat(), cat());
        let stdin = numbered.stdin.take();
        let child = Child::new(numbered);
        child.pidfd.set(pidfd_of(&meant)).unwrap();
        child.send_signal(Signal::TERM.as_raw()).unwrap();
        assert_eq!(meant.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
        child.send_signal(Signal::TERM.as_raw()).unwrap();
        drop(stdin);
        assert_eq!(child.reap(), 0);
    }

    #[test]
    fn end_reaps_a_child_that_no_signal_reaches() {
        let mut other = cat();
        let unreachable = pidfd_of(&other);
        drop(other.stdin.take());
        other.wait().unwrap();
        let mut child = cat();
        let stdin = child.stdin.take();
        let child = Child::new(child);
        child.pidfd.set(unreachable).unwrap();
        assert_eq!(child.end(), None);
        drop(stdin);
        let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(child.pid), ended).unwrap();
        assert_eq!(child.end(), Some(0));
    }
}
