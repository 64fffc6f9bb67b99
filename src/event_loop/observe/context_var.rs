//! [`ContextVar`]: a variable that has a value of its own in each [`Context`].

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::Any;
use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::context::{Context, is_used_here, note_used};
use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::loop_ref::LoopRef;
use crate::event_loop::running::running_loop;

/// The number that the next variable is given.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// A variable with a value of its own in each task and callback: Python's `contextvars.ContextVar`.
///
/// It is mostly a static. The value that a task reads is the one that it has set last, or else the
/// one that the variable had where the task was made; see [`Context`]. Values stay on their
/// thread: another thread, and so the function that [`to_thread`](crate::to_thread) runs, has a
/// context of its own.
///
/// ```
/// use callsoon::ContextVar;
///
/// static REQUEST: ContextVar<u64> = ContextVar::new("request");
/// static DEPTH: ContextVar<u32> = ContextVar::with_default("depth", || 0);
///
/// assert!(REQUEST.get().is_err());
/// assert_eq!(REQUEST.get_or(7), 7);
/// let before = REQUEST.set(1);
/// assert_eq!(REQUEST.get()?, 1);
/// REQUEST.reset(before)?;
/// assert!(REQUEST.get().is_err());
/// assert_eq!(DEPTH.get()?, 0);
/// # Ok::<(), callsoon::Error>(())
/// ```
pub struct ContextVar<T> {
    name: &'static str,
    default: Option<fn() -> T>,
    /// Zero until it is first used.
    number: AtomicUsize,
}

impl<T: Clone + 'static> ContextVar<T> {
    /// A variable without a default. `name` is for messages only.
    #[must_use]
    pub const fn new(name: &'static str) -> ContextVar<T> {
        ContextVar { name, default: None, number: AtomicUsize::new(0) }
    }

    /// A variable that reads as what `default` returns wherever it was not set.
    #[must_use]
    pub const fn with_default(name: &'static str, default: fn() -> T) -> ContextVar<T> {
        ContextVar { name, default: Some(default), number: AtomicUsize::new(0) }
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The value in the context of the code that calls this, or the default.
    ///
    /// # Errors
    ///
    /// [`Lookup`](ErrorKind::Lookup) where it has neither.
    pub fn get(&self) -> Result<T> {
        let value = self.find().or_else(|| self.default.map(|default| default()));
        value.ok_or_else(|| Error::new(ErrorKind::Lookup, format!("{self:?} has no value")))
    }

    /// The value in the context of the code that calls this, or `default`: Python's
    /// `get(default)`, which passes the variable's own default over, too.
    #[must_use]
    pub fn get_or(&self, default: T) -> T {
        self.find().unwrap_or(default)
    }

    fn find(&self) -> Option<T> {
        Context::current()?.get(self)
    }

    /// Sets the value in the context of the code that calls this. The token takes that back, by
    /// [`reset`](ContextVar::reset); it may be dropped.
    pub fn set(&self, value: T) -> Token<T> {
        let context = current_to_change();
        let before = context.replace(self.number(), self.name, Some(Rc::new(value)));
        Token { variable: self.number(), context, before, value: PhantomData }
    }

    /// Gives the variable the value back that it had before the [`set`](ContextVar::set) that
    /// returned `token`, or none.
    ///
    /// # Errors
    ///
    /// [`Value`](ErrorKind::Value) for a token of another variable, and in another context than
    /// that of the `set`.
    pub fn reset(&self, token: Token<T>) -> Result<()> {
        if token.variable != self.number() {
            return Err(refused(format!("{token:?} was created by a different ContextVar")));
        }
        if !Context::current().is_some_and(|current| current.ptr_eq(&token.context)) {
            return Err(refused(format!("{token:?} was created in a different Context")));
        }
        let removed = token.context.replace(token.variable, self.name, token.before);
        drop(removed);
        Ok(())
    }

    /// The number by which contexts know it.
    fn number(&self) -> usize {
        let number = self.number.load(Ordering::Relaxed);
        if number != 0 {
            return number;
        }
        let new = NEXT.fetch_add(1, Ordering::Relaxed);
        // Another thread may have been first.
        match self.number.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => new,
            Err(first) => first,
        }
    }
}

impl<T> fmt::Debug for ContextVar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<ContextVar {}>", self.name)
    }
}

impl Context {
    /// The value that `variable` was set to in this context; its default doesn't count.
    #[must_use]
    pub fn get<T: Clone + 'static>(&self, variable: &ContextVar<T>) -> Option<T> {
        self.value(variable.number())?.downcast_ref().cloned()
    }

    /// Returns true if `variable` was set in this context: Python's `variable in context`.
    #[must_use]
    pub fn contains<T: Clone + 'static>(&self, variable: &ContextVar<T>) -> bool {
        self.value(variable.number()).is_some()
    }
}

/// A change that [`ContextVar::set`] has made, for [`reset`](ContextVar::reset): Python's
/// `contextvars.Token`.
pub struct Token<T> {
    variable: usize,
    context: Context,
    before: Option<Rc<dyn Any>>,
    value: PhantomData<T>,
}

impl<T: Clone + 'static> Token<T> {
    /// The value before, or `None` where the variable had none.
    #[must_use]
    pub fn old_value(&self) -> Option<T> {
        self.before.as_deref()?.downcast_ref().cloned()
    }
}

impl<T> fmt::Debug for Token<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<Token>")
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Value, message)
}

/// The context of the code that runs on this thread, made if it has none yet.
fn current_to_change() -> Context {
    let current = Context::current();
    if is_used_here() {
        if let Some(current) = current {
            return current;
        }
    }
    let on = running_loop().ok();
    use_contexts(on.as_ref());
    if let Some(current) = current {
        return current;
    }
    // A loop that was not observed has entered no context for the step that goes on.
    let own = on.as_ref().and_then(|on| on.with_tasks(|tasks| tasks.step_context()).flatten());
    let context = own.unwrap_or_default();
    context.become_current();
    context
}

/// Has the loop `on`, which runs here, run each entry in a context of its own from now on.
pub(crate) fn use_contexts(on: Option<&LoopRef>) {
    note_used();
    if let Some(on) = on {
        on.observe_contexts();
    }
}
