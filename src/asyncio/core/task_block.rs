//! A task in one block: its header, what it is as a task, and its Rust future, in whose place its
//! result stands in the end.
//!
//! **Step Invariant**: a task that is not done is in one of three states, by what it waits for
//! ([`Parked`]) and whether its step is on the ready queue (`SCHEDULED`):
//!
//! 1. *Scheduled*: the step is on the queue (`Unstarted`, `Yielding`, or woken).
//! 2. *Running*: [`TaskBlock::run`] polls the future (`Running`).
//! 3. *Parked*: not scheduled. What it awaits of ours has it as a waiter (`Waiting`), or another
//!    crate's future holds its waker (`Foreign`).
//!
//! 1 to 2: `run`. 2 to 1: it yields (`park`), or is woken while it runs. 2 to 3: `park`. 3 to 1: the
//! end of what it awaits (`completion::end`), its waker, or a cancellation that nothing awaited takes
//! (`cancel`), all by [`schedule_step`]. So a step is on the queue at most once, and the first entry of
//! a scheduled task is its step. That entry has no count: a task that is not done has the loop's, and
//! one that ends while its step is on the queue leaves it to the entry.
//!
//! **Stage Invariant**: the stage holds the future while `HAS_FUTURE` is set, and the value once the
//! state is `FINISHED`; never both. The future is polled, and dropped, in its place, where it is
//! pinned: it is written once and never moved. Only the loop's thread, in `run` and in `drop_future`,
//! touches it, and `run` not again before it has returned, because a running task is not scheduled
//! to run inside of its own step.
#![allow(unsafe_code)]

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::any::type_name;
use core::cell::UnsafeCell;
use core::future::Future;
use core::mem::{ManuallyDrop, needs_drop, offset_of};
use core::panic::Location;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use super::any_future::AnyFuture;
use super::completion::run_next_callback;
use super::header::{Header, Table, flag};
use super::node::{ErasedFuture, TypedFuture, drop_count, entry_head, registry_of};
use super::registry::TaskRegistry;
use super::step::{THROWS, WOKE, YIELDS};
use super::task_header::{Parked, TaskHeader};
use super::{cancel, task_entry, waker};
use crate::blocks::Pages;
use crate::error::{Error, Result};
use crate::event_loop::{
    Entry, EntryHead, EntryTable, ExceptionContext, LoopRef, drop_quietly, run_callback,
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

/// A handle of one future or task, by which callbacks are called with it.
pub(crate) trait Handle<T>: AnyFuture {
    fn from_typed(future: TypedFuture<T>) -> Self;
}

/// A handle of `future` that has no count of its own, for as long as `future` is borrowed.
///
/// # Safety
///
/// The value of the block is a `T`.
#[inline(always)]
pub(super) unsafe fn lent_handle<T, H: Handle<T>>(future: &ErasedFuture) -> ManuallyDrop<H> {
    // SAFETY: By this function's contract. The count is that of `future`: the handle is not dropped.
    let lent = unsafe { TypedFuture::new(ErasedFuture::from_count(future.pointer())) };
    ManuallyDrop::new(H::from_typed(lent))
}

/// The functions of a task whose handles are `H`.
struct Functions<F, T, H>(core::marker::PhantomData<(F, T, H)>);

impl<F: Future<Output = Result<T>> + 'static, T: 'static, H: Handle<T>> Functions<F, T, H> {
    const TABLE: Table = Table {
        entry: EntryTable {
            run: Self::run,
            discard: task_entry::discard_entry,
            drop: task_entry::drop_entry,
            mark: task_entry::mark,
            #[cfg(feature = "trace")]
            title: task_entry::title,
            describe: task_entry::describe,
        },
        // SAFETY: It is the table of blocks whose value is a `T`.
        call: |task, callback| callback.call(&*unsafe { lent_handle::<T, H>(task) }),
        value_owns: needs_drop::<T>(),
        drop_contents: Self::drop_contents,
        drop_future: Self::drop_future,
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
            let mut thrown = None;
            if header.has(flag::STATE | flag::MUST_CANCEL | flag::THROWS) {
                match begin_thrown(pointer) {
                    Begin::Nothing => return,
                    Begin::Throw(error) => thrown = error,
                }
            }
            let flags = header.flags.get() & !(flag::SCHEDULED | flag::PARKED);
            header.flags.set(flags | Parked::Running.bits());
            let registry = registry_of(pointer);
            registry.begin_step(pointer);
            if let Some((error, at)) = thrown {
                registry.throw_at(error, at);
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
                    drop_future_of(pointer, needs_drop::<F>());
                    match result {
                        Ok(value) if !header.has(flag::MUST_CANCEL) => {
                            (*stage).value = ManuallyDrop::new(value);
                            finish(pointer);
                        }
                        Ok(value) => {
                            finish_with(pointer, Err(cancellation(pointer)));
                            drop_quietly(event_loop, value);
                        }
                        Err(error) => finish_with(pointer, Ok(error)),
                    }
                }
            }
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

/// A task whose first step is on the ready queue.
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where the loop's memory limit is reached; `future` is dropped.
#[inline]
pub(crate) fn spawn<F, T, H>(
    registry: &TaskRegistry,
    future: F,
    created_at: &'static Location<'static>,
) -> Result<TypedFuture<T>>
where
    F: Future<Output = Result<T>> + 'static,
    T: 'static,
    H: Handle<T> + 'static,
{
    let Some(block) = registry.allocate(Layout::new::<TaskBlock<F, T>>()) else {
        return Err(out_of_memory());
    };
    let block = block.cast::<TaskBlock<F, T>>();
    let flags = flag::TASK | flag::SCHEDULED | flag::HAS_FUTURE | Parked::Unstarted.bits();
    // One count is the loop's, one the handle's.
    let header = Header::new(const { &Functions::<F, T, H>::TABLE }, 2, flags);
    let task = TaskHeader::new(header, created_at, registry.next_serial());
    // SAFETY: The block is new, and large enough. The header makes the invariants hold.
    let handle = unsafe {
        (&raw mut (*block.as_ptr()).task).write(task);
        (&raw mut (*block.as_ptr()).stage).cast::<F>().write(future);
        TypedFuture::new(ErasedFuture::from_count(block.cast()))
    };
    registry.keep_for_late_block();
    // SAFETY: By the Step Invariant: the task is `SCHEDULED`, and this is its entry.
    registry.event_loop().schedule(unsafe { Entry::from_head(block.cast()) });
    Ok(handle)
}

#[cold]
fn out_of_memory() -> Error {
    Error::runtime("there is no memory for another task within the loop's limit")
}

/// Puts the step of a task on the ready queue, unless it is there or the task is done.
///
/// # Safety
///
/// The Block Invariant holds for `task`, which is a task, on its loop's thread; or the task is done,
/// and a waker holds the block's memory.
#[inline(always)]
pub(super) unsafe fn schedule_step(task: NonNull<Header>) {
    // SAFETY: By this function's contract, and the Step Invariant. No reference to the whole header
    // is made: the first word of one whose contents are dropped is no table.
    unsafe {
        let flags = &(*task.as_ptr()).flags;
        if flags.get() & (flag::SCHEDULED | flag::STATE) == 0 {
            flags.set(flags.get() | flag::SCHEDULED);
            registry_of(task).event_loop().schedule(Entry::from_head(entry_head(task)));
        }
    }
}

/// What a step begins with.
enum Begin {
    /// There is no step: the task is done.
    Nothing,
    Throw(Option<(Error, Vec<NonNull<Header>>)>),
}

/// Begins a step that throws, or an entry of a task that is done.
#[cold]
unsafe fn begin_thrown(pointer: NonNull<Header>) -> Begin {
    // SAFETY: By the caller's contract, here and below.
    let header = unsafe { pointer.as_ref() };
    header.clear(flag::SCHEDULED);
    if header.done() {
        // SAFETY: By the Step Invariant the task has left the loop's count to this entry.
        unsafe { drop_count(pointer) };
        return Begin::Nothing;
    }
    // SAFETY: As above.
    let task = unsafe { pointer.cast::<TaskHeader>().as_ref() };
    let (thrown, at) = (task.take_thrown(), task.take_throw_at());
    if matches!(task.parked(), Parked::Unstarted | Parked::Foreign) {
        // Nothing of it has run, or it stands at no await of ours from which the error could come.
        // SAFETY: As above.
        unsafe {
            drop_future_of(pointer, true);
            finish_with(pointer, Ok(thrown.unwrap_or(Error::cancelled())));
        }
        return Begin::Nothing;
    }
    Begin::Throw(thrown.map(|error| (error, at)))
}

/// Parks a task after a step that didn't end it.
#[inline(always)]
unsafe fn park(pointer: NonNull<Header>, registry: &TaskRegistry, step: u8) {
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
            park_cancelled(pointer, parked);
        }
    }
}

