//! Parts of pools and queues with threads that work for a loop: [`WorkQueue`], from which the threads
//! take their work and on which they sleep, [`WorkerGroup`], which starts and joins them, and
//! [`logged`], which logs their panics. `event_loop::remote` takes their answers back to the loop.

mod logged;
mod work_queue;
mod worker_group;

pub(crate) use logged::logged;
pub(crate) use work_queue::WorkQueue;
pub(crate) use worker_group::WorkerGroup;

/// For the code that those threads run.
pub(crate) use crate::event_loop::WorkItem;
pub(crate) use crate::logging::shown;
pub(crate) use crate::panics::caught;
pub(crate) use crate::sync::Arc;
