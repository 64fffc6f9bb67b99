//! Futures in one block each: [`FutureRef`], with a value that is set once, and [`Signal`], which one
//! task awaits.
//!
//! **Value Invariant**: see `node`. A future's value is written by [`FutureRef::finish`] alone, which
//! needs a future that is pending.
#![allow(unsafe_code)]

pub(super) mod signal;

use alloc::rc::Rc;
use alloc::string::String;
use core::alloc::Layout;
use core::any::Any;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, needs_drop, offset_of};
use core::ops::Deref;
use core::ptr::{self, NonNull};

use super::any_future::{AnyFuture, Callback, FutureId, Watcher, WeakFuture, any_future_by};
#[cfg(feature = "std")]
use super::cancel::Claim;
use super::cancel::cancel;
use super::completion::{
    call_watchers, describe_callback, discard_next_callback, drop_callback_entry, run_next_callback,
};
#[cfg(feature = "std")]
use super::header::HeldHeader;
use super::header::handle::{Handle, as_handle};
use super::header::waiter::Watch;
use super::header::{CancelledChildren, ErasedFuture, Header, State, Table, flag};
use super::node::{TypedFuture, entry_head};
use super::registry::TaskRegistry;
use super::task_header::name_of;
use super::wait_reason::WaitReason;
#[cfg(feature = "contextvars")]
use crate::context::Entered;
use crate::error::{Error, Result};
use crate::event_loop::{
    Answer, Describe, Entry, EntryHead, EntryTable, ExceptionContext, HeldEntry, JobKind, LoopRef,
    Owed, described,
};
#[cfg(feature = "events")]
use crate::event_loop::{LoopEvent, note_event};
#[cfg(feature = "std")]
use crate::sync::AtomicU32;

#[repr(C)]
struct FutureBlock<T> {
    header: Header,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// The block of a future that has a [`Claim`].
#[cfg(feature = "std")]
#[repr(C)]
struct ClaimedBlock<T> {
    held: HeldHeader,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// The functions of a future with handles of the type `H`.
struct Functions<T, H>(PhantomData<(T, H)>);

impl<T: 'static, H: Handle<T>> Functions<T, H> {
    const TABLE: Table = Table {
        entry: EntryTable {
            run: |head, event_loop| {
                // SAFETY: By the Callback Invariant the entry runs a callback, and has a count.
                unsafe { run_next_callback(head.cast(), event_loop) }
            },
            discard: |head, event_loop| {
                // SAFETY: As for `run`.
                unsafe { discard_next_callback(head.cast(), event_loop) }
            },
            // SAFETY: As for `run`.
            drop: |head| unsafe { drop_callback_entry(head.cast()) },
            kind: |_| JobKind::FutureDone,
            #[cfg(feature = "trace")]
            title: |head| {
                // SAFETY: As for `run`.
                let describe = unsafe { describe_entry(head) };
                describe()
            },
            describe: described(describe_entry),
            second: None,
        },
        as_any: as_handle::<T, H>,
        value_owns: needs_drop::<T>(),
        drop_contents: |header| {
            // SAFETY: By the Value Invariant a finished future has a value, which is dropped once.
            unsafe {
                if needs_drop::<T>() && header.as_ref().flags.get() & flag::STATE == flag::FINISHED
                {
                    ptr::drop_in_place(value_of::<T>(header));
                }
            }
        },
        drop_future: |_| {},
        finish: None,
        future_name: || "",
        value_offset: offset_of!(FutureBlock<T>, value),
    };

