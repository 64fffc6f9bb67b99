//! The functions of a task's entry besides `run`. An entry is the task's step while the task is
//! `SCHEDULED`, and runs a callback otherwise: see the Step Invariant of `task_block`. The entry that
//! completes its own wait is of a second sort, [`OWN_ENTRY`]: see `own_wait`.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::string::String;
use core::ptr::NonNull;

use super::completion::{describe_callback, discard_next_callback, drop_callback_entry};
use super::header::{ErasedFuture, Header, flag};
use super::node::{drop_count, drop_memory_here, registry_of};
#[cfg(feature = "trace")]
use super::task_header::name_of;
use super::task_header::{TaskHeader, schedule_step};
use super::wait_reason::WaitReason;
#[cfg(feature = "contextvars")]
use crate::context::Context;
#[cfg(feature = "contextvars")]
use crate::event_loop::Entry;
use crate::event_loop::{Describe, EntryHead, EntryTable, JobKind, LoopRef, described};
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
    // SAFETY: As in `kind`.
    String::from(done) + &unsafe { name_of(head.cast()) }
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

/// Completes a task's own wait. By the Own Wait Invariant of `own_wait` the task is there.
pub(super) static OWN_ENTRY: EntryTable = EntryTable {
    // SAFETY: It is the entry of an own wait.
    run: |head, _event_loop| unsafe { end_own_wait(head.cast()) },
    // SAFETY: As for `run`.
    discard: |head, _event_loop| unsafe { lose_entry(head.cast()) },
    // SAFETY: As for `run`.
    drop: |head| unsafe { lose_entry(head.cast()) },
    kind: |head| {
        // SAFETY: As for `run`.
        match unsafe { own_wait_reason(head) } {
            WaitReason::Sleep => JobKind::Sleep,
            _ => JobKind::Call,
        }
    },
    #[cfg(feature = "trace")]
    title: |head| {
        // SAFETY: As for `run`.
        let (name, wait) = unsafe { (name_of(head.cast()), own_wait_reason(head).words()) };
        text!("<end of a {wait} of {name}>")
    },
    describe: described(|head| {
        // SAFETY: As for `run`. The contents of a task without a count are dropped.
        let (task, wait) = unsafe {
            let is_counted = head.cast::<Header>().as_ref().count() > 0;
            (
                is_counted.then(|| ErasedFuture::from_header(head.cast())),
                own_wait_reason(head).words(),
            )
        };
        let task_text = move || task.map_or_else(String::new, |task| task.describe());
        Box::new(move || text!("<end of a {wait} of {}>", task_text()))
    }),
    second: None,
};

/// Returns the reason of the own wait that the entry is of.
///
/// # Safety
///
/// As for [`end_own_wait`].
unsafe fn own_wait_reason(head: NonNull<EntryHead>) -> WaitReason {
    // SAFETY: By the Own Wait Invariant the block is there, and is that of a task.
    let task = unsafe { head.cast::<TaskHeader>().as_ref() };
    match task.header.flags.get() & (flag::STALE_ENTRY | flag::STALE_SLEEP) {
        0 => task.own_wait().unwrap_or_default(),
        flag::STALE_ENTRY => WaitReason::Wait,
        _ => WaitReason::Sleep,
    }
}

/// The entry of a task's own wait has come.
///
/// # Safety
///
/// The Own Wait Invariant holds for `task`, of which it is an entry.
#[inline]
unsafe fn end_own_wait(task: NonNull<Header>) {
    // SAFETY: By the Own Wait Invariant the block is there, and is that of a task.
    unsafe {
        let own = task.as_ref();
        if own.has(flag::STALE_ENTRY) {
            return end_stale_entry(task, true);
        }
        own.set(flag::OWN_DONE);
        if !own.has(flag::OWN_CANCELLED) {
            schedule_step(task);
        }
    }
}

/// The entry of a task's own wait will not come: the loop closes, or has refused it.
///
/// # Safety
///
/// As for [`end_own_wait`].
#[cold]
unsafe fn lose_entry(task: NonNull<Header>) {
    // SAFETY: As in `end_own_wait`.
    unsafe {
        let own = task.as_ref();
        if own.has(flag::STALE_ENTRY) {
            return end_stale_entry(task, false);
        }
        own.set(flag::NO_ENTRY);
    }
}

/// The entry of an earlier wait has come, or will not come.
///
/// # Safety
///
/// As for [`end_own_wait`].
#[cold]
unsafe fn end_stale_entry(task: NonNull<Header>, completes: bool) {
    // SAFETY: As in `end_own_wait`.
    let (own, registry) = unsafe { (task.as_ref(), registry_of(task)) };
    let moved = {
        let mut all = registry.moved_waits.borrow_mut();
        let place = all.iter().position(|(of, _)| *of == task);
        place.map(|place| all.swap_remove(place).1)
    };
    own.clear(flag::STALE_ENTRY | flag::STALE_SLEEP);
    if own.take(flag::LEFT_TO_ENTRY) {
        // SAFETY: The contents are dropped, and the entry was all that kept the block on this thread.
        unsafe { drop_memory_here(task) }
    }
    if let Some(moved) = moved.filter(|moved| completes && !moved.done()) {
        moved.end(flag::FINISHED);
    }
}
