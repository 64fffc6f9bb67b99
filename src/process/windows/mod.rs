//! Child processes on Windows: `child` (one until it is reaped), `pipes` (of which threads carry what a loop
//! can't watch), `system` (the calls that the standard library lacks).

mod child;
mod pipes;
mod system;

pub(super) use child::{Child, SIGKILL, SIGTERM, no_such_process};
pub(super) use pipes::{Descriptor, connect, own_stdout, shell};
pub(super) use system::pipe;
