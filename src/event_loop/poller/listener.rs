//! [`Listener`]: the receiver of the reactor's events of one source.

use alloc::rc::Rc;

/// Listens for the sides of a descriptor: one, or both.
pub(crate) trait Listener {
    /// Returns whether a report of `side` is wanted now.
    fn wanted(&self, side: Side) -> bool;

    /// `side` is ready, and that is not wanted.
    fn unwanted(&self, _side: Side) {}

    /// `side` was ready when the loop looked: what follows from that runs in this turn.
    fn notify(self: Rc<Self>, side: Side);

    /// No report is wanted any more, not even one on its way.
    fn cancel(&self) {}
}

/// One of the two sides of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Reader,
    Writer,
}

/// The readiness that is wanted of a descriptor: to read, to write.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interest {
    pub(crate) reader: bool,
    pub(crate) writer: bool,
}

impl Interest {
    pub(crate) fn has(self, side: Side) -> bool {
        match side {
            Side::Reader => self.reader,
            Side::Writer => self.writer,
        }
    }

    pub(crate) fn or(self, other: Interest) -> Interest {
        Interest { reader: self.reader || other.reader, writer: self.writer || other.writer }
    }
}
