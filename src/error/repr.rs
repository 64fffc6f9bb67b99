//! [`Error`]: one word wide and cheap to clone.
//!
//! An exception in asyncio is an object that many awaiters share: a task's error reaches each
//! awaiter of the task, and it is the *same* error. So an [`Error`] here is a shared pointer, and
//! [`Error::ptr_eq`] is Python's `is`. The commonest of all, a cancellation without a message,
//! needs no allocation.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
#[cfg(feature = "std")]
use core::any::Any;
use core::fmt::{self, Formatter};
use core::mem;

use super::kind::ErrorKind;
#[cfg(feature = "std")]
use super::panic::Panicked;
use crate::sync::PlainArc as Arc;

/// The result of this crate's functions, unless another error type is named.
pub type Result<T, E = Error> = core::result::Result<T, E>;

pub(super) type BoxedError = Box<dyn core::error::Error + Send + Sync + 'static>;

/// The error type of tasks, futures and callbacks.
///
/// Cloning gives the same error again ([`ptr_eq`](Error::ptr_eq)), as two names for one Python
/// exception would. Any `std::error::Error + Send + Sync` turns into one by `?`; to get it
/// back, [`downcast_ref`](Error::downcast_ref). One of `std::io` is of kind
/// [`Io`](ErrorKind::Io), every other of kind [`Other`](ErrorKind::Other).
///
/// So that this works for all, `Error` itself does not implement `std::error::Error`; `as_ref` borrows
/// it as one, and `into` makes a `Box<dyn std::error::Error + Send + Sync>` of it.
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
pub struct Error(pub(super) Repr);

/// `Option<Arc<_>>` with a name: none is a cancellation that says nothing more.
#[derive(Clone)]
pub(super) enum Repr {
    Cancelled,
    Shared(Arc<Shared>),
}

pub(super) struct Shared {
    kind: ErrorKind,
    /// That of a program's own error; otherwise empty.
    #[cfg(feature = "events")]
    type_name: &'static str,
    pub(super) detail: Detail,
}

pub(super) enum Detail {
    Message(Box<str>),
    /// A message of the crate's own.
    Words(&'static str),
    Source(BoxedError),
    Group(Box<Group>),
    #[cfg(feature = "std")]
    Panic(Box<Panicked>),
    /// An error of the system, and what it is about.
    #[cfg(feature = "std")]
    About(Box<str>, Error),
}

/// Several errors in one.
pub(super) struct Group {
    pub(super) message: Box<str>,
    pub(super) errors: Box<[Error]>,
    /// All of them are exceptions: noted, as groups may be as deep as they like.
    pub(super) is_exception: bool,
    /// Drops them: a program that makes no group is spared it.
    pub(super) drop_errors: fn(Box<[Error]>),
    /// Writes it, as `Debug` does if the last argument is true.
    pub(super) write: fn(&Repr, &mut Formatter<'_>, bool) -> fmt::Result,
}

impl Repr {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Repr::Cancelled => ErrorKind::Cancelled,
            Repr::Shared(shared) => shared.kind,
        }
    }

    fn is_exception(&self) -> bool {
        match self {
            Repr::Shared(shared) => match &shared.detail {
                Detail::Group(group) => group.is_exception,
                _ => !matches!(
                    shared.kind,
                    ErrorKind::Cancelled | ErrorKind::GeneratorExit | ErrorKind::KeyboardInterrupt
                ),
            },
            Repr::Cancelled => false,
        }
    }

    /// The name of its class.
    pub(super) fn name(&self) -> &'static str {
        match self.kind() {
            ErrorKind::Group if !self.is_exception() => "BaseExceptionGroup",
            kind => kind.name(),
        }
    }

    /// The error that it was made of.
    pub(super) fn cause(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Repr::Shared(shared) => match &shared.detail {
                Detail::Source(source) => Some(&**source),
                #[cfg(feature = "std")]
                Detail::About(_, error) => error.source(),
                _ => None,
            },
            Repr::Cancelled => None,
        }
    }
}

/// The error of which an error of the system was made, if `error` is one.
fn inside_io_error<'a>(
    error: &'a (dyn core::error::Error + 'static),
) -> Option<&'a (dyn core::error::Error + 'static)> {
    #[cfg(feature = "std")]
    if let Some(inner) = error.downcast_ref::<std::io::Error>()?.get_ref() {
        return Some(inner);
    }
    #[cfg(not(feature = "std"))]
    let _ = error;
    None
}

