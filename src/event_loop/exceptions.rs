//! The loop's exception handler: where errors go that nothing catches.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;
use core::fmt::Write;

use super::handle::drop_quietly;
use super::loop_ref::LoopRef;
use crate::error::Error;
use crate::logging::say;
use crate::panics;

/// What an exception handler is told: asyncio's context dictionary, with types.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExceptionContext {
    /// What happened. asyncio's own words where it has some.
    pub message: String,
    /// The error, where there is one.
    pub exception: Option<Error>,
    /// The future concerned, as it shows itself.
    pub future: Option<String>,
    /// The task concerned, as it shows itself.
    pub task: Option<String>,
    /// The callback concerned, as it shows itself.
    pub handle: Option<String>,
    /// The async generator concerned, as it shows itself.
    pub asyncgen: Option<String>,
    /// The socket concerned, as it shows itself.
    pub socket: Option<String>,
}

impl ExceptionContext {
    /// A context that says `message` and nothing more.
    #[must_use]
    pub fn new(message: impl Into<String>) -> ExceptionContext {
        ExceptionContext { message: message.into(), ..ExceptionContext::default() }
    }
}

/// What [`set_exception_handler`](LoopRef::set_exception_handler) takes.
pub type ExceptionHandler = Rc<dyn Fn(&LoopRef, &ExceptionContext)>;

#[derive(Default)]
pub(crate) struct Exceptions {
    handler: RefCell<Option<ExceptionHandler>>,
}

impl Exceptions {
    pub(crate) fn replace(&self, handler: Option<ExceptionHandler>) -> Option<ExceptionHandler> {
        self.handler.replace(handler)
    }

    pub(crate) fn handler(&self) -> Option<ExceptionHandler> {
        self.handler.borrow().clone()
    }
}

impl LoopRef {
    /// Sets the handler of errors that nothing caught, and returns the one before; `None` stands
    /// for the [default](LoopRef::default_exception_handler), which logs, or writes to standard
    /// error. asyncio's `set_exception_handler`.
    ///
    /// The handler may call back into the loop in any way.
    pub fn set_exception_handler(
        &self,
        handler: Option<ExceptionHandler>,
    ) -> Option<ExceptionHandler> {
        self.exceptions().replace(handler)
    }

    /// The handler that was set, if any: asyncio's `get_exception_handler`.
    #[must_use]
    pub fn exception_handler(&self) -> Option<ExceptionHandler> {
        self.exceptions().handler()
    }

    /// Tells the exception handler of `context`. A handler that panics is reported to the
    /// default one; this function itself never panics.
    pub fn call_exception_handler(&self, context: &ExceptionContext) {
        let Some(handler) = self.exception_handler() else {
            return self.default_exception_handler(context);
        };
        if let Err(panic) = panics::caught(|| handler(self, context)) {
            let mut failed = ExceptionContext::new("Unhandled error in exception handler");
            failed.exception = Some(panic);
            let first = context.exception.as_ref().map(panics::shown).unwrap_or_default();
            failed.handle = Some(format!("while it was told: {} {first}", context.message));
            self.default_exception_handler(&failed);
        }
        // One that was replaced meanwhile goes here, with all that it captured.
        drop_quietly(self, handler);
    }

    /// Logs `context` as an error: its message, then what else it holds, a line each, in
    /// asyncio's order.
    ///
    /// The record goes to the logger of the crate `log`, with a target that begins with `callsoon`.
    /// With std, the text is written to standard error where no logger is installed, where the
    /// logger or its level refuses even errors of that target, and where the logger panics. A
    /// standard error that is closed is ignored.
    pub fn default_exception_handler(&self, context: &ExceptionContext) {
        let message = match context.message.as_str() {
            "" => "Unhandled exception in event loop",
            message => message,
        };
        let mut text = message.to_owned();
        let shown = context.exception.as_ref().map(panics::shown);
        let lines = [
            ("asyncgen", &context.asyncgen),
            ("exception", &shown),
            ("future", &context.future),
            ("handle", &context.handle),
            ("socket", &context.socket),
            ("task", &context.task),
        ];
        for (key, value) in lines {
            if let Some(value) = value {
                // Writing to a String does not fail.
                let _ = write!(text, "\n{key}: {value}");
            }
        }
        say!(Error, "{text}");
    }
}
