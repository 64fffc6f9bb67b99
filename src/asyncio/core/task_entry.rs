//! The functions of a task's entry besides `run`. An entry is the task's step while the task is
//! `SCHEDULED`, and runs a callback otherwise: see the Step Invariant of `task_block`. The entry of the timer
//! of its own sleep is of a second sort, [`SLEEP_ENTRY`]: see `own_sleep`.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::string::String;
use core::ptr::NonNull;

use super::completion::{describe_callback, discard_next_callback, drop_callback_entry};
use super::header::{ErasedFuture, Header, flag};
use super::node::{drop_count, drop_memory_here, registry_of};
use super::task_header::{TaskHeader, schedule_step};
#[cfg(feature = "contextvars")]
use crate::context::Context;
#[cfg(feature = "contextvars")]
use crate::event_loop::Entry;
use crate::event_loop::{Describe, EntryHead, EntryTable, JobKind, LoopRef};
use crate::logging::text;

pub(super) unsafe fn discard_entry(head: NonNull<EntryHead>, event_loop: &LoopRef) {
    let pointer: NonNull<Header> = head.cast();
    // SAFETY: By the Step Invariant: a scheduled task's next entry is its step.
    unsafe {
        if pointer.as_ref().has(flag::SCHEDULED) {
            drop_step_entry(pointer);
        } else {
            discard_next_callback(pointer, event_loop);
        }
    }
}

pub(super) unsafe fn drop_entry(head: NonNull<EntryHead>) {
    let pointer: NonNull<Header> = head.cast();
    // SAFETY: As in `discard_entry`.
    unsafe {
        if pointer.as_ref().has(flag::SCHEDULED) {
            drop_step_entry(pointer);
        } else {
            drop_callback_entry(pointer);
        }
    }
}

unsafe fn drop_step_entry(pointer: NonNull<Header>) {
    // SAFETY: By the Step Invariant: of a task that is done the entry has the loop's count.
    unsafe {
        pointer.as_ref().clear(flag::SCHEDULED);
        if pointer.as_ref().done() {
            drop_count(pointer);
        }
    }
}

pub(super) unsafe fn kind(head: NonNull<EntryHead>) -> JobKind {
    // SAFETY: By the Block Invariant: the entry keeps the block.
    let task = unsafe { head.cast::<TaskHeader>().as_ref() };
    if task.scheduled() { JobKind::Step(task.serial()) } else { JobKind::TaskDone(task.serial()) }
}

#[cfg(feature = "trace")]
pub(super) unsafe fn title(head: NonNull<EntryHead>) -> String {
    // SAFETY: As in `kind`.
    let task = unsafe { head.cast::<TaskHeader>().as_ref() };
    let done = if task.scheduled() { "" } else { "a callback of " };
    String::from(done) + &task.name()
}

/// The context of a task, by the entry of its step.
#[cfg(feature = "contextvars")]
pub(super) fn context(entry: &Entry) -> Option<Context> {
    let JobKind::Step(_) = entry.kind() else { return None };
    // SAFETY: Of all entries `kind` alone, above, says that of one, which is a task's: see there.
    Some(unsafe { &*entry.address().cast::<TaskHeader>() }.context())
}

pub(super) unsafe fn describe(head: NonNull<EntryHead>) -> Describe {
    // SAFETY: As in `kind`.
    let task = unsafe { ErasedFuture::from_header(head.cast()) };
    match task.header().has(flag::SCHEDULED) {
        true => Box::new(move || task.describe()),
        false => describe_callback(task),
    }
}

/// Ends the sleep of a task when its timer is due. By the Sleep Invariant of `own_sleep` the task is there.
pub(super) static SLEEP_ENTRY: EntryTable = EntryTable {
    // SAFETY: It is the entry of the timer of a sleep.
    run: |head, _event_loop| unsafe { end_sleep(head.cast()) },
    // SAFETY: As for `run`.
    discard: |head, _event_loop| unsafe { lose_sleep(head.cast()) },
    // SAFETY: As for `run`.
    drop: |head| unsafe { lose_sleep(head.cast()) },
    kind: |_| JobKind::Sleep,
    #[cfg(feature = "trace")]
    title: |head| {
        // SAFETY: As for `run`.
        let name = unsafe { head.cast::<TaskHeader>().as_ref() }.name();
        text!("<end of a sleep of {name}>")
    },
    describe: |head| {
        // SAFETY: As for `run`. The contents of a task without a count are dropped.
        let task = unsafe {
            let is_counted = head.cast::<Header>().as_ref().count() > 0;
            is_counted.then(|| ErasedFuture::from_header(head.cast()))
        };
        let task_text = move || task.map_or_else(String::new, |task| task.describe());
        Box::new(move || text!("<end of a sleep of {}>", task_text()))
    },
    second: None,
};

/// The entry of the timer of a task's own sleep has come.
///
/// # Safety
///
/// The Sleep Invariant holds for `task`, of which it is an entry.
#[inline]
unsafe fn end_sleep(task: NonNull<Header>) {
    // SAFETY: By the Sleep Invariant the block is there, and is that of a task.
    unsafe {
        let own = task.as_ref();
        if own.has(flag::STALE_SLEEPS) {
            return end_stale_sleep(task, true);
        }
        own.set(flag::SLEEP_FIRED);
        if !own.has(flag::SLEEP_CANCELLED) {
            schedule_step(task);
        }
    }
}

/// The entry of the timer of a task's own sleep will not come: the loop closes, or has refused it.
///
/// # Safety
///
/// As for [`end_sleep`].
#[cold]
unsafe fn lose_sleep(task: NonNull<Header>) {
    // SAFETY: As in `end_sleep`.
    unsafe {
        let own = task.as_ref();
        if own.has(flag::STALE_SLEEPS) && !own.has(flag::SLEEP_LOST) {
            return end_stale_sleep(task, false);
        }
        own.set(flag::SLEEP_LOST);
    }
}

/// The entry of an earlier sleep has come, or will not come.
///
/// # Safety
///
/// As for [`end_sleep`].
#[cold]
unsafe fn end_stale_sleep(task: NonNull<Header>, completes: bool) {
    // SAFETY: As in `end_sleep`.
    let (own, registry) = unsafe { (task.as_ref(), registry_of(task)) };
    let moved = {
        let mut all = registry.moved_sleeps.borrow_mut();
        let place = all.iter().position(|(of, _)| *of == task);
        place.map(|place| all.remove(place).1)
    };
    if !own.has_all(flag::STALE_SLEEPS) {
        own.flags.set(own.flags.get() - flag::ONE_STALE_SLEEP);
        if !own.has(flag::STALE_SLEEPS) && own.take(flag::LEFT_TO_SLEEPS) {
            // SAFETY: The contents are dropped, and the entries were all that kept the block on this thread.
            unsafe { drop_memory_here(task) }
        }
    }
    if let Some(moved) = moved.filter(|moved| completes && !moved.done()) {
        moved.end(flag::FINISHED);
    }
}
