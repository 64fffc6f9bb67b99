//! asyncio's child processes, on Unix.
//!
//! In reading order: [`SubprocessOptions`] (the way in which a child is started), `child` (a child until it is
//! reaped, which `kill` sends signals), `watch` (notices its end), `events` (the callbacks of a protocol), [`SubprocessTransport`]
//! (the child with its pipes) and [`SubprocessProtocol`]; on these `streams` and [`Process`], which
//! `create_subprocess_exec` and `create_subprocess_shell` return.

mod child;
mod create;
mod events;
mod kill;
mod options;
mod protocol;
mod streams;
mod subprocess;
mod transport;
mod watch;

pub use create::{create_subprocess_exec, create_subprocess_shell};
pub use options::{Stdio, SubprocessOptions};
pub use protocol::SubprocessProtocol;
pub use subprocess::Process;
pub use transport::SubprocessTransport;
