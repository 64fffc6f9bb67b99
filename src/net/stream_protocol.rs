//! [`StreamProtocol`]: the protocol that feeds a reader and holds back a writer.

use alloc::rc::{Rc, Weak};
use core::cell::Cell;

use super::stream_reader::{ReaderState, StreamReader};
use super::transport::{BaseEvents, Events, Socket, Tls, Transport};
use super::write_flow::{HasWriteFlow, WriteFlow};
use crate::asyncio::LoopFuture;
use crate::collections::CellExt;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;

/// asyncio's `StreamReaderProtocol`.
pub(super) struct StreamProtocol {
    reader: Cell<Weak<ReaderState>>,
    flow: WriteFlow,
    /// Its connection talks TLS, which has no end of one direction.
    over_tls: Cell<bool>,
}

impl StreamProtocol {
    pub(super) fn new(on: &LoopRef, reader: &StreamReader) -> Rc<StreamProtocol> {
        let reader = Cell::new(Rc::downgrade(&reader.0));
        let (flow, over_tls) = (WriteFlow::new(on), Cell::new(false));
        Rc::new(StreamProtocol { reader, flow, over_tls })
    }

    fn reader(&self) -> Option<Rc<ReaderState>> {
        self.reader.with(|reader| reader.upgrade())
    }

    /// Makes a transport that calls this protocol, and `made` once the connection is made; `waiter`
    /// is done after that.
    pub(super) fn transport(
        self: &Rc<Self>,
        socket: Socket,
        tls: Option<&Tls>,
        made: impl FnOnce(&Transport) -> Result<()> + 'static,
        waiter: LoopFuture<()>,
    ) -> Result<Transport> {
        self.over_tls.set(tls.is_some());
        let reader = self.reader.with(|reader| Weak::clone(reader));
        let connection_made = move |transport: &Transport| {
            if let Some(reader) = reader.upgrade() {
                reader.set_transport(transport);
            }
            made(transport)
        };
        let own = Rc::<Self>::clone(self);
        Transport::of_socket(self.flow.event_loop(), socket, tls, own, connection_made, waiter)
    }

    /// Notes that its connection talks TLS from now on: asyncio's `_replace_transport`. The reader goes on to
    /// pause the transport of the socket, as that is the one that it may have paused.
    #[cfg(feature = "tls")]
    pub(super) fn set_over_tls(&self) {
        self.over_tls.set(true);
    }
}

impl HasWriteFlow for StreamProtocol {
    fn write_flow(&self) -> &WriteFlow {
        &self.flow
    }

    #[cfg(feature = "tls")]
    fn into_any(self: Rc<Self>) -> Rc<dyn core::any::Any> {
        self
    }
}

impl BaseEvents for StreamProtocol {
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        if let Some(reader) = self.reader() {
            match &error {
                None => reader.feed_eof(),
                Some(error) => reader.set_exception(error.clone()),
            }
        }
        self.flow.close(error.as_ref());
        self.flow.lose(error.as_ref());
        self.reader.take();
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

impl Events for StreamProtocol {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        if let Some(reader) = self.reader() {
            reader.feed_data(data);
        }
        Ok(())
    }

    fn eof_received(&self) -> Result<bool> {
        if let Some(reader) = self.reader() {
            reader.feed_eof();
        }
        Ok(!self.over_tls.get())
    }
}
