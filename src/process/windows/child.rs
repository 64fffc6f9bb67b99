//! [`Child`]: a child process until it is reaped.

use core::cell::{Cell, RefCell};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::process;

use super::system::wait_for_end;
use crate::error::{Error, ErrorKind, Result};

/// The numbers of signals, of which Windows has none for processes, for its way to end one.
pub(crate) const SIGKILL: i32 = 9;
pub(crate) const SIGTERM: i32 = 15;

/// The return code of a child of which the system doesn't know it.
const UNKNOWN: i32 = 255;

/// A child process. Its number and its handle are its own as long as this is there.
#[derive(Debug)]
pub(crate) struct Child {
    child: RefCell<process::Child>,
    /// The end of its standard input's connection that the thread of this reads.
    input: RefCell<Option<TcpStream>>,
    /// Known once it is reaped.
    returncode: Cell<Option<i32>>,
}

impl Child {
    pub(crate) fn new(child: process::Child) -> Child {
        Child { child: RefCell::new(child), input: RefCell::default(), returncode: Cell::new(None) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    /// Returns the wait for the end, for another thread.
    pub(crate) fn ending(&self) -> io::Result<Ending> {
        self.child.borrow().as_handle().try_clone_to_owned().map(Ending)
    }

    /// Does as Python's `send_signal` on Windows: `SIGTERM` ends it, and `SIGKILL`, which Python
    /// lacks there, does the same. A child that has ended gets none.
    pub(crate) fn send_signal(&self, signal: i32) -> Result<()> {
        if self.returncode.get().is_some() {
            return Ok(());
        }
        match signal {
            SIGKILL | SIGTERM => Ok(self.child.borrow_mut().kill()?),
            _ => Err(Error::new(ErrorKind::Value, "a signal that Windows doesn't have")),
        }
    }

    /// Returns whether it has not ended.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.child.borrow_mut().try_wait(), Ok(None))
    }

    /// Ends the child, unless it has ended. Returns whether it ends.
    pub(crate) fn kill(&self) -> bool {
        self.returncode.get().is_some() || self.child.borrow_mut().kill().is_ok()
    }

    /// Has the connection that stands for the standard input end with the child.
    pub(super) fn set_input(&self, input: TcpStream) {
        self.input.replace(Some(input));
        if self.returncode.get().is_some() {
            self.end_input();
        }
    }

    fn end_input(&self) {
        if let Some(input) = self.input.take() {
            let _ = input.shutdown(Shutdown::Both);
        }
    }

    /// Waits for the child, which has ended, and returns its return code.
    pub(crate) fn reap(&self) -> i32 {
        if let Some(code) = self.returncode.get() {
            return code;
        }
        let status = self.child.borrow_mut().wait();
        let code = status.ok().and_then(|status| status.code()).unwrap_or(UNKNOWN);
        self.returncode.set(Some(code));
        self.end_input();
        code
    }

    /// Reaps the child, which is killed if it goes on. Returns its return code, unless it may not be
    /// killed.
    pub(crate) fn end(&self) -> Option<i32> {
        self.kill().then(|| self.reap())
    }
}

/// Waits for the end of a child.
pub(crate) struct Ending(OwnedHandle);

impl Ending {
    pub(crate) fn wait(self) {
        wait_for_end(&self.0);
    }
}

/// Python's `ProcessLookupError`.
pub(crate) fn no_such_process() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the process has ended")
}
