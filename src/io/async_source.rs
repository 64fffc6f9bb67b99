//! [`Async`]: a source whose reads and writes wait for their loop.

use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use core::task::{Context, Poll, ready};
use std::io;

use super::direction::Direction;
use super::polled::Polled;
use crate::asyncio::{LockGuard, yield_now};
use crate::error::{Error, Result, about};
use crate::event_loop::{
    After, LoopRef, Registration, Side, Source, running_loop, set_nonblocking,
};

/// So many operations in a row may succeed before the loop gets its turn: a peer that is
/// faster than its reader must not keep timers and other tasks from running.
const IN_A_ROW: u32 = 64;

/// Something with a file descriptor, in non-blocking mode, whose operations wait on a loop
/// until they can be done.
///
/// An operation is tried first, and waits only where it would block, unless the one before
/// has shown that it would. Several tasks may use one source: each of the two directions
/// serves one at a time, in the order in which they came. One reads while another writes.
/// After 64 operations in a row that did not wait, the loop gets its turn.
///
/// The poller hears of the source with the first wait, and once more when it is dropped. In
/// between, waiting costs nothing but the poll, as long as something always waits when
/// something comes.
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
    // Before the source: with the second of them goes the registration, by which the poller
    // forgets a descriptor before that is closed.
    reader: Polled,
    writer: Polled,
    source: Rc<T>,
    /// How many operations there were since somebody waited.
    in_a_row: Cell<u32>,
    on: LoopRef,
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

    /// Sets `source` to non-blocking mode, and has it wait on `on`.
    ///
    /// # Errors
    ///
    /// What the system says where the mode can't be set;
    /// [`Runtime`](crate::ErrorKind::Runtime) if the loop watches the descriptor already, or has
    /// a host without a reactor; [`Closed`](crate::ErrorKind::Closed) after it has closed.
    pub fn new_on(on: &LoopRef, source: T) -> Result<Async<T>> {
        about(set_nonblocking(&source), || "no non-blocking mode for a source".into())?;
        Async::of_nonblocking(on, source)
    }

    /// As [`new_on`](Async::new_on), for a source that is in non-blocking mode already.
    pub(super) fn of_nonblocking(on: &LoopRef, source: T) -> Result<Async<T>> {
        let source = Rc::new(source);
        let (reader, writer) = (Direction::new(Side::Reader), Direction::new(Side::Writer));
        let registration = Rc::new(Registration::new(
            on,
            Rc::clone(&source) as Rc<dyn Source>,
            Rc::<Direction>::clone(&reader),
            Rc::<Direction>::clone(&writer),
        )?);
        Ok(Async {
            reader: Polled::new(reader, Rc::clone(&registration)),
            writer: Polled::new(writer, registration),
            source,
            in_a_row: Cell::new(0),
            on: on.clone(),
        })
    }

    /// Waits until `operation` can be done without blocking, and does it: until it returns
    /// neither `WouldBlock` nor `Interrupted`. It is called in the direction of reading.
    ///
    /// # Errors
    ///
    /// What `operation` fails with, of kind [`Io`](crate::ErrorKind::Io); the cancellation;
    /// [`Closed`](crate::ErrorKind::Closed) if it has to wait after the loop has closed.
    ///
    /// # Cancellation
    ///
    /// See [`Async`].
    pub async fn read_with<R>(&self, operation: impl FnMut(&T) -> io::Result<R>) -> Result<R> {
        self.repeat(self.reader(), operation).await
    }

    /// As [`read_with`](Async::read_with), in the direction of writing.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    ///
    /// # Cancellation
    ///
    /// See [`Async`].
    pub async fn write_with<R>(&self, operation: impl FnMut(&T) -> io::Result<R>) -> Result<R> {
        self.repeat(self.writer(), operation).await
    }

    /// [`read_with`](Async::read_with) for a poll function written by hand: has the task woken
    /// when it is worth another call.
    ///
    /// Nobody else can read meanwhile, so that there is no line to stand in. What is left between
    /// two calls is the wait and nothing else; other methods may be called in between.
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
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        self.poll_reader(cx, operation, |_| false)
    }

    /// As [`poll_read_with`](Async::poll_read_with), in the direction of writing.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Async::read_with).
    ///
    /// # Cancellation
    ///
    /// As [`poll_read_with`](Async::poll_read_with).
    pub fn poll_write_with<R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        self.poll_writer(cx, operation, |_| false)
    }

    pub(super) fn poll_reader<R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
        exhausts: impl Fn(&R) -> bool,
    ) -> Poll<Result<R>> {
        let Async { reader, source, in_a_row, on, .. } = self;
        poll(reader, (&**source, on, in_a_row), cx, operation, exhausts)
    }

    pub(super) fn poll_writer<R>(
        &mut self,
        cx: &mut Context<'_>,
        operation: impl FnMut(&T) -> io::Result<R>,
        exhausts: impl Fn(&R) -> bool,
    ) -> Poll<Result<R>> {
        let Async { writer, source, in_a_row, on, .. } = self;
        poll(writer, (&**source, on, in_a_row), cx, operation, exhausts)
    }

    async fn repeat<R>(
        &self,
        direction: &Direction,
        operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Result<R> {
        let _turn = self.turn(direction).await?;
        self.in_turn(direction, operation, |_| false).await
    }

    /// Waits for one's turn in a direction.
    pub(super) async fn turn(&self, direction: &Direction) -> Result<LockGuard> {
        // Mostly nobody else is there, and to ask for that alone is a quarter of the work.
        let turn = match direction.try_turn() {
            Some(turn) => turn,
            None => direction.turn().await?,
        };
        if self.in_a_row.get() >= IN_A_ROW {
            self.in_a_row.set(0);
            yield_now().await?;
        }
        Ok(turn)
    }

    async fn ready(&self, direction: &Direction, after: After) -> Result<()> {
        self.in_a_row.set(0);
        direction.ready(&self.on, self.reader.registration(), after).await
    }

    /// Does `operation` as soon as it can be done, for the one who has the turn. `exhausts`
    /// says of what came of it that the next one would block.
    pub(super) async fn in_turn<R>(
        &self,
        direction: &Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
        exhausts: impl FnOnce(&R) -> bool,
    ) -> Result<R> {
        if direction.take_exhausted() {
            // What has ended the stream may have come before, and been reported.
            self.ready(direction, After::Anything).await?;
        }
        loop {
            match operation(&self.source) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready(direction, direction.after_would_block()).await?;
                }
                Err(error) => return Err(error.into()),
                Ok(outcome) => {
                    note_success(direction, &self.in_a_row, exhausts(&outcome));
                    return Ok(outcome);
                }
            }
        }
    }

    pub(super) fn reader(&self) -> &Direction {
        self.reader.direction()
    }

    pub(super) fn writer(&self) -> &Direction {
        self.writer.direction()
    }

    /// Waits until there is something to read, the peer has closed, or reading would fail. It
    /// always asks the poller, so it takes a turn of the loop at least.
    ///
    /// # Errors
    ///
    /// The cancellation; what the system says where it can't watch the descriptor (a regular
    /// file, say); [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    ///
    /// # Cancellation
    ///
    /// See [`Async`].
    pub async fn readable(&self) -> Result<()> {
        self.wait(self.reader()).await
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
        self.wait(self.writer()).await
    }

    async fn wait(&self, direction: &Direction) -> Result<()> {
        let _turn = self.turn(direction).await?;
        // What follows is tried by its own hand, and tells nothing of it.
        direction.take_exhausted();
        self.ready(direction, After::Anything).await
    }

    /// The source itself.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.source
    }

    /// The loop on which it waits.
    #[must_use]
    pub fn get_loop(&self) -> &LoopRef {
        &self.on
    }

    /// Gives the source back, still in non-blocking mode. The loop has let go of it by then.
    ///
    /// # Errors
    ///
    /// None that could be met: it would take somebody else who holds the source.
    pub fn into_inner(self) -> Result<T> {
        let Async { reader, writer, source, .. } = self;
        drop((reader, writer));
        Rc::into_inner(source).ok_or_else(|| Error::runtime("the source is still watched"))
    }
}