/// Delivers the cancellation of a task that was asked for while it ran.
#[cold]
unsafe fn park_cancelled(pointer: NonNull<Header>, parked: Parked) {
    // SAFETY: By the caller's contract; the handle is its own.
    let task = unsafe { ErasedFuture::from_header(pointer) };
    match parked {
        // SAFETY: As above.
        Parked::Foreign => unsafe { schedule_step(pointer) },
        Parked::Waiting if cancel::cancel_waits(&task) => task.header().clear(flag::MUST_CANCEL),
        _ => {}
    }
}

/// What was thrown and met no await of ours is still to be thrown.
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
#[inline(always)]
unsafe fn drop_future_of(pointer: NonNull<Header>, needs_drop: bool) {
    // SAFETY: By the caller's contract.
    unsafe {
        if needs_drop {
            drop_future_caught(pointer);
        } else {
            pointer.as_ref().clear(flag::HAS_FUTURE);
        }
    }
}

#[inline(never)]
unsafe fn drop_future_caught(pointer: NonNull<Header>) {
    // SAFETY: By the caller's contract.
    unsafe {
        let table = pointer.as_ref().table;
        if let Err(panic) = panics::caught(|| (table.drop_future)(pointer)) {
            let describe = || "<drop of ".to_owned() + (table.future_name)() + ">";
            run_callback(registry_of(pointer).event_loop(), describe, || Err(panic));
        }
    }
}

