//! [`Nap`]: what a sleeping task waits on, and what its timer runs, in one block.

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

/// A future of nothing that its timer ends. Nobody but one sleep has it, so it has no callbacks.
pub(super) struct Nap {
    core: Core,
    value: RefCell<()>,
}

impl Nap {
    pub(super) fn new(home: Rc<Tasks>) -> Rc<Nap> {
        Rc::new(Nap { core: Core::made_for(home, Purpose::Sleep), value: RefCell::new(()) })
    }
}

/// The timer is due. A nap that was cancelled in the same turn stays so.
impl Job for Nap {
    fn run(self: Rc<Self>, _on: &LoopRef) {
        if !self.core.done() {
            node::end(&self, State::Finished);
        }
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
