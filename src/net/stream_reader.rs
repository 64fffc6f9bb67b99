//! [`StreamReader`]: bytes that were received, for tasks that wait for them.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::read_error::{IncompleteReadError, LimitOverrunError};
use super::settle::settle;
use super::transport::{ByteBuffer, Transport};
use crate::asyncio::{Await, LoopFuture};
use crate::collections::{CellExt, RefCell};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::{LoopRef, running_loop};

/// The default limit of a reader: asyncio's `_DEFAULT_LIMIT`.
pub const DEFAULT_LIMIT: usize = 64 * 1024;

/// The reading end of a stream: `asyncio.StreamReader`.
///
/// All that arrives is kept until it is read. Beyond twice the limit the transport is paused, so that
/// the peer has to wait. Only one task may read at a time.
///
/// ```
/// use callsoon::net::StreamReader;
///
/// callsoon::run(async {
///     let reader = StreamReader::new()?;
///     reader.feed_data(b"one\ntwo\nthr");
///     reader.feed_eof();
///     assert_eq!(reader.readline().await?, b"one\n");
///     assert_eq!(reader.readexactly(2).await?, b"tw");
///     assert_eq!(reader.read_to_end().await?, b"o\nthr");
///     assert!(reader.at_eof());
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Cancellation
///
/// A read that is cancelled or dropped has taken nothing. [`read_to_end`](StreamReader::read_to_end)
/// has: what it has read so far is lost, as in asyncio.
pub struct StreamReader(pub(super) Rc<ReaderState>);

pub(super) struct ReaderState {
    on: LoopRef,
    limit: usize,
    buffer: RefCell<ByteBuffer>,
    eof: Cell<bool>,
    paused: Cell<bool>,
    /// The future of a wait that goes on, or else that of the last one, to be used again.
    waiter: Cell<Option<LoopFuture<()>>>,
    waits: Cell<bool>,
    error: Cell<Option<Error>>,
    transport: Cell<Option<Transport>>,
}

impl StreamReader {
    /// A reader without a transport, with the default limit, on the loop that runs. It is fed by
    /// hand.
    ///
    /// # Errors
    ///
    /// [`Runtime`](ErrorKind::Runtime) where no loop runs.
    pub fn new() -> Result<StreamReader> {
        StreamReader::with_limit(DEFAULT_LIMIT)
    }

    /// Returns a reader as [`new`](StreamReader::new) does, with a limit of `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if `limit` is 0; [`Runtime`](ErrorKind::Runtime) where no loop
    /// runs.
    pub fn with_limit(limit: usize) -> Result<StreamReader> {
        StreamReader::on(&running_loop()?, limit)
    }

    pub(crate) fn on(on: &LoopRef, limit: usize) -> Result<StreamReader> {
        if limit == 0 {
            return Err(Error::new(ErrorKind::Value, "Limit cannot be <= 0"));
        }
        Ok(StreamReader(Rc::new(ReaderState {
            on: on.clone(),
            limit,
            buffer: RefCell::default(),
            eof: Cell::new(false),
            paused: Cell::new(false),
            waiter: Cell::default(),
            waits: Cell::new(false),
            error: Cell::default(),
            transport: Cell::default(),
        })))
    }

    /// The same reader again.
    #[cfg(feature = "process")]
    pub(crate) fn share(&self) -> StreamReader {
        StreamReader(Rc::clone(&self.0))
    }

    #[cfg(feature = "process")]
    pub(crate) fn set_transport(&self, transport: &Transport) {
        self.0.set_transport(transport);
    }

    /// Puts `bytes` back to where they were read from.
    #[cfg(feature = "process")]
    pub(crate) fn unread(&self, bytes: Vec<u8>) {
        self.0.buffer.borrow_mut().put_back(bytes);
    }

    /// The error that [`set_exception`](StreamReader::set_exception) has set: `exception`.
    #[must_use]
    pub fn exception(&self) -> Option<Error> {
        self.0.exception()
    }

