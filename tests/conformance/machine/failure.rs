//! Early ends of statements: errors by name, and [`Flow`], which tells them from a `break`.

use std::fmt;

use callsoon::net::{IncompleteReadError, LimitOverrunError};
use callsoon::{Error, ErrorKind};

use super::value::Value;

/// An error that a program raises by name, or one that Python would raise at this place and
/// the runtime here has no cause to know (`KeyError` for a name that is not in the table).
#[derive(Debug)]
struct ProgramError(String);

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ProgramError {}

/// The reason why a statement ends early. Only [`Flow::Error`] is an error to the program: no
/// handler sees the others.
pub(crate) enum Flow {
    Error(Error),
    /// Leaves the innermost loop.
    Break,
    /// Leaves the coroutine.
    Return(Value),
    /// Leaves the generator, which is being closed, with the error that said so.
    Closing(Error),
}

impl From<Error> for Flow {
    fn from(error: Error) -> Flow {
        Flow::Error(error)
    }
}

/// The end of a statement.
pub(crate) type Done = Result<(), Flow>;

/// A program's own error.
pub(crate) fn named(name: &str) -> Error {
    Error::other(ProgramError(name.to_owned()))
}

/// The error that a program means by `name`.
pub(crate) fn make_error(name: &str) -> Error {
    match name {
        "cancelled" => Error::cancelled(),
        "TimeoutError" => Error::new(ErrorKind::Timeout, ""),
        _ => named(name),
    }
}

/// A statement that may not stand where it was met.
pub(crate) fn misplaced() -> Error {
    named("LookupError")
}

pub(crate) fn error_name(error: &Error) -> String {
    if error.is_cancelled() {
        let message = error.message();
        return match &*message {
            "" => "cancelled".to_owned(),
            message => format!("cancelled({message})"),
        };
    }
    if let Some(ProgramError(name)) = error.downcast_ref() {
        return name.clone();
    }
    if let Some(name) = network_name(error) {
        return name.to_owned();
    }
    if error.kind() == ErrorKind::Group {
        let names: Vec<String> = error.group().iter().map(error_name).collect();
        return format!("group[{}]", names.join(","));
    }
    error.kind().name().to_owned()
}

/// The name of the system's errors, and of a reader's.
fn network_name(error: &Error) -> Option<&'static str> {
    use std::io::ErrorKind as Kind;
    if error.downcast_ref::<IncompleteReadError>().is_some() {
        return Some("IncompleteReadError");
    }
    if error.downcast_ref::<LimitOverrunError>().is_some() {
        return Some("LimitOverrunError");
    }
    Some(match error.io_error()?.kind() {
        Kind::ConnectionReset => "ConnectionResetError",
        Kind::BrokenPipe => "BrokenPipeError",
        Kind::NotFound => "FileNotFoundError",
        Kind::ConnectionRefused => "ConnectionRefusedError",
        _ => "OSError",
    })
}

/// Returns true if `error` is an `Exception` in Python, which an `except Exception` catches.
pub(crate) fn is_exception(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::GeneratorExit)
}

/// An error as the state of what ended with it.
pub(crate) fn outcome_of(error: &Error) -> String {
    let name = error_name(error);
    if error.is_cancelled() { name } else { format!("exception:{name}") }
}
