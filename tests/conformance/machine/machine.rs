//! [`Machine`]: the state that all parts of a run share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use callsoon::{
    AnyFuture, AsyncGenerator, Callback, Error, LoopRef, WeakCallback, WeakFuture, helpers as hp,
};

use super::failure::named;
use super::program::Program;
use super::sockets::Sockets;
use super::speaker::Speaker;
use super::statement::Block;
use super::trace::Trace;
use super::value::{Value, state};
use super::vars::{Name, Vars};

/// From then on every statement raises `FUEL`.
const MAX_STATEMENTS: usize = 1_000;

/// The handling that an interrupt meets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Armed {
    /// Its default action.
    No,
    /// The runner, which cancels its main.
    Runner,
    /// A handler of the program's.
    #[cfg_attr(not(feature = "signals"), expect(dead_code, reason = "a program that is not run"))]
    Program,
}

pub(crate) struct Machine {
    pub(crate) program: Program,
    pub(crate) event_loop: LoopRef,
    pub(crate) trace: Rc<Trace>,
    pub(crate) vars: Vars,
    pub(crate) armed: Cell<Armed>,
    pub(crate) sockets: Sockets,
    /// Each program's callback is made once, so that it is equal to itself.
    callbacks: RefCell<HashMap<Name, Callback>>,
    /// Those that hold a future, on which future each: it may be the same.
    transfers: RefCell<Vec<(WeakFuture, WeakCallback)>>,
    /// The number of instances so far of each coroutine and generator.
    instances: RefCell<HashMap<Name, usize>>,
    statements: Cell<usize>,
}

impl Machine {
    pub(crate) fn new(program: Program, event_loop: LoopRef, trace: Rc<Trace>) -> Rc<Machine> {
        Rc::new(Machine {
            program,
            event_loop,
            trace,
            vars: Vars::default(),
            armed: Cell::new(Armed::No),
            sockets: Sockets::default(),
            callbacks: RefCell::default(),
            transfers: RefCell::default(),
            instances: RefCell::default(),
            statements: Cell::new(0),
        })
    }

    /// Counts a statement that is about to run.
    pub(crate) fn burn(&self) -> Result<(), Error> {
        self.statements.set(self.statements.get() + 1);
        if self.statements.get() > MAX_STATEMENTS { Err(named("FUEL")) } else { Ok(()) }
    }

    /// Counts one more instance.
    pub(crate) fn count(&self, name: &Name) -> usize {
        let mut instances = self.instances.borrow_mut();
        let count = instances.entry(name.clone()).or_default();
        *count += 1;
        *count
    }

    /// The label of one more instance.
    fn label(&self, name: &Name) -> Name {
        format!("{name}#{}", self.count(name)).into()
    }

    /// A done callback by its name; one that the program doesn't define has no statements.
    pub(crate) fn callback(self: &Rc<Machine>, name: &Name) -> Callback {
        match &**name {
            "reporter" => return hp::reporter(),
            "silent_reporter" => return hp::silent_reporter(),
            _ => {}
        }
        if let Some(callback) = self.callbacks.borrow().get(name) {
            return callback.clone();
        }
        let me = Speaker::new(self.clone(), name.clone());
        let body = self.program.callbacks.get(name).cloned().unwrap_or_default();
        let callback = Callback::new(move |future: &dyn AnyFuture| {
            me.say(state(future));
            me.run_callback(&body)
        });
        self.callbacks.borrow_mut().insert(name.clone(), callback.clone());
        callback
    }

    /// Returns the function that `call_soon` and `call_later` take.
    pub(crate) fn scheduled(
        self: &Rc<Machine>,
        name: &Name,
    ) -> Result<impl FnOnce() -> callsoon::Result<()> + use<>, Error> {
        let body = self.callback_body(name)?;
        let me = Speaker::new(self.clone(), name.clone());
        Ok(move || {
            me.say("called");
            me.run_callback(&body)
        })
    }

    pub(crate) fn callback_body(&self, name: &str) -> Result<Block, Error> {
        self.program.callbacks.get(name).cloned().ok_or_else(|| named("KeyError"))
    }

    /// Adds a callback that holds a future.
    pub(crate) fn add_transfer(&self, from: &dyn AnyFuture, callback: Callback) {
        self.transfers.borrow_mut().push((from.downgrade(), callback.downgrade()));
        from.add_callback(callback);
    }

    /// Drops what may hold the machine, and futures that hold themselves by a callback
    /// which will never be called, after the run.
    pub(crate) fn clear(&self) {
        for (from, callback) in self.transfers.take() {
            if let (Some(from), Some(callback)) = (from.upgrade(), callback.upgrade()) {
                from.remove_done_callback(&callback);
            }
        }
        self.sockets.clear();
        self.vars.clear();
        drop(self.callbacks.take());
    }
}

impl Speaker {
    /// A new instance of a coroutine, to run on its own: as a task. Its label is taken when it
    /// is made, not when it starts.
    pub(crate) fn coroutine(
        &self,
        name: &Name,
    ) -> impl Future<Output = callsoon::Result<Value>> + use<> {
        self.alone(self.label(name)).run_coroutine(self.program.coros.get(name).cloned())
    }

    /// A new instance of a coroutine that this one awaits.
    pub(crate) fn called(
        &self,
        name: &Name,
    ) -> impl Future<Output = callsoon::Result<Value>> + use<> {
        self.inner(self.label(name)).run_coroutine(self.program.coros.get(name).cloned())
    }

    /// A new instance of an async generator, which this one drives.
    pub(crate) fn generator(&self, name: &Name) -> Result<AsyncGenerator<Value, Value>, Error> {
        self.inner(self.label(name)).into_generator(name)
    }

    /// A new instance of an async generator that a task of its own drives.
    pub(crate) fn alone_generator(
        &self,
        name: &Name,
    ) -> Result<AsyncGenerator<Value, Value>, Error> {
        self.alone(self.label(name)).into_generator(name)
    }

    fn into_generator(self, name: &Name) -> Result<AsyncGenerator<Value, Value>, Error> {
        let body = self.program.gens.get(name).cloned().ok_or_else(|| named("KeyError"))?;
        Ok(AsyncGenerator::new(async move |yielder| self.giving(yielder).run_generator(body).await))
    }
}
