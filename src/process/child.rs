//! [`Child`]: a child process until it is reaped.

use alloc::format;
use core::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process;

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Error, ErrorKind, Result};
use crate::logging::say;

/// The return code of a child that was reaped elsewhere, as asyncio has it.
const UNKNOWN: i32 = 255;

/// A child that was started, with this process's ends of its pipes.
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

impl Started {
    /// `shared` is the pipe of both outputs, if they share one.
    pub(super) fn new(mut child: process::Child, shared: Option<OwnedFd>) -> Started {
        let stdin = child.stdin.take().map(OwnedFd::from);
        let stdout = shared.or(child.stdout.take().map(OwnedFd::from));
        let stderr = child.stderr.take().map(OwnedFd::from);
        let child = Child {
            pid: Pid::from_child(&child),
            child: RefCell::new(child),
            reaped: Cell::new(false),
        };
        Started { child, stdin, stdout, stderr }
    }
}

/// A child process. Its number is its own until it is reaped, which only this does.
#[derive(Debug)]
pub(super) struct Child {
    pid: Pid,
    child: RefCell<process::Child>,
    reaped: Cell<bool>,
}

impl Child {
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends a signal. One that has ended gets none.
    pub(super) fn send_signal(&self, signal: i32) -> Result<()> {
        let unknown = || Error::new(ErrorKind::Value, format!("there is no signal {signal}"));
        let signal = Signal::from_named_raw(signal).ok_or_else(unknown)?;
        if self.reaped.get() {
            return Ok(());
        }
        match kill_process(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// Kills the child, unless it has ended or is another user's. Returns whether it ends.
    pub(super) fn kill(&self) -> bool {
        self.reaped.get() || kill_process(self.pid, Signal::KILL).is_ok()
    }

    /// Waits for the child, which has ended, and returns its return code: negative, the signal that
    /// has ended it.
    pub(super) fn reap(&self) -> i32 {
        let status = self.child.borrow_mut().wait();
        self.reaped.set(true);
        match status {
            Ok(status) => {
                status.code().or(status.signal().map(|signal| -signal)).unwrap_or(UNKNOWN)
            }
            Err(error) => {
                let pid = self.pid;
                say!(Warn, "child {pid:?} was reaped elsewhere, returncode {UNKNOWN}: {error}");
                UNKNOWN
            }
        }
    }

    /// Kills and reaps the child, unless it was reaped.
    pub(super) fn end(&self) {
        if !self.reaped.get() && self.kill() {
            self.reap();
        }
    }
}
