//! [`Vars`]: a program's one table of names.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;

use callsoon::{AnyFuture, AnyTask, AsyncGenerator, Error, FutureLike, LoopFuture, Task};

use super::failure::named;
use super::groups::Gathered;
use super::value::Value;

/// A name in a program.
pub(crate) type Name = Rc<str>;

/// A future that awaits the object a name stands for.
pub(crate) type Waited = Pin<Box<dyn Future<Output = Result<Value, Error>>>>;

/// The object that a name stands for.
#[derive(Clone)]
enum Thing {
    Future(Rc<dyn FutureLike<Value>>),
    Gathered(Rc<dyn Gathered>),
    Other(Rc<dyn Any>),
    /// It was dropped.
    Gone,
}

#[derive(Default)]
pub(crate) struct Vars {
    table: RefCell<Table>,
    /// The first operation met that Python allows, and that types don't allow here.
    unsupported: RefCell<Option<String>>,
}

#[derive(Default)]
struct Table {
    /// In the order in which the names first came up, which is the order of the end's report.
    things: Vec<(Name, Thing)>,
    places: HashMap<Name, usize>,
    /// The former objects of names. Nothing that had a name is dropped while a program runs: the effects of
    /// a drop are part of the language where it says so, as for `drop` and `forget`.
    kept: Vec<Thing>,
}

impl Vars {
    /// Notes that the program can't be run here, and returns an error that ends it.
    pub(crate) fn unsupported(&self, op: &str) -> Error {
        self.unsupported.borrow_mut().get_or_insert_with(|| op.to_owned());
        named("UNSUPPORTED")
    }

    /// The first statement that can't be run here, if the program met one.
    pub(crate) fn is_unsupported(&self) -> Option<String> {
        self.unsupported.borrow().clone()
    }

    pub(crate) fn gathered(&self, name: &str) -> Option<Rc<dyn Gathered>> {
        match self.thing(name) {
            Ok(Thing::Gathered(gathered)) => Some(gathered),
            _ => None,
        }
    }

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
        let table = &mut *self.table.borrow_mut();
        if let Some(&place) = table.places.get(name) {
            table.kept.push(std::mem::replace(&mut table.things[place].1, thing));
        } else {
            table.places.insert(name.clone(), table.things.len());
            table.things.push((name.clone(), thing));
        }
    }

    fn thing(&self, name: &str) -> Result<Thing, Error> {
        let table = self.table.borrow();
        match table.places.get(name).map(|place| table.things[*place].1.clone()) {
            Some(Thing::Gone) | None => Err(named("KeyError")),
            Some(thing) => Ok(thing),
        }
    }

    /// Drops a generator, which may schedule its closing.
    pub(crate) fn remove(&self, name: &Name) -> Result<(), Error> {
        self.get::<AsyncGenerator<Value, Value>>(name)?;
        let table = &mut *self.table.borrow_mut();
        let place = table.places[name];
        let gone = std::mem::replace(&mut table.things[place].1, Thing::Gone);
        drop(gone);
        Ok(())
    }

    /// Anything that can be awaited.
    pub(crate) fn awaitable(&self, name: &str) -> Result<Rc<dyn FutureLike<Value>>, Error> {
        match self.thing(name)? {
            Thing::Future(future) => Ok(future),
            Thing::Gathered(_) => Err(self.unsupported("gathering")),
            Thing::Other(_) | Thing::Gone => Err(named("TypeError")),
        }
    }

    /// Returns a future that awaits the named object, if that can be awaited.
    pub(crate) fn wait(&self, name: &str) -> Result<Waited, Error> {
        match self.thing(name)? {
            Thing::Future(future) => Ok(Box::pin(future.wait())),
            Thing::Gathered(gathered) => Ok(gathered.wait()),
            Thing::Other(_) | Thing::Gone => Err(named("TypeError")),
        }
    }

    /// Anything with a future's methods, whatever its results.
    pub(crate) fn any(&self, name: &str) -> Result<Rc<dyn AnyFuture>, Error> {
        match self.thing(name)? {
            Thing::Future(future) => Ok(future.to_any()),
            Thing::Gathered(gathered) => Ok(gathered.to_any()),
            Thing::Other(other) => match other.downcast::<AnyTask>() {
                Ok(main) => Ok(main.to_any()),
                Err(_) => Err(named("AttributeError")),
            },
            Thing::Gone => Err(named("AttributeError")),
        }
    }

    /// Anything with a future's methods, that can be given a result.
    pub(crate) fn future(&self, name: &str) -> Result<Rc<dyn FutureLike<Value>>, Error> {
        match self.thing(name)? {
            Thing::Future(future) => Ok(future),
            Thing::Gathered(_) => Err(self.unsupported("gathering")),
            Thing::Other(_) | Thing::Gone => Err(named("AttributeError")),
        }
    }

    /// Cancels with a message what can be, and says whether it accepted.
    pub(crate) fn cancel_with(&self, name: &str, message: &str) -> Result<bool, Error> {
        let future = match self.thing(name)? {
            Thing::Future(future) => future,
            Thing::Gathered(gathered) => return Ok(gathered.cancel_with(message)),
            Thing::Other(_) | Thing::Gone => return Err(named("AttributeError")),
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
        if self.gathered(name).is_some() {
            return Err(named("AttributeError"));
        }
        let future = self.future(name)?;
        let task = future.as_any().downcast_ref::<Task<Value>>();
        task.cloned().ok_or_else(|| named("AttributeError"))
    }

    /// A thing that is no future.
    pub(crate) fn get<T: 'static>(&self, name: &str) -> Result<Rc<T>, Error> {
        match self.thing(name)? {
            Thing::Other(other) => other.downcast().map_err(|_| named("AttributeError")),
            Thing::Future(_) | Thing::Gathered(_) | Thing::Gone => Err(named("AttributeError")),
        }
    }

    /// All that are futures, in the order in which their names first came up.
    pub(crate) fn futures(&self) -> Vec<(Name, Rc<dyn AnyFuture>)> {
        let table = self.table.borrow();
        let futures = table.things.iter().filter_map(|(name, thing)| match thing {
            Thing::Future(future) => Some((name.clone(), future.to_any())),
            Thing::Gathered(gathered) => Some((name.clone(), gathered.to_any())),
            Thing::Other(_) | Thing::Gone => None,
        });
        futures.collect()
    }

    /// Drops everything, after the run: what the table holds may hold the table.
    pub(crate) fn clear(&self) {
        drop(self.table.take());
    }
}
