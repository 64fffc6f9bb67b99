//! The events of a loop as they are noted: `event_log` keeps them, and `note_event` is the line by which
//! other files note one. `observe` writes them as text.

#[cfg(feature = "events")]
mod event_log;
mod note_event;

#[cfg(feature = "events")]
pub(super) use event_log::{EventLog, EventSwitch};
#[cfg(feature = "events")]
pub(crate) use event_log::{LoopEvent, Outcome};
pub(crate) use note_event::note_event;
