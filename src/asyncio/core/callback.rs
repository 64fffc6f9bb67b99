//! [`Callback`]: a done callback with an identity that can be compared.
//!
//! A callback is one word, so that a future has room for it in the word that says what waits. It
//! points to a [`CallbackHead`] in an `Rc`, behind which stands the function; a function that
//! captures nothing needs no block, and its callback points to its table.
//!
//! **Callback Table Invariant**: a shared callback's pointer is that of an `Rc<CallbackCell<F>>`,
//! whose table is the one of `F`, and it has one of the counts of that `Rc`. A weak one has one of
//! its weak counts.
#![allow(unsafe_code)]

use alloc::rc::{Rc, Weak};
use core::any::{TypeId, type_name};
use core::fmt;
use core::mem::{self, needs_drop};
use core::ptr::NonNull;

use super::any_future::{AnyFuture, FutureId};
use crate::error::Result;
use crate::event_loop::CallbackOutput;
use crate::flat_drops::drop_on_thread;

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
pub struct Callback(Function);

#[derive(Clone, Copy)]
enum Function {
    /// A function that captures nothing.
    Plain(&'static CallbackTable),
    Shared(NonNull<CallbackHead>),
}

/// The beginning of a function's block.
struct CallbackHead {
    table: &'static CallbackTable,
    /// The future or task that waits by this callback, where it is known.
    awaiter: Option<FutureId>,
}

#[repr(C)]
struct CallbackCell<F> {
    head: CallbackHead,
    function: F,
}

/// What is known of a function by its type. A shared function is called by its block, a plain one
/// by a dangling pointer, which it doesn't read.
struct CallbackTable {
    call: unsafe fn(NonNull<CallbackHead>, &dyn AnyFuture) -> Result<()>,
    increment: unsafe fn(NonNull<CallbackHead>),
    decrement: unsafe fn(NonNull<CallbackHead>),
    downgrade: unsafe fn(NonNull<CallbackHead>),
    increment_weak: unsafe fn(NonNull<CallbackHead>),
    decrement_weak: unsafe fn(NonNull<CallbackHead>),
    /// Adds a count to a function that is still there, and says whether it is.
    upgrade: unsafe fn(NonNull<CallbackHead>) -> bool,
    /// The type, where it says all.
    identity: fn() -> Option<TypeId>,
    name: fn() -> &'static str,
}

impl<F: Fn(&dyn AnyFuture) -> R + 'static, R: CallbackOutput + 'static> CallbackCell<F> {
    /// Whether there is nothing to keep of the function, nor to drop.
    const IS_PLAIN: bool = size_of::<F>() == 0 && !needs_drop::<F>();

    const TABLE: CallbackTable = CallbackTable {
        call: |head, future| {
            if Self::IS_PLAIN {
                // SAFETY: A function of no size may be read from any pointer that is aligned, and
                // `forget` keeps it from being dropped, which would do nothing.
                let function = unsafe { NonNull::<F>::dangling().as_ref() };
                return function(future).into_result();
            }
            // SAFETY: By the Callback Table Invariant. The caller's callback keeps the block for
            // as long as the function runs.
            let cell = unsafe { head.cast::<Self>().as_ref() };
            (cell.function)(future).into_result()
        },
        // SAFETY: By the Callback Table Invariant.
        increment: |head| unsafe { Rc::increment_strong_count(head.cast::<Self>().as_ptr()) },
        decrement: |head| {
            // SAFETY: By the Callback Table Invariant.
            let shared = unsafe { Rc::from_raw(head.cast::<Self>().as_ptr()) };
            if needs_drop::<F>() && Rc::strong_count(&shared) == 1 {
                // The function may hold the next callback of a long chain.
                drop_on_thread(shared);
            }
        },
        downgrade: |head| {
            // SAFETY: By the Callback Table Invariant; the count is given back by `forget`.
            let shared = unsafe { Rc::from_raw(head.cast::<Self>().as_ptr()) };
            mem::forget(Rc::downgrade(&shared));
            mem::forget(shared);
        },
        increment_weak: |head| {
            // SAFETY: By the Callback Table Invariant; the count is given back by `forget`.
            let weak = unsafe { Weak::from_raw(head.cast::<Self>().as_ptr()) };
            mem::forget(weak.clone());
            mem::forget(weak);
        },
        // SAFETY: By the Callback Table Invariant.
        decrement_weak: |head| drop(unsafe { Weak::from_raw(head.cast::<Self>().as_ptr()) }),
        upgrade: |head| {
            // SAFETY: By the Callback Table Invariant; the count is given back by `forget`.
            let weak = unsafe { Weak::from_raw(head.cast::<Self>().as_ptr()) };
            let upgraded = weak.upgrade();
            mem::forget(weak);
            upgraded.map(mem::forget).is_some()
        },
        identity: || (size_of::<F>() == 0).then(TypeId::of::<F>),
        name: type_name::<F>,
    };

    fn share(function: F, awaiter: Option<FutureId>) -> Callback {
        let head = CallbackHead { table: const { &Self::TABLE }, awaiter };
        let shared = Rc::into_raw(Rc::new(CallbackCell { head, function }));
        // SAFETY: A pointer out of an `Rc` is not null. The head is the first field.
        Callback(Function::Shared(unsafe { NonNull::new_unchecked(shared.cast_mut()) }.cast()))
    }
}

impl Function {
    fn table(self) -> &'static CallbackTable {
        match self {
            Function::Plain(table) => table,
            // SAFETY: By the Callback Table Invariant.
            Function::Shared(head) => unsafe { head.as_ref() }.table,
        }
    }
}

