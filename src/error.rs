//! [`Error`]: the one error type, one word wide and cheap to clone.
//!
//! An exception in asyncio is an object that many awaiters share: a task's error reaches
//! everyone who awaits the task, and it is the *same* error. So an [`Error`] here is a shared
//! pointer, and [`Error::ptr_eq`] is Python's `is`. The commonest of all, a cancellation
//! without a message, needs no allocation.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
#[cfg(feature = "std")]
use core::any::TypeId;
use core::fmt;

#[cfg(feature = "std")]
mod about;
mod nested;

#[cfg(feature = "std")]
pub(crate) use about::about;

/// What this crate's functions return, unless another error type is named.
pub type Result<T, E = Error> = core::result::Result<T, E>;

type BoxedError = Box<dyn core::error::Error + Send + Sync + 'static>;

/// What kind of error an [`Error`] is: the classes that asyncio's own errors have.
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
    /// The loop is closed: asyncio's `RuntimeError('Event loop is closed')`.
    Closed,
    /// Nothing that could ever happen is left to wait for. asyncio would hang here.
    Stalled,
    /// An async generator has ended: `StopAsyncIteration`.
    StopAsyncIteration,
    /// An async generator is told to end: `GeneratorExit`.
    GeneratorExit,
    /// Somebody wants the program to end: `KeyboardInterrupt`.
    KeyboardInterrupt,
    /// A task or callback panicked.
    Panic,
    /// A bounded queue has no room: `asyncio.QueueFull`.
    QueueFull,
    /// A queue holds nothing: `asyncio.QueueEmpty`.
    QueueEmpty,
    /// A queue was shut down: `asyncio.QueueShutDown`.
    QueueShutDown,
    /// A barrier was broken: `asyncio.BrokenBarrierError`.
    BrokenBarrier,
    /// Several errors in one: `ExceptionGroup`. See [`Error::group`].
    Group,
    /// The operating system refused: `OSError`. See [`Error::io_error`].
    Io,
    /// An error of the program's own, made by `?` or [`Error::other`].
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

/// An error as tasks, futures and callbacks pass it around.
///
/// Cloning gives the same error again ([`ptr_eq`](Error::ptr_eq)), as two names for one Python
/// exception would. Any `std::error::Error + Send + Sync` turns into one by `?`; to get it
/// back, [`downcast_ref`](Error::downcast_ref). One of `std::io` is of kind
/// [`Io`](ErrorKind::Io), every other of kind [`Other`](ErrorKind::Other).
///
/// So that this works for all, `Error` itself does not implement `std::error::Error`; it
/// converts into a `Box<dyn std::error::Error + Send + Sync>`.
///
/// ```
/// use callsoon::{Error, ErrorKind};
///
/// let parsed: Result<i32, Error> = (|| Ok("seven".parse::<i32>()?))();
/// let error = parsed.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Other);
/// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
/// assert!(error.ptr_eq(&error.clone()));
/// ```
#[derive(Clone)]
pub struct Error(Repr);

/// `Option<Arc<_>>` with a name: none is a cancellation that says nothing more.
#[derive(Clone)]
enum Repr {
    Cancelled,
    Shared(Arc<Shared>),
}

struct Shared {
    kind: ErrorKind,
    detail: Detail,
}

enum Detail {
    Message(Box<str>),
    Source(BoxedError),
    Group(Box<str>, Box<[Error]>),
}

impl Error {
    /// A cancellation without a message.
    #[must_use]
    pub const fn cancelled() -> Error {
        Error(Repr::Cancelled)
    }

