//! [`ErasedFuture`]: a future or task of any value type, as a counted handle of its block.
//!
//! A block begins with a [`Header`], behind which stands what its [`Table`] knows: the value of a
//! future, or the [`TaskHeader`] and the Rust future of a task, which its result replaces in the
//! end. Blocks come from their loop's pages, by which they find their loop.
//!
//! **Block Invariant**: a header stands at the beginning of a block of the pages of its loop's
//! registry, is never moved, and its table is the one of the block's type. The registry lives for
//! as long as the block does.
//!
//! **Count Invariant**: `count` is the number of [`ErasedFuture`]s, and of what stands for one: each
//! callback of a future that is done and has an entry in the ready queue for it; an entry of a signal; an
//! answer that is owed; the loop, for a task that has not ended. When it falls to zero, the contents are
//! dropped, once.
//!
//! **Memory Invariant**: `memory` is one for all those together, until the contents are dropped, and
//! one for each waker of another crate that is kept, and for each claim of another thread. When it falls
//! to zero the block is freed. A block without it, which is no [`HeldHeader`](super::header::HeldHeader), is
//! held by its handles alone.
//!
//! **Value Invariant**: a value that was written when the state became `FINISHED` is not written
//! again, nor moved, until the contents are dropped. So it may be borrowed from any handle.
//!
//! **Thread Invariant**: everything but `memory` belongs to the loop's thread; handles are not
//! `Send`.
#![allow(unsafe_code)]

use alloc::format;
use alloc::string::String;
use core::any::Any;
use core::cell::Cell;
use core::fmt::{self, Write};
use core::marker::PhantomData;
use core::mem::{self, ManuallyDrop};
use core::panic::Location;
use core::ptr::NonNull;

use super::any_future::{AnyFuture, FutureId};
use super::header::{
    ErasedFuture, Header, State, WOKEN, WeakCell, WeakErased, drop_memory, flag, memory_of,
};
use super::registry::TaskRegistry;
use crate::blocks;
use crate::error::{Error, Result};
use crate::event_loop::{EntryHead, LoopRef, LostBy, drop_flat};
use crate::logging::DESCRIBES;
use crate::sync::Ordering;

impl ErasedFuture {
    /// A handle that takes over one of the counts.
    ///
    /// # Safety
    ///
    /// The Block Invariant holds for `header`, and one of its counts is given to the handle.
    #[inline(always)]
    pub(super) unsafe fn from_count(header: NonNull<Header>) -> ErasedFuture {
        ErasedFuture(header)
    }

    /// A handle with a count of its own.
    ///
    /// # Safety
    ///
    /// The Block Invariant holds for `header`, and its count is not zero.
    #[inline(always)]
    pub(super) unsafe fn from_header(header: NonNull<Header>) -> ErasedFuture {
        // SAFETY: By this function's contract.
        unsafe { add_count(header) };
        ErasedFuture(header)
    }

    /// A handle of what a [`WeakCell`] points to.
    pub(super) fn from_weak(header: NonNull<Header>) -> ErasedFuture {
        // SAFETY: By the Weak Invariant the future has handles, so its count is not zero.
        unsafe { ErasedFuture::from_header(header) }
    }

    /// Gives up the handle for the count that it stands for.
    #[inline(always)]
    pub(super) fn into_count(self) -> NonNull<Header> {
        let header = self.0;
        mem::forget(self);
        header
    }

    #[inline(always)]
    pub(super) fn pointer(&self) -> NonNull<Header> {
        self.0
    }

