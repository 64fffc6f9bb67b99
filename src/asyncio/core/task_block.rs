//! A task in one block: its header, its fields as a task, and its Rust future, which its result
//! replaces in the end.
//!
//! **Step Invariant**: a task that is not done is in one of three states, by what it waits for
//! ([`Parked`]) and whether its step is on the ready queue (`SCHEDULED`):
//!
//! 1. *Scheduled*: the step is on the queue (new, `Yielding`, or woken).
//! 2. *Running*: [`TaskBlock::run`] polls the future (`Running`).
//! 3. *Parked*: not scheduled. What it awaits of ours has it as a waiter (`Waiting`), or another
//!    crate's future holds its waker (`Foreign`).
//!
//! 1 to 2: `run`. 2 to 1: it yields (`park`), or is woken while it runs. 2 to 3: `park`. 3 to 1: the
//! end of what it awaits (`completion::end`), its waker, or a cancellation that nothing awaited takes
//! (`cancel`), all by [`schedule_step`]. So a step is on the queue at most once, and the first entry of
//! a scheduled task is its step. That entry has no count: a task that is not done has the loop's, and
//! one that ends while its step is on the queue leaves it to the entry. Entries of its own
//! waits are no steps: they are tagged.
//!
//! **Stage Invariant**: the stage holds the future while `HAS_FUTURE` is set, and the value once
//! `exchange` has put it there; never both. The state is `FINISHED` soon after, or the value is taken
//! out again. Of a future that needs no drop, only the end of the task clears the flag, and nothing asks for
//! it in between. The future is polled, and dropped, in its place, where it is
//! pinned: it is written once and never moved. Only the loop's thread, in `run` and in `drop_future`,
//! touches it, and `run` not again before it has returned, because a running task is not scheduled
//! to run inside of its own step.
#![allow(unsafe_code)]

use alloc::borrow::ToOwned;
use core::alloc::Layout;
use core::any::type_name;
use core::cell::UnsafeCell;
use core::future::Future;
use core::mem::{ManuallyDrop, needs_drop, offset_of};
use core::panic::Location;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::completion::run_next_callback;
use super::header::handle::{Handle, as_handle};
use super::header::{ErasedFuture, Header, Table, flag};
use super::node::{TypedFuture, drop_count, registry_of};
use super::registry::TaskRegistry;
use super::step::{THROWS, WOKE, YIELDS};
use super::task_entry::{self, OWN_ENTRY};
use super::task_header::{Parked, TaskHeader, schedule_step};
use super::waker;
#[cfg(feature = "contextvars")]
use crate::context::is_used;
use crate::error::{Error, Result};
use crate::event_loop::{
    Entry, EntryHead, EntryTable, LoopRef, described, drop_quietly, note_event, run_callback,
};
use crate::panics;

#[repr(C)]
union Stage<F, T> {
    future: ManuallyDrop<F>,
    value: ManuallyDrop<T>,
}

#[repr(C)]
struct TaskBlock<F, T> {
    task: TaskHeader,
    stage: UnsafeCell<Stage<F, T>>,
}

/// A value that is written to a task's stage when this is dropped, also by a panic.
struct ToStage<F, T> {
    stage: *mut Stage<F, T>,
    value: ManuallyDrop<T>,
}

impl<F, T> Drop for ToStage<F, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the Stage Invariant: `exchange`, which alone makes this, has dropped the future.
        unsafe { (*self.stage).value = ManuallyDrop::new(ManuallyDrop::take(&mut self.value)) }
    }
}

/// The functions of a task with handles of the type `H`.
struct Functions<F, T, H>(core::marker::PhantomData<(F, T, H)>);

impl<F: Future<Output = Result<T>> + 'static, T: 'static, H: Handle<T>> Functions<F, T, H> {
    const TABLE: Table = Table {
        entry: EntryTable {
            run: Self::run,
            discard: task_entry::discard_entry,
            drop: task_entry::drop_entry,
            kind: task_entry::kind,
            #[cfg(feature = "trace")]
            title: task_entry::title,
            describe: described(task_entry::describe),
            second: Some(&OWN_ENTRY),
        },
        as_any: as_handle::<T, H>,
        value_owns: needs_drop::<T>(),
        drop_contents: Self::drop_contents,
        drop_future: Self::drop_future,
        finish: if panics::CATCHES { Some(Self::finish_after_panic) } else { None },
        future_name: type_name::<F>,
        value_offset: offset_of!(TaskBlock<F, T>, stage),
    };