/// The source of `error`: that of an error of the system passes over the one that it was made of.
fn next_source<'a>(
    error: &'a (dyn core::error::Error + 'static),
) -> Option<&'a (dyn core::error::Error + 'static)> {
    inside_io_error(error).or_else(|| error.source())
}

impl From<Cow<'static, str>> for Detail {
    fn from(message: Cow<'static, str>) -> Detail {
        match message {
            Cow::Borrowed(words) => Detail::Words(words),
            Cow::Owned(message) => Detail::Message(message.into_boxed_str()),
        }
    }
}

impl Detail {
    /// The message, where it has one of its own.
    pub(super) fn text(&self) -> &str {
        match self {
            Detail::Message(message) => message,
            Detail::Words(words) => words,
            Detail::Group(group) => &group.message,
            #[cfg(feature = "std")]
            Detail::Panic(panicked) => &panicked.message,
            _ => "",
        }
    }
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
        Error::made_of_own(error)
    }

    /// An error of kind [`Other`](ErrorKind::Other), which keeps the name of its type.
    fn made_of_own<E: core::error::Error + Send + Sync + 'static>(error: E) -> Error {
        Error(Repr::Shared(Arc::new(Shared {
            kind: ErrorKind::Other,
            #[cfg(feature = "events")]
            type_name: core::any::type_name::<E>(),
            detail: Detail::Source(Box::new(error)),
        })))
    }

    pub(super) fn shared(kind: ErrorKind, detail: Detail) -> Error {
        Error(Repr::Shared(Arc::new(Shared {
            kind,
            #[cfg(feature = "events")]
            type_name: "",
            detail,
        })))
    }

    /// An error of kind [`Panic`](ErrorKind::Panic).
    #[cfg(feature = "std")]
    pub(crate) fn from_panic(payload: Box<dyn Any + Send>) -> Error {
        Error::shared(ErrorKind::Panic, Detail::Panic(Box::new(Panicked::new(payload))))
    }

    /// Takes the payload of the panic that this error was made of, to have the panic go on by
    /// [`resume_unwind`](std::panic::resume_unwind), or to downcast it. The clones of an error have one
    /// payload: the first call returns it, and later ones `None`, as for every error that is no panic.
    ///
    /// ```
    /// use std::panic::{catch_unwind, panic_any, resume_unwind};
    /// use callsoon::{create_task, run};
    ///
    /// let unwound = catch_unwind(|| {
    ///     run(async {
    ///         let task = create_task::<()>(async { panic_any(42) });
    ///         match task.await.unwrap_err().take_panic() {
    ///             Some(payload) => resume_unwind(payload),
    ///             None => Ok(()),
    ///         }
    ///     })
    ///     .map_err(|error| resume_unwind(error.take_panic().unwrap()))
    /// });
    /// assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&42));
    /// ```
    #[cfg(feature = "std")]
    #[must_use]
    pub fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        match &self.0 {
            Repr::Shared(shared) => match &shared.detail {
                Detail::Panic(panicked) => panicked.take(),
                _ => None,
            },
            Repr::Cancelled => None,
        }
    }

    /// Returns the kind of this error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    /// Returns the name by which a trace knows it: of its type without the path if it is the program's own,
    /// and otherwise of the Python class. Empty if there is no such name, as for a panic.
    #[cfg(feature = "events")]
    pub(crate) fn trace_name(&self) -> &'static str {
        let own = match &self.0 {
            Repr::Shared(shared) => shared.type_name,
            Repr::Cancelled => "",
        };
        match self.kind() {
            ErrorKind::Other => own.split('<').next().and_then(|path| path.rsplit("::").next()),
            ErrorKind::Panic => None,
            kind => Some(kind.name()),
        }
        .unwrap_or_default()
    }

    /// Returns true if this is a cancellation: an error that `except asyncio.CancelledError`
    /// catches.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// Returns true if both are one and the same error: Python's `is`. Cancellations without a
    /// message are all one.
    #[must_use]
    pub fn ptr_eq(&self, other: &Error) -> bool {
        match (&self.0, &other.0) {
            (Repr::Cancelled, Repr::Cancelled) => true,
            (Repr::Shared(a), Repr::Shared(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Returns true if `except Exception` catches it: everything but a cancellation, the end of a generator,
    /// Ctrl-C, and a group that has one of these in it. See [`Catch`](crate::Catch).
    #[must_use]
    pub fn is_exception(&self) -> bool {
        self.0.is_exception()
    }

    /// Returns true if `except OSError` catches it: the kinds [`Io`](ErrorKind::Io) and
    /// [`Timeout`](ErrorKind::Timeout), as Python's `TimeoutError` is one, too.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn is_os_error(&self) -> bool {
        matches!(self.kind(), ErrorKind::Io | ErrorKind::Timeout)
    }

    /// The program's own error by value, if it is an `E` and no other clone is left.
    ///
    /// # Errors
    ///
    /// The error itself, where it is not.
    pub fn downcast<E: core::error::Error + 'static>(self) -> Result<E, Error> {
        if self.downcast_ref::<E>().is_none() {
            return Err(self);
        }
        let Repr::Shared(mut shared) = self.0 else { return Err(self) };
        let Some(own) = Arc::get_mut(&mut shared) else {
            return Err(Error(Repr::Shared(shared)));
        };
        match mem::replace(&mut own.detail, Detail::Words("")) {
            Detail::Source(source) => source
                .downcast::<E>()
                .map(|own| *own)
                .map_err(|source| Error::shared(own.kind, Detail::Source(source))),
            #[cfg(feature = "std")]
            Detail::About(what, error) => error
                .downcast()
                .map_err(|error| Error::shared(own.kind, Detail::About(what, error))),
            detail => Err(Error::shared(own.kind, detail)),
        }
    }

    /// The error that it was made of, and the sources of that, outermost first. The source of an
    /// `std::io::Error` is the error that it was made of.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn core::error::Error + 'static)> {
        core::iter::successors(self.source(), |error| next_source(*error))
    }

    /// The error that it was made of: the first of the [`chain`](Error::chain).
    #[must_use]
    pub fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.0.cause()
    }

    /// The program's own error, if it is an `E`, also where that is in an `std::io::Error`, as an error of
    /// TLS is.
    #[must_use]
    pub fn downcast_ref<E: core::error::Error + 'static>(&self) -> Option<&E> {
        let source = self.source()?;
        source.downcast_ref().or_else(|| inside_io_error(source)?.downcast_ref())
    }

    /// Returns the operating system's error, if this error is made of one.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn io_error(&self) -> Option<&std::io::Error> {
        self.downcast_ref()
    }

    /// Returns the error's text; empty for a cancellation without a message.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.0 {
            Repr::Cancelled => String::new(),
            Repr::Shared(shared) => match &shared.detail {
                Detail::Source(source) => source.to_string(),
                #[cfg(feature = "std")]
                Detail::About(what, error) => alloc::format!("{what}: {error}"),
                own => own.text().to_string(),
            },
        }
    }

    /// The errors of a [group](ErrorKind::Group); empty for any other kind. See [`split`](Error::split).
    #[must_use]
    pub fn group(&self) -> &[Error] {
        self.as_group().map_or(&[], |group| &group.errors)
    }

    /// The errors that the loop, its futures and its tasks make of themselves.
    pub(crate) fn runtime(message: impl Into<Cow<'static, str>>) -> Error {
        Error::shared(ErrorKind::Runtime, message.into().into())
    }

    /// There is no room within the loop's limit or region, or the allocator has none.
    #[cold]
    pub(crate) fn no_memory() -> Error {
        Error::runtime("the loop has no memory left")
    }

    pub(crate) fn invalid_state(message: &'static str) -> Error {
        Error::shared(ErrorKind::InvalidState, Detail::Words(message))
    }

    pub(crate) fn closed() -> Error {
        Error::shared(ErrorKind::Closed, Detail::Words("Event loop is closed"))
    }

    pub(crate) fn stalled(message: &'static str) -> Error {
        Error::shared(ErrorKind::Stalled, Detail::Words(message))
    }

    /// The same error, with what it is about before its text. A cancellation is returned as it is,
    /// and so is everything that is no error of the system: its text says of what it is.
    #[cfg(feature = "std")]
    pub(crate) fn about(self, what: impl FnOnce() -> String) -> Error {
        if self.kind() != ErrorKind::Io {
            return self;
        }
        Error::shared(ErrorKind::Io, Detail::About(what().into_boxed_str(), self))
    }
}

/// Adds `what` it is about to the error of `outcome`, if it is the system's: "Too many open files"
/// alone helps little where a program has sockets, threads and databases.
#[cfg(feature = "std")]
pub(crate) fn about<T, E: Into<Error>>(
    outcome: Result<T, E>,
    what: impl FnOnce() -> String,
) -> Result<T> {
    outcome.map_err(|error| error.into().about(what))
}