    /// Makes `error` what every read fails with from now on: `set_exception`. As in asyncio, a read that
    /// data has just woken, and that needs more, waits on until the end is fed.
    pub fn set_exception(&self, error: Error) {
        self.0.set_exception(error);
    }

    /// Adds `data` to what can be read: `feed_data`.
    ///
    /// # Panics
    ///
    /// After [`feed_eof`](StreamReader::feed_eof), as asyncio's assertion does.
    pub fn feed_data(&self, data: &[u8]) {
        self.0.feed_data(data);
    }

    /// Says that nothing more comes: `feed_eof`.
    pub fn feed_eof(&self) {
        self.0.feed_eof();
    }

    /// Returns whether everything was read, and nothing more comes: `at_eof`.
    #[must_use]
    pub fn at_eof(&self) -> bool {
        self.0.eof.get() && self.0.buffer.borrow().is_empty()
    }

    /// Reads what there is, at most `count` bytes, and waits where there is nothing: `read(n)`. No
    /// bytes say that the stream has ended, or that `count` is 0.
    ///
    /// # Errors
    ///
    /// The error of the connection; the cancellation; [`Runtime`](ErrorKind::Runtime) while another
    /// task reads.
    ///
    /// # Cancellation
    ///
    /// See [`StreamReader`].
    pub async fn read(&self, count: usize) -> Result<Vec<u8>> {
        self.0.check()?;
        if count == 0 {
            return Ok(Vec::new());
        }
        if self.0.buffer.borrow().is_empty() && !self.0.eof.get() {
            self.0.wait_for_data("read").await?;
        }
        self.0.take(count)
    }

    /// Reads until the stream ends: `read(-1)`.
    ///
    /// # Errors
    ///
    /// As [`read`](StreamReader::read).
    ///
    /// # Cancellation
    ///
    /// See [`StreamReader`].
    pub async fn read_to_end(&self) -> Result<Vec<u8>> {
        let all = RefCell::default();
        self.read_to_end_into(&all).await?;
        Ok(all.take())
    }

    /// Reads until the stream ends, and adds each block to `all`.
    pub(crate) async fn read_to_end_into(&self, all: &RefCell<Vec<u8>>) -> Result<()> {
        loop {
            let block = self.read(self.0.limit).await?;
            if block.is_empty() {
                return Ok(());
            }
            all.borrow_mut().extend_from_slice(&block);
        }
    }

    /// Reads exactly `count` bytes, also beyond the limit: `readexactly`.
    ///
    /// # Errors
    ///
    /// [`IncompleteReadError`], found by [`Error::downcast_ref`], if the stream ends before: it has
    /// the bytes that were there. Otherwise as [`read`](StreamReader::read).
    ///
    /// # Cancellation
    ///
    /// See [`StreamReader`].
    pub async fn readexactly(&self, count: usize) -> Result<Vec<u8>> {
        self.0.check()?;
        if count == 0 {
            return Ok(Vec::new());
        }
        while self.0.buffer.borrow().len() < count {
            if self.0.eof.get() {
                return Err(self.0.incomplete(Some(count)));
            }
            self.0.wait_for_data("readexactly").await?;
        }
        self.0.take(count)
    }

    /// Reads up to and with the next newline: `readline`. At the end of the stream it returns what
    /// is left, also without a newline.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) if the line is longer than the limit: the line, or all that was
    /// received of it, is dropped. Otherwise as [`read`](StreamReader::read).
    ///
    /// # Cancellation
    ///
    /// See [`StreamReader`].
    pub async fn readline(&self) -> Result<Vec<u8>> {
        let error = match self.0.read_until(1, 1, |buffer, from| buffer.find(b"\n", from)).await {
            Err(error) => error,
            line => return line,
        };
        if let Some(incomplete) = error.downcast_ref::<IncompleteReadError>() {
            return Ok(incomplete.partial.clone());
        }
        let Some(overrun) = error.downcast_ref::<LimitOverrunError>() else { return Err(error) };
        {
            let mut buffer = self.0.buffer.borrow_mut();
            let is_line = buffer.as_slice().get(overrun.consumed) == Some(&b'\n');
            let dropped = if is_line { overrun.consumed + 1 } else { buffer.len() };
            buffer.skip(dropped);
        }
        self.0.maybe_resume_transport()?;
        Err(Error::new(ErrorKind::Value, error.message()))
    }

