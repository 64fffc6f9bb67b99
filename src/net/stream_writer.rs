//! [`StreamWriter`]: the writing end of a stream.

use alloc::rc::Rc;
#[cfg(feature = "tls")]
use core::cell::OnceCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::stream_reader::{ReaderState, StreamReader};
use super::transport::{Address, Transport};
use super::write_flow::{Draining, HasWriteFlow};
use crate::asyncio::{YieldNow, yield_now};
use crate::error::Result;

/// The writing end of a stream: `asyncio.StreamWriter`.
///
/// [`write`](StreamWriter::write) never waits: several writes of one task come behind each other,
/// whatever other tasks write. [`drain`](StreamWriter::drain) waits while too much is unsent. In an
/// `Rc`, several tasks may write.
///
/// Dropping it [closes](StreamWriter::close) the connection, which is an error of a program in
/// asyncio, and none here: what was written is sent.
pub struct StreamWriter(Rc<WritingEnd>);

/// The end to which a [`StreamWriter`] writes. Dropping the last holder closes it.
pub(crate) struct WritingEnd {
    transport: Transport,
    /// The transport that stands on it, once that is made.
    #[cfg(feature = "tls")]
    over_tls: OnceCell<Transport>,
    protocol: Rc<dyn HasWriteFlow>,
    /// The other direction of a connection, an error of which fails `drain`; a pipe has none.
    reader: Option<Rc<ReaderState>>,
}

impl WritingEnd {
    pub(crate) fn transport(&self) -> &Transport {
        #[cfg(feature = "tls")]
        if let Some(over) = self.over_tls.get() {
            return over;
        }
        &self.transport
    }

    /// Returns whether [`drain`](WritingEnd::drain) returns at once, without an error.
    #[inline]
    fn has_room(&self) -> bool {
        let is_sound = self.reader.as_ref().is_none_or(|reader| reader.has_no_error());
        is_sound && !self.transport().is_closing() && self.protocol.write_flow().has_room()
    }

    /// Waits as [`StreamWriter::drain`] does.
    pub(crate) fn drain(&self) -> Drain<'_> {
        Drain { end: self, stage: Stage::Begin }
    }

    fn begin_draining(&self) -> Stage<'_> {
        if let Some(error) = self.reader.as_ref().and_then(|reader| reader.exception()) {
            return Stage::Drains(Draining::Over(Err(error)));
        }
        if self.transport().is_closing() {
            // So that `connection_lost` may be called.
            return Stage::Yields(yield_now());
        }
        Stage::Drains(self.protocol.write_flow().drain())
    }
}

/// The future of [`WritingEnd::drain`], by hand to be small.
pub(crate) struct Drain<'a> {
    end: &'a WritingEnd,
    stage: Stage<'a>,
}

enum Stage<'a> {
    Begin,
    Yields(YieldNow),
    Drains(Draining<'a>),
}

impl Future for Drain<'_> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let end = self.end;
        loop {
            self.stage = match &mut self.stage {
                Stage::Begin => end.begin_draining(),
                Stage::Yields(yields) => match Pin::new(yields).poll(cx) {
                    Poll::Ready(Ok(())) => Stage::Drains(end.protocol.write_flow().drain()),
                    outcome => return outcome,
                },
                Stage::Drains(draining) => return Pin::new(draining).poll(cx),
            };
        }
    }
}

impl StreamWriter {
    pub(crate) fn new(
        transport: &Transport,
        protocol: Rc<dyn HasWriteFlow>,
        reader: Option<&StreamReader>,
    ) -> StreamWriter {
        let reader = reader.map(|reader| Rc::clone(&reader.0));
        StreamWriter(Rc::new(WritingEnd {
            transport: transport.clone(),
            #[cfg(feature = "tls")]
            over_tls: OnceCell::new(),
            protocol,
            reader,
        }))
    }

    #[cfg(feature = "process")]
    pub(crate) fn end(&self) -> Rc<WritingEnd> {
        Rc::clone(&self.0)
    }

    #[cfg(feature = "tls")]
    pub(super) fn protocol(&self) -> Rc<dyn HasWriteFlow> {
        Rc::clone(&self.0.protocol)
    }

    /// Writes to `over` from now on, which stands on the transport before.
    #[cfg(feature = "tls")]
    pub(super) fn set_over_tls(&self, over: Transport) {
        // Set already it stays: no transport over TLS is made again.
        let _ = self.0.over_tls.set(over);
    }

    /// The transport below: `transport`.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        self.0.transport()
    }

    /// Sends `data`, now or later: `write`. See [`Transport::write`].
    ///
    /// # Errors
    ///
    /// As [`Transport::write`].
    pub fn write(&self, data: &[u8]) -> Result<()> {
        self.0.transport().write(data)
    }

    /// Sends all of `parts`: `writelines`.
    ///
    /// # Errors
    ///
    /// As [`Transport::write`].
    pub fn writelines<T: AsRef<[u8]>>(&self, parts: impl IntoIterator<Item = T>) -> Result<()> {
        self.0.transport().writelines(parts)
    }

    /// Ends the direction of writing once everything is sent: `write_eof`.
    ///
    /// # Errors
    ///
    /// As [`Transport::write_eof`].
    pub fn write_eof(&self) -> Result<()> {
        self.0.transport().write_eof()
    }

    /// Returns true: `can_write_eof`.
    #[must_use]
    pub fn can_write_eof(&self) -> bool {
        self.0.transport().can_write_eof()
    }

    /// Closes the connection once everything is sent: `close`.
    pub fn close(&self) {
        self.0.transport().close();
    }

    /// Returns whether it is closed or about to be: `is_closing`.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.transport().is_closing()
    }

    /// Waits until the connection is closed: `wait_closed`.
    ///
    /// # Errors
    ///
    /// The error that has closed the connection; the cancellation.
    ///
    /// # Cancellation
    ///
    /// As in asyncio, a cancellation ends the wait for all tasks that wait here.
    pub async fn wait_closed(&self) -> Result<()> {
        self.0.protocol.write_flow().closed().await
    }

    /// The address of this end: `get_extra_info('sockname')`.
    #[must_use]
    pub fn sockname(&self) -> Option<Address> {
        self.0.transport().sockname()
    }

    /// The address of the other end: `get_extra_info('peername')`.
    #[must_use]
    pub fn peername(&self) -> Option<Address> {
        self.0.transport().peername()
    }

    /// Waits until there is room to write: `drain`. It returns at once while less than the
    /// high-water mark is unsent, and else when no more than the low-water mark is.
    ///
    /// # Errors
    ///
    /// The error of the connection; `ConnectionReset` once it is lost without one; the
    /// cancellation.
    ///
    /// # Cancellation
    ///
    /// What was written is sent all the same.
    pub async fn drain(&self) -> Result<()> {
        if self.0.has_room() {
            return Ok(());
        }
        self.0.drain().await
    }
}

impl Drop for WritingEnd {
    fn drop(&mut self) {
        self.transport().close();
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("transport", self.0.transport())
            .finish_non_exhaustive()
    }
}
