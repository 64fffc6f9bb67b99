//! [`ProcessStreams`]: the protocol that feeds the readers of a process, and holds back its writer.

use alloc::rc::Rc;
use core::cell::Cell;

use super::events::SubprocessEvents;
use super::transport::SubprocessTransport;
use crate::collections::RefCell;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;
use crate::net::{BaseEvents, HasWriteFlow, StreamReader, WriteFlow};

/// asyncio's `SubprocessStreamProtocol`.
pub(super) struct ProcessStreams {
    on: LoopRef,
    limit: usize,
    flow: WriteFlow,
    /// Gone once the transport is closed from here.
    transport: RefCell<Option<SubprocessTransport>>,
    /// The readers of the standard output and the standard error.
    readers: [RefCell<Option<StreamReader>>; 2],
    /// The readers that have not ended.
    open: [Cell<bool>; 2],
    exited: Cell<bool>,
}

impl ProcessStreams {
    pub(super) fn new(on: &LoopRef, limit: usize) -> Rc<ProcessStreams> {
        Rc::new(ProcessStreams {
            on: on.clone(),
            limit,
            flow: WriteFlow::new(on),
            transport: RefCell::default(),
            readers: Default::default(),
            open: Default::default(),
            exited: Cell::new(false),
        })
    }

    /// Makes the readers: asyncio's `connection_made`.
    pub(super) fn made(&self, transport: &SubprocessTransport) -> Result<()> {
        *self.transport.borrow_mut() = Some(transport.clone());
        for (at, (own, open)) in self.readers.iter().zip(&self.open).enumerate() {
            let Some(pipe) = transport.pipe_transport(at + 1) else { continue };
            let reader = StreamReader::on(&self.on, self.limit)?;
            reader.set_transport(&pipe);
            own.replace(Some(reader));
            open.set(true);
        }
        Ok(())
    }

    /// The reader of the child's descriptor `fd`.
    pub(super) fn reader(&self, fd: usize) -> Option<StreamReader> {
        self.readers.get(fd.checked_sub(1)?)?.borrow().as_ref().map(StreamReader::share)
    }

    fn maybe_close_transport(&self) {
        if self.open.iter().any(Cell::get) || !self.exited.get() {
            return;
        }
        if let Some(transport) = self.transport.take() {
            transport.close();
        }
    }
}

impl HasWriteFlow for ProcessStreams {
    fn write_flow(&self) -> &WriteFlow {
        &self.flow
    }

    #[cfg(feature = "tls")]
    fn into_any(self: Rc<Self>) -> Rc<dyn core::any::Any> {
        self
    }
}

impl BaseEvents for ProcessStreams {
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.flow.lose(error.as_ref());
        Ok(())
    }

    fn pause_writing(&self) -> Result<()> {
        self.flow.pause();
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.flow.resume();
        Ok(())
    }
}

impl SubprocessEvents for ProcessStreams {
    fn pipe_data_received(&self, fd: usize, data: &[u8]) -> Result<()> {
        if let Some(reader) = self.reader(fd) {
            reader.feed_data(data);
        }
        Ok(())
    }

    fn pipe_connection_lost(&self, fd: usize, error: Option<Error>) -> Result<()> {
        if fd == 0 {
            self.flow.lose(error.as_ref());
            self.flow.close(error.as_ref());
            return Ok(());
        }
        if let Some(reader) = self.reader(fd) {
            match error {
                None => reader.feed_eof(),
                Some(error) => reader.set_exception(error),
            }
        }
        if let Some(open) = self.open.get(fd - 1) {
            open.set(false);
        }
        self.maybe_close_transport();
        Ok(())
    }

    fn process_exited(&self) -> Result<()> {
        self.exited.set(true);
        self.maybe_close_transport();
        Ok(())
    }
}
