//! [`Context`]: the values that context variables have in a task or a callback.
//!
//! A loop pays for contexts once a variable was set on its thread: from then on it is observed, and
//! each entry runs in a context of its own. A task keeps its context with what few tasks have; a
//! callback that is made where variables have values captures a copy of them.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::sync::thread_own;

// The context of the code that runs on this thread, once it has set a variable.
thread_own! {
    static CURRENT: RefCell<Option<Context>> = RefCell::new(None);
}

// True once a variable was set on this thread.
thread_own! {
    static USED: Cell<bool> = Cell::new(false);
}

/// True once a variable was set on any thread: a look at this is all that making a task or a
/// callback costs otherwise.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// The values of context variables: Python's `contextvars.Context`.
///
/// Each task has one, a copy of the context in which it was made; so do callbacks, which are run in
/// a copy of the context in which they were scheduled or added. A variable that a task sets keeps its
/// value over the task's awaits, and no other task sees it.
///
/// Clones are the same context; [`copy`](Context::copy) makes another.
///
/// ```
/// use callsoon::{ContextVar, copy_context, create_task, run};
///
/// static USER: ContextVar<&str> = ContextVar::new("user");
///
/// run(async {
///     USER.set("ada");
///     let task = create_task(async {
///         let before = USER.get()?;
///         USER.set("grace"); // in the task's own context
///         Ok(before)
///     });
///     assert_eq!(task.await?, "ada");
///     assert_eq!(USER.get()?, "ada");
///
///     let context = copy_context();
///     context.run(|| USER.set("edsger"));
///     assert_eq!(context.get(&USER), Some("edsger"));
///     assert_eq!(USER.get()?, "ada");
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone)]
pub struct Context(Rc<Inner>);

struct Inner {
    values: RefCell<Rc<Vec<Value>>>,
    /// True while code runs in it.
    entered: Cell<bool>,
}

/// The value of one variable.
#[derive(Clone)]
struct Value {
    variable: usize,
    name: &'static str,
    value: Rc<dyn Any>,
}

/// Returns a copy of the context of the code that calls this: `contextvars.copy_context`.
#[must_use]
pub fn copy_context() -> Context {
    Context::current().map_or_else(Context::new, |current| current.copy())
}

impl Context {
    /// A context in which no variable has a value.
    #[must_use]
    pub fn new() -> Context {
        Context::of(Rc::default())
    }

    fn of(values: Rc<Vec<Value>>) -> Context {
        Context(Rc::new(Inner { values: RefCell::new(values), entered: Cell::new(false) }))
    }

    /// Another context with the same values, which takes the same time whatever their number.
    #[must_use]
    pub fn copy(&self) -> Context {
        Context::of(self.0.values.borrow().clone())
    }

