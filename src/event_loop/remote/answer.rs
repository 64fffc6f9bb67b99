//! [`Answer`]: a result that another thread owes the loop.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::fmt;

use super::loop_handle::send_call;
use crate::error::{Error, Result};
use crate::event_loop::inbox::Inbox;
use crate::event_loop::job::{Call, CallCell};
use crate::event_loop::loop_ref::{LoopRef, Mail, Owed};
use crate::sync::Arc;

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

/// Where an answer goes: the key of its receiver among those of the loop, and the function that gives
/// it to the receiver.
///
/// **Receiver Invariant**: the function is called with what was given to [`LoopRef::owe_to`] together
/// with it, once, and with nothing else: an address travels with the inbox of its loop, and comes to no
/// other; and a key of that loop is given away once, and comes back once.
pub(super) struct Address<T> {
    key: usize,
    receive: fn(Owed, Result<T>),
}

impl<T> Address<T> {
    pub(super) fn deliver(self, on: &LoopRef, outcome: Result<T>) {
        let receiver = on.shared().owed.take(self.key);
        if let Some(receiver) = receiver {
            (self.receive)(receiver, outcome);
        }
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
        self.owe_to(Owed::Receiver(Rc::new(receive)), call::<T, F>)
    }

    /// Expects an answer from outside the loop, with which `receive` is called, and with `receiver`: see
    /// [`expect_answer`](LoopRef::expect_answer).
    pub(crate) fn owe_to<T: Send + 'static>(
        &self,
        receiver: Owed,
        receive: fn(Owed, Result<T>),
    ) -> Result<Answer<T>> {
        self.check_open()?;
        let address = Address { key: self.shared().owed.insert(receiver), receive };
        Ok(Answer { debt: Some(Debt::new(Arc::clone(self.inbox()), address)) })
    }
}

/// Calls the function that is the receiver.
fn call<T, F: FnOnce(Result<T>) + 'static>(receiver: Owed, outcome: Result<T>) {
    // By the Receiver Invariant it is this function, of which there is one handle.
    let Owed::Receiver(receiver) = receiver else { return };
    if let Some(receive) = receiver.downcast::<F>().ok().and_then(Rc::into_inner) {
        receive(outcome);
    }
}
