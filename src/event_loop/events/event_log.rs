//! [`EventLog`]: the events of a loop's tasks, callbacks and timers, noted as they happen. `observe` writes
//! them as lines.
//!
//! An event is a few words, and nothing is looked up to note it: the meaning of an address or a number
//! follows from the events before it.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use crate::event_loop::clock::Nanos;

/// The end of a future or task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Result,
    Cancelled,
    Error,
}

/// Something that happened. Tasks are known by their serial numbers, and what else there is by its
/// address, until something else is made there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LoopEvent {
    /// A turn's round begins.
    Round(Nanos),
    /// The loop has stopped running.
    Outside,
    /// An entry runs that is no step.
    Entry(usize),
    /// A step begins, which throws what the task awaits has ended with, or what was asked for.
    Step(u64, Option<Outcome>),
    TaskMade(u64),
    /// The task has the name at this place of the log.
    TaskNamed(u64, usize),
    /// A task was parked: the reason, and the address of the future.
    Waits(u64, &'static &'static str, usize),
    WaitsForTask(u64, u64),
    Yields(u64),
    Woken(u64),
    CancelAsked(u64),
    TaskEnded(u64, Outcome),
    FutureMade(usize),
    /// A future that something waits for has ended.
    FutureEnded(usize, &'static &'static str, Outcome),
    TimerMade(usize, Nanos),
    CallMade(usize),
    /// A callback was cancelled.
    CallCancelled(usize),
    /// A timer was cancelled, and whether it was due before: if its entry has not run, it is on the
    /// ready queue, and will run for nothing.
    TimerCancelled(usize, bool),
    /// An entry that is on the ready queue will run for nothing.
    EntrySkipped(usize),
    /// The program has logged the text at this place of the log.
    Logged(usize),
}

#[derive(Default)]
pub(crate) struct EventLog {
    pub(crate) events: Vec<LoopEvent>,
    pub(crate) texts: Vec<String>,
}

/// The log of a loop, and whether it is kept.
#[derive(Default)]
pub(crate) struct EventSwitch {
    on: Cell<bool>,
    log: RefCell<Option<EventLog>>,
}

impl EventSwitch {
    pub(crate) fn start(&self) {
        self.log.borrow_mut().get_or_insert_default();
        self.on.set(true);
    }

    /// Ends the recording, and keeps the log.
    pub(crate) fn turn_off(&self) {
        self.on.set(false);
    }

    /// Ends the recording. Returns the log, if one was begun.
    pub(crate) fn take(&self) -> Option<EventLog> {
        self.turn_off();
        self.log.take()
    }

    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    #[inline]
    pub(crate) fn note(&self, event: LoopEvent) {
        if self.is_on() {
            if let Some(log) = &mut *self.log.borrow_mut() {
                log.events.push(event);
            }
        }
    }

    /// Notes an event that has a text, by the place of that.
    pub(crate) fn note_text(&self, text: String, event: impl FnOnce(usize) -> LoopEvent) {
        if let Some(log) = &mut *self.log.borrow_mut() {
            log.events.push(event(log.texts.len()));
            log.texts.push(text);
        }
    }
}