/// What [`turn`](Async::turn) and [`in_turn`](Async::in_turn) do, as a poll function.
fn poll<T, R>(
    polled: &mut Polled,
    (source, on, in_a_row): (&T, &LoopRef, &Cell<u32>),
    cx: &mut Context<'_>,
    mut operation: impl FnMut(&T) -> io::Result<R>,
    exhausts: impl Fn(&R) -> bool,
) -> Poll<Result<R>> {
    if polled.is_new() && in_a_row.get() >= IN_A_ROW {
        in_a_row.set(0);
        polled.give_way();
    }
    loop {
        ready!(polled.poll(cx))?;
        let mut waits = polled.direction().take_exhausted().then_some(After::Anything);
        if waits.is_none() {
            match operation(source) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waits = Some(polled.direction().after_would_block());
                }
                Err(error) => return Poll::Ready(Err(error.into())),
                Ok(outcome) => {
                    note_success(polled.direction(), in_a_row, exhausts(&outcome));
                    return Poll::Ready(Ok(outcome));
                }
            }
        }
        if let Some(after) = waits {
            in_a_row.set(0);
            polled.wait(on, after)?;
        }
    }
}

fn note_success(direction: &Direction, in_a_row: &Cell<u32>, exhausted: bool) {
    direction.note_success(exhausted);
    in_a_row.set(in_a_row.get() + 1);
}

impl<T: Source + fmt::Debug + 'static> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(&self.source).finish()
    }
}