    #[inline(always)]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: By the Count Invariant the block is there for as long as this handle is.
        unsafe { self.0.as_ref() }
    }

    /// The tasks of its loop.
    #[inline(always)]
    pub(crate) fn registry(&self) -> &TaskRegistry {
        // SAFETY: By the Block Invariant.
        unsafe { registry_of(self.0) }
    }

    #[inline(always)]
    pub(crate) fn event_loop(&self) -> &LoopRef {
        self.registry().event_loop()
    }

    #[inline(always)]
    pub(crate) fn ptr_eq(&self, other: &ErasedFuture) -> bool {
        self.0 == other.0
    }

    pub(crate) fn id(&self) -> FutureId {
        FutureId::at(self.address())
    }

    /// The address of its block: also that of its entry in the timers.
    pub(crate) fn address(&self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }

    pub(crate) fn downgrade(&self) -> WeakErased {
        let weak = self
            .header()
            .with_rare(|rare| rare.weak.get_or_insert_with(|| WeakCell::new(self.0)).clone());
        WeakErased(weak)
    }

    /// Notes where it was made, if the loop is in debug mode.
    pub(crate) fn note_made_at(&self, site: &'static Location<'static>) {
        if self.event_loop().debug() {
            self.header().with_rare(|rare| rare.made_at = Some(site));
        }
    }

    pub(crate) fn describe(&self) -> String {
        if DESCRIBES { describe(self) } else { String::new() }
    }

    /// A handle of the type that the program knows it by.
    #[inline]
    pub(super) fn own_handle(&self) -> &dyn Any {
        // SAFETY: It is the table of the block.
        unsafe { (self.header().table.as_any)(self) }
    }
}

impl Clone for ErasedFuture {
    #[inline(always)]
    fn clone(&self) -> ErasedFuture {
        // SAFETY: By the Count Invariant, as this is a handle.
        unsafe { ErasedFuture::from_header(self.0) }
    }
}

impl Drop for ErasedFuture {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the Count Invariant this handle's count is given back, once.
        unsafe { drop_count(self.0) }
    }
}

impl fmt::Debug for ErasedFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

/// Describes a future or task as `<Future pending name='x' callbacks=2>`, with the place where it was
/// made if that is known.
fn describe(future: &ErasedFuture) -> String {
    let header = future.header();
    let task = future.task();
    let what = header.class_name();
    let state = match header.state() {
        State::Pending if task.is_some_and(|task| task.cancelling() > 0) => "cancelling",
        State::Pending => "pending",
        State::Cancelled => "cancelled",
        State::Finished | State::Failed => "finished",
    };
    // Writing to a String does not fail.
    let mut text = format!("<{what} {state}");
    if header.state() == State::Failed {
        let _ = write!(text, " exception={}", header.peek_error());
    }
    if let Some(name) = task.map(|_| future.name()).or_else(|| header.name()) {
        let _ = write!(text, " name='{name}'");
    }
    match header.waiter_count() {
        0 => {}
        count => _ = write!(text, " callbacks={count}"),
    }
    let made_at = match task {
        Some(task) => future.event_loop().debug().then_some(task.created_at()),
        None => header.made_at(),
    };
    if let Some(site) = made_at {
        let _ = write!(text, " created at {}:{}", site.file(), site.line());
    }
    text + ">"
}

/// A handle of a future or task with a `T` as result.
///
/// **Variance Invariant**: a handle is invariant in `T`, as a cell is, because a result that is set by
/// one handle is read by others. Otherwise a value of a supertype could be set:
///
/// ```compile_fail,E0308
/// let event_loop = callsoon::EventLoop::with_virtual_time();
/// let future = event_loop.create_future::<for<'a> fn(&'a str)>();
/// let other: callsoon::LoopFuture<fn(&'static str)> = future.clone();
/// ```
#[repr(transparent)]
pub(crate) struct TypedFuture<T>(ErasedFuture, PhantomData<Cell<T>>);

/// It is a pointer: its value is pinned nowhere but in the block.
impl<T> Unpin for TypedFuture<T> {}

impl<T> TypedFuture<T> {
    /// # Safety
    ///
    /// The value of `erased`'s block is a `T`.
    #[inline(always)]
    pub(super) unsafe fn new(erased: ErasedFuture) -> TypedFuture<T> {
        TypedFuture(erased, PhantomData)
    }

