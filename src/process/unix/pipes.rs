//! The pipes of a child, and the shell.

use alloc::rc::Rc;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
pub(crate) use std::os::fd::OwnedFd as Descriptor;
use std::process::Command;

use super::child::Child;
use crate::asyncio::LoopFuture;
use crate::error::Result;
use crate::event_loop::LoopRef;
use crate::net::{Events, Transport};

const SHELL: &str = if cfg!(target_os = "android") { "/system/bin/sh" } else { "/bin/sh" };

/// The shell that runs `command`.
pub(crate) fn shell(command: &OsStr) -> Command {
    let mut shell = Command::new(SHELL);
    shell.arg("-c").arg(command);
    shell
}

/// This process's standard output, as a descriptor of its own.
pub(crate) fn own_stdout() -> io::Result<Descriptor> {
    io::stdout().as_fd().try_clone_to_owned()
}

/// Has `end`, of the pipe that is the child's descriptor `fd`, call `events`.
pub(crate) fn connect(
    on: &LoopRef,
    _: &Child,
    fd: usize,
    end: Descriptor,
    events: Rc<dyn Events>,
    waiter: LoopFuture<()>,
) -> Result<Transport> {
    let end = File::from(end);
    if fd == 0 {
        Transport::of_write_pipe(on, end, events, |_| Ok(()), waiter)
    } else {
        Transport::of_read_pipe(on, end, events, |_| Ok(()), waiter)
    }
}

/// The reading and the writing end of a pipe, which child processes don't inherit.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn pipe() -> io::Result<(Descriptor, Descriptor)> {
    use rustix::pipe::{PipeFlags, pipe_with};
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// The reading and the writing end of a pipe, which child processes don't inherit.
#[cfg(target_vendor = "apple")]
pub(crate) fn pipe() -> io::Result<(Descriptor, Descriptor)> {
    let (reading, writing) = rustix::pipe::pipe()?;
    for end in [&reading, &writing] {
        rustix::io::ioctl_fioclex(end)?;
    }
    Ok((reading, writing))
}