    /// Reads up to and with `separator`: `readuntil`.
    ///
    /// # Errors
    ///
    /// [`IncompleteReadError`] if the stream ends before, with the bytes that were there;
    /// [`LimitOverrunError`] if the separator is not found within the limit: everything can be read
    /// still. Both are found by [`Error::downcast_ref`]. [`Value`](ErrorKind::Value) if the
    /// separator is empty. Otherwise as [`read`](StreamReader::read).
    ///
    /// # Cancellation
    ///
    /// See [`StreamReader`].
    pub async fn readuntil(&self, separator: &[u8]) -> Result<Vec<u8>> {
        let length = separator.len();
        check_separators(Some(length))?;
        self.0.read_until(length, length, |buffer, from| buffer.find(separator, from)).await
    }

    /// Reads up to and with that of `separators` with which the fewest bytes are read: `readuntil`
    /// with a tuple.
    ///
    /// # Errors
    ///
    /// As [`readuntil`](StreamReader::readuntil); [`Value`](ErrorKind::Value) also without any
    /// separator.
    ///
    /// # Cancellation
    ///
    /// See [`StreamReader`].
    pub async fn readuntil_any(&self, separators: &[&[u8]]) -> Result<Vec<u8>> {
        let lengths = || separators.iter().map(|separator| separator.len());
        let shortest = check_separators(lengths().min())?;
        let longest = lengths().max().unwrap_or(shortest);
        // Of those that end at the same place it is the shortest, and of these the first.
        let find = |buffer: &ByteBuffer, from| {
            let places = separators.iter().filter_map(|separator| buffer.find(separator, from));
            places.min_by_key(|(begin, end)| (*end, end - begin))
        };
        self.0.read_until(shortest, longest, find).await
    }
}

/// Refuses what has no separator, or an empty one: `shortest` is the length of the shortest.
fn check_separators(shortest: Option<usize>) -> Result<usize> {
    let message = match shortest {
        None => "Separator should contain at least one element",
        Some(0) => "Separator should be at least one-byte string",
        Some(length) => return Ok(length),
    };
    Err(Error::new(ErrorKind::Value, message))
}

impl ReaderState {
    #[inline]
    pub(super) fn has_no_error(&self) -> bool {
        self.error.with(|error| error.is_none())
    }

    pub(super) fn exception(&self) -> Option<Error> {
        self.error.with(|error| error.clone())
    }

    pub(super) fn set_exception(&self, error: Error) {
        self.error.set(Some(error.clone()));
        self.wake_waiter(Some(&error));
    }

    fn wake_waiter(&self, error: Option<&Error>) {
        if !self.waits.replace(false) {
            return;
        }
        let Some(waiter) = self.waiter.take() else { return };
        settle(&waiter, error);
        // A waker of other code may have begun the next wait.
        if error.is_none() && !self.waits.get() {
            self.waiter.set(Some(waiter));
        }
    }

    pub(super) fn set_transport(&self, transport: &Transport) {
        self.transport.set(Some(transport.clone()));
    }

    pub(super) fn feed_eof(&self) {
        self.eof.set(true);
        self.wake_waiter(None);
    }

    pub(super) fn feed_data(&self, data: &[u8]) {
        assert!(!self.eof.get(), "feed_data after feed_eof");
        if data.is_empty() {
            return;
        }
        self.buffer.borrow_mut().extend(data);
        self.wake_waiter(None);
        if self.paused.get() || self.buffer.borrow().len() <= 2 * self.limit {
            return;
        }
        if let Some(transport) = self.transport() {
            transport.pause_reading();
            self.paused.set(true);
        }
    }

    fn transport(&self) -> Option<Transport> {
        self.transport.with(|transport| transport.clone())
    }