    /// # Safety
    ///
    /// The value of `erased`'s block is a `T`.
    #[inline(always)]
    pub(super) unsafe fn of_erased(erased: &ErasedFuture) -> &TypedFuture<T> {
        // SAFETY: It is transparent, and is of a `T` by this function's contract.
        unsafe { NonNull::from(erased).cast::<TypedFuture<T>>().as_ref() }
    }

    #[inline(always)]
    pub(crate) fn erased(&self) -> &ErasedFuture {
        &self.0
    }

    #[inline(always)]
    pub(super) fn into_erased(self) -> ErasedFuture {
        self.0
    }

    /// Another handle.
    #[inline(always)]
    pub(crate) fn typed(&self) -> TypedFuture<T> {
        self.clone()
    }

    #[inline(always)]
    pub(crate) fn header(&self) -> &Header {
        self.0.header()
    }

    /// The result, if there is one.
    #[inline(always)]
    pub(crate) fn value(&self) -> Option<&T> {
        let header = self.0.header();
        if header.flags.get() & flag::STATE != flag::FINISHED {
            return None;
        }
        // SAFETY: By the Value Invariant a finished block has a value, which is a `T` by the
        // contract of `new`, stays as it is, and is there as long as this handle.
        Some(unsafe { self.0.pointer().byte_add(header.table.value_offset).cast::<T>().as_ref() })
    }

    /// The result, or the exception, or the cancellation; a pending future has none.
    #[inline(always)]
    pub(crate) fn read(&self) -> Result<T>
    where
        T: Clone,
    {
        match self.value() {
            Some(value) => Ok(value.clone()),
            None => Err(no_result(self.header())),
        }
    }
}

#[cold]
fn no_result(header: &Header) -> Error {
    match header.outcome() {
        Err(error) => error,
        Ok(()) => Error::invalid_state("Result is not set."),
    }
}

impl<T> Clone for TypedFuture<T> {
    #[inline(always)]
    fn clone(&self) -> TypedFuture<T> {
        TypedFuture(self.0.clone(), PhantomData)
    }
}

/// # Safety
///
/// The Block Invariant holds for `header`.
#[inline(always)]
pub(super) unsafe fn registry_of<'a>(header: NonNull<Header>) -> &'a TaskRegistry {
    // SAFETY: By the Block Invariant.
    unsafe { blocks::owner_of(header.cast()) }
}

/// # Safety
///
/// The Block Invariant holds for `header`, and its count is not zero.
#[cfg_attr(feature = "std", inline(always))]
pub(super) unsafe fn add_count(header: NonNull<Header>) {
    // SAFETY: By this function's contract.
    let count = unsafe { &header.as_ref().count };
    count.set(count.get().checked_add(1).expect("fewer handles than a u32 can count"));
}

/// Gives one count back.
///
/// # Safety
///
/// The Block Invariant holds for `header`, and the count is the caller's to give back.
#[cfg_attr(feature = "std", inline(always))]
pub(super) unsafe fn drop_count(header: NonNull<Header>) {
    // SAFETY: By this function's contract.
    unsafe {
        let count = &header.as_ref().count;
        count.set(count.get() - 1);
        if count.get() == 0 {
            drop_contents(header);
        }
    }
}

/// Drops the contents of a block, and frees it unless another thread has its memory.
///
/// # Safety
///
/// The Block Invariant holds for `header`, and its count has fallen to zero. Its registry may be gone
/// when this returns.
#[inline(never)]
unsafe fn drop_contents(header: NonNull<Header>) {
    // SAFETY: By this function's contract.
    unsafe {
        if header.as_ref().is_bare() && !header.as_ref().owns() {
            return drop_memory_here(header);
        }
        if header.as_ref().has_rare() {
            empty_weak_cell(header);
        }
        // The contents may hold the next future of a long chain, and the loop its last handle.
        let event_loop = registry_of(header).event_loop().clone();
        drop_flat(&event_loop, Contents(header));
    }
}

