//! The ground floor: who runs next. It knows callbacks; it knows nothing of futures and tasks.
//!
//! In reading order: `clock` and `host` (the machine below), `timer_key` and [`TimerWheel`],
//! `serial_slab` (whose keys never find the wrong thing), `scheduled_call` and `handle` (a scheduled callback), `ring`
//! and `ready` (the queue), `exceptions` (the exception handler), `drop_flat` (drops that nest), `inbox`, `loop_handle`, `answers` and `work_item`
//! (other threads), `running` (which loop is it), `listener`, `reactor`, `waits`, `watch_keys`,
//! `registration`, `readers`, `signals`, `interrupt` and `system` (the machine with std), `loop_ref` (the loop as
//! its callbacks see it), `schedule_hash`, `disorder`, `trace` and `watched` (what is looked at
//! besides, on request), `run` (the loop as its owner runs it).

mod answers;
mod clock;
mod disorder;
mod drop_flat;
mod entry;
mod exceptions;
mod handle;
mod host;
mod inbox;
#[cfg(all(unix, feature = "signals"))]
mod interrupt;
#[cfg(feature = "std")]
mod listener;
mod loop_handle;
mod loop_ref;
#[cfg(feature = "std")]
mod reactor;
#[cfg(feature = "std")]
mod readers;
mod ready;
#[cfg(feature = "std")]
mod registration;
mod ring;
mod run;
mod running;
mod schedule_hash;
mod scheduled_call;
#[cfg(all(unix, feature = "signals"))]
mod signals;
#[cfg(feature = "std")]
mod system;
mod timer_key;
mod timer_wheel;
#[cfg(feature = "trace")]
mod trace;
#[cfg(feature = "std")]
mod waits;
#[cfg(feature = "std")]
mod watch_keys;
mod watched;
#[cfg(feature = "std")]
mod work_item;

pub use answers::Answer;
pub use disorder::Disorder;
pub use exceptions::{ExceptionContext, ExceptionHandler};
pub use handle::{CallbackOutput, Handle, TimerHandle};
pub use host::{Host, Notify};
pub use loop_handle::LoopHandle;
pub use loop_ref::LoopRef;
#[cfg(feature = "std")]
pub use reactor::Source;
pub use run::EventLoop;
pub use running::{running_loop, set_loop_thread};
pub use timer_key::TimerKey;
pub use timer_wheel::TimerWheel;
#[cfg(feature = "trace")]
pub use trace::Trace;

pub(crate) use answers::Receiver;
pub(crate) use clock::Seconds;
pub(crate) use drop_flat::drop_flat;
pub(crate) use entry::{Describe, Entry, EntryHead, EntryTable, Job, JobCell};
pub(crate) use handle::{drop_quietly, run_callback};
pub(crate) use inbox::Inbox;
#[cfg(feature = "std")]
pub(crate) use listener::{Listener, Side};
pub(crate) use loop_handle::{Mail, running_here};
pub(crate) use loop_ref::Upstairs;
#[cfg(feature = "std")]
pub(crate) use reactor::set_nonblocking;
#[cfg(feature = "std")]
pub(crate) use ready::ReadyQueue;
#[cfg(feature = "std")]
pub(crate) use registration::{After, Registration};
#[cfg(not(feature = "std"))]
pub(crate) use running::LoopThreadOwn;
pub(crate) use running::thread_own;
pub(crate) use schedule_hash::Mark;
#[cfg(feature = "std")]
pub(crate) use work_item::WorkItem;
