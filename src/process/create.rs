//! Starting child processes.

use alloc::rc::Rc;
use std::ffi::OsStr;
use std::process::Command;

use super::events::SubprocessEvents;
use super::options::SubprocessOptions;
use super::protocol::{SubprocessProtocol, transport_of};
use super::streams::ProcessStreams;
use super::subprocess::Process;
use super::system;
use super::transport::SubprocessTransport;
use crate::asyncio::LoopFuture;
use crate::error::Result;
use crate::event_loop::{LoopRef, running_loop};
use crate::net::{StreamReader, made};

/// Starts `program` with `args`: `asyncio.create_subprocess_exec`.
///
/// ```
/// use callsoon::process::{SubprocessOptions, create_subprocess_exec};
///
/// callsoon::run(async {
///     let cat = create_subprocess_exec("cat", ["-"], SubprocessOptions::piped()).await?;
///     let (output, _) = cat.communicate(Some(b"hello")).await?;
///     assert_eq!((output.as_deref(), cat.returncode()), (Some(&b"hello"[..]), Some(0)));
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Errors
///
/// What the system says: there is no such program, say; [`Value`](crate::ErrorKind::Value) if the
/// limit is 0, or for [`Stdio::Stdout`](super::Stdio::Stdout) where it makes no sense.
///
/// # Cancellation
///
/// Cancelled, the process is killed, and waited for. Dropped, it is killed, and reaped when it has
/// ended.
pub async fn create_subprocess_exec<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = A>,
    options: SubprocessOptions,
) -> Result<Process> {
    process(command(program, args), options).await
}

async fn process(command: Command, options: SubprocessOptions) -> Result<Process> {
    let on = running_loop()?;
    let limit = options.limit;
    drop(StreamReader::on(&on, limit)?);
    let streams = ProcessStreams::new(&on, limit);
    let started = options.start(command)?;
    let waiter = LoopFuture::new(&on);
    let own = Rc::clone(&streams);
    let made = move |transport: &SubprocessTransport| own.made(transport);
    let events: Rc<dyn SubprocessEvents> = Rc::<ProcessStreams>::clone(&streams);
    let transport = SubprocessTransport::new(&on, started, events, made, waiter.clone())?;
    Ok(Process::new(connected(transport, waiter).await?, streams))
}

/// Runs `command` by the shell: `asyncio.create_subprocess_shell`. The shell interprets all of it, so
/// it must not contain text from outside of the program.
///
/// # Errors
///
/// As [`create_subprocess_exec`].
///
/// # Cancellation
///
/// As [`create_subprocess_exec`].
pub async fn create_subprocess_shell(
    command: impl AsRef<OsStr>,
    options: SubprocessOptions,
) -> Result<Process> {
    process(system::shell(command.as_ref()), options).await
}

impl LoopRef {
    /// Starts `program` with `args`, and has it call the protocol that `factory` makes:
    /// `loop.subprocess_exec`. It returns when the pipes are connected.
    ///
    /// # Errors
    ///
    /// As [`create_subprocess_exec`].
    ///
    /// # Cancellation
    ///
    /// As [`create_subprocess_exec`].
    pub async fn subprocess_exec<P: SubprocessProtocol + 'static, A: AsRef<OsStr>>(
        &self,
        factory: impl FnOnce() -> P,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        options: SubprocessOptions,
    ) -> Result<(SubprocessTransport, Rc<P>)> {
        self.subprocess(factory, command(program, args), options).await
    }

    async fn subprocess<P: SubprocessProtocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        command: Command,
        options: SubprocessOptions,
    ) -> Result<(SubprocessTransport, Rc<P>)> {
        let protocol = Rc::new(factory());
        let started = options.start(command)?;
        let waiter = LoopFuture::new(self);
        let called = Rc::<P>::clone(&protocol);
        let transport = transport_of(self, started, called, waiter.clone())?;
        Ok((connected(transport, waiter).await?, protocol))
    }

    /// Runs `command` by the shell, and has it call the protocol that `factory` makes:
    /// `loop.subprocess_shell`. For the rest see [`subprocess_exec`](LoopRef::subprocess_exec).
    ///
    /// # Errors
    ///
    /// As [`create_subprocess_exec`].
    ///
    /// # Cancellation
    ///
    /// As [`create_subprocess_exec`].
    pub async fn subprocess_shell<P: SubprocessProtocol + 'static>(
        &self,
        factory: impl FnOnce() -> P,
        command: impl AsRef<OsStr>,
        options: SubprocessOptions,
    ) -> Result<(SubprocessTransport, Rc<P>)> {
        self.subprocess(factory, system::shell(command.as_ref()), options).await
    }
}

fn command<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    args: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Waits until the pipes are connected. If that fails, the process is killed and waited for.
async fn connected(
    transport: SubprocessTransport,
    waiter: LoopFuture<()>,
) -> Result<SubprocessTransport> {
    let connected = made(transport.clone(), waiter).await;
    if connected.is_err() {
        transport.wait().await?;
    }
    connected
}
