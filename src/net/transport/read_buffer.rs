//! [`ReadBuffer`]: the memory into which the transports of a loop read.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use core::any::Any;
use core::cell::Cell;

use crate::asyncio::{LoopExtension, TaskRegistry};
use crate::event_loop::LoopRef;

/// The most bytes that one read takes: asyncio's `max_size`.
const MAX_SIZE: usize = 256 * 1024;

/// One for each loop: a transport has it during a read and the callback with its bytes.
#[derive(Default)]
pub(crate) struct ReadBuffer(Cell<Option<Box<[u8]>>>);

impl ReadBuffer {
    pub(crate) fn of(on: &LoopRef) -> Rc<ReadBuffer> {
        TaskRegistry::of(on).extension()
    }

    pub(crate) fn take(&self) -> Box<[u8]> {
        self.0.take().unwrap_or_else(|| vec![0; MAX_SIZE].into_boxed_slice())
    }

    pub(crate) fn put_back(&self, buffer: Box<[u8]>) {
        self.0.set(Some(buffer));
    }
}

impl LoopExtension for ReadBuffer {
    fn close(&self, _event_loop: &LoopRef) {
        self.0.take();
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}
