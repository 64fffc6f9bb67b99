//! [`WorkItem`]: work for another thread, and the answer that is owed for it.

use alloc::boxed::Box;

use super::answer::{Address, Answer, Debt};
use super::loop_handle::send_call;
use crate::error::Result;
use crate::event_loop::job::{Call, CallCell};
use crate::event_loop::loop_ref::LoopRef;

/// Work and its answer in one block, in which the outcome of the work travels back. So the block
/// is freed on the thread that made it.
///
/// A work item that is dropped undone answers with a cancellation.
pub(crate) type WorkItem<W, T> = CallCell<Work<W, T>>;

pub(crate) struct Work<W, T: Send + 'static> {
    /// `None` once it is done.
    work: Option<W>,
    answer: Answer<T>,
    /// The outcome on its way back, and where it goes.
    back: Option<(Address<T>, Result<T>)>,
}

impl<W: Send + 'static, T: Send + 'static> WorkItem<W, T> {
    pub(crate) fn of(work: W, answer: Answer<T>) -> Box<WorkItem<W, T>> {
        CallCell::new(Work { work: Some(work), answer, back: None })
    }

    /// Gives what `how` makes of the work as the answer.
    ///
    /// # Errors
    ///
    /// As [`Answer::give`].
    pub(crate) fn run(mut self: Box<Self>, how: impl FnOnce(W) -> Result<T>) -> Result<()> {
        let Some(work) = self.call.work.take() else { return Ok(()) };
        let outcome = how(work);
        let Some(Debt { to, address }) = self.call.answer.debt.take() else { return Ok(()) };
        self.call.back = Some((address, outcome));
        send_call(&to, self)
    }
}

impl<W: Send + 'static, T: Send + 'static> Call for Work<W, T> {
    fn call(mut this: Box<CallCell<Self>>, event_loop: &LoopRef) -> Result<()> {
        if let Some((address, outcome)) = this.call.back.take() {
            address.deliver(event_loop, outcome);
        }
        Ok(())
    }
}
