//! [`AnyFuture`]: the common methods of futures, tasks and the helpers' futures of any value type; and
//! their arguments, [`Callback`] and [`Watcher`].

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::{Any, TypeId};
use core::cell::Cell;
use core::fmt;
use core::num::NonZeroUsize;
use core::ptr::NonNull;

use super::header::ErasedFuture;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;
use crate::flat_drops::Flat;

/// The identity of a future: Python's `id(fut)`. It is unique among the futures that are alive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FutureId(NonZeroUsize);

impl FutureId {
    /// The identity of the future-like thing that the handles `shared` share.
    pub(crate) fn of<N: ?Sized>(shared: &Rc<N>) -> FutureId {
        FutureId::at(Rc::as_ptr(shared).cast())
    }

    /// Returns true if it is less than `other`, and their futures are so near to each other that they
    /// are likely to be in one piece of memory.
    pub(crate) fn is_just_before(self, other: FutureId) -> bool {
        // Less than a page of blocks, so that what is near doesn't lead across a page that others are in.
        const NEAR: usize = 8 * 1024;
        other.0.get().wrapping_sub(self.0.get()).wrapping_sub(1) < NEAR
    }

    /// The identity of what stands at `address`, which is not null.
    pub(crate) fn at(address: *const ()) -> FutureId {
        FutureId(NonZeroUsize::new(address as usize).unwrap_or(NonZeroUsize::MIN))
    }
}

/// The common methods of futures, tasks and helpers' futures, for any value type. Callbacks take this
/// type, and so do functions that wait for futures of several types.
///
/// A program's own type implements it by three methods: it stands on another future, its
/// [`base`](AnyFuture::base), and each other method does what the base does unless it is written anew.
///
/// ```
/// use std::{any::Any, rc::Rc};
/// use callsoon::{AnyFuture, LoopFuture, run, running_loop, wait, ReturnWhen};
///
/// #[derive(Clone, Debug)]
/// struct Download {
///     finished: LoopFuture<()>,
/// }
///
/// impl AnyFuture for Download {
///     fn base(&self) -> &dyn AnyFuture { &self.finished }
///     fn to_any(&self) -> Rc<dyn AnyFuture> { Rc::new(self.clone()) }
///     fn as_any(&self) -> &dyn Any { self }
/// }
///
/// run(async {
///     let download = Download { finished: running_loop()?.create_future() };
///     download.finished.set_result(())?;
///     wait([&download], None, ReturnWhen::AllCompleted).await?;
///     assert!(download.done());
///     Ok(())
/// }).unwrap();
/// ```
pub trait AnyFuture: fmt::Debug {
    /// Returns the future that it stands on. A type that stands on none returns itself, and writes every
    /// other method.
    fn base(&self) -> &dyn AnyFuture;

    /// Returns true if it has a result or an exception, or was cancelled.
    fn done(&self) -> bool {
        self.base().done()
    }

    /// Returns true if it was cancelled.
    fn cancelled(&self) -> bool {
        self.base().cancelled()
    }

    /// Cancels it, and returns true if that was accepted; a future that is done refuses. A task
    /// that accepts is not cancelled yet: see [`Task::cancel`](crate::Task::cancel).
    fn cancel(&self) -> bool {
        self.base().cancel()
    }

    /// Returns its exception, or `None` if it has a result. Reading it keeps it from being reported
    /// as never retrieved.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) while it is pending, and the
    /// cancellation error if it was cancelled: those are raised, not returned, in Python too.
    fn exception(&self) -> Result<Option<Error>> {
        self.base().exception()
    }

    /// Returns its result without the value: an error where
    /// [`FutureLike::result`](crate::FutureLike::result) would be one.
    ///
    /// # Errors
    ///
    /// Its exception, or the cancellation error; while it is pending
    /// [`InvalidState`](crate::ErrorKind::InvalidState).
    fn outcome(&self) -> Result<()> {
        self.base().outcome()
    }

    /// Makes `error` its exception.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it is done;
    /// [`Runtime`](crate::ErrorKind::Runtime) for a task: its future alone ends it.
    fn set_exception(&self, error: Error) -> Result<()> {
        self.base().set_exception(error)
    }

    /// Checks that a result or an exception could be set now.
    ///
    /// # Errors
    ///
    /// Those that setting one would return.
    fn check_settable(&self) -> Result<()> {
        self.base().check_settable()
    }

