//! [`Callback`]: a done callback with an identity that can be compared.
//!
//! A callback is one word, so that a future has room for it in the word that holds its waiters. It
//! points to a [`CallbackHead`], with the function behind it; a function that captures nothing
//! needs no block, and its callback points to its table. A callback that is added to many futures is
//! one block with many handles.
//!
//! **Callback Table Invariant**: a shared callback's pointer is that of a `CallbackCell<F>`, and its
//! table is one of `F`: `PAGED` in a block of the `waiter_pages` of a registry, `BOXED` in a box.
//!
//! **Callback Page Invariant**: a block is made while its registry's loop is open. So the registry is
//! there until the block is freed: when the loop closes, the pages begin to hold it.
//!
//! **Callback Count Invariant**: `strong` is the number of handles. When it falls to zero the function
//! is dropped, once. `weak` is the number of weak handles, and one more until the function is dropped.
//! When it falls to zero the block is freed.
//!
//! **Base Invariant**: where a head has a base, the function is one that calls that callback in a
//! context, and holds a handle of it.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use core::alloc::Layout;
use core::any::{TypeId, type_name};
use core::cell::Cell;
use core::fmt;
use core::mem::{self, ManuallyDrop, needs_drop};
use core::ptr::NonNull;

use super::any_future::{AnyFuture, Callback, CallbackHead, CallbackTable, Function, FutureId};
use super::header::ErasedFuture;
use super::registry::TaskRegistry;
use super::step::in_step;
use crate::blocks::owner_of;
#[cfg(feature = "contextvars")]
use crate::context::captured;
use crate::error::Result;
use crate::event_loop::{CallbackOutput, LoopRef};
use crate::flat_drops::drop_on_thread;

#[repr(C)]
struct CallbackCell<F> {
    head: CallbackHead,
    function: ManuallyDrop<F>,
}

/// The function of a callback, as it is called.
trait Called: 'static {
    /// The function by itself, which has the name and the identity.
    type Function: 'static;

    fn call(&self, future: &dyn AnyFuture) -> Result<()>;

    fn call_erased(&self, future: &ErasedFuture) -> Result<()>;
}

/// One that is called with the future.
struct OfFuture<F>(F);

impl<F: Fn(&dyn AnyFuture) -> R + 'static, R: CallbackOutput + 'static> Called for OfFuture<F> {
    type Function = F;

    #[cfg_attr(feature = "std", inline(always))]
    fn call(&self, future: &dyn AnyFuture) -> Result<()> {
        (self.0)(future).into_result()
    }

    #[cfg_attr(feature = "std", inline(always))]
    fn call_erased(&self, future: &ErasedFuture) -> Result<()> {
        self.call(future)
    }
}

/// One that is called with the future's loop: where all are of this sort, none of the methods of an
/// `AnyFuture` is linked for them.
struct OfLoop<F>(F);

impl<F: Fn(&LoopRef) + 'static> Called for OfLoop<F> {
    type Function = F;

    fn call(&self, future: &dyn AnyFuture) -> Result<()> {
        (self.0)(&future.get_loop());
        Ok(())
    }

    fn call_erased(&self, future: &ErasedFuture) -> Result<()> {
        (self.0)(future.event_loop());
        Ok(())
    }
}

impl<F: Called> CallbackCell<F> {
    /// True if there is nothing to keep of the function, nor to drop.
    const IS_PLAIN: bool = size_of::<F>() == 0 && !needs_drop::<F>();

    /// The table of a plain function.
    const PLAIN: CallbackTable = Self::table(|_| {});

    /// The table of a function in a box.
    const BOXED: CallbackTable = Self::table(|head| {
        // SAFETY: By the Callback Table Invariant. What stood in the cell was dropped before.
        drop(unsafe { Box::from_raw(head.cast::<Self>().as_ptr()) });
    });

    /// The table of a function in a block of pages.
    const PAGED: CallbackTable = Self::table(|head| {
        // SAFETY: By the Callback Table Invariant, and the Callback Page Invariant. What stood in the cell
        // was dropped before.
        unsafe { owner_of::<TaskRegistry>(head.cast()).waiter_pages().free(head.cast()) }
    });

    const fn table(free: unsafe fn(NonNull<CallbackHead>)) -> CallbackTable {
        CallbackTable {
            // SAFETY: The contract is that of `function`.
            call: |head, future| unsafe { Self::function(head) }.call(future),
            // SAFETY: As for `call`.
            call_erased: |head, future| unsafe { Self::function(head) }.call_erased(future),
            // SAFETY: By the Callback Table Invariant, and the Callback Count Invariant.
            drop_function: |head| unsafe {
                ManuallyDrop::drop(&mut (*head.cast::<Self>().as_ptr()).function);
            },
            free,
            owns: needs_drop::<F>(),
            identity: || (size_of::<F>() == 0).then(TypeId::of::<F::Function>),
            name: type_name::<F::Function>,
        }
    }

