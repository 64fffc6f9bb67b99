//! The tasks of a loop as it sees them: [`TaskScheduler`] for the [`TaskRegistry`]. No list names the tasks that
//! are not done: they are found in the pages.
#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::any::Any;
use core::ptr::NonNull;

use super::header::{ErasedFuture, Header, flag};
use super::registry::{TaskRegistry, set_cached};
use super::task_block::drop_future_of;
#[cfg(feature = "contextvars")]
use super::task_entry;
use super::task_header::TaskHeader;
#[cfg(feature = "events")]
use super::wait_reason::WaitReason;
use super::{task_block, waker};
use crate::blocks::{Lasting, Pages};
use crate::collections::Sorter;
#[cfg(feature = "contextvars")]
use crate::context::Context;
use crate::error::Error;
#[cfg(feature = "contextvars")]
use crate::event_loop::Entry;
#[cfg(feature = "events")]
use crate::event_loop::ReasonWords;
use crate::event_loop::{ExceptionContext, TaskScheduler, Woken, drop_quietly, run_callback};
use crate::panics::CATCHES;

impl TaskRegistry {
    /// The tasks that are not done, oldest first.
    pub(crate) fn all(&self) -> Vec<ErasedFuture> {
        let mut sorter = Sorter::new();
        for_each_task(&self.pages, |task| {
            // SAFETY: It is a task, and in use.
            sorter.push(unsafe { task.cast::<TaskHeader>().as_ref() }.serial(), task);
        });
        // SAFETY: Each is in use, and its count is not zero.
        sorter.drain_sorted().map(|task| unsafe { ErasedFuture::from_header(task) }).collect()
    }

    /// The numbers of all tasks, also of those that are done, in order.
    pub(super) fn serials(&self) -> Vec<u64> {
        let mut serials = Vec::new();
        for_each_header(&self.pages, &mut |header| {
            // SAFETY: It is in use; its header says whether it is a task.
            unsafe {
                if header.as_ref().is_task() {
                    serials.push(header.cast::<TaskHeader>().as_ref().serial());
                }
            }
        });
        serials.sort_unstable();
        serials
    }

    pub(crate) fn has_tasks(&self) -> bool {
        let mut has_some = false;
        for_each_task(&self.pages, |_| has_some = true);
        has_some
    }

    /// The loop has closed: drops everything.
    pub(crate) fn close(&self) {
        self.end_unwound_step();
        set_cached(None);
        for task in self.all() {
            abandon(task);
        }
        let extensions = self.extensions.take();
        for extension in extensions {
            extension.close(&self.event_loop);
            drop_quietly(&self.event_loop, extension);
        }
        for future in awaited_by_wakers(&self.pages) {
            for waker in future.header().waiters.take_wakers() {
                run_callback(&self.event_loop, || "<wake of a waker>".into(), || waker.wake());
            }
            drop_quietly(&self.event_loop, future);
        }
    }
}

impl TaskScheduler for Lasting<TaskRegistry> {
    fn wake(&self, woken: Woken) {
        // SAFETY: It is a message of `waker`, which comes to the loop once.
        waker::wake_task_of(&unsafe { waker::of_message(woken) });
    }

    fn forget_wake(&self, woken: Woken) {
        // SAFETY: As for `wake`.
        drop(unsafe { waker::of_message(woken) });
    }

    #[cfg(feature = "events")]
    fn reason_words(&self) -> ReasonWords {
        WaitReason::words_of_number
    }

    fn idle(&self) {
        self.pages.collect_remote();
        self.pages.release_idle();
        if let Some(pages) = self.used_waiter_pages() {
            pages.release_idle();
        }
    }

    fn release(&self) {
        self.release_pages();
    }

    fn take_panic(&self, panic: Error) -> Option<Error> {
        if CATCHES { task_block::fail_current(self, panic) } else { Some(panic) }
    }

    fn could_be_woken(&self) -> bool {
        has_waker(&self.pages)
    }

    #[cfg(feature = "contextvars")]
    fn context_of(&self, entry: &Entry) -> Option<Context> {
        task_entry::context(entry)
    }

    #[cfg(feature = "contextvars")]
    fn step_context(&self) -> Option<Context> {
        self.current_task()?.task().map(|task| task.context())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The loop has closed: drops what a task holds, and reports it if it isn't done.
fn abandon(task: ErasedFuture) {
    let event_loop = task.event_loop().clone();
    if task.header().has(flag::HAS_FUTURE) {
        if !task.header().has(flag::NO_DESTROY_REPORT) {
            let mut context = ExceptionContext::new("Task was destroyed but it is pending!");
            context.task = Some(task.describe());
            task.report(&context);
        }
        // SAFETY: The task is not running: a running loop isn't closed.
        unsafe { drop_future_of(task.pointer()) }
    }
    if let Some(own) = task.task() {
        own.forget_waits();
    }
    let callbacks = task.header().waiters.take_callbacks();
    drop_quietly(&event_loop, callbacks);
    // SAFETY: The loop's count of a task that is not done, which nothing schedules any more.
    drop_quietly(&event_loop, unsafe { ErasedFuture::from_count(task.pointer()) });
    drop_quietly(&event_loop, task);
}

/// Looks at the tasks in `pages` that are not done.
fn for_each_task<R: Send + Sync + 'static>(
    pages: &Pages<TaskRegistry, R>,
    mut look: impl FnMut(NonNull<Header>),
) {
    for_each_pending(pages, &mut |header| {
        // SAFETY: It is in use, and its count is not zero.
        if unsafe { header.as_ref() }.is_task() {
            look(header);
        }
    });
}

/// The futures in `pages` that are not done and that other code awaits by wakers.
fn awaited_by_wakers<R: Send + Sync + 'static>(
    pages: &Pages<TaskRegistry, R>,
) -> Vec<ErasedFuture> {
    let mut futures = Vec::new();
    for_each_pending(pages, &mut |header| {
        // SAFETY: It is in use, and its count is not zero.
        if unsafe { header.as_ref() }.waiters.has_wakers() {
            // SAFETY: As above.
            futures.push(unsafe { ErasedFuture::from_header(header) });
        }
    });
    futures
}

/// Returns true if a waker is kept of a task that is not done.
fn has_waker<R: Send + Sync + 'static>(pages: &Pages<TaskRegistry, R>) -> bool {
    let mut kept = false;
    for_each_pending(pages, &mut |header| {
        // SAFETY: It is in use; its header says whether it is a task.
        kept |= unsafe { header.as_ref().is_task() && waker::is_kept(header) };
    });
    kept
}

fn for_each_pending<R: Send + Sync + 'static>(
    pages: &Pages<TaskRegistry, R>,
    look: &mut dyn FnMut(NonNull<Header>),
) {
    for_each_header(pages, &mut |header| {
        // SAFETY: It is in use.
        let own = unsafe { header.as_ref() };
        if !own.done() && own.count() > 0 {
            look(header);
        }
    });
}

fn for_each_header<R: Send + Sync + 'static>(
    pages: &Pages<TaskRegistry, R>,
    look: &mut dyn FnMut(NonNull<Header>),
) {
    let mut look_at = |block: NonNull<u8>| look(block.cast());
    // SAFETY: All blocks of these pages begin with a header, which stays while they are in use. Each is given it as
    // soon as it is made, and `look` makes and frees none.
    unsafe { pages.for_each(&mut look_at) }
}
