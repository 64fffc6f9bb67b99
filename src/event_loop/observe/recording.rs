//! Notes the events of a loop in its log.

use alloc::string::String;

use super::origin::is_own;
use crate::error::Error;
use crate::event_loop::clock::Nanos;
use crate::event_loop::entry::JobKind;
use crate::event_loop::events::{EventLog, LoopEvent};
use crate::event_loop::loop_ref::{Entry, LoopRef};

impl LoopRef {
    pub(super) fn start_event_log(&self) {
        self.shared().calls.events.start();
        self.update_observed();
    }

    /// Ends the log. Returns it, if it was begun.
    pub(super) fn take_event_log(&self) -> Option<EventLog> {
        let log = self.shared().calls.events.take();
        self.update_observed();
        log
    }

    #[inline(always)]
    pub(crate) fn records_events(&self) -> bool {
        self.shared().calls.events.is_on()
    }

    /// Notes an event. Called while the loop records.
    #[inline(always)]
    pub(crate) fn log_event(&self, event: LoopEvent) {
        self.shared().calls.events.note(event);
    }

    /// Notes an event that has a text.
    #[cold]
    pub(crate) fn log_text_event(&self, text: String, event: impl FnOnce(usize) -> LoopEvent) {
        self.shared().calls.events.note_text(text, event);
    }

    /// Notes that a callback was scheduled, unless it belongs to asyncio.
    pub(crate) fn log_call(&self, name: &str, entry: &Entry) {
        if self.records_events() && !is_own(name) {
            self.log_event(LoopEvent::CallMade(entry.address().addr()));
        }
    }

    /// Notes that a callback is to run at `when`, unless it belongs to asyncio: the limit of a wait.
    pub(crate) fn log_timer(&self, name: &str, address: *const (), when: Nanos) {
        if self.records_events() && !is_own(name) {
            self.log_event(LoopEvent::TimerMade(address.addr(), when));
        }
    }

    /// Notes the name of the error that the next event is about, if it has one.
    #[cold]
    #[inline(never)]
    pub(crate) fn log_error(&self, error: &Error) {
        let name = error.trace_name();
        if !name.is_empty() {
            self.shared().calls.events.note_error(name);
        }
    }

    /// Adds a line of the program.
    pub(crate) fn log_line(&self, line: String) {
        self.log_text_event(line, LoopEvent::Logged);
    }

    /// Notes that a round of `count` entries begins.
    pub(crate) fn log_round(&self, count: usize) {
        if count > 0 && self.records_events() {
            self.log_event(LoopEvent::Round(self.now()));
        }
    }

    /// Notes `entry` if the loop records, and runs it. Returns it for the observer to run if that is on.
    #[inline]
    pub(crate) fn run_recorded(&self, entry: Entry) -> Option<Entry> {
        if self.records_events() {
            self.log_entry(&entry);
            if !self.is_observed() {
                entry.run(self);
                return None;
            }
        }
        Some(entry)
    }

    /// Notes that `entry` runs. A step is noted by its task.
    #[inline]
    fn log_entry(&self, entry: &Entry) {
        match entry.kind() {
            JobKind::Step(_) => {}
            JobKind::TaskDone(_) | JobKind::FutureDone => self.log_event(LoopEvent::Callback),
            _ => self.log_event(LoopEvent::Entry(entry.address().addr())),
        }
    }
}
