//! [`JoinError`].

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Mutex;

use super::Id;

enum Why {
    Cancelled,
    Panicked(Mutex<Box<dyn Any + Send>>),
}

pub struct JoinError {
    why: Why,
    id: Id,
}

impl JoinError {
    pub(super) fn cancelled(id: Id) -> JoinError {
        JoinError { why: Why::Cancelled, id }
    }

    pub(super) fn panicked(id: Id, payload: Box<dyn Any + Send>) -> JoinError {
        JoinError { why: Why::Panicked(Mutex::new(payload)), id }
    }

    pub fn is_cancelled(&self) -> bool {
        matches!(self.why, Why::Cancelled)
    }

    pub fn is_panic(&self) -> bool {
        !self.is_cancelled()
    }

    pub fn id(&self) -> Id {
        self.id
    }

    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        self.try_into_panic().expect("`JoinError` reason is not a panic.")
    }

    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self.why {
            Why::Panicked(payload) => Ok(payload.into_inner().unwrap_or_else(|e| e.into_inner())),
            Why::Cancelled => Err(self),
        }
    }

    /// The words of the panic, where it has any.
    fn message(&self) -> Option<String> {
        let Why::Panicked(payload) = &self.why else { return None };
        let payload = payload.lock().unwrap_or_else(|e| e.into_inner());
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&'static str>().copied()).map(str::to_owned)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.why, self.message()) {
            (Why::Cancelled, _) => write!(f, "task {} was cancelled", self.id),
            (_, Some(text)) => write!(f, "task {} panicked with message {text:?}", self.id),
            (_, None) => write!(f, "task {} panicked", self.id),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.why, self.message()) {
            (Why::Cancelled, _) => write!(f, "JoinError::Cancelled({:?})", self.id),
            (_, Some(text)) => write!(f, "JoinError::Panic({:?}, {text:?}, ...)", self.id),
            (_, None) => write!(f, "JoinError::Panic({:?}, ...)", self.id),
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        let text = if error.is_cancelled() { "task was cancelled" } else { "task panicked" };
        io::Error::other(text)
    }
}