/// Ends a task whose value was written.
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

/// Ends a task whose coroutine has returned an error, or, with `Err`, is cancelled though it returned
/// a value.
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

/// What a task that was asked to cancel in its last step ends with.
#[cold]
unsafe fn cancellation(pointer: NonNull<Header>) -> Error {
    // SAFETY: By the caller's contract.
    let task = unsafe { pointer.cast::<TaskHeader>().as_ref() };
    task.header.clear(flag::MUST_CANCEL);
    task.cancellation()
}

/// The step that went on has panicked: that is its task's error. Gives the panic back where no step
/// went on.
pub(super) fn fail_current(registry: &TaskRegistry, panic: Error) -> Option<Error> {
    let Some(task) = registry.current() else { return Some(panic) };
    let untaken = if registry.end_step() & THROWS != 0 { registry.take_untaken() } else { None };
    // SAFETY: By the Step Invariant: the loop counts the task whose step goes on.
    unsafe {
        drop_future_of(task, true);
        finish_with(task, Ok(panic));
    }
    // Its drop may panic: last.
    drop(untaken);
    None
}

/// The loop has closed: drops what a task holds, and reports it if it isn't done.
pub(super) fn abandon(task: ErasedFuture) {
    let event_loop = task.event_loop().clone();
    if task.header().has(flag::HAS_FUTURE) {
        if !task.header().has(flag::NO_DESTROY_REPORT) {
            let mut context = ExceptionContext::new("Task was destroyed but it is pending!");
            context.task = Some(task.describe());
            event_loop.call_exception_handler(&context);
        }
        // SAFETY: The task is not running: a running loop isn't closed.
        unsafe { drop_future_of(task.pointer(), true) }
    }
    if let Some(own) = task.task() {
        own.first_wait.set(None);
        own.header.clear(flag::MORE_WAITS);
        drop(own.header.with_rare_if_any(|rare| core::mem::take(&mut rare.waits)));
    }
    let callbacks = task.header().waiters.take_callbacks();
    drop_quietly(&event_loop, callbacks);
    // SAFETY: The loop's count of a task that is not done, which nothing schedules any more.
    drop_quietly(&event_loop, unsafe { ErasedFuture::from_count(task.pointer()) });
    drop_quietly(&event_loop, task);
}

/// The tasks in `pages` that are not done.
pub(super) fn pending_tasks<R: Send + Sync + 'static>(
    pages: &Pages<TaskRegistry, R>,
) -> Vec<ErasedFuture> {
    let mut tasks = Vec::new();
    for_each_pending(pages, &mut |header| {
        // SAFETY: It is in use, and its count is not zero.
        tasks.push(unsafe { ErasedFuture::from_header(header) });
    });
    tasks
}

/// Whether a waker is kept of a task that is not done.
pub(super) fn has_waker<R: Send + Sync + 'static>(pages: &Pages<TaskRegistry, R>) -> bool {
    let mut kept = false;
    for_each_pending(pages, &mut |header| {
        // SAFETY: It is in use.
        kept |= waker::is_kept(unsafe { header.as_ref() });
    });
    kept
}

fn for_each_pending<R: Send + Sync + 'static>(
    pages: &Pages<TaskRegistry, R>,
    look: &mut dyn FnMut(NonNull<Header>),
) {
    let mut look_at = |block: NonNull<u8>| {
        let header: NonNull<Header> = block.cast();
        // SAFETY: All blocks of these pages begin with a header, which stays while they are in use.
        let own = unsafe { header.as_ref() };
        if own.is_task() && !own.done() && own.count() > 0 {
            look(header);
        }
    };
    // SAFETY: Each block is given its header as soon as it is made, and `look` makes and frees none.
    unsafe { pages.for_each(&mut look_at) }
}

impl ErasedFuture {
    /// Schedules the step of a task, unless it is scheduled or done.
    pub(super) fn schedule_step(&self) {
        debug_assert!(self.header().is_task());
        // SAFETY: This handle keeps the task.
        unsafe { schedule_step(self.pointer()) }
    }
}