/// Keeps weak handles from the block, before any other code runs: also where the drop of the contents is
/// put off.
///
/// # Safety
///
/// As for [`drop_contents`].
#[cold]
unsafe fn empty_weak_cell(header: NonNull<Header>) {
    // SAFETY: By this function's contract.
    let own = unsafe { header.as_ref() };
    own.with_rare_if_any(|rare| rare.weak.as_ref().map(|weak| weak.clear()));
}

/// The contents of a block without handles.
struct Contents(NonNull<Header>);

impl Drop for Contents {
    fn drop(&mut self) {
        /// Frees the memory also where a drop panics.
        struct Memory(NonNull<Header>);

        impl Drop for Memory {
            fn drop(&mut self) {
                // SAFETY: By the Memory Invariant the contents' share of the memory is given back,
                // once: they are dropped by now.
                unsafe { drop_memory_here(self.0) }
            }
        }

        let memory = Memory(self.0);
        // SAFETY: By the contract of `drop_contents`, which alone makes this.
        unsafe {
            if !memory.0.as_ref().is_bare() {
                drop_rare_contents(memory.0);
            }
            (memory.0.as_ref().table.drop_contents)(memory.0);
        }
    }
}

/// Drops what few blocks have, after an exception that was never read is reported.
///
/// # Safety
///
/// As for [`drop_contents`].
#[cold]
unsafe fn drop_rare_contents(header: NonNull<Header>) {
    // SAFETY: By this function's contract.
    let own = unsafe { header.as_ref() };
    if own.take(flag::UNREAD) {
        // SAFETY: By this function's contract. The handle is for the report only, which keeps none.
        let shown = ManuallyDrop::new(unsafe { ErasedFuture::from_count(header) });
        report_unread(&shown);
    }
    let rare = own.rare.take();
    let waiters = own.waiters.take();
    drop(waiters);
    drop(rare);
}

/// Reports an exception that was never read. Of a task the handler is called in the task's context.
fn report_unread(future: &ErasedFuture) {
    #[cfg(feature = "contextvars")]
    let _entered = future.enter_report();
    let of = || LostBy::Future(future.header().class_name(), future.describe());
    future.event_loop().report_lost(of, || future.header().error());
}

/// Gives back the share of the memory that the contents had, on the loop's thread.
///
/// # Safety
///
/// The Block Invariant holds for `header`, and the contents are dropped. The registry may be gone when
/// this returns.
#[cfg_attr(feature = "std", inline(always))]
pub(super) unsafe fn drop_memory_here(header: NonNull<Header>) {
    // SAFETY: By this function's contract.
    unsafe {
        let pages = registry_of(header).pages();
        // A message that a closed loop has dropped unread leaves `WOKEN` set, and a claim its own bit.
        let own = header.as_ref();
        if !own.has(flag::HELD)
            || !own.has(flag::STALE_ENTRY)
                && memory_of(header).load(Ordering::Acquire) & !WOKEN == 1
        {
            return pages.free(header.cast());
        }
        leave_memory(header);
    }
}

/// Leaves the memory to the entry, the wakers or the claim that hold it, unless the last is dropped just now.
///
/// # Safety
///
/// As for [`drop_memory_here`].
#[cold]
unsafe fn leave_memory(header: NonNull<Header>) {
    // SAFETY: By this function's contract, and the Memory Invariant.
    unsafe {
        if header.as_ref().has(flag::STALE_ENTRY) {
            return header.as_ref().set(flag::LEFT_TO_ENTRY);
        }
        registry_of(header).pages().leave(header.cast());
        // From here on the block's first word isn't the header's any more.
        drop_memory(header);
    }
}

/// The head by which the ready queue knows a block.
pub(super) fn entry_head(header: NonNull<Header>) -> NonNull<EntryHead> {
    header.cast()
}
