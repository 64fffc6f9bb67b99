//! [`Async`]: a source with reads and writes that wait for their loop.

use core::cell::Cell;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll};
use std::io;

use super::half::{Between, Half, take_turn};
use super::watched::Watched;
use crate::error::{Result, about};
use crate::event_loop::{LoopRef, Side, Source, running_loop, set_nonblocking};

/// The direction or directions that a task waits for: see [`Async::ready`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// That there is something to read.
    Readable,
    /// That something can be written.
    Writable,
    /// Either of the two.
    Either,
}

/// The directions that were reported ready: see [`Async::ready`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Readiness {
    /// There is something to read, the peer has closed, or reading would fail.
    pub readable: bool,
    /// Something can be written, or writing would fail.
    pub writable: bool,
}

/// A source with a file descriptor, in non-blocking mode, and with operations that wait on a loop
/// until they can be done.
///
/// An operation is tried first, and waits only where it would block, unless the operation before it
/// has shown that it would. Several tasks may use one source: each of the two directions
/// serves one task at a time, first come, first served. One task reads while another writes.
/// After 64 operations in a row that did not wait, the loop gets its turn.
///
/// The poller is notified of the source by the first wait, and once more when the source is
/// dropped. In between, waiting costs nothing but the poll, as long as a task waits whenever
/// something comes.
///
/// It owns its source: a wait that is leaked would outlive a borrow, and the poller would watch a
/// descriptor that is closed. Of a source that is only borrowed, take a clone
/// (`BorrowedFd::try_clone_to_owned`).
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use callsoon::io::Async;
///
/// callsoon::run(async {
///     let (ours, mut theirs) = UnixStream::pair()?;
///     let ours = Async::new(ours)?;
///     theirs.write_all(b"hello")?;
///     let mut buffer = [0; 8];
///     let count = ours.read_with(|mut stream| stream.read(&mut buffer)).await?;
///     assert_eq!(&buffer[..count], b"hello");
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Cancellation
///
/// Cancelling a task that waits makes the await return `Err(Cancelled)`. It was waiting, so
/// nothing had been read or written, and nothing is lost. Dropping the await does the same.
pub struct Async<T: Source + 'static> {
    /// The state that the poll functions keep from one call to the next. A wait that they have
    /// begun ends with the source.
    reader: Cell<Between>,
    writer: Cell<Between>,
    watched: Watched<T>,
}