    /// Cancels the future that this is a child of, as
    /// [`ChildOfFuture::cancel_parent`](crate::helpers::ChildOfFuture::cancel_parent) does; a
    /// future without a parent cancels itself.
    fn cancel_parent(&self) {
        self.cancel();
    }

    /// Has `callback` called when it is done, by way of the ready queue, in the order of
    /// adding; when it is done already, in the next turn. See
    /// [`LoopFuture::add_done_callback`](crate::LoopFuture::add_done_callback).
    fn add_callback(&self, callback: Callback) {
        self.base().add_callback(callback);
    }

    /// Takes out every callback that equals `callback`, and returns how many there were. Once it
    /// is done its callbacks are on their way, and none is left to take out.
    fn remove_done_callback(&self, callback: &Callback) -> usize {
        self.base().remove_done_callback(callback)
    }

    /// Returns true if a callback that equals `callback` waits for its end.
    fn has_callback(&self, callback: &Callback) -> bool {
        self.base().has_callback(callback)
    }

    /// Returns the loop that it belongs to: asyncio's `get_loop`.
    fn get_loop(&self) -> LoopRef {
        self.base().get_loop()
    }

    /// The future or task itself, where this is a handle of one. What stands on others has none.
    #[doc(hidden)]
    fn erased(&self) -> Option<&ErasedFuture> {
        None
    }

    /// The same thing as a child of another, where it is one.
    #[doc(hidden)]
    fn as_child(&self) -> Option<&dyn Child> {
        None
    }

    /// Returns its identity, the same for all handles of one future.
    fn id(&self) -> FutureId {
        self.base().id()
    }

    /// Returns its name, empty if it has none.
    fn name(&self) -> String {
        self.base().name()
    }

    /// Returns the same future, erased and owned.
    fn to_any(&self) -> Rc<dyn AnyFuture>;

    /// Returns the same future without keeping it alive: for a callback that the future itself keeps. One
    /// that stands on another comes back as its base, unless this method is written anew.
    fn downgrade(&self) -> WeakFuture {
        self.base().downgrade()
    }

    /// Returns itself, for a callback that knows to what it was added:
    /// `as_any().downcast_ref::<LoopFuture<i32>>()`.
    fn as_any(&self) -> &dyn Any;
}

/// A future-like thing that ends with another: see
/// [`ChildOfFuture`](crate::helpers::ChildOfFuture).
pub trait Child: AnyFuture {
    /// The future of its own.
    fn own(&self) -> &dyn AnyFuture;

    /// The future that it ends with.
    fn parent(&self) -> &dyn AnyFuture;

    /// Returns true if results of `parent` are of its own type.
    fn reads(&self, parent: &dyn AnyFuture) -> bool;
}

/// A closure that a future calls when it is done, with itself as the argument.
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
pub struct Callback(pub(super) Function);

#[derive(Clone, Copy)]
pub(super) enum Function {
    /// A function that captures nothing.
    Plain(&'static CallbackTable),
    Shared(NonNull<CallbackHead>),
}

/// The beginning of a function's block.
#[repr(C)]
pub(super) struct CallbackHead {
    /// The first word: an aligned pointer, as pages ask for.
    pub(super) table: &'static CallbackTable,
    /// By the Callback Count Invariant, both.
    pub(super) strong: Cell<u32>,
    pub(super) weak: Cell<u32>,
    /// The future or task that waits by this callback, where it is known.
    pub(super) awaiter: Option<FutureId>,
    /// By the Base Invariant of `callback`.
    #[cfg(feature = "contextvars")]
    pub(super) base: Cell<Option<Function>>,
}

/// The facts of a function that its type determines. A shared function is called by its block, a
/// plain one by a dangling pointer, which it doesn't read.
pub(super) struct CallbackTable {
    pub(super) call: unsafe fn(NonNull<CallbackHead>, &dyn AnyFuture) -> Result<()>,
    /// The same for a future or task itself: what needs no `AnyFuture` has none of its methods linked.
    pub(super) call_erased: unsafe fn(NonNull<CallbackHead>, &ErasedFuture) -> Result<()>,
    pub(super) drop_function: unsafe fn(NonNull<CallbackHead>),
    pub(super) free: unsafe fn(NonNull<CallbackHead>),
    /// True if the function has anything to drop.
    pub(super) owns: bool,
    /// The type, where it says all.
    pub(super) identity: fn() -> Option<TypeId>,
    pub(super) name: fn() -> &'static str,
}

/// An observer of futures and tasks, which is called with the token that it was added with.
///
/// Done callbacks are called a turn after the end, in order with everything else; programs should use
/// them. A watcher also lets a holder of a million tasks know at any time which of them are done,
/// as if it had asked them all. [`ended`](Watcher::ended) and [`joined`](Watcher::joined) must take
/// notes and do no more: what they do to futures or the loop comes amid the work of the code that
/// ended the future, or waits for it. A panic in a watcher goes to the loop's
/// [exception handler](crate::LoopRef::set_exception_handler).
pub trait Watcher {
    /// The future has ended: called within `set_result` and its like.
    fn ended(&self, token: u64);