    /// The same, with a [`ClaimedBlock`].
    #[cfg(feature = "std")]
    const CLAIMED: Table =
        Table { value_offset: offset_of!(ClaimedBlock<T>, value), ..Functions::<T, H>::TABLE };
}

/// The place of the value.
///
/// # Safety
///
/// `header` is that of a future with values of type `T`.
unsafe fn value_of<T>(header: NonNull<Header>) -> *mut T {
    // SAFETY: By this function's contract.
    unsafe { header.byte_add(header.as_ref().table.value_offset).cast().as_ptr() }
}

unsafe fn describe_entry(head: NonNull<EntryHead>) -> Describe {
    // SAFETY: The entry counts the block.
    let future = unsafe { ErasedFuture::from_header(head.cast()) };
    describe_callback(future)
}

/// A future with a value still to be set: a [`TypedFuture`] that is no task.
#[repr(transparent)]
pub(crate) struct FutureRef<T>(TypedFuture<T>);

// SAFETY: By the Transparent Invariant of `handle`.
unsafe impl<T: 'static> Handle<T> for FutureRef<T> {}

impl<T: 'static> FutureRef<T> {
    /// A pending future.
    pub(crate) fn new<H: Handle<T> + 'static>(
        registry: &TaskRegistry,
        reason: WaitReason,
    ) -> FutureRef<T> {
        let table = const { &Functions::<T, H>::TABLE };
        let future = make::<T>(registry, table, reason);
        let future = FutureRef(future.expect("memory for a future"));
        #[cfg(feature = "events")]
        future.note_made(reason);
        future
    }

    /// The same, and the claim on the work of which it is to have the outcome.
    #[cfg(feature = "std")]
    pub(crate) fn with_claim<H: Handle<T> + 'static>(
        registry: &TaskRegistry,
        reason: WaitReason,
    ) -> (FutureRef<T>, Claim) {
        let block = registry.allocate(Layout::new::<ClaimedBlock<T>>());
        let block = block.expect("memory for a future").cast::<ClaimedBlock<T>>();
        let flags = flag::CLAIM | (reason as u32) << flag::NUMBER_SHIFT;
        let header = Header::new(const { &Functions::<T, H>::CLAIMED }, 1, flags);
        // One share of the memory is the claim's.
        let held = HeldHeader { header, memory: AtomicU32::new(2) };
        // SAFETY: The block is new, and large enough. The header makes the invariants hold.
        let (future, claim) = unsafe {
            (&raw mut (*block.as_ptr()).held).write(held);
            let future = ErasedFuture::from_count(block.cast());
            let claim = Claim::of(&future);
            (FutureRef(TypedFuture::new(future)), claim)
        };
        registry.keep_for_late_block();
        #[cfg(feature = "events")]
        future.note_made(reason);
        (future, claim)
    }

    #[cfg(feature = "events")]
    fn note_made(&self, reason: WaitReason) {
        if reason.is_seen() {
            let address = self.erased().pointer().as_ptr().addr();
            note_event!(self.erased().event_loop(), LoopEvent::FutureMade(address));
        }
    }

    /// Has `children` cancelled in its place.
    pub(crate) fn set_children(&self, children: Rc<dyn CancelledChildren>) {
        let header = self.0.header();
        header.set(flag::CHILDREN);
        let before = header.with_rare(|rare| rare.children.replace(children));
        drop(before);
    }

    /// Sets why a task awaits it. Nothing has set that before.
    pub(crate) fn set_reason(&self, reason: WaitReason) {
        let header = self.0.header();
        debug_assert_eq!(header.reason() as u32, WaitReason::Future as u32);
        header.set((reason as u32) << flag::NUMBER_SHIFT);
    }

    /// Makes `value` the result of a future that is pending, and schedules what waits. Gives it back
    /// where the future is done.
    #[inline]
    pub(crate) fn finish(&self, value: T) -> Result<(), T> {
        if self.0.header().done() || self.0.header().is_task() {
            return Err(value);
        }
        // SAFETY: By the Value Invariant: the block is that of a future, as it is no task, and has
        // no value yet. A handle keeps it.
        unsafe {
            value_of::<T>(self.0.erased().pointer()).write(value);
            super::completion::end(self.0.erased().pointer(), flag::FINISHED);
        }
        Ok(())
    }

    /// The answer, expected by the loop `on`, that ends it: with a value, an exception or a cancellation.
    /// Where it is done by then, what comes is dropped.
    pub(crate) fn answer_on(&self, on: &LoopRef) -> Result<Answer<T>>
    where
        T: Send,
    {
        on.owe_to(self.owed(), |owed, outcome| {
            // SAFETY: By the Receiver Invariant `owed` is what is given above.
            let Some(future) = (unsafe { FutureRef::<T>::pending(owed) }) else { return };
            match outcome {
                Err(error) if error.is_cancelled() => _ = cancel(future.erased(), &error),
                outcome => future.complete(outcome),
            }
        })
    }

    /// Does as [`answer_on`](FutureRef::answer_on), for an answer that is the outcome of a function: the
    /// cancellation that a function returns is an exception. An answer that is dropped cancels the future.
    #[cfg(feature = "std")]
    pub(crate) fn outcome_on(&self, on: &LoopRef) -> Result<Answer<Result<T>>>
    where
        T: Send,
    {
        on.owe_to(self.owed(), |owed, outcome| {
            // SAFETY: By the Receiver Invariant `owed` is what is given above.
            let Some(future) = (unsafe { FutureRef::<T>::pending(owed) }) else { return };
            match outcome {
                Ok(outcome) => future.complete(outcome),
                Err(dropped) => _ = cancel(future.erased(), &dropped),
            }
        })
    }

    /// A handle of this future for an answer.
    fn owed(&self) -> Owed {
        debug_assert!(!self.0.header().is_task());
        let count = self.0.erased().clone().into_count();
        // SAFETY: The table is that of a future. The entry has the count of the handle.
        let entry = unsafe { Entry::from_head(entry_head(count)) };
        Owed::Future(HeldEntry::new(entry))
    }

    /// Takes the handle out of `owed`, unless its future is done.
    ///
    /// # Safety
    ///
    /// `owed` was made by [`owed`](FutureRef::owed) of a future of this type.
    unsafe fn pending(owed: Owed) -> Option<FutureRef<T>> {
        let Owed::Future(entry) = owed else { return None };
        // SAFETY: The caller's promise: the entry has the count of a handle of this type.
        let future = unsafe {
            let count = entry.into_head().cast();
            FutureRef(TypedFuture::<T>::new(ErasedFuture::from_count(count)))
        };
        (!future.header().done()).then_some(future)
    }

    /// Ends a future that is pending with a value or an exception.
    fn complete(&self, outcome: Result<T>) {
        match outcome {
            Ok(value) => drop(self.finish(value)),
            Err(error) => self.fail(error),
        }
    }

    /// Fails a future that is pending.
    pub(crate) fn fail(&self, error: Error) {
        self.0.erased().end_with(flag::FAILED, error);
    }
}

