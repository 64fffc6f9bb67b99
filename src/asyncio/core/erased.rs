//! The methods of [`AnyFuture`](super::AnyFuture) that a handle has by its [`ErasedFuture`].

use alloc::rc::Rc;
use alloc::string::String;

use super::any_future::{Callback, Watcher};
use super::cancel::cancel;
use super::header::{ErasedFuture, State};
use super::many::{Waiter, Watch};
#[cfg(feature = "contextvars")]
use crate::context::Entered;
use crate::error::{Error, Result};
#[cfg(feature = "events")]
use crate::event_loop::LoopEvent;
use crate::event_loop::{ExceptionContext, LoopRef};

impl ErasedFuture {
    #[inline]
    pub(crate) fn done(&self) -> bool {
        self.header().done()
    }

    #[inline]
    pub(crate) fn cancelled(&self) -> bool {
        self.header().state() == State::Cancelled
    }

    pub(crate) fn cancel(&self) -> bool {
        cancel(self, &Error::cancelled())
    }

    pub(crate) fn exception(&self) -> Result<Option<Error>> {
        self.header().exception()
    }

    #[inline]
    pub(crate) fn outcome(&self) -> Result<()> {
        self.header().outcome()
    }

    /// Reports what has happened to it to the exception handler of its loop. Of a task the handler is
    /// called in the task's context.
    pub(crate) fn report(&self, about: &ExceptionContext) {
        #[cfg(feature = "contextvars")]
        let _entered = self.task().and_then(|task| Entered::of_report(|| task.context()));
        self.event_loop().call_exception_handler(about);
    }

    pub(crate) fn remove_done_callback(&self, callback: &Callback) -> usize {
        self.header().remove_callback(callback)
    }

    pub(crate) fn has_callback(&self, callback: &Callback) -> bool {
        self.header().has_callback(callback)
    }

    /// Adds `watcher`. For a future that is done only its call is scheduled.
    pub(crate) fn watch(&self, watcher: &Rc<dyn Watcher>, token: u64) -> bool {
        self.add_waiter(Waiter::Watch(Watch { watcher: watcher.clone(), token }));
        true
    }

    /// Gives a task a name.
    pub(crate) fn set_name(&self, name: String) {
        #[cfg(feature = "events")]
        if let Some(task) = self.task().filter(|_| self.event_loop().records_events()) {
            let serial = task.serial();
            self.event_loop().log_text_event(name.clone(), |at| LoopEvent::TaskNamed(serial, at));
        }
        self.header().set_name(name);
    }

    pub(crate) fn get_loop(&self) -> LoopRef {
        self.event_loop().clone()
    }
}