impl Callback {
    /// A callback that calls `function` with the future that is done. An error that it
    /// returns, or a panic in it, goes to the loop's exception handler.
    pub fn new<R: CallbackOutput + 'static, F: Fn(&dyn AnyFuture) -> R + 'static>(
        function: F,
    ) -> Callback {
        if CallbackCell::<F>::IS_PLAIN {
            // It is made anew from nothing at each call.
            mem::forget(function);
            return Callback(Function::Plain(const { &CallbackCell::<F>::TABLE }));
        }
        CallbackCell::share(function, None)
    }

    /// As [`new`](Callback::new), for a callback by which the future or task `whom` waits for what
    /// it is added to: [`task_infos`](crate::LoopRef::task_infos) knows of it then. Nothing of
    /// `whom` is held. asyncio's `future_add_to_awaited_by`.
    pub fn telling<R: CallbackOutput + 'static>(
        whom: FutureId,
        function: impl Fn(&dyn AnyFuture) -> R + 'static,
    ) -> Callback {
        CallbackCell::share(function, Some(whom))
    }

    /// The future or task that waits by this callback, where it is known.
    pub(crate) fn tells(&self) -> Option<FutureId> {
        match self.0 {
            Function::Plain(_) => None,
            // SAFETY: By the Callback Table Invariant.
            Function::Shared(head) => unsafe { head.as_ref() }.awaiter,
        }
    }

    /// The same callback, for as long as another handle of it lives: for what is itself held by
    /// what the callback holds. A function that captures nothing is always there.
    #[must_use]
    pub fn downgrade(&self) -> WeakCallback {
        if let Function::Shared(head) = self.0 {
            // SAFETY: By the Callback Table Invariant: the new handle has the count that this adds.
            unsafe { (self.0.table().downgrade)(head) }
        }
        WeakCallback { function: self.0, table: self.0.table() }
    }

    pub(crate) fn call(&self, future: &dyn AnyFuture) -> Result<()> {
        let head = match self.0 {
            Function::Plain(_) => NonNull::dangling(),
            Function::Shared(head) => head,
        };
        // SAFETY: By the Callback Table Invariant; a plain function reads no block.
        unsafe { (self.0.table().call)(head, future) }
    }

    pub(crate) fn name(&self) -> &'static str {
        (self.0.table().name)()
    }

    /// The type of the function, where it is all there is.
    fn identity(&self) -> Option<TypeId> {
        if self.tells().is_some() { None } else { (self.0.table().identity)() }
    }

    /// The pointer of this callback and whether it is a shared one: for
    /// [`from_raw`](Callback::from_raw), which is to take it back once.
    pub(super) fn into_raw(self) -> (NonNull<()>, bool) {
        let raw = match self.0 {
            Function::Plain(table) => (NonNull::from(table).cast(), false),
            Function::Shared(head) => (head.cast(), true),
        };
        mem::forget(self);
        raw
    }

    /// # Safety
    ///
    /// `pointer` and `shared` are those of an [`into_raw`](Callback::into_raw), taken back once.
    pub(super) unsafe fn from_raw(pointer: NonNull<()>, shared: bool) -> Callback {
        if shared {
            return Callback(Function::Shared(pointer.cast()));
        }
        // SAFETY: By this function's contract it is the pointer of a static table.
        Callback(Function::Plain(unsafe { pointer.cast::<CallbackTable>().as_ref() }))
    }
}

impl Clone for Callback {
    fn clone(&self) -> Callback {
        if let Function::Shared(head) = self.0 {
            // SAFETY: By the Callback Table Invariant: the new handle has the count that this adds.
            unsafe { (self.0.table().increment)(head) }
        }
        Callback(self.0)
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if let Function::Shared(head) = self.0 {
            // SAFETY: By the Callback Table Invariant this handle's count is given back, once.
            unsafe { (self.0.table().decrement)(head) }
        }
    }
}

/// A callback that is not kept alive: see [`Callback::downgrade`].
pub struct WeakCallback {
    function: Function,
    /// Its block may be gone, and its table with it.
    table: &'static CallbackTable,
}

impl WeakCallback {
    /// The callback, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Callback> {
        if let Function::Shared(head) = self.function {
            // SAFETY: By the Callback Table Invariant.
            if !unsafe { (self.table.upgrade)(head) } {
                return None;
            }
        }
        // It has the count that `upgrade` has added.
        Some(Callback(self.function))
    }
}

impl Clone for WeakCallback {
    fn clone(&self) -> WeakCallback {
        if let Function::Shared(head) = self.function {
            // SAFETY: By the Callback Table Invariant: the new handle has the count that this adds.
            unsafe { (self.table.increment_weak)(head) }
        }
        WeakCallback { function: self.function, table: self.table }
    }
}

impl Drop for WeakCallback {
    fn drop(&mut self) {
        if let Function::Shared(head) = self.function {
            // SAFETY: By the Callback Table Invariant this handle's count is given back, once.
            unsafe { (self.table.decrement_weak)(head) }
        }
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
        if let (Function::Shared(own), Function::Shared(other)) = (self.0, other.0) {
            if own == other {
                return true;
            }
        }
        let identity = self.identity();
        identity.is_some() && identity == other.identity()
    }
}

impl Eq for Callback {}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Callback {}>", self.name())
    }
}