    /// Polls the future once, if it is the step that the entry stands for: state 1 to 2, and on to 1
    /// or 3 or the end. A panic in the poll goes up to the turn, and comes back by
    /// [`fail_current`].
    unsafe fn run(head: NonNull<EntryHead>, event_loop: &LoopRef) {
        let pointer: NonNull<Header> = head.cast();
        // SAFETY: By the Block Invariant, and the Step Invariant: the entry keeps the block.
        unsafe {
            let header = pointer.as_ref();
            if !header.has(flag::SCHEDULED) {
                return run_next_callback(pointer, event_loop);
            }
            let registry = registry_of(pointer);
            if header.has(flag::STATE | flag::MUST_CANCEL | flag::THROWS) {
                if !begin_throwing(pointer, registry) {
                    return;
                }
            } else {
                note_event!(registry.event_loop(), TaskHeader::at(pointer).step_event(None));
                begin(pointer, registry);
            }
            let waker = waker::for_poll(pointer);
            let stage = pointer.cast::<TaskBlock<F, T>>().as_ref().stage.get();
            // By the Stage Invariant the future is there, pinned, and nothing else borrows it.
            let future = Pin::new_unchecked(&mut *(*stage).future);
            let outcome = future.poll(&mut Context::from_waker(&waker));
            let step = registry.end_step();
            match outcome {
                Poll::Pending => park(pointer, registry, step),
                Poll::Ready(result) => {
                    if step & THROWS != 0 {
                        keep_thrown(pointer, registry);
                    }
                    match result {
                        Ok(value) => {
                            Self::exchange(pointer, registry, value);
                            Self::finish(pointer);
                        }
                        Err(error) => {
                            if needs_drop::<F>() {
                                drop_future_of(pointer);
                            }
                            finish_with(pointer, Ok(error));
                        }
                    }
                }
            }
        }
    }

    /// Drops the future of a task that has ended, and puts the value in its place. A panic in the drop
    /// goes up to the turn when that is done, and comes back by [`fail_current`]. Of a future that needs
    /// no drop the flag is left to the end of the task.
    #[inline(always)]
    unsafe fn exchange(pointer: NonNull<Header>, registry: &TaskRegistry, value: T) {
        // SAFETY: By the Stage Invariant; the flag is cleared first, so that the future is dropped once,
        // and the value is written once, behind that.
        unsafe {
            let stage = pointer.cast::<TaskBlock<F, T>>().as_ref().stage.get();
            if needs_drop::<F>() {
                registry.set_ending(Some(pointer));
                let value = ToStage { stage, value: ManuallyDrop::new(value) };
                Self::drop_future(pointer);
                drop(value);
                registry.set_ending(None);
            } else {
                (*stage).value = ManuallyDrop::new(value);
            }
        }
    }

    /// Ends a task of which the drop of the future has panicked, with the value that is in its place.
    unsafe fn finish_after_panic(pointer: NonNull<Header>) {
        // SAFETY: By the Stage Invariant: the caller's task has a value.
        unsafe { Self::finish(pointer) }
    }

    /// Ends a task after its value was written, unless it was asked to cancel in its last step.
    #[inline(always)]
    unsafe fn finish(pointer: NonNull<Header>) {
        // SAFETY: By the caller's contract. A value that doesn't become the task's result is taken out
        // again, as nothing else has seen it.
        unsafe {
            if !pointer.as_ref().has(flag::MUST_CANCEL) {
                return finish(pointer);
            }
            let stage = pointer.cast::<TaskBlock<F, T>>().as_ref().stage.get();
            let value = ManuallyDrop::take(&mut (*stage).value);
            // The last handle may be given back below, and the registry with it.
            let event_loop = registry_of(pointer).event_loop().clone();
            finish_with(pointer, Err(cancellation(pointer)));
            drop_quietly(&event_loop, value);
        }
    }

    unsafe fn drop_contents(pointer: NonNull<Header>) {
        // SAFETY: By the Stage Invariant.
        unsafe {
            let header = pointer.as_ref();
            if header.has(flag::HAS_FUTURE) {
                Self::drop_future(pointer);
            } else if needs_drop::<T>() && header.flags.get() & flag::STATE == flag::FINISHED {
                let stage = pointer.cast::<TaskBlock<F, T>>().as_ref().stage.get();
                ManuallyDrop::drop(&mut (*stage).value);
            }
        }
    }

    #[inline(always)]
    unsafe fn drop_future(pointer: NonNull<Header>) {
        // SAFETY: By the Stage Invariant; the flag is cleared first, so that it is dropped once.
        unsafe {
            if pointer.as_ref().take(flag::HAS_FUTURE) {
                let stage = pointer.cast::<TaskBlock<F, T>>().as_ref().stage.get();
                ManuallyDrop::drop(&mut (*stage).future);
            }
        }
    }
}

