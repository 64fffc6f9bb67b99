//! The tasks of a loop that are not done, which no list names: they are found in its pages.
#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::ptr::NonNull;

use super::header::{Header, flag};
use super::node::ErasedFuture;
use super::registry::TaskRegistry;
use super::task_block::drop_future_of;
use super::waker;
use crate::blocks::Pages;
use crate::event_loop::{ExceptionContext, drop_quietly};

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
pub(super) fn all_pending<R: Send + Sync + 'static>(
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