impl<T: Source + 'static> Async<T> {
    /// Sets `source` to non-blocking mode, and has it wait on the loop that runs.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs; otherwise as
    /// [`new_on`](Async::new_on).
    pub fn new(source: T) -> Result<Async<T>> {
        Async::new_on(&running_loop()?, source)
    }

    /// Sets `source` to non-blocking mode, and has it wait on `event_loop`.
    ///
    /// # Errors
    ///
    /// The system's error where the mode can't be set;
    /// [`Runtime`](crate::ErrorKind::Runtime) if the loop watches the descriptor already, or has
    /// a host without a reactor; [`Closed`](crate::ErrorKind::Closed) after it has closed.
    pub fn new_on(event_loop: &LoopRef, source: T) -> Result<Async<T>> {
        about(set_nonblocking(&source), || "no non-blocking mode for a source".into())?;
        Async::of_nonblocking(event_loop, source)
    }

    /// Makes one as [`new_on`](Async::new_on) does, of a source that is in non-blocking mode
    /// already.
    pub(super) fn of_nonblocking(event_loop: &LoopRef, source: T) -> Result<Async<T>> {
        let watched = Watched::new(event_loop, source)?;
        Ok(Async { reader: Cell::default(), writer: Cell::default(), watched })
    }

    /// Makes the loop's poller, if there is none.
    pub(super) fn make_poller(&self) -> Result<()> {
        self.watched.registration().make_poller()
    }

    #[inline]
    pub(super) fn half(&self, side: Side) -> Half<'_, T> {
        Half::new(&self.watched, side)
    }

    /// Waits until `operation` can be done without blocking, and does it: until it returns
    /// neither `WouldBlock` nor `Interrupted`. It is called in the direction of reading.
    ///
    /// # Errors
    ///
    /// The error of `operation`, of kind [`Io`](crate::ErrorKind::Io); the cancellation;
    /// [`Closed`](crate::ErrorKind::Closed) if it has to wait and the loop has closed, or closes meanwhile,
    /// which wakes another executor that polls it.
    ///
    /// # Cancellation
    ///
    /// See [`Async`].
    pub async fn read_with<R>(&self, operation: impl FnMut(&T) -> io::Result<R>) -> Result<R> {
        self.operate(Side::Reader, operation).await
    }

    /// Waits for `operation` as [`read_with`](Async::read_with) does, in the direction of writing.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    ///
    /// # Cancellation
    ///
    /// See [`Async`].
    pub async fn write_with<R>(&self, operation: impl FnMut(&T) -> io::Result<R>) -> Result<R> {
        self.operate(Side::Writer, operation).await
    }

    async fn operate<R>(
        &self,
        side: Side,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Result<R> {
        let half = self.half(side);
        let _turn = take_turn!(half);
        half.operate(operation, |_| false).await
    }

    /// Does as [`read_with`](Async::read_with) for a poll function written by hand: has the task woken
    /// when it is worth another call.
    ///
    /// It doesn't wait in the queue of the tasks that read. Between two calls the wait is left and nothing
    /// else; other methods may be called meanwhile. There is one such wait for each direction: where two
    /// tasks poll one direction, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    ///
    /// # Cancellation
    ///
    /// Cancelling a task that waits here makes the next call return `Err(Cancelled)`; nothing was
    /// read, and the call after that goes on as if nothing had been. A wait that was begun and
    /// isn't polled any more stays one of those that a cancellation of the task ends.
    pub fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        self.poll_reader(cx, operation, |_| false)
    }

    /// Does as [`poll_read_with`](Async::poll_read_with), in the direction of writing.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    ///
    /// # Cancellation
    ///
    /// As [`poll_read_with`](Async::poll_read_with).
    pub fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        self.poll_writer(cx, operation, |_| false)
    }

    pub(super) fn poll_reader<R>(
        &self,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        exhausts: impl Fn(&R) -> bool,
    ) -> Poll<Result<R>> {
        let half = Half::new(&self.watched, Side::Reader);
        half.poll_again(&self.reader, cx, &mut operation, &exhausts)
    }

    pub(super) fn poll_writer<R>(
        &self,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        exhausts: impl Fn(&R) -> bool,
    ) -> Poll<Result<R>> {
        let half = Half::new(&self.watched, Side::Writer);
        half.poll_again(&self.writer, cx, &mut operation, &exhausts)
    }

    /// Waits until there is something to read, the peer has closed, or reading would fail. It
    /// always asks the poller, so it takes a turn of the loop at least.
    ///
    /// # Errors
    ///
    /// The cancellation; the system's error where it can't watch the descriptor (a regular
    /// file, say); [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    ///
    /// # Cancellation
    ///
    /// See [`Async`].
    pub async fn readable(&self) -> Result<()> {
        self.side_ready(Side::Reader).await
    }

    /// Waits until something can be written, or writing would fail. For the rest see
    /// [`readable`](Async::readable).
    ///
    /// # Errors
    ///
    /// As [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// See [`Async`].
    pub async fn writable(&self) -> Result<()> {
        self.side_ready(Side::Writer).await
    }

    /// Waits until the source is ready for `interest`. With [`Interest::Either`] it waits for both
    /// directions at once, and returns which of them was reported.
    ///
    /// # Errors
    ///
    /// As [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// See [`Async`].
    pub async fn ready(&self, interest: Interest) -> Result<Readiness> {
        match interest {
            Interest::Readable => self.readable().await?,
            Interest::Writable => self.writable().await?,
            Interest::Either => return self.either_ready().await,
        }
        let readable = interest == Interest::Readable;
        Ok(Readiness { readable, writable: !readable })
    }

    async fn either_ready(&self) -> Result<Readiness> {
        let (mut reads, mut writes) = (pin!(self.readable()), pin!(self.writable()));
        poll_fn(|cx| {
            let (reads, writes) = (reads.as_mut().poll(cx), writes.as_mut().poll(cx));
            if reads.is_pending() && writes.is_pending() {
                return Poll::Pending;
            }
            let was_reported = |polled: Poll<Result<()>>| match polled {
                Poll::Ready(outcome) => outcome.map(|()| true),
                Poll::Pending => Ok(false),
            };
            let readiness = was_reported(reads)
                .and_then(|readable| Ok(Readiness { readable, writable: was_reported(writes)? }));
            Poll::Ready(readiness)
        })
        .await
    }

    async fn side_ready(&self, side: Side) -> Result<()> {
        let half = self.half(side);
        let _turn = take_turn!(half);
        half.ready().await
    }

    /// Returns the source.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        self.watched.source()
    }

    /// Returns the loop on which it waits.
    #[must_use]
    pub fn get_loop(&self) -> &LoopRef {
        self.watched.event_loop()
    }

    /// Returns the source, still in non-blocking mode. The loop doesn't watch it any more.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.watched.into_source()
    }
}

impl<T: Source + fmt::Debug + 'static> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(self.get_ref()).finish()
    }
}

/// Implements the standard library's traits of descriptors for a type with a `get_ref`.
macro_rules! impl_descriptor {
    ([$($generics:tt)*] $handle:ty) => {
        #[cfg(unix)]
        impl<$($generics)*> std::os::fd::AsFd for $handle {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.get_ref().as_fd()
            }
        }

        #[cfg(unix)]
        impl<$($generics)*> std::os::fd::AsRawFd for $handle {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsFd::as_fd(self).as_raw_fd()
            }
        }

        #[cfg(windows)]
        impl<$($generics)*> std::os::windows::io::AsSocket for $handle {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.get_ref().as_socket()
            }
        }

        #[cfg(windows)]
        impl<$($generics)*> std::os::windows::io::AsRawSocket for $handle {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                std::os::windows::io::AsSocket::as_socket(self).as_raw_socket()
            }
        }
    };
}
pub(crate) use impl_descriptor;

impl_descriptor!([T: Source + 'static] Async<T>);