    /// A done callback, a task or another watcher was added behind this watcher.
    fn joined(&self, token: u64);

    /// Called as a done callback that was added to the future in the place of this watcher.
    fn called(&self, _token: u64) {}
}

/// A reference that doesn't keep its future alive: see [`AnyFuture::downgrade`].
pub struct WeakFuture(Flat<Box<dyn Fn() -> Option<Rc<dyn AnyFuture>>>>);

impl WeakFuture {
    /// A weak future that `upgrade` brings back.
    pub fn new(upgrade: impl Fn() -> Option<Rc<dyn AnyFuture>> + 'static) -> WeakFuture {
        WeakFuture(Flat::new(Box::new(upgrade)))
    }

    /// The future, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Rc<dyn AnyFuture>> {
        (self.0)()
    }
}

impl fmt::Debug for WeakFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(WeakFuture)")
    }
}

/// Methods of `$handle` that are those of `$to`, which is what stands behind it.
macro_rules! forward {
    ($handle:ident => $to:expr; $(fn $method:ident($($name:ident: $kind:ty),*) -> $out:ty;)*) => {
        $(
            #[inline]
            fn $method(&$handle, $($name: $kind),*) -> $out {
                $to.$method($($name),*)
            }
        )*
    };
}
pub(crate) use forward;

/// The methods of [`AnyFuture`] that are the same for each handle of a future.
macro_rules! any_future_by {
    ($handle:ident => $to:expr) => {
        $crate::asyncio::core::forward! { $handle => $to;
            fn done() -> bool;
            fn cancelled() -> bool;
            fn cancel() -> bool;
            fn exception() -> Result<Option<Error>>;
            fn outcome() -> Result<()>;
            fn add_callback(callback: Callback) -> ();
            fn remove_done_callback(callback: &Callback) -> usize;
            fn has_callback(callback: &Callback) -> bool;
            fn get_loop() -> LoopRef;
            fn id() -> FutureId;
        }
    };
}
pub(crate) use any_future_by;

/// Comparison of handles by the identity of their future, as Python's objects compare.
macro_rules! identity_traits {
    ([$($generics:tt)*] $handle:ty) => {
        impl<$($generics)*> PartialEq for $handle {
            fn eq(&self, other: &Self) -> bool {
                self.id() == other.id()
            }
        }

        impl<$($generics)*> Eq for $handle {}

        impl<$($generics)*> PartialOrd for $handle {
            fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl<$($generics)*> Ord for $handle {
            fn cmp(&self, other: &Self) -> core::cmp::Ordering {
                self.id().cmp(&other.id())
            }
        }

        impl<$($generics)*> core::hash::Hash for $handle {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                self.id().hash(state);
            }
        }
    };
}
pub(crate) use identity_traits;

/// A pointer to a future-like thing is one, so that lists may hold what is at hand.
macro_rules! any_future_behind {
    ($pointer:ty) => {
        impl<F: AnyFuture + ?Sized> AnyFuture for $pointer {
            any_future_by!(self => (**self));

            forward! { self => (**self);
                fn base() -> &dyn AnyFuture;
                fn set_exception(error: Error) -> Result<()>;
                fn check_settable() -> Result<()>;
                fn cancel_parent() -> ();
                fn erased() -> Option<&ErasedFuture>;
                fn as_child() -> Option<&dyn Child>;
                fn name() -> String;
                fn to_any() -> Rc<dyn AnyFuture>;
                fn downgrade() -> WeakFuture;
                fn as_any() -> &dyn Any;
            }
        }
    };
}

any_future_behind!(&F);
any_future_behind!(Rc<F>);