    /// Returns the function.
    ///
    /// # Safety
    ///
    /// By the Callback Table Invariant `head` is that of a callback of `F`, which a handle keeps for as long as the
    /// function is used; of a plain one it is any.
    #[cfg_attr(feature = "std", inline(always))]
    unsafe fn function<'a>(head: NonNull<CallbackHead>) -> &'a F {
        if Self::IS_PLAIN {
            // SAFETY: A function of no size may be read from any pointer that is aligned, and
            // `forget` keeps it from being dropped, which would do nothing.
            return unsafe { NonNull::<F>::dangling().as_ref() };
        }
        // SAFETY: By this function's contract.
        unsafe { &head.cast::<Self>().as_ref().function }
    }

    /// A callback of `function`, which is made anew from nothing at each call if it captures nothing.
    fn make(function: F) -> Callback {
        if Self::IS_PLAIN {
            mem::forget(function);
            return Callback(Function::Plain(const { &Self::PLAIN }));
        }
        Self::share(function, None)
    }

    /// A callback in a block of the loop that runs, or where no step goes on, in a box.
    fn share(function: F, awaiter: Option<FutureId>) -> Callback {
        let page = in_step(|registry| registry.allocate_waiters(Layout::new::<Self>())).flatten();
        let table = if page.is_some() { const { &Self::PAGED } } else { const { &Self::BOXED } };
        let head = CallbackHead {
            table,
            strong: Cell::new(1),
            weak: Cell::new(1),
            awaiter,
            #[cfg(feature = "contextvars")]
            base: Cell::new(None),
        };
        let cell = CallbackCell { head, function: ManuallyDrop::new(function) };
        let shared = match page {
            Some(block) => {
                // SAFETY: The block is new, and large enough for the cell.
                unsafe { block.cast().write(cell) };
                block.cast()
            }
            // The head is the first field.
            None => NonNull::from(Box::leak(Box::new(cell))).cast(),
        };
        Callback(Function::Shared(shared))
    }
}

/// Adds one to a count of handles.
fn add(count: &Cell<u32>) {
    count.set(count.get().checked_add(1).expect("fewer handles than a u32 can count"));
}

/// Drops the function of a block without handles.
///
/// # Safety
///
/// `head` is that of a shared callback, and its `strong` has fallen to zero.
#[cold]
unsafe fn drop_function(head: NonNull<CallbackHead>) {
    let unused = Unused(head);
    // SAFETY: By this function's contract.
    if unsafe { head.as_ref() }.table.owns {
        // The function may hold the next callback of a long chain.
        drop_on_thread(unused);
    }
}

/// A function without handles.
struct Unused(NonNull<CallbackHead>);

impl Drop for Unused {
    fn drop(&mut self) {
        /// Gives back what the handles have of `weak`, also where the drop panics.
        struct Memory(NonNull<CallbackHead>);

        impl Drop for Memory {
            fn drop(&mut self) {
                // SAFETY: By the Callback Count Invariant: the function is dropped by now.
                unsafe { drop_weak(self.0) }
            }
        }

        let memory = Memory(self.0);
        // SAFETY: By the contract of `drop_function`, which alone makes this, and the Callback Count
        // Invariant: this is the one drop.
        unsafe { (memory.0.as_ref().table.drop_function)(memory.0) }
    }
}

/// Gives back one of `weak`.
///
/// # Safety
///
/// `head` is that of a shared callback, and the count is the caller's to give back.
unsafe fn drop_weak(head: NonNull<CallbackHead>) {
    // SAFETY: By this function's contract, and the Callback Count Invariant.
    unsafe {
        let weak = head.as_ref().weak.get() - 1;
        head.as_ref().weak.set(weak);
        if weak == 0 {
            (head.as_ref().table.free)(head);
        }
    }
}

impl Function {
    /// The block of a shared function.
    #[inline(always)]
    fn head(&self) -> Option<&CallbackHead> {
        match self {
            Function::Plain(_) => None,
            // SAFETY: By the Callback Count Invariant the block is there for as long as the handle.
            Function::Shared(head) => Some(unsafe { head.as_ref() }),
        }
    }

    /// The pointer that the functions of the table take.
    fn pointer(&self) -> NonNull<CallbackHead> {
        match self {
            Function::Plain(_) => NonNull::dangling(),
            Function::Shared(head) => *head,
        }
    }

