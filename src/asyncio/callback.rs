//! [`Callback`]: a done callback with an identity that can be compared.

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use core::any::{TypeId, type_name};
use core::fmt;
use core::mem::needs_drop;

use super::future_like::{AnyFuture, FutureId};
use crate::error::Result;
use crate::event_loop::CallbackOutput;

/// What a future calls when it is done: a closure that is given the future.
///
/// Python compares callbacks when it removes them, and so does Rust here, as far as that can
/// be: a function, or a closure that captures nothing, equals itself wherever it is made into
/// a callback; any other closure equals the clones of the `Callback` that was made of it.
///
/// ```
/// use callsoon::{AnyFuture, Callback};
///
/// fn on_done(fut: &dyn AnyFuture) { println!("{} is done", fut.name()) }
///
/// assert_eq!(Callback::new(on_done), Callback::new(on_done));
/// let count = 3;
/// let closure = move |_: &dyn AnyFuture| println!("{count}");
/// let callback = Callback::new(closure);
/// assert_eq!(callback, callback.clone());
/// assert_ne!(callback, Callback::new(closure));
/// ```
#[derive(Clone)]
pub struct Callback(Function);

/// A function that captures nothing is the same wherever it stands, and needs no block of its own.
#[derive(Clone)]
enum Function {
    Plain(&'static dyn DoneFn),
    Shared(Rc<dyn DoneFn>),
}

impl Function {
    fn get(&self) -> &dyn DoneFn {
        match self {
            Function::Plain(function) => *function,
            Function::Shared(function) => &**function,
        }
    }
}

trait DoneFn {
    fn call(&self, future: &dyn AnyFuture) -> Result<()>;
    /// The type, where it says all.
    fn identity(&self) -> Option<TypeId>;
    fn name(&self) -> &'static str;
    /// Whom it passes the news on to.
    fn tells(&self) -> Option<FutureId> {
        None
    }
}

struct Done<F>(F);

impl<F: Fn(&dyn AnyFuture) -> R + 'static, R: CallbackOutput> DoneFn for Done<F> {
    fn call(&self, future: &dyn AnyFuture) -> Result<()> {
        (self.0)(future).into_result()
    }

    fn identity(&self) -> Option<TypeId> {
        (size_of::<F>() == 0).then(TypeId::of::<F>)
    }

    fn name(&self) -> &'static str {
        type_name::<F>()
    }
}

impl<F> Done<F> {
    /// Whether there is nothing to keep of it, nor to drop.
    const fn is_plain(&self) -> bool {
        size_of::<F>() == 0 && !needs_drop::<F>()
    }
}

/// A callback that passes the news on to a future, or a task.
struct Telling<F> {
    whom: FutureId,
    done: Done<F>,
}

impl<F: Fn(&dyn AnyFuture) -> R + 'static, R: CallbackOutput> DoneFn for Telling<F> {
    fn call(&self, future: &dyn AnyFuture) -> Result<()> {
        self.done.call(future)
    }

    fn identity(&self) -> Option<TypeId> {
        None
    }

    fn name(&self) -> &'static str {
        self.done.name()
    }

    fn tells(&self) -> Option<FutureId> {
        Some(self.whom)
    }
}

impl Callback {
    /// A callback that calls `function` with the future that is done. An error that it
    /// returns, or a panic in it, goes to the loop's exception handler.
    pub fn new<R: CallbackOutput + 'static>(
        function: impl Fn(&dyn AnyFuture) -> R + 'static,
    ) -> Callback {
        let done = Done(function);
        Callback(if done.is_plain() {
            // A box of nothing takes no memory, so that none is lost with it.
            Function::Plain(Box::leak(Box::new(done)))
        } else {
            Function::Shared(Rc::new(done))
        })
    }

    /// As [`new`](Callback::new), for a callback by which the future or task `whom` waits for what
    /// it is added to: [`task_infos`](crate::LoopRef::task_infos) knows of it then. Nothing of
    /// `whom` is held. asyncio's `future_add_to_awaited_by`.
    pub fn telling<R: CallbackOutput + 'static>(
        whom: FutureId,
        function: impl Fn(&dyn AnyFuture) -> R + 'static,
    ) -> Callback {
        Callback(Function::Shared(Rc::new(Telling { whom, done: Done(function) })))
    }

    /// Whom it passes the news on to, as far as it says.
    pub(crate) fn tells(&self) -> Option<FutureId> {
        self.0.get().tells()
    }

    /// The same callback, as long as somebody else holds it: for what is itself held by what
    /// the callback holds. A function that captures nothing is always there.
    #[must_use]
    pub fn downgrade(&self) -> WeakCallback {
        WeakCallback(match &self.0 {
            Function::Plain(function) => WeakFunction::Plain(*function),
            Function::Shared(function) => WeakFunction::Shared(Rc::downgrade(function)),
        })
    }

    pub(crate) fn call(&self, future: &dyn AnyFuture) -> Result<()> {
        self.0.get().call(future)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.0.get().name()
    }
}

/// A callback that is not kept alive: see [`Callback::downgrade`].
#[derive(Clone)]
pub struct WeakCallback(WeakFunction);

#[derive(Clone)]
enum WeakFunction {
    Plain(&'static dyn DoneFn),
    Shared(Weak<dyn DoneFn>),
}

impl WeakCallback {
    /// The callback, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Callback> {
        Some(Callback(match &self.0 {
            WeakFunction::Plain(function) => Function::Plain(*function),
            WeakFunction::Shared(function) => Function::Shared(function.upgrade()?),
        }))
    }
}

impl fmt::Debug for WeakCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(WeakCallback)")
    }
}

impl<F: Fn(&dyn AnyFuture) -> R + 'static, R: CallbackOutput + 'static> From<F> for Callback {
    fn from(function: F) -> Callback {
        Callback::new(function)
    }
}

impl From<&Callback> for Callback {
    fn from(callback: &Callback) -> Callback {
        callback.clone()
    }
}

impl PartialEq for Callback {
    fn eq(&self, other: &Callback) -> bool {
        match (&self.0, &other.0) {
            // The address alone: two vtables may stand for one type.
            (Function::Shared(own), Function::Shared(other))
                if core::ptr::addr_eq(Rc::as_ptr(own), Rc::as_ptr(other)) =>
            {
                true
            }
            // One type is the one or the other.
            (Function::Plain(_), Function::Shared(_))
            | (Function::Shared(_), Function::Plain(_)) => false,
            (own, other) => {
                let own = own.get().identity();
                own.is_some() && own == other.get().identity()
            }
        }
    }
}

impl Eq for Callback {}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Callback {}>", self.name())
    }
}
