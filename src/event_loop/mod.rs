//! The loop that runs callbacks. It has no notion of futures and tasks.
//!
//! In reading order: `clock` and `host` (the machine below), `ring` and `ready` (the queue),
//! `entry` (what it holds), `events` (what is noted as it happens), `linked_mail`, `mail` and `inbox` (what other threads leave), `poller` (sockets), `owed_answers`,
//! `exception_context`; `loop_ref` (the loop as its callbacks see it), `running` (which loop is it),
//! `exception_handler`, `job` (what an entry runs), `calls`, `scheduled_call` and `handle`
//! (scheduled callbacks); `remote` (other
//! threads), `sources` (readers, writers, signals), `observe` (what is looked at besides, on
//! request); `run` (the loop as its owner runs it), `between_turns`.

mod between_turns;
mod calls;
mod clock;
mod entry;
mod events;
mod exception_context;
mod exception_handler;
mod handle;
mod host;
mod inbox;
mod job;
#[cfg(any(not(feature = "std"), all(test, any(loom, shuttle))))]
mod linked_mail;
mod loop_ref;
mod mail;
mod observe;
mod owed_answers;
#[cfg(feature = "std")]
mod poller;
mod ready;
mod remote;
mod ring;
mod run;
mod running;
mod scheduled_call;
#[cfg(feature = "std")]
mod sources;

pub use exception_context::ExceptionContext;
pub use exception_handler::CallbackOutput;
pub use handle::{Handle, TimerHandle};
pub use host::{Host, Notify};
pub use loop_ref::{ExceptionHandler, LoopRef};
pub use observe::Disorder;
#[cfg(feature = "trace")]
pub use observe::Trace;
#[cfg(feature = "contextvars")]
pub(crate) use observe::use_contexts;
#[cfg(feature = "contextvars")]
pub use observe::{ContextVar, Token};
#[cfg(feature = "events")]
pub use observe::{Events, testing};
#[cfg(feature = "std")]
pub use poller::Source;
pub use remote::{Answer, LoopHandle};
pub use run::EventLoop;
pub(crate) use running::{expect_possible, expect_running_loop};
pub use running::{running_loop, set_loop_thread};

pub(crate) use calls::TimerIndex;
pub(crate) use clock::Seconds;
pub(crate) use entry::{Describe, JobKind, described, tagged};
pub(crate) use events::note_event;
#[cfg(feature = "events")]
pub(crate) use events::{LoopEvent, Outcome, ReasonWords};
pub(crate) use exception_context::LostBy;
pub(crate) use exception_handler::{drop_flat, drop_quietly, run_callback, run_in_turn};
pub(crate) use inbox::Inbox;
pub(crate) use job::{Job, JobCell};
#[cfg(any(not(feature = "std"), all(test, any(loom, shuttle))))]
pub(crate) use linked_mail::Link;
#[cfg(all(test, any(loom, shuttle)))]
pub(crate) use linked_mail::{Linked, LinkedMail};
pub(crate) use loop_ref::{
    Described, Entry, EntryHead, EntryTable, HeldEntry, Mail, Owed, TaskScheduler,
};
pub(crate) use mail::Woken;

#[cfg(all(windows, feature = "process"))]
pub(crate) use poller::tcp_pair;
#[cfg(all(test, any(loom, shuttle)))]
pub(crate) use poller::{Bell, EndWait};
#[cfg(feature = "std")]
pub(crate) use poller::{Listener, Listening, Side, set_nonblocking};
#[cfg(feature = "std")]
pub(crate) use remote::WorkItem;
pub(crate) use remote::running_here;
#[cfg(not(feature = "std"))]
pub(crate) use running::LoopThreadOwn;
pub(crate) use running::thread_own;
#[cfg(feature = "std")]
pub(crate) use sources::{After, Registration};