impl FutureRef<()> {
    /// Makes it what it was when it was made for `reason`, if nothing else has it. Returns true if it did.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn renew(&self, reason: WaitReason) -> bool {
        let renewed = self.0.renew(reason);
        #[cfg(feature = "events")]
        if renewed {
            self.note_made(reason);
        }
        renewed
    }
}

impl TypedFuture<()> {
    /// Makes it pending for `reason`, as it was when it was made, if nothing else has it. Returns true if it
    /// did. It has no value that would be lost.
    #[inline]
    fn renew(&self, reason: WaitReason) -> bool {
        let header = self.header();
        let free = header.count() == 1 && header.waiters.is_empty() && !header.has_rare();
        #[cfg(feature = "std")]
        debug_assert!(!header.has(flag::CLAIM));
        if free {
            header.flags.set((reason as u32) << flag::NUMBER_SHIFT);
        }
        free
    }
}

impl<T> Deref for FutureRef<T> {
    type Target = TypedFuture<T>;

    fn deref(&self) -> &TypedFuture<T> {
        &self.0
    }
}

impl<T> Clone for FutureRef<T> {
    fn clone(&self) -> FutureRef<T> {
        FutureRef(self.0.clone())
    }
}

/// A pending future with one handle; `None` where there is no memory for it.
#[inline]
fn make<T: 'static>(
    registry: &TaskRegistry,
    table: &'static Table,
    reason: WaitReason,
) -> Option<TypedFuture<T>> {
    let block = registry.allocate(Layout::new::<FutureBlock<T>>())?.cast::<FutureBlock<T>>();
    let header = Header::new(table, 1, (reason as u32) << flag::NUMBER_SHIFT);
    // SAFETY: The block is new, and large enough. The header makes the invariants hold.
    let future = unsafe {
        (&raw mut (*block.as_ptr()).header).write(header);
        TypedFuture::new(ErasedFuture::from_count(block.cast()))
    };
    registry.keep_for_late_block();
    Some(future)
}

