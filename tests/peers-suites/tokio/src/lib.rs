//! tokio's runtime, tasks, time and sockets on loops of this crate; the rest is the crate tokio itself.
//!
//! A runtime is one loop, whichever kind is asked for, and runs on the thread that made it.

mod here;
pub mod net;
pub mod runtime;
pub mod task;
pub mod time;

pub use task::spawn;
pub use tokio_macros::{main, test};
pub use tokio_own::{join, pin, select, sync, task_local, try_join};

pub mod io {
    pub use tokio_own::io::*;
}
