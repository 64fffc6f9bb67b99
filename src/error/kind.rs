//! [`ErrorKind`]: the classes of asyncio's own errors.

use core::fmt;

/// The kind of an [`Error`](crate::Error): the classes that asyncio's own errors have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The task or future was cancelled: `asyncio.CancelledError`.
    Cancelled,
    /// A future was asked for what it has not, or set twice: `asyncio.InvalidStateError`.
    InvalidState,
    /// A deadline passed: `TimeoutError`.
    Timeout,
    /// Something was used as it must not be: `RuntimeError`.
    Runtime,
    /// An argument has a value that makes no sense: `ValueError`.
    Value,
    /// An argument is of the wrong sort: `TypeError`.
    Type,
    /// A context variable has no value: `LookupError`.
    Lookup,
    /// The loop is closed: asyncio's `RuntimeError('Event loop is closed')`.
    Closed,
    /// Nothing that could ever happen is left to wait for. asyncio would hang here.
    Stalled,
    /// An async generator has ended: `StopAsyncIteration`.
    StopAsyncIteration,
    /// An async generator is told to end: `GeneratorExit`.
    GeneratorExit,
    /// The program is to end, by Ctrl-C: `KeyboardInterrupt`.
    KeyboardInterrupt,
    /// A task or callback panicked. With std the error has the payload: `Error::take_panic`.
    Panic,
    /// A bounded queue has no room: `asyncio.QueueFull`.
    QueueFull,
    /// A queue holds nothing: `asyncio.QueueEmpty`.
    QueueEmpty,
    /// A queue was shut down: `asyncio.QueueShutDown`.
    QueueShutDown,
    /// A barrier was broken: `asyncio.BrokenBarrierError`.
    BrokenBarrier,
    /// Several errors in one: `ExceptionGroup`. See [`Error::group`](crate::Error::group).
    Group,
    /// The operating system refused: `OSError`. See [`Error::io_error`](crate::Error::io_error).
    Io,
    /// An error of the program's own, made by `?` or [`Error::other`](crate::Error::other).
    Other,
}

impl ErrorKind {
    /// The name of the Python class that this kind stands for.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Cancelled => "CancelledError",
            ErrorKind::InvalidState => "InvalidStateError",
            ErrorKind::Timeout => "TimeoutError",
            ErrorKind::Runtime | ErrorKind::Closed | ErrorKind::Stalled => "RuntimeError",
            ErrorKind::Value => "ValueError",
            ErrorKind::Type => "TypeError",
            ErrorKind::Lookup => "LookupError",
            ErrorKind::StopAsyncIteration => "StopAsyncIteration",
            ErrorKind::GeneratorExit => "GeneratorExit",
            ErrorKind::KeyboardInterrupt => "KeyboardInterrupt",
            ErrorKind::Panic => "Panic",
            ErrorKind::QueueFull => "QueueFull",
            ErrorKind::QueueEmpty => "QueueEmpty",
            ErrorKind::QueueShutDown => "QueueShutDown",
            ErrorKind::BrokenBarrier => "BrokenBarrierError",
            ErrorKind::Group => "ExceptionGroup",
            ErrorKind::Io => "OSError",
            ErrorKind::Other => "Exception",
        }
    }
}

/// Shows the [name](ErrorKind::name).
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
