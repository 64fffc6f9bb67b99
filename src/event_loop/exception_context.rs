//! [`ExceptionContext`]: the argument of an exception handler; and [`LostBy`], of which one is made.

use alloc::string::String;

use crate::error::Error;

/// The argument of an exception handler: asyncio's context dictionary, with types.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExceptionContext {
    /// The event, in asyncio's own words where it has some.
    pub message: String,
    /// The error, where there is one.
    pub exception: Option<Error>,
    /// The future concerned, as it shows itself; the task, if its exception was never retrieved.
    pub future: Option<String>,
    /// The task concerned, as it shows itself.
    pub task: Option<String>,
    /// The callback concerned, as it shows itself.
    pub handle: Option<String>,
    /// The async generator concerned, as it shows itself.
    pub asyncgen: Option<String>,
    /// The listening socket concerned, as it shows itself.
    pub socket: Option<String>,
    /// The transport concerned, as it shows itself.
    pub transport: Option<String>,
}

impl ExceptionContext {
    /// A context that says `message` and nothing more.
    #[must_use]
    pub fn new(message: impl Into<String>) -> ExceptionContext {
        ExceptionContext { message: message.into(), ..ExceptionContext::default() }
    }
}

/// The source of an error that nothing retrieves.
pub(crate) enum LostBy {
    Callback(String),
    /// The name of the class of a future, and the future as it shows itself.
    Future(&'static str, String),
}
