//! [`Errand`]: work for another thread, and the answer that is owed for it.

use alloc::boxed::Box;

use super::answers::{Address, Answer, Debt};
use super::loop_handle::{Parcel, send_parcel};
use super::loop_ref::LoopRef;
use crate::error::Result;

/// Work and the answer in one block, in which what came of the work travels back: so it is freed
/// where it was made.
///
/// One that is dropped undone answers with a cancellation.
pub(crate) struct Errand<W, T: Send + 'static> {
    /// Gone once it is done.
    work: Option<W>,
    answer: Answer<T>,
    /// What is on its way back, and where it goes.
    back: Option<(Address<T>, Result<T>)>,
}

impl<W: Send + 'static, T: Send + 'static> Errand<W, T> {
    pub(crate) fn new(work: W, answer: Answer<T>) -> Errand<W, T> {
        Errand { work: Some(work), answer, back: None }
    }

    /// Gives what `how` makes of the work as the answer.
    ///
    /// # Errors
    ///
    /// As [`Answer::give`].
    pub(crate) fn run(mut self: Box<Self>, how: impl FnOnce(W) -> Result<T>) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let outcome = how(work);
        let Some(Debt { to, address }) = self.answer.debt.take() else { return Ok(()) };
        self.back = Some((address, outcome));
        send_parcel(&to, self)
    }
}

impl<W: Send, T: Send + 'static> Parcel for Errand<W, T> {
    fn open(mut self: Box<Self>, on: &LoopRef) -> Result<()> {
        if let Some((address, outcome)) = self.back.take() {
            address.deliver(on, outcome);
        }
        Ok(())
    }
}
