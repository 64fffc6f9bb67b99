//! [`Listener`]: who hears of a source.

use alloc::rc::Rc;

/// Who is told that one side of a descriptor is ready.
pub(crate) trait Listener {
    /// Whether it wants to be told now.
    fn wanted(&self) -> bool;

    /// The side is ready, and nobody wants to know.
    fn unwanted(&self) {}

    /// The side was ready when the loop looked: in this turn it runs what follows from that.
    fn notify(self: Rc<Self>);

    /// It is not to be told any more, even if it is on its way.
    fn cancel(&self) {}
}

/// One of the two sides of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Reader,
    Writer,
}

/// What is wanted of a descriptor: to read, to write.
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
