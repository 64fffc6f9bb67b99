//! What threads that work for a loop are made of: [`WorkQueue`], on which they sleep,
//! [`Crew`], those of them that belong together, and [`logged`], who hears of their panics. How an answer comes back is one floor below,
//! in `event_loop::answers`.

mod crew;
mod logged;
mod work_queue;

pub(crate) use crew::Crew;
pub(crate) use logged::logged;
pub(crate) use work_queue::WorkQueue;

/// For what runs on those threads.
pub(crate) use crate::event_loop::WorkItem;
pub(crate) use crate::panics::{caught, shown};
pub(crate) use crate::sync::Arc;