/// A task, of which `start` is given the first step: to schedule it, or to run it.
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where the loop's memory limit is reached; `future` is dropped.
#[inline]
pub(crate) fn spawn<F, T, H>(
    registry: &TaskRegistry,
    future: F,
    created_at: &'static Location<'static>,
    start: impl FnOnce(&TaskRegistry, Entry),
) -> Result<TypedFuture<T>>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
    H: Handle<T> + 'static,
{
    let Some(block) = registry.allocate(Layout::new::<TaskBlock<F, T>>()) else {
        return Err(Error::no_memory());
    };
    let block = block.cast::<TaskBlock<F, T>>();
    let flags = flag::TASK | flag::SCHEDULED | flag::HAS_FUTURE | Parked::Foreign.bits();
    // One count is the loop's, one the handle's.
    let header = Header::new(const { &Functions::<F, T, H>::TABLE }, 2, flags);
    let task = TaskHeader::new(header, created_at, registry.next_serial());
    // SAFETY: The block is new, and large enough. The header makes the invariants hold.
    let handle = unsafe {
        (&raw mut (*block.as_ptr()).task).write(task);
        (&raw mut (*block.as_ptr()).stage).cast::<F>().write(future);
        block.as_ref().task.note_created_at(created_at);
        TypedFuture::new(ErasedFuture::from_count(block.cast()))
    };
    registry.keep_for_late_block();
    #[cfg(feature = "contextvars")]
    if is_used() {
        handle.erased().capture_context();
    }
    note_event!(registry.event_loop(), registry.task_made_event());
    // SAFETY: By the Step Invariant: the task is `SCHEDULED`, and this is its entry.
    start(registry, unsafe { Entry::from_head(block.cast()) });
    Ok(handle)
}

/// Begins a step: state 1 to 2.
#[cfg_attr(feature = "std", inline(always))]
unsafe fn begin(pointer: NonNull<Header>, registry: &TaskRegistry) {
    // SAFETY: By the caller's contract.
    let header = unsafe { pointer.as_ref() };
    let flags = header.flags.get() & !(flag::SCHEDULED | flag::PARKED);
    header.flags.set(flags | Parked::Running.bits());
    registry.begin_step(pointer);
}

/// Begins a step that throws. Returns false where there is none: the task is done.
#[cold]
unsafe fn begin_throwing(pointer: NonNull<Header>, registry: &TaskRegistry) -> bool {
    // SAFETY: By the caller's contract, here and below.
    let header = unsafe { pointer.as_ref() };
    header.clear(flag::SCHEDULED);
    if header.done() {
        // SAFETY: By the Step Invariant the task has left the loop's count to this entry.
        unsafe { drop_count(pointer) };
        return false;
    }
    // SAFETY: As above.
    let task = unsafe { pointer.cast::<TaskHeader>().as_ref() };
    let (thrown, at) = (task.take_thrown(), task.take_throw_at());
    note_event!(registry.event_loop(), task.step_event(thrown.as_ref()));
    if task.parked() == Parked::Foreign {
        // It stands at no await of ours from which the error could come.
        // SAFETY: As above.
        unsafe {
            drop_future_of(pointer);
            finish_with(pointer, Ok(thrown.unwrap_or(Error::cancelled())));
        }
        return false;
    }
    // SAFETY: As above.
    unsafe { begin(pointer, registry) };
    if let Some(error) = thrown {
        registry.throw_at(error, at);
    }
    true
}

/// Parks a task after a step that didn't end it.
#[cfg_attr(feature = "std", inline(always))]
unsafe fn park(pointer: NonNull<Header>, registry: &TaskRegistry, step: u8) {
    // SAFETY: By the caller's contract, here and below.
    unsafe {
        let header = pointer.as_ref();
        let flags = header.flags.get() & !flag::PARKED;
        let why = u32::from(step & (YIELDS | WOKE | THROWS)) | flags & flag::MUST_CANCEL;
        if why == 0 {
            let task = pointer.cast::<TaskHeader>().as_ref();
            let parked = if task.awaits() { Parked::Waiting } else { Parked::Foreign };
            header.flags.set(flags | parked.bits());
            note_event!(registry.event_loop(), task.wait_event());
        } else if why & !u32::from(WOKE) == u32::from(YIELDS) {
            header.flags.set(flags | Parked::Yielding.bits() | flag::SCHEDULED);
            note_event!(registry.event_loop(), TaskHeader::at(pointer).yield_event());
            if flags & flag::SCHEDULED == 0 {
                // By the Step Invariant: it was not scheduled, and is not done.
                registry.event_loop().schedule(Entry::from_head(pointer.cast()));
            }
        } else {
            park_rarely(pointer, registry, step);
        }
    }
}

// The flags that `park` tests in one word.
const _: () = assert!(flag::MUST_CANCEL & (YIELDS | WOKE | THROWS) as u32 == 0);

