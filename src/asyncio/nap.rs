//! [`Nap`]: what a task waits on that nobody else has, in one block: asleep, until its timer runs
//! it, or in line, until it is woken; and [`Naps`], for a task that waits again and again.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Ref, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::await_future::Wait;
use super::callback::Callback;
use super::node::{self, Core, HasCore, Node, State, Typed};
use super::purpose::Purpose;
use super::shown::show;
use super::tasks::Tasks;
use crate::error::{Error, Result};
use crate::event_loop::{Job, LoopRef, Mark};

/// A future of nothing. Nobody but who waits on it has it, so it has no callbacks.
pub(crate) struct Nap {
    core: Core,
    value: RefCell<()>,
}

impl Nap {
    pub(super) fn new(home: Rc<Tasks>, purpose: Purpose) -> Rc<Nap> {
        Rc::new(Nap { core: Core::made_for(home, purpose), value: RefCell::new(()) })
    }

    /// A nap of `home` for `purpose`: `spent`, one of the same, if nobody else has it any more.
    pub(crate) fn again(spent: Option<Rc<Nap>>, home: &Rc<Tasks>, purpose: Purpose) -> Rc<Nap> {
        if let Some(mut nap) = spent {
            if let Some(own) = Rc::get_mut(&mut nap).filter(|own| own.is_of(home, purpose)) {
                own.core.renew();
                return nap;
            }
        }
        Nap::new(home.clone(), purpose)
    }

    fn is_of(&self, home: &Rc<Tasks>, purpose: Purpose) -> bool {
        Rc::ptr_eq(self.core.home(), home) && self.core.purpose.get() == purpose
    }

    /// Whether it has ended, or was cancelled.
    pub(crate) fn is_over(&self) -> bool {
        self.core.done()
    }

    /// Whether it has ended, as it was to.
    pub(super) fn has_ended(&self) -> bool {
        self.core.state() == State::Finished
    }

    /// The loop on which it is taken.
    pub(super) fn on(&self) -> &LoopRef {
        self.core.home().on()
    }

    pub(super) fn was_cancelled(&self) -> bool {
        self.core.state() == State::Cancelled
    }

    /// Ends it, unless it is over. Says whether it did.
    pub(crate) fn end(self: &Rc<Self>) -> bool {
        let ends = !self.is_over();
        if ends {
            node::end(self, State::Finished);
        }
        ends
    }
}

impl Future for Wait<Nap> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Wait::poll(&mut self, cx.waker())
    }
}

/// The timer is due, or it is the turn that it was to end in. A nap that was cancelled in the same
/// turn stays so.
impl Job for Nap {
    fn run(self: Rc<Self>, _on: &LoopRef) {
        self.end();
    }

    fn mark(&self) -> Mark {
        if self.core.purpose.get() == Purpose::Sleep { Mark::Sleep } else { Mark::Call }
    }

    fn describe(&self) -> String {
        format!("<end of {}>", self.show())
    }
}

impl HasCore for Nap {
    fn core(&self) -> &Core {
        &self.core
    }
}

impl Node for Nap {
    fn cancel(self: Rc<Self>, error: Error) -> bool {
        if self.core.done() {
            return false;
        }
        node::end_with(&self, State::Cancelled, error);
        true
    }

    fn call(self: Rc<Self>, _callback: &Callback) -> Result<()> {
        Ok(())
    }

    fn as_job(self: Rc<Self>) -> Rc<dyn Job> {
        self
    }

    fn show(&self) -> String {
        show("Future", "pending", &self.core, None, None)
    }
}

impl Typed<()> for Nap {
    fn value(&self) -> Option<Ref<'_, ()>> {
        Some(self.value.borrow())
    }

    fn read(&self) -> Result<()> {
        self.core.outcome()
    }

    fn node(&self) -> &dyn Node {
        self
    }

    fn as_node(self: Rc<Self>) -> Rc<dyn Node> {
        self
    }
}

/// One task's naps, one after the other. None takes a block of its own, unless somebody still has
/// the one before.
#[derive(Default)]
pub(crate) struct Naps(RefCell<Option<Rc<Nap>>>);

impl Naps {
    /// Begins the next nap, and forgets the one before. The task that goes on is to await it, at
    /// once or after it has seen to its end.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub(crate) fn begin(&self) -> Result<impl Future<Output = Result<()>> + use<>> {
        let nap = Nap::again(self.0.take(), &Tasks::running()?, Purpose::Wait);
        self.0.replace(Some(nap.clone()));
        Ok(Wait::new(nap))
    }

    /// Ends the nap that goes on, if one does.
    pub(crate) fn end(&self) {
        let nap = self.0.borrow().clone();
        if let Some(nap) = nap {
            nap.end();
        }
    }

    /// Ends this nap, and none after it, when its turn comes in the ready queue.
    pub(crate) fn end_soon(&self) {
        if let Some(nap) = &*self.0.borrow() {
            nap.on().schedule(nap.clone());
        }
    }
}