    fn check(&self) -> Result<()> {
        if self.has_no_error() { Ok(()) } else { self.exception().map_or(Ok(()), Err) }
    }

    fn resume_transport(&self) -> Result<()> {
        self.paused.set(false);
        self.transport().map_or(Ok(()), |transport| transport.resume_reading())
    }

    fn maybe_resume_transport(&self) -> Result<()> {
        if self.paused.get() && self.buffer.borrow().len() <= self.limit {
            return self.resume_transport();
        }
        Ok(())
    }

    fn take(&self, count: usize) -> Result<Vec<u8>> {
        let taken = self.buffer.borrow_mut().take(count);
        self.maybe_resume_transport()?;
        Ok(taken)
    }

    /// Reads up to the end of the separator that `find` finds at or behind a place, of `shortest` to
    /// `longest` bytes.
    async fn read_until(
        &self,
        shortest: usize,
        longest: usize,
        find: impl Fn(&ByteBuffer, usize) -> Option<(usize, usize)>,
    ) -> Result<Vec<u8>> {
        self.check()?;
        // No separator begins before it.
        let mut offset = 0;
        let (begin, end) = loop {
            let length = self.buffer.borrow().len();
            // Another task may have read meanwhile: less is there than was looked at.
            if length >= offset + shortest {
                if let Some(found) = find(&self.buffer.borrow(), offset) {
                    break found;
                }
                offset = (length + 1).saturating_sub(longest);
                if offset > self.limit {
                    let message = "Separator is not found, and chunk exceed the limit";
                    return Err(Error::other(LimitOverrunError { message, consumed: offset }));
                }
            }
            if self.eof.get() {
                return Err(self.incomplete(None));
            }
            self.wait_for_data("readuntil").await?;
        };
        if begin > self.limit {
            let message = "Separator is found, but chunk is longer than limit";
            return Err(Error::other(LimitOverrunError { message, consumed: begin }));
        }
        self.take(end)
    }

    fn incomplete(&self, expected: Option<usize>) -> Error {
        let partial = self.buffer.borrow_mut().take(usize::MAX);
        Error::other(IncompleteReadError { partial, expected })
    }

    /// The wait until data or the end of the stream is fed.
    fn wait_for_data(&self, what: &str) -> DataWait<'_> {
        let waits = self.data_waiter(what).map(IntoFuture::into_future);
        DataWait { reader: self, waits }
    }

    fn data_waiter(&self, what: &str) -> Result<LoopFuture<()>> {
        if self.waits.get() {
            let already = "called while another coroutine is already waiting for incoming data";
            return Err(Error::runtime(format!("{what}() {already}")));
        }
        if self.paused.get() {
            // Waiting while the transport is paused would never end.
            self.resume_transport()?;
        }
        let waiter = match self.waiter.take() {
            Some(used) if used.renew() => used,
            _ => LoopFuture::new(&self.on),
        };
        self.waiter.set(Some(waiter.clone()));
        self.waits.set(true);
        Ok(waiter)
    }
}

/// A wait for data, which ends when it is dropped. One that has its data already may have been
/// followed by another, which goes on.
struct DataWait<'a> {
    reader: &'a ReaderState,
    waits: Result<Await<()>>,
}

impl Future for DataWait<'_> {
    type Output = Result<()>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.waits {
            Ok(waits) => Pin::new(waits).poll(cx),
            Err(refused) => Poll::Ready(Err(refused.clone())),
        }
    }
}

impl Drop for DataWait<'_> {
    fn drop(&mut self) {
        let (reader, Ok(waits)) = (self.reader, &self.waits) else { return };
        if !reader.waits.get() {
            return;
        }
        let is_own = |own: &mut LoopFuture<()>| waits.is_for(own.erased());
        let own = reader.waiter.with(|waiter| waiter.take_if(is_own));
        reader.waits.set(own.is_none());
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("StreamReader");
        shown.field("bytes", &self.0.buffer.borrow().len()).field("eof", &self.0.eof.get());
        shown.field("limit", &self.0.limit).field("paused", &self.0.paused.get());
        shown.finish_non_exhaustive()
    }
}