    /// Calls `body` in this context: what it sets stays here, also after it has returned.
    ///
    /// # Panics
    ///
    /// Where code runs in this context already, as that of a task does in the task's own: Python's
    /// `RuntimeError`. Take a [`copy`](Context::copy) there.
    #[track_caller]
    pub fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        assert!(!self.0.entered.get(), "cannot enter context: {self:?} is already entered");
        let _entered = Entered::new(Some(self.clone()));
        body()
    }

    /// The number of variables that have a value in it, defaults not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values.borrow().len()
    }

    /// Returns true if no variable has a value in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if both are the same context.
    #[must_use]
    pub fn ptr_eq(&self, other: &Context) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// The context of the code that runs on this thread, if it has one yet.
    pub(crate) fn current() -> Option<Context> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// Makes this the context of the code that runs on this thread, until the entry that runs ends.
    pub(crate) fn become_current(&self) {
        drop(replace_current(Some(self.clone())));
    }

    /// A callback that runs in this context, as does the handler of its error.
    pub(crate) fn bind<R>(self, callback: impl FnOnce() -> R) -> impl FnOnce() -> R {
        move || {
            self.become_current();
            callback()
        }
    }

    /// Like [`bind`](Context::bind), for a callback that runs several times.
    pub(crate) fn bind_mut<R>(self, mut callback: impl FnMut() -> R) -> impl FnMut() -> R {
        move || {
            self.become_current();
            callback()
        }
    }

    pub(crate) fn value(&self, variable: usize) -> Option<Rc<dyn Any>> {
        let values = self.0.values.borrow();
        let place = values.binary_search_by_key(&variable, |value| value.variable).ok()?;
        Some(values[place].value.clone())
    }

    /// Sets or removes a value. Returns the one before, to be dropped where nothing is borrowed.
    pub(crate) fn replace(
        &self,
        variable: usize,
        name: &'static str,
        value: Option<Rc<dyn Any>>,
    ) -> Option<Rc<dyn Any>> {
        let mut values = self.0.values.borrow_mut();
        // A copy of this context keeps the values that it has.
        let values = Rc::make_mut(&mut values);
        let place = values.binary_search_by_key(&variable, |value| value.variable);
        match (place, value) {
            (Ok(place), Some(value)) => Some(core::mem::replace(&mut values[place].value, value)),
            (Ok(place), None) => Some(values.remove(place).value),
            (Err(place), Some(value)) => {
                values.insert(place, Value { variable, name, value });
                None
            }
            (Err(_), None) => None,
        }
    }
}

impl Default for Context {
    fn default() -> Context {
        Context::new()
    }
}

/// Shows the names of the variables that have a value.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<Context ")?;
        f.debug_set().entries(self.0.values.borrow().iter().map(|value| value.name)).finish()?;
        f.write_str(">")
    }
}

fn replace_current(context: Option<Context>) -> Option<Context> {
    // Without this thread's locals there is no context.
    CURRENT.try_with(|current| current.replace(context)).ok().flatten()
}

/// While it lives, the code on this thread runs in another context; of `None`, in a new one that is
/// made when it sets a variable first.
pub(crate) struct Entered {
    outside: Option<Context>,
    /// The context that was entered, unless code ran in it before.
    entered: Option<Context>,
}

impl Entered {
    pub(crate) fn new(context: Option<Context>) -> Entered {
        let entered = context.clone().filter(|context| !context.0.entered.replace(true));
        Entered { outside: replace_current(context), entered }
    }

    /// Enters the context of an entry of a loop. Behind the entry there is none, also where one was left
    /// by an entry before, which was not observed yet when it set the first variable.
    pub(crate) fn of_entry(context: Option<Context>) -> Entered {
        let mut entered = Entered::new(context);
        drop(entered.outside.take());
        entered
    }

    /// Enters a context for a report, where contexts are used.
    pub(crate) fn of_report(context: impl FnOnce() -> Context) -> Option<Entered> {
        is_used_here().then(|| Entered::new(Some(context())))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(context) = &self.entered {
            context.0.entered.set(false);
        }
        // This may be the last to hold a value of the program's.
        let inside = replace_current(self.outside.take());
        drop(inside);
    }
}

/// Notes that contexts are used on this thread.
pub(crate) fn note_used() {
    let _ = USED.try_with(|used| used.set(true));
    IN_USE.store(true, Ordering::Relaxed);
}

/// Returns true if contexts are used on this thread.
pub(crate) fn is_used_here() -> bool {
    is_used() && USED.try_with(Cell::get) == Ok(true)
}

/// Returns true if contexts are used on any thread.
#[inline(always)]
pub(crate) fn is_used() -> bool {
    IN_USE.load(Ordering::Relaxed)
}

/// A copy of the context of the code that runs on this thread, where that has values.
#[inline(always)]
pub(crate) fn captured() -> Option<Context> {
    if is_used() { capture() } else { None }
}

#[cold]
fn capture() -> Option<Context> {
    Context::current().filter(|current| !current.is_empty()).map(|current| current.copy())
}
