//! The events of a loop, as it records them: `loop_event` is one of them, `event_page` has their bytes,
//! `event_log` keeps those, and other files record an event by `note_event`. `observe` writes them as
//! text.

#[cfg(feature = "events")]
mod event_log;
#[cfg(feature = "events")]
mod event_page;
#[cfg(feature = "events")]
mod loop_event;
mod note_event;

#[cfg(feature = "events")]
pub(crate) use event_log::ReasonWords;
#[cfg(feature = "events")]
pub(super) use event_log::{EventLog, EventSwitch};
#[cfg(feature = "events")]
pub(crate) use loop_event::{LoopEvent, Outcome};
pub(crate) use note_event::note_event;
