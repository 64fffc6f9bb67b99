//! [`Vars`]: a program's one table of names.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;

use callsoon::{AnyFuture, Error, FutureLike, LoopFuture, Task};

use super::failure::named;
use super::groups::Gathered;
use super::value::Value;

/// A name in a program.
pub(crate) type Name = Rc<str>;

/// What awaits whatever a name stands for.
pub(crate) type Waited = Pin<Box<dyn Future<Output = Result<Value, Error>>>>;

/// What a name stands for.
#[derive(Clone)]
enum Thing {
    Future(Rc<dyn FutureLike<Value>>),
    Gathered(Rc<dyn Gathered>),
    Other(Rc<dyn Any>),
}

#[derive(Default)]
pub(crate) struct Vars(RefCell<Table>);

#[derive(Default)]
struct Table {
    /// In the order in which the names first came up, which is the order of the end's report.
    things: Vec<(Name, Thing)>,
    places: HashMap<Name, usize>,
    /// What was under a name before: nothing is dropped while a program runs, for what a drop
    /// does (an exception nobody read, a generator left half way) is not the language's matter.
    kept: Vec<Thing>,
}

impl Vars {
    pub(crate) fn put_future(&self, name: &Name, future: &dyn FutureLike<Value>) {
        self.put_thing(name, Thing::Future(future.to_future_like()));
    }

    pub(crate) fn put_gathered(&self, name: &Name, gathered: Rc<dyn Gathered>) {
        self.put_thing(name, Thing::Gathered(gathered));
    }

    pub(crate) fn put<T: 'static>(&self, name: &Name, other: T) {
        self.put_thing(name, Thing::Other(Rc::new(other)));
    }

    fn put_thing(&self, name: &Name, thing: Thing) {
        let table = &mut *self.0.borrow_mut();
        if let Some(&place) = table.places.get(name) {
            table.kept.push(std::mem::replace(&mut table.things[place].1, thing));
        } else {
            table.places.insert(name.clone(), table.things.len());
            table.things.push((name.clone(), thing));
        }
    }

    fn thing(&self, name: &str) -> Result<Thing, Error> {
        let table = self.0.borrow();
        let place = table.places.get(name).ok_or_else(|| named("KeyError"))?;
        Ok(table.things[*place].1.clone())
    }

    /// Anything that can be awaited.
    pub(crate) fn awaitable(&self, name: &str) -> Result<Rc<dyn FutureLike<Value>>, Error> {
        match self.thing(name)? {
            Thing::Future(future) => Ok(future),
            Thing::Gathered(_) | Thing::Other(_) => Err(named("TypeError")),
        }
    }

    /// What awaits anything that can be awaited.
    pub(crate) fn wait(&self, name: &str) -> Result<Waited, Error> {
        match self.thing(name)? {
            Thing::Future(future) => Ok(Box::pin(future.wait())),
            Thing::Gathered(gathered) => Ok(gathered.wait()),
            Thing::Other(_) => Err(named("TypeError")),
        }
    }

    /// Anything with a future's methods, whatever its results.
    pub(crate) fn any(&self, name: &str) -> Result<Rc<dyn AnyFuture>, Error> {
        match self.thing(name)? {
            Thing::Future(future) => Ok(future.to_any()),
            Thing::Gathered(gathered) => Ok(gathered.to_any()),
            Thing::Other(_) => Err(named("AttributeError")),
        }
    }

    /// Anything with a future's methods, that can be given a result.
    pub(crate) fn future(&self, name: &str) -> Result<Rc<dyn FutureLike<Value>>, Error> {
        match self.thing(name)? {
            Thing::Future(future) => Ok(future),
            Thing::Gathered(_) | Thing::Other(_) => Err(named("AttributeError")),
        }
    }

    /// Cancels with a message what can be, and says whether it accepted.
    pub(crate) fn cancel_with(&self, name: &str, message: &str) -> Result<bool, Error> {
        let future = match self.thing(name)? {
            Thing::Future(future) => future,
            Thing::Gathered(gathered) => return Ok(gathered.cancel_with(message)),
            Thing::Other(_) => return Err(named("AttributeError")),
        };
        let any = future.as_any();
        if let Some(future) = any.downcast_ref::<LoopFuture<Value>>() {
            return Ok(future.cancel_with(message));
        }
        match any.downcast_ref::<Task<Value>>() {
            Some(task) => Ok(task.cancel_with(message)),
            None => Err(named("TypeError")),
        }
    }

    pub(crate) fn task(&self, name: &str) -> Result<Task<Value>, Error> {
        let future = self.future(name)?;
        let task = future.as_any().downcast_ref::<Task<Value>>();
        task.cloned().ok_or_else(|| named("AttributeError"))
    }

    /// A thing that is no future.
    pub(crate) fn get<T: 'static>(&self, name: &str) -> Result<Rc<T>, Error> {
        match self.thing(name)? {
            Thing::Other(other) => other.downcast().map_err(|_| named("AttributeError")),
            Thing::Future(_) | Thing::Gathered(_) => Err(named("AttributeError")),
        }
    }

    /// All that are futures, in the order in which their names first came up.
    pub(crate) fn futures(&self) -> Vec<(Name, Rc<dyn AnyFuture>)> {
        let table = self.0.borrow();
        let futures = table.things.iter().filter_map(|(name, thing)| match thing {
            Thing::Future(future) => Some((name.clone(), future.to_any())),
            Thing::Gathered(gathered) => Some((name.clone(), gathered.to_any())),
            Thing::Other(_) => None,
        });
        futures.collect()
    }

    /// Drops everything, after the run: what the table holds may hold the table.
    pub(crate) fn clear(&self) {
        drop(self.0.take());
    }
}
