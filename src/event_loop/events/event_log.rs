//! [`EventLog`]: the events of a loop's tasks, callbacks and timers, noted as they happen. `observe` writes
//! them as lines.
//!
//! Nothing is looked up to note an event: the meaning of an address or a number follows from the events
//! before it. Events are written to one page, which stays in the processor's cache, and a full page is
//! copied to the log.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell};

use super::event_page::{EventPage, EventReader};
use super::loop_event::{LoopEvent, Reason};
use crate::collections::RefCell;

/// Gives the words of a reason.
pub(crate) type ReasonWords = fn(Reason) -> &'static str;

#[derive(Default)]
pub(crate) struct EventLog {
    pages: Vec<Box<[u8]>>,
    pub(crate) texts: Vec<String>,
    /// Each name once.
    error_names: Vec<&'static str>,
    reason_words: Option<ReasonWords>,
}

impl EventLog {
    pub(crate) fn events(&self) -> impl Iterator<Item = LoopEvent> {
        EventReader::new(self.pages.iter().flat_map(|page| page.iter().copied()))
    }

    pub(crate) fn error_name(&self, place: usize) -> &'static str {
        self.error_names.get(place).copied().unwrap_or_default()
    }

    /// Returns the place of an error's name, which is added if it is new.
    fn place_of_error(&mut self, name: &'static str) -> usize {
        let names = &mut self.error_names;
        names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    }

    pub(crate) fn reason_words(&self, reason: Reason) -> &'static str {
        self.reason_words.map_or("", |words| words(reason))
    }
}

/// The log of a loop, and whether it is kept.
#[derive(Default)]
pub(crate) struct EventSwitch {
    on: Cell<bool>,
    page: OnceCell<Box<EventPage>>,
    log: RefCell<Option<EventLog>>,
    /// The layer above's function, which may be closed when the log is read.
    reason_words: Cell<Option<ReasonWords>>,
}

impl EventSwitch {
    pub(crate) fn start(&self) {
        self.log.borrow_mut().get_or_insert_default();
        self.page.get_or_init(|| Box::new(EventPage::new()));
        self.on.set(true);
    }

    pub(crate) fn set_reason_words(&self, words: ReasonWords) {
        self.reason_words.set(Some(words));
    }

    /// Ends the recording, and keeps the log.
    pub(crate) fn turn_off(&self) {
        self.on.set(false);
    }

    /// Ends the recording. Returns the log, if one was begun.
    pub(crate) fn take(&self) -> Option<EventLog> {
        self.turn_off();
        let mut log = self.log.take()?;
        let bytes = self.page.get().map(|page| page.end_bytes());
        log.pages.extend(bytes);
        log.reason_words = self.reason_words.get();
        Some(log)
    }

    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Notes an event. Called while it is on.
    #[inline(always)]
    pub(crate) fn note(&self, event: LoopEvent) {
        if let Some(page) = self.page.get() {
            page.write(event);
            if page.is_full() {
                self.empty(page);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn empty(&self, page: &EventPage) {
        let bytes = page.take_bytes();
        if let Some(log) = &mut *self.log.borrow_mut() {
            log.pages.push(bytes);
        }
    }

    /// Notes the name of the error that the next event is about.
    pub(crate) fn note_error(&self, name: &'static str) {
        let place = self.log.borrow_mut().as_mut().map(|log| log.place_of_error(name));
        if let Some(place) = place {
            self.note(LoopEvent::ErrorNamed(place));
        }
    }

    /// Notes an event that has a text, by the place of that.
    pub(crate) fn note_text(&self, text: String, event: impl FnOnce(usize) -> LoopEvent) {
        let place = match &mut *self.log.borrow_mut() {
            Some(log) => {
                log.texts.push(text);
                log.texts.len() - 1
            }
            None => return,
        };
        self.note(event(place));
    }
}
