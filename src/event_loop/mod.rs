//! The ground floor: who runs next. It knows callbacks; it knows nothing of futures and tasks.
//!
//! In reading order: `clock` and `host` (the machine below), `timer_key` and [`TimerWheel`],
//! `serial_slab` (whose keys never find the wrong thing), `handle` (a scheduled callback), `ready`
//! (the queue), `exceptions` (who hears of errors), `inbox`, `loop_handle`, `answers` and `errand`
//! (other threads), `running` (which loop is it), `listener`, `reactor`, `watch_keys`,
//! `registration`, `readers`, `signals`, `interrupt` and `system` (the machine with std), `loop_ref` (the loop as
//! its callbacks see it), `schedule_hash`, `disorder`, `trace` and `watched` (what is looked at
//! besides, on request), `run` (the loop as its owner runs it).

mod answers;
mod clock;
mod disorder;
#[cfg(feature = "std")]
mod errand;
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
mod run;
mod running;
mod schedule_hash;
mod serial_slab;
#[cfg(all(unix, feature = "signals"))]
mod signals;
#[cfg(feature = "std")]
mod system;
mod timer_key;
mod timer_wheel;
#[cfg(feature = "trace")]
mod trace;
#[cfg(feature = "std")]
mod watch_keys;
mod watched;

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
pub use running::running_loop;
pub use timer_key::TimerKey;
pub use timer_wheel::TimerWheel;
#[cfg(feature = "trace")]
pub use trace::Trace;

#[cfg(all(test, any(loom, shuttle)))]
pub(crate) use inbox::Inbox;

pub(crate) use answers::Receiver;
pub(crate) use clock::Seconds;
#[cfg(feature = "std")]
pub(crate) use errand::Errand;
pub(crate) use handle::{Job, drop_quietly, run_callback};
#[cfg(feature = "std")]
pub(crate) use listener::{Listener, Side};
pub(crate) use loop_handle::wake;
pub(crate) use loop_ref::Upstairs;
#[cfg(feature = "std")]
pub(crate) use ready::ReadyQueue;
#[cfg(feature = "std")]
pub(crate) use registration::Registration;
#[cfg(not(feature = "std"))]
pub(crate) use running::OneThread;
pub(crate) use running::thread_own;
pub(crate) use schedule_hash::Mark;
pub(crate) use serial_slab::{SerialKey, SerialSlab};
