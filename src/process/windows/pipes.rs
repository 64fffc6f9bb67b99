//! The pipes of a child, and the shell.
//!
//! A loop on Windows watches nothing but sockets. So a thread for each pipe copies between it and a
//! connection, of which the loop has the other end. What is read ends with the pipe. That the child
//! has closed its input shows when more is written, or when the child ends.

use alloc::format;
use alloc::rc::Rc;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::io::AsHandle;
pub(crate) use std::os::windows::io::OwnedHandle as Descriptor;
use std::os::windows::process::CommandExt;
use std::process::Command;
use std::{env, thread};

use super::child::Child;
use crate::asyncio::LoopFuture;
use crate::error::{Result, about};
use crate::event_loop::{LoopRef, tcp_pair};
use crate::net::{Events, Socket, Transport};

/// The shell that runs `command`, which it gets as it is, in quotes that it takes off.
pub(crate) fn shell(command: &OsStr) -> Command {
    let program = env::var_os("ComSpec").unwrap_or_else(|| OsString::from("cmd.exe"));
    let mut quoted = OsString::from("/c \"");
    quoted.push(command);
    quoted.push("\"");
    let mut shell = Command::new(program);
    shell.raw_arg(quoted);
    shell
}

/// This process's standard output, as a handle of its own.
pub(crate) fn own_stdout() -> io::Result<Descriptor> {
    io::stdout().as_handle().try_clone_to_owned()
}

/// Has `end`, of the pipe that is the child's descriptor `fd`, call `events`.
pub(crate) fn connect(
    on: &LoopRef,
    child: &Child,
    fd: usize,
    end: Descriptor,
    events: Rc<dyn Events>,
    waiter: LoopFuture<()>,
) -> Result<Transport> {
    let (own, carried) = tcp_pair()?;
    let end = File::from(end);
    if fd == 0 {
        child.set_input(carried.try_clone()?);
        carry(child.pid(), carried, end)?;
    } else {
        carry(child.pid(), end, carried)?;
    }
    let own = Socket::Tcp(Rc::new(own));
    Transport::of_socket(on, own, None, events, |_| Ok(()), waiter)
}

/// Copies on a thread until either has ended, and closes both.
fn carry(
    pid: u32,
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
) -> Result<()> {
    let thread = thread::Builder::new().name(format!("pipe of process {pid}"));
    let carrying = thread.spawn(move || drop(io::copy(&mut from, &mut to)));
    about(carrying.map(drop), || "no thread for a pipe".into())
}
