//! [`Watched`]: a source with its two directions, as its loop watches it.

use alloc::rc::Rc;
use core::cell::Cell;

use super::direction::Direction;
use crate::error::Result;
use crate::event_loop::{Listener, Listening, LoopRef, Registration, Side, Source};

pub(super) struct Watched<T: Source + 'static> {
    // Before the source: the poller forgets a descriptor before it is closed.
    registration: Registration,
    source: Rc<Listening<T, Directions>>,
    event_loop: LoopRef,
    /// Operations since the last wait, in either direction.
    in_a_row: Cell<u32>,
}

/// Both directions of a source.
struct Directions {
    reader: Direction,
    writer: Direction,
}

impl Directions {
    #[inline]
    fn of(&self, side: Side) -> &Direction {
        match side {
            Side::Reader => &self.reader,
            Side::Writer => &self.writer,
        }
    }
}

impl<T: Source> Listener for Listening<T, Directions> {
    fn wanted(&self, side: Side) -> bool {
        self.listener().of(side).is_wanted()
    }

    fn unwanted(&self, side: Side) {
        self.listener().of(side).unwanted();
    }

    fn notify(self: Rc<Self>, side: Side) {
        self.listener().of(side).notify();
    }
}

impl<T: Source + 'static> Watched<T> {
    /// Takes a place at the reactor of `event_loop` for a source in non-blocking mode.
    pub(super) fn new(event_loop: &LoopRef, source: T) -> Result<Watched<T>> {
        let reader = Direction::new(Side::Reader);
        let writer = Direction::new(Side::Writer);
        let source = Rc::new(Listening::new(source, Directions { reader, writer }));
        let registration = Registration::new(event_loop, Rc::clone(&source))?;
        let event_loop = event_loop.clone();
        Ok(Watched { registration, source, event_loop, in_a_row: Cell::new(0) })
    }

    #[inline]
    pub(super) fn direction(&self, side: Side) -> &Direction {
        self.source.listener().of(side)
    }

    #[inline]
    pub(super) fn source(&self) -> &T {
        self.source.source()
    }

    #[inline]
    pub(super) fn event_loop(&self) -> &LoopRef {
        &self.event_loop
    }

    #[inline]
    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }

    #[inline]
    pub(super) fn in_a_row(&self) -> &Cell<u32> {
        &self.in_a_row
    }

    /// Takes the source out, which the loop doesn't watch any more.
    pub(super) fn into_source(self) -> T {
        let Watched { registration, source, .. } = self;
        drop(registration);
        let source = Rc::into_inner(source).map(Listening::into_source);
        source.expect("the registration, which shares the source, has forgotten it")
    }
}
