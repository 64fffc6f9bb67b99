//! [`Answer`]: a result that another thread owes the loop.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::any::Any;
use core::fmt;

use super::loop_handle::send_call;
use crate::error::{Error, Result};
use crate::event_loop::inbox::Inbox;
use crate::event_loop::job::{Call, CallCell};
use crate::event_loop::loop_ref::{LoopRef, Mail};
use crate::sync::Arc;

/// The receiver of an answer.
pub(crate) trait Receiver<T>: Any {
    fn receive(self: Rc<Self>, outcome: Result<T>);
}

/// A function that is called with the answer.
struct Function<F>(F);

impl<T, F: FnOnce(Result<T>) + 'static> Receiver<T> for Function<F> {
    fn receive(self: Rc<Self>, outcome: Result<T>) {
        // This is the last handle of it.
        if let Some(Function(receive)) = Rc::into_inner(self) {
            receive(outcome);
        }
    }
}

/// An answer that another thread, or other code outside of a loop, owes the loop:
/// [`LoopRef::expect_answer`] makes it, and [`give`](Answer::give) gives it.
///
/// One that is dropped instead answers with a cancellation: no receiver waits for ever.
pub struct Answer<T: Send + 'static> {
    /// Gone once it was given.
    pub(super) debt: Option<Debt<T>>,
}

pub(super) struct Debt<T> {
    pub(super) to: Arc<Inbox<Mail>>,
    #[cfg(feature = "std")]
    pub(super) address: Address<T>,
    /// Made beforehand: the answer may come from an interrupt handler, which allocates nothing.
    #[cfg(not(feature = "std"))]
    delivery: Box<CallCell<Delivery<T>>>,
}

impl<T: Send + 'static> Debt<T> {
    #[cfg(feature = "std")]
    fn new(to: Arc<Inbox<Mail>>, address: Address<T>) -> Debt<T> {
        Debt { to, address }
    }

    #[cfg(feature = "std")]
    fn settle(self, outcome: Result<T>) -> Result<()> {
        send_call(&self.to, CallCell::new(Delivery(self.address, outcome)))
    }

    #[cfg(not(feature = "std"))]
    fn new(to: Arc<Inbox<Mail>>, address: Address<T>) -> Debt<T> {
        Debt { to, delivery: CallCell::new(Delivery(address, Err(Error::cancelled()))) }
    }

    #[cfg(not(feature = "std"))]
    fn settle(mut self, outcome: Result<T>) -> Result<()> {
        self.delivery.call.1 = outcome;
        send_call(&self.to, self.delivery)
    }
}

/// Where an answer goes.
pub(super) struct Address<T> {
    key: usize,
    /// Takes the receiver out of the loop's `OwedAnswers`, and gives it the answer.
    deliver: fn(&LoopRef, usize, Result<T>),
}

impl<T> Address<T> {
    pub(super) fn deliver(self, on: &LoopRef, outcome: Result<T>) {
        (self.deliver)(on, self.key, outcome);
    }
}

/// An answer on its way.
struct Delivery<T>(Address<T>, Result<T>);

impl<T: Send + 'static> Call for Delivery<T> {
    fn call(this: Box<CallCell<Self>>, event_loop: &LoopRef) -> Result<()> {
        let Delivery(address, outcome) = this.call;
        address.deliver(event_loop, outcome);
        Ok(())
    }
}

impl<T: Send + 'static> Answer<T> {
    /// Gives the answer, from any thread: what was said to [`LoopRef::expect_answer`] is
    /// called with it on the loop's thread, in one of its next turns.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; the outcome is dropped.
    pub fn give(mut self, outcome: Result<T>) -> Result<()> {
        self.settle(outcome)
    }

    fn settle(&mut self, outcome: Result<T>) -> Result<()> {
        self.debt.take().map_or(Ok(()), |debt| debt.settle(outcome))
    }
}

impl<T: Send + 'static> Drop for Answer<T> {
    fn drop(&mut self) {
        // A loop that has closed has no receiver left that waits.
        let _ = self.settle(Err(Error::cancelled()));
    }
}

impl<T: Send + 'static> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

impl LoopRef {
    /// Expects an answer from outside the loop, most often from another thread: `receive` is called
    /// with it on the loop's thread, in a turn.
    ///
    /// Until the answer is in, a loop with nothing to do waits for it and isn't
    /// [`Stalled`](crate::ErrorKind::Stalled), and a virtual clock stands still. If the loop
    /// closes first, `receive` is dropped uncalled.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    ///
    /// ```
    /// use callsoon::{EventLoop, run_on, running_loop};
    ///
    /// run_on(&EventLoop::with_virtual_time(), async {
    ///     let on = running_loop()?;
    ///     let future = on.create_future::<u32>();
    ///     let theirs = future.clone();
    ///     let answer = on.expect_answer(move |outcome| {
    ///         let _ = outcome.and_then(|value| theirs.set_result(value));
    ///     })?;
    ///     std::thread::spawn(move || answer.give(Ok(42)));
    ///     assert_eq!(future.await?, 42);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn expect_answer<T: Send + 'static, F: FnOnce(Result<T>) + 'static>(
        &self,
        receive: F,
    ) -> Result<Answer<T>> {
        self.owe_to(Rc::new(Function(receive)))
    }

    /// Expects an answer from outside the loop for `receiver`: see
    /// [`expect_answer`](LoopRef::expect_answer).
    pub(crate) fn owe_to<T: Send + 'static, R: Receiver<T>>(
        &self,
        receiver: Rc<R>,
    ) -> Result<Answer<T>> {
        self.check_open()?;
        let key = self.shared().owed.insert(receiver);
        let address = Address { key, deliver: deliver::<T, R> };
        Ok(Answer { debt: Some(Debt::new(Arc::clone(self.inbox()), address)) })
    }
}

fn deliver<T, R: Receiver<T>>(on: &LoopRef, key: usize, outcome: Result<T>) {
    // It is there, and of this type: a key is given away once, and comes back once.
    let receiver = on.shared().owed.take(key);
    if let Some(receiver) = receiver.and_then(|receiver| receiver.downcast::<R>().ok()) {
        receiver.receive(outcome);
    }
}