    /// The function that was added to a future: this one, or the one that this calls in a context.
    /// It is used while the handle of this is there.
    #[inline]
    fn base(self) -> Function {
        #[cfg(feature = "contextvars")]
        if let Some(base) = self.head().and_then(|head| head.base.get()) {
            return base;
        }
        self
    }

    fn table(&self) -> &'static CallbackTable {
        match self {
            Function::Plain(table) => table,
            // SAFETY: As in `head`.
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
        CallbackCell::make(OfFuture(function))
    }

    /// Does as [`new`](Callback::new), for a callback by which a future or task, of the given
    /// identity, waits for the future that the callback is added to:
    /// [`task_infos`](crate::LoopRef::task_infos) shows that then. Nothing of the waiting future is
    /// held. asyncio's `future_add_to_awaited_by`.
    pub fn telling<R: CallbackOutput + 'static>(
        awaiter: FutureId,
        function: impl Fn(&dyn AnyFuture) -> R + 'static,
    ) -> Callback {
        CallbackCell::share(OfFuture(function), Some(awaiter))
    }

    /// The future or task that waits by this callback, where it is known.
    pub(crate) fn tells(&self) -> Option<FutureId> {
        self.0.head().and_then(|head| head.awaiter)
    }

    /// The same callback, for as long as another handle of it lives: for what is itself held by
    /// what the callback holds. A function that captures nothing is always there.
    #[must_use]
    pub fn downgrade(&self) -> WeakCallback {
        if let Some(head) = self.0.head() {
            add(&head.weak);
        }
        WeakCallback(self.0)
    }

    /// A callback that is called with its future's loop, and needs the future itself for nothing.
    pub(crate) fn on_loop(function: impl Fn(&LoopRef) + 'static) -> Callback {
        CallbackCell::make(OfLoop(function))
    }

    #[inline]
    pub(crate) fn call(&self, future: &dyn AnyFuture) -> Result<()> {
        // SAFETY: By the Callback Table Invariant; a plain function reads no block.
        unsafe { (self.0.table().call)(self.0.pointer(), future) }
    }

    /// The same with a future or task itself.
    #[inline]
    pub(super) fn call_erased(&self, future: &ErasedFuture) -> Result<()> {
        // SAFETY: As in `call`.
        unsafe { (self.0.table().call_erased)(self.0.pointer(), future) }
    }

    pub(crate) fn name(&self) -> &'static str {
        (self.0.base().table().name)()
    }

    /// The type of the function, where it is all there is.
    fn identity(&self) -> Option<TypeId> {
        if self.tells().is_some() { None } else { (self.0.base().table().identity)() }
    }

    /// A callback that calls this one in a copy of the context of the code that runs; where no
    /// variable has a value there, this one itself.
    #[cfg(feature = "contextvars")]
    #[cold]
    pub(super) fn in_captured_context(self) -> Callback {
        let Some(context) = captured() else { return self };
        let (awaiter, base) = (self.tells(), self.0.base());
        let call = move |done: &dyn AnyFuture| {
            context.become_current();
            self.call(done)
        };
        let callback = CallbackCell::share(OfFuture(call), awaiter);
        if let Some(head) = callback.0.head() {
            // By the Base Invariant: `call` holds this callback, which is the base, or holds it.
            head.base.set(Some(base));
        }
        callback
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
    #[inline]
    fn clone(&self) -> Callback {
        if let Some(head) = self.0.head() {
            add(&head.strong);
        }
        Callback(self.0)
    }
}

impl Drop for Callback {
    #[inline]
    fn drop(&mut self) {
        let Function::Shared(head) = self.0 else { return };
        // SAFETY: By the Callback Count Invariant this handle's count is given back, once.
        unsafe {
            let strong = head.as_ref().strong.get() - 1;
            head.as_ref().strong.set(strong);
            if strong == 0 {
                drop_function(head);
            }
        }
    }
}

/// A reference that doesn't keep its callback alive: see [`Callback::downgrade`].
pub struct WeakCallback(Function);

impl WeakCallback {
    /// The callback, if it is still there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Callback> {
        if let Some(head) = self.0.head() {
            if head.strong.get() == 0 {
                return None;
            }
            add(&head.strong);
        }
        Some(Callback(self.0))
    }
}

impl Clone for WeakCallback {
    fn clone(&self) -> WeakCallback {
        if let Some(head) = self.0.head() {
            add(&head.weak);
        }
        WeakCallback(self.0)
    }
}

impl Drop for WeakCallback {
    fn drop(&mut self) {
        if let Function::Shared(head) = self.0 {
            // SAFETY: By the Callback Count Invariant this handle's count is given back, once.
            unsafe { drop_weak(head) }
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
        let functions = (self.0.base(), other.0.base());
        if let (Function::Shared(own), Function::Shared(other)) = functions {
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
