//! asyncio's child processes.
//!
//! In reading order: [`SubprocessOptions`] (the way in which a child is started), `unix` and `windows` (a
//! child until it is reaped, and its pipes), `started` (both together), `watch` (notices its end), `events` (the callbacks of a protocol),
//! [`SubprocessTransport`] (the child with its pipes) and [`SubprocessProtocol`]; on these `streams` and
//! [`Process`], which `create_subprocess_exec` and `create_subprocess_shell` return.

mod create;
mod events;
mod options;
mod protocol;
mod started;
mod streams;
mod subprocess;
mod transport;
#[cfg(unix)]
mod unix;
mod watch;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use create::{create_subprocess_exec, create_subprocess_shell};
pub use options::{Stdio, SubprocessOptions};
pub use protocol::SubprocessProtocol;
pub use subprocess::Process;
pub use transport::SubprocessTransport;
