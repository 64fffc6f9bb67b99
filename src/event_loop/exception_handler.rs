//! The loop's exception handler, which receives the errors that no other code retrieves, those of
//! callbacks and of drops among them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::any::type_name;
use core::fmt::Write;
use core::mem;

use super::exception_context::{ExceptionContext, LostBy};
use super::loop_ref::{Called, Described, ExceptionHandler, LoopRef, Tell};
#[cfg(feature = "contextvars")]
use crate::context::Context;
use crate::error::{Error, Result};
use crate::logging::{self, DESCRIBES, say, text};
use crate::panics;

impl LoopRef {
    /// Sets the handler of errors that nothing caught, and returns the one before; `None` stands
    /// for the [default](LoopRef::default_exception_handler), which logs, or writes to standard
    /// error. asyncio's `set_exception_handler`.
    ///
    /// The handler may call back into the loop in any way. It is dropped with the
    /// [`EventLoop`](crate::EventLoop): an error of a task or future that is lost after that goes to the
    /// default, and in asyncio to the handler.
    pub fn set_exception_handler(
        &self,
        handler: Option<ExceptionHandler>,
    ) -> Option<ExceptionHandler> {
        let handler = handler.map(|handler| (handler, tell as Tell));
        self.shared().exception_handler.replace(handler).map(|(before, _)| before)
    }

    /// The handler that was set, if any: asyncio's `get_exception_handler`.
    #[must_use]
    pub fn exception_handler(&self) -> Option<ExceptionHandler> {
        self.shared().exception_handler.borrow().as_ref().map(|(handler, _)| handler.clone())
    }

    /// Tells the exception handler of an error that nothing retrieves, if there is one to tell. What the
    /// functions return is made then only.
    pub(crate) fn report_lost(&self, of: impl FnOnce() -> LostBy, error: impl FnOnce() -> Error) {
        let set = self.shared().exception_handler.borrow().as_ref().map(|(_, tell)| *tell);
        if let Some(tell) = set.or(DESCRIBES.then_some(tell as Tell)) {
            tell(self, of(), error());
        }
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
            let first = context.exception.as_ref().map(logging::shown).unwrap_or_default();
            failed.handle = Some(text!("while it was told: {} {first}", context.message));
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
        if !DESCRIBES {
            return;
        }
        let message = match context.message.as_str() {
            "" => "Unhandled exception in event loop",
            message => message,
        };
        let mut text = message.to_owned();
        let shown = context.exception.as_ref().map(logging::shown);
        let lines = [
            ("asyncgen", &context.asyncgen),
            ("exception", &shown),
            ("future", &context.future),
            ("handle", &context.handle),
            ("socket", &context.socket),
            ("task", &context.task),
            ("transport", &context.transport),
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

/// Tells the exception handler of an error: see [`Tell`].
fn tell(on: &LoopRef, of: LostBy, error: Error) {
    let mut context = match of {
        LostBy::Callback(handle) => {
            let mut context = ExceptionContext::new("Exception in callback ".to_owned() + &handle);
            context.handle = Some(handle);
            context
        }
        LostBy::Future(class, shown) => {
            let mut context =
                ExceptionContext::new(class.to_owned() + " exception was never retrieved");
            // A task's, too, as in asyncio.
            context.future = Some(shown);
            context
        }
    };
    context.exception = Some(error);
    on.call_exception_handler(&context);
}

/// A type that a callback may return: nothing, a `Result<(), Error>`, or a `bool`, as `cancel` does, which says
/// nothing here. An error in it goes to the loop's exception handler, as an exception out of a Python callback
/// does.
pub trait CallbackOutput {
    /// The outcome as a result.
    ///
    /// # Errors
    ///
    /// The callback's own.
    fn into_result(self) -> Result<()>;
}

impl CallbackOutput for () {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl CallbackOutput for bool {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl CallbackOutput for Result<()> {
    fn into_result(self) -> Result<()> {
        self
    }
}

/// Runs `callback`; its error or panic goes to the loop's exception handler and no further.
pub(crate) fn run_callback<R: CallbackOutput>(
    on: &LoopRef,
    describe: impl FnOnce() -> String,
    callback: impl FnOnce() -> R,
) {
    if let Err(error) = panics::caught(|| callback().into_result()).and_then(|result| result) {
        report_callback(on, describe, error);
    }
}

/// Runs `callback` in an entry of the ready queue, where the turn catches panics; its error goes to
/// the loop's exception handler. What `describe` returns is made where that is needed only.
#[inline(always)]
pub(crate) fn run_in_turn<R: CallbackOutput>(
    on: &LoopRef,
    describe: impl Fn() -> Described,
    callback: impl FnOnce() -> R,
) {
    /// Dropped by a panic, leaves what the report of that needs.
    struct Calling<'a, D: Fn() -> Described>(&'a LoopRef, &'a D);

    impl<D: Fn() -> Described> Drop for Calling<'_, D> {
        #[cold]
        fn drop(&mut self) {
            let called = Called {
                describe: (self.1)(),
                #[cfg(feature = "contextvars")]
                context: Context::current(),
            };
            self.0.shared().called.set(Some(called.into()));
        }
    }

    let calling = panics::CATCHES.then(|| Calling(on, &describe));
    let outcome = callback().into_result();
    mem::forget(calling);
    if let Err(error) = outcome {
        report_callback(on, || describe()(), error);
    }
}

/// Gives the error or panic of a callback to the loop's exception handler.
#[cold]
pub(super) fn report_callback(on: &LoopRef, describe: impl FnOnce() -> String, error: Error) {
    on.report_lost(|| LostBy::Callback(describe()), || error);
}

/// Drops what belongs to the user: a panic out of it goes to the exception handler.
pub(crate) fn drop_quietly<T>(on: &LoopRef, value: T) {
    run_callback(on, || "<drop of ".to_owned() + type_name::<T>() + ">", || drop(value));
}

/// Drops `value`, which may hold a chain of other things that are dropped in this way: at once, or,
/// where too many such drops nest, before the outermost of them returns.
///
/// A panic in a drop that was put off goes to the exception handler of `on`.
pub(crate) fn drop_flat<T: 'static>(on: &LoopRef, value: T) {
    on.shared().drops.drop(value, |value| drop_quietly(on, value));
}
