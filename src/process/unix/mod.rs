//! Child processes on Unix: `child` (one until it is reaped, which `kill` sends signals), `pipes`.

mod child;
mod kill;
mod pipes;

pub(super) use child::{Child, SIGKILL, SIGTERM, no_such_process};
pub(super) use pipes::{Descriptor, connect, own_stdout, pipe, shell};