/// Parks a task that its own poll woke, that keeps what was thrown, or that was asked to cancel.
#[inline(never)]
unsafe fn park_rarely(pointer: NonNull<Header>, registry: &TaskRegistry, step: u8) {
    // SAFETY: By the caller's contract, here and below.
    unsafe {
        let header = pointer.as_ref();
        if step & THROWS != 0 {
            keep_thrown(pointer, registry);
        }
        let parked = if step & YIELDS != 0 {
            Parked::Yielding
        } else if pointer.cast::<TaskHeader>().as_ref().awaits() {
            Parked::Waiting
        } else {
            Parked::Foreign
        };
        header.flags.set((header.flags.get() & !flag::PARKED) | parked.bits());
        if step & (YIELDS | WOKE) != 0 {
            schedule_step(pointer);
        }
        if header.has(flag::MUST_CANCEL) {
            if let Some(cancel_parked) = registry.cancel_walk.cancel_parked.get() {
                cancel_parked(&ErasedFuture::from_header(pointer));
            }
        }
        note_event!(registry.event_loop(), TaskHeader::at(pointer).park_event());
    }
}

/// Keeps a thrown cancellation that met no await of ours, to be thrown again.
#[cold]
unsafe fn keep_thrown(pointer: NonNull<Header>, registry: &TaskRegistry) {
    // SAFETY: By the caller's contract.
    let task = unsafe { pointer.cast::<TaskHeader>().as_ref() };
    match registry.take_untaken() {
        Some(error) if error.is_cancelled() => task.must_cancel(error),
        Some(error) => task.throw_next(error),
        None => {}
    }
}

/// Drops the future of a task that has ended; a panic out of it is reported.
#[inline(never)]
pub(super) unsafe fn drop_future_of(pointer: NonNull<Header>) {
    // SAFETY: By the caller's contract.
    unsafe {
        let table = pointer.as_ref().table;
        if let Err(panic) = panics::caught(|| (table.drop_future)(pointer)) {
            report_drop(pointer, panic);
        }
    }
}

/// Reports a panic in the drop of a task's future.
unsafe fn report_drop(pointer: NonNull<Header>, panic: Error) {
    // SAFETY: By the caller's contract.
    let (table, registry) = unsafe { (pointer.as_ref().table, registry_of(pointer)) };
    let describe = || "<drop of ".to_owned() + (table.future_name)() + ">";
    run_callback(registry.event_loop(), describe, || Err(panic));
}

/// Ends a task after its value was written.
#[inline(always)]
unsafe fn finish(pointer: NonNull<Header>) {
    // SAFETY: By the caller's contract: the loop's count is given back, or left to the entry.
    unsafe {
        super::completion::end(pointer, flag::FINISHED);
        if !pointer.as_ref().has(flag::SCHEDULED) {
            drop_count(pointer);
        }
    }
}

/// Ends a task with the error of its coroutine, or, with `Err`, with its cancellation in place of the
/// value that it returned.
#[cold]
unsafe fn finish_with(pointer: NonNull<Header>, error: Result<Error, Error>) {
    // SAFETY: By the caller's contract: this takes over the loop's count, which is given back, or
    // left to the entry.
    let task = unsafe { ErasedFuture::from_count(pointer) };
    match error {
        Err(cancellation) => task.end_with(flag::CANCELLED, cancellation),
        Ok(error) if error.is_cancelled() => {
            task.header().deliver_to_first();
            task.end_with(flag::CANCELLED, error);
        }
        Ok(error) => task.end_with(flag::FAILED, error),
    }
    if task.header().has(flag::SCHEDULED) {
        task.into_count();
    }
}

/// The end of a task that was asked to cancel in its last step.
#[cold]
unsafe fn cancellation(pointer: NonNull<Header>) -> Error {
    // SAFETY: By the caller's contract.
    let task = unsafe { pointer.cast::<TaskHeader>().as_ref() };
    task.header.clear(flag::MUST_CANCEL);
    task.cancellation()
}

/// The step that went on has panicked: that is its task's error. One that has ended its task is
/// reported, if the drop of the future panicked. Gives the panic back where neither is so.
pub(super) fn fail_current(registry: &TaskRegistry, panic: Error) -> Option<Error> {
    if let Some(task) = registry.take_ending() {
        // SAFETY: By the Stage Invariant: `exchange` has put the value in the place of the future. The
        // loop counts a task that is not done.
        unsafe {
            report_drop(task, panic);
            if let Some(finish) = task.as_ref().table.finish {
                finish(task);
            }
        }
        return None;
    }
    let Some(task) = registry.current() else { return Some(panic) };
    let untaken = if registry.end_step() & THROWS != 0 { registry.take_untaken() } else { None };
    // SAFETY: By the Step Invariant: the loop counts the running task.
    unsafe {
        drop_future_of(task);
        finish_with(task, Ok(panic));
    }
    // Its drop may panic: last.
    drop(untaken);
    None
}