impl ErasedFuture {
    #[inline]
    pub(crate) fn done(&self) -> bool {
        self.header().done()
    }

    #[inline]
    pub(crate) fn cancelled(&self) -> bool {
        self.header().state() == State::Cancelled
    }

    pub(crate) fn cancel(&self) -> bool {
        cancel(self, &Error::cancelled())
    }

    pub(crate) fn exception(&self) -> Result<Option<Error>> {
        self.header().exception()
    }

    #[inline]
    pub(crate) fn outcome(&self) -> Result<()> {
        self.header().outcome()
    }

    /// Reports what has happened to it to the exception handler of its loop. Of a task the handler is
    /// called in the task's context.
    pub(crate) fn report(&self, about: &ExceptionContext) {
        #[cfg(feature = "contextvars")]
        let _entered = self.enter_report();
        self.event_loop().call_exception_handler(about);
    }

    /// Enters the context of a task, for a report of it.
    #[cfg(feature = "contextvars")]
    pub(super) fn enter_report(&self) -> Option<Entered> {
        self.task().and_then(|task| Entered::of_report(|| task.context()))
    }

    pub(crate) fn remove_done_callback(&self, callback: &Callback) -> usize {
        self.header().remove_callback(callback)
    }

    pub(crate) fn has_callback(&self, callback: &Callback) -> bool {
        self.header().has_callback(callback)
    }

    /// Has `watcher` called at the end, and when something begins to wait for it, with `token`. One that is
    /// done has its call scheduled, and no more.
    #[doc(hidden)]
    pub fn watch(&self, watcher: Rc<dyn Watcher>, token: u64) {
        self.registry().call_watchers.set(Some(call_watchers));
        self.add_watch(Watch { watcher, token });
    }

    /// Gives a task a name.
    pub(crate) fn set_name(&self, name: String) {
        #[cfg(feature = "events")]
        if let Some(task) = self.task().filter(|_| self.event_loop().records_events()) {
            let serial = task.serial();
            self.event_loop().log_text_event(name.clone(), |at| LoopEvent::TaskNamed(serial, at));
        }
        self.header().set_name(name);
    }

    pub(crate) fn get_loop(&self) -> LoopRef {
        self.event_loop().clone()
    }
}

/// A future or task, as callbacks are called with it. The methods are compiled once for all types of values.
impl AnyFuture for ErasedFuture {
    any_future_by!(self => self);

    fn base(&self) -> &dyn AnyFuture {
        self
    }

    fn set_exception(&self, error: Error) -> Result<()> {
        if self.header().is_task() {
            return Err(Error::runtime("Task does not support set_exception operation"));
        }
        self.header().check_pending()?;
        self.end_with(flag::FAILED, error);
        Ok(())
    }

    fn check_settable(&self) -> Result<()> {
        if self.header().is_task() {
            return Err(Error::runtime("Task does not support set_result operation"));
        }
        self.header().check_pending()
    }

    fn erased(&self) -> Option<&ErasedFuture> {
        Some(self)
    }

    fn name(&self) -> String {
        match self.task() {
            // SAFETY: By the Block Invariant: it is a task's.
            Some(_) => unsafe { name_of(self.pointer()) },
            None => self.header().name().unwrap_or_default(),
        }
    }

    fn to_any(&self) -> Rc<dyn AnyFuture> {
        Rc::new(self.clone())
    }

    fn downgrade(&self) -> WeakFuture {
        let weak = self.downgrade();
        WeakFuture::new(move || Some(Rc::new(weak.upgrade()?)))
    }

    fn as_any(&self) -> &dyn Any {
        self.own_handle()
    }
}
