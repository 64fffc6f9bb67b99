//! [`Nap`]: what a task waits on that nobody else has, in one block: asleep, until its timer runs
//! it, or in line, until it is woken.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Ref, RefCell};

use super::callback::Callback;
use super::future::show;
use super::node::{self, Core, Node, State, Typed};
use super::purpose::Purpose;
use super::task_core::TaskCore;
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

    /// A nap of `on`: `spent` itself, which is over, if nobody else has it any more.
    #[cfg(feature = "std")]
    pub(crate) fn out_of(spent: Option<Rc<Nap>>, on: &LoopRef, purpose: Purpose) -> Rc<Nap> {
        if let Some(mut nap) = spent {
            if let Some(own) = Rc::get_mut(&mut nap) {
                own.core = Core::made_for(Rc::clone(own.core.home()), purpose);
                return nap;
            }
        }
        Nap::new(Tasks::of(on), purpose)
    }

    /// Whether it has ended, or was cancelled.
    pub(crate) fn is_over(&self) -> bool {
        self.core.done()
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

/// The timer is due. A nap that was cancelled in the same turn stays so.
impl Job for Nap {
    fn run(self: Rc<Self>, _on: &LoopRef) {
        self.end();
    }

    fn mark(&self) -> Mark {
        Mark::Sleep
    }

    fn describe(&self) -> String {
        format!("<timer of {}>", self.show())
    }
}

impl Node for Nap {
    fn core(&self) -> &Core {
        &self.core
    }

    fn task(&self) -> Option<&TaskCore> {
        None
    }

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

    fn as_node(self: Rc<Self>) -> Rc<dyn Node> {
        self
    }
}