    /// A cancellation that carries `message`, as `task.cancel(msg=...)` does.
    #[must_use]
    pub fn cancelled_with(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Cancelled, message)
    }

    /// An error of `kind` that says `message`.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::shared(kind, Detail::Message(message.into().into_boxed_str()))
    }

    /// An error of the program's own, of kind [`Other`](ErrorKind::Other) whatever it is. `?`
    /// does the same, but with std it makes an [`Io`](ErrorKind::Io) error of a
    /// `std::io::Error`.
    #[must_use]
    pub fn other(error: impl core::error::Error + Send + Sync + 'static) -> Error {
        Error::shared(ErrorKind::Other, Detail::Source(Box::new(error)))
    }

    /// Several errors in one, as `ExceptionGroup(message, errors)`.
    #[must_use]
    pub fn new_group(message: impl Into<String>, errors: Vec<Error>) -> Error {
        let message = message.into().into_boxed_str();
        Error::shared(ErrorKind::Group, Detail::Group(message, errors.into_boxed_slice()))
    }

    fn shared(kind: ErrorKind, detail: Detail) -> Error {
        Error(Repr::Shared(Arc::new(Shared { kind, detail })))
    }

    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Repr::Cancelled => ErrorKind::Cancelled,
            Repr::Shared(shared) => shared.kind,
        }
    }

    /// Whether this is a cancellation: what `except asyncio.CancelledError` asks.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// Whether both are one and the same error: Python's `is`. Cancellations without a
    /// message are all one.
    #[must_use]
    pub fn ptr_eq(&self, other: &Error) -> bool {
        match (&self.0, &other.0) {
            (Repr::Cancelled, Repr::Cancelled) => true,
            (Repr::Shared(a), Repr::Shared(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The program's own error, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: core::error::Error + 'static>(&self) -> Option<&E> {
        match &self.0 {
            Repr::Shared(shared) => match &shared.detail {
                #[cfg(feature = "std")]
                Detail::Source(source) if source.is::<about::About>() => {
                    source.downcast_ref::<about::About>()?.error.downcast_ref()
                }
                Detail::Source(source) => source.downcast_ref(),
                _ => None,
            },
            Repr::Cancelled => None,
        }
    }

    /// What the operating system said, if that is what the error is made of.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn io_error(&self) -> Option<&std::io::Error> {
        self.downcast_ref()
    }

    /// The error of this crate that `foreign` was made of, or its source, or the source of that.
    ///
    /// What passes through another crate comes back as an error of that crate. Here a task finds
    /// out that it was its own cancellation.
    ///
    /// ```
    /// use callsoon::Error;
    ///
    /// let foreign: Box<dyn std::error::Error> = Error::cancelled().into();
    /// assert!(Error::within(&*foreign).is_some_and(|error| error.is_cancelled()));
    /// assert!(Error::within(&std::fmt::Error).is_none());
    /// ```
    #[must_use]
    pub fn within(foreign: &(dyn core::error::Error + 'static)) -> Option<Error> {
        let mut chain = core::iter::successors(Some(foreign), |error| error.source());
        chain.find_map(as_own).cloned()
    }

    /// What the error says; empty for a cancellation without a message.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.0 {
            Repr::Cancelled => String::new(),
            Repr::Shared(shared) => match &shared.detail {
                Detail::Message(message) | Detail::Group(message, _) => message.to_string(),
                Detail::Source(source) => source.to_string(),
            },
        }
    }

    /// The errors of a [group](ErrorKind::Group); empty for any other kind.
    #[must_use]
    pub fn group(&self) -> &[Error] {
        self.as_group().map_or(&[], |(_message, errors)| errors)
    }

    /// The errors that the loop, its futures and its tasks make of themselves.
    pub(crate) fn runtime(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Runtime, message)
    }

    pub(crate) fn invalid_state(message: &str) -> Error {
        Error::new(ErrorKind::InvalidState, message)
    }

    pub(crate) fn closed() -> Error {
        Error::new(ErrorKind::Closed, "Event loop is closed")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().name();
        match &self.0 {
            Repr::Cancelled => f.write_str(name),
            Repr::Shared(shared) => match &shared.detail {
                Detail::Source(source) => fmt::Display::fmt(source, f),
                Detail::Message(message) if message.is_empty() => f.write_str(name),
                Detail::Message(message) => write!(f, "{name}: {message}"),
                Detail::Group(..) => nested::show(self, f),
            },
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Shared(shared) => match &shared.detail {
                Detail::Source(source) => fmt::Debug::fmt(source, f),
                Detail::Message(message) => write!(f, "{}({message:?})", self.kind().name()),
                Detail::Group(..) => nested::debug(self, f),
            },
            Repr::Cancelled => write!(f, "{}()", self.kind().name()),
        }
    }
}

impl<E: core::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        #[cfg(feature = "std")]
        if TypeId::of::<E>() == TypeId::of::<std::io::Error>() {
            return match as_own(&error) {
                Some(own) => own.clone(),
                None => Error::shared(ErrorKind::Io, Detail::Source(Box::new(error))),
            };
        }
        Error::other(error)
    }
}

/// An [`Error`] as a standard error, for those who collect errors of all sorts.
struct Standard(Error);

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl core::error::Error for Standard {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.0.0 {
            Repr::Shared(shared) => match &shared.detail {
                Detail::Source(source) => source.source(),
                _ => None,
            },
            Repr::Cancelled => None,
        }
    }
}

/// The error that a standard one was made of by `into`, on its own or inside of a
/// `std::io::Error`.
fn as_own<'a>(error: &'a (dyn core::error::Error + 'static)) -> Option<&'a Error> {
    #[cfg(feature = "std")]
    let error = {
        let mut error = error;
        while let Some(around) = error.downcast_ref::<std::io::Error>() {
            error = around.get_ref()?;
        }
        error
    };
    error.downcast_ref::<Standard>().map(|Standard(own)| own)
}

/// For functions that may fail with `std::io::Error` only. What the system said is that again,
/// and everything else, a cancellation too, is inside of it: `?` makes it the same error as
/// before.
///
/// ```
/// use callsoon::Error;
///
/// let told = std::io::Error::from(Error::cancelled());
/// assert!(Error::from(told).is_cancelled());
/// ```
#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    fn from(error: Error) -> std::io::Error {
        let said = error.io_error();
        if let Some(code) = said.and_then(std::io::Error::raw_os_error) {
            return std::io::Error::from_raw_os_error(code);
        }
        let kind = match error.kind() {
            ErrorKind::Timeout => std::io::ErrorKind::TimedOut,
            _ => said.map_or(std::io::ErrorKind::Other, std::io::Error::kind),
        };
        std::io::Error::new(kind, Standard(error))
    }
}

impl From<Error> for BoxedError {
    fn from(error: Error) -> BoxedError {
        Box::new(Standard(error))
    }
}

impl From<Error> for Box<dyn core::error::Error> {
    fn from(error: Error) -> Box<dyn core::error::Error> {
        Box::new(Standard(error))
    }
}
