//! The functions of a task's entry besides `run`. An entry is the task's step while the task is
//! `SCHEDULED`, and runs a callback otherwise: see the Step Invariant of `task_block`. The entry of the timer
//! of its own sleep is of a second sort, [`SLEEP_ENTRY`]: see `own_sleep`.
#![allow(unsafe_code)]

use alloc::boxed::Box;
#[cfg(feature = "trace")]
use alloc::string::String;
use core::ptr::NonNull;

use super::completion::{describe_callback, discard_next_callback, drop_callback_entry};
use super::header::{ErasedFuture, Header, flag};
use super::node::drop_count;
use super::task_header::TaskHeader;
#[cfg(feature = "contextvars")]
use crate::context::Context;
#[cfg(feature = "contextvars")]
use crate::event_loop::Entry;
use crate::event_loop::{Describe, EntryHead, EntryTable, JobKind, LoopRef, drop_quietly};
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

/// Ends the sleep of a task when its timer is due. By the Sleep Invariant of `own_sleep` it has a count.
pub(super) static SLEEP_ENTRY: EntryTable = EntryTable {
    // SAFETY: The entry gives up its count.
    run: |head, _event_loop| unsafe { ErasedFuture::from_count(head.cast()) }.end_sleep(),
    discard: |head, event_loop| {
        // SAFETY: As for `run`.
        drop_quietly(event_loop, unsafe { ErasedFuture::from_count(head.cast()) });
    },
    // SAFETY: As for `run`.
    drop: |head| unsafe { drop_count(head.cast()) },
    kind: |_| JobKind::Sleep,
    #[cfg(feature = "trace")]
    title: |head| {
        // SAFETY: The entry counts the task, which has a name.
        let name = unsafe { head.cast::<TaskHeader>().as_ref() }.name();
        text!("<end of a sleep of {name}>")
    },
    describe: |head| {
        // SAFETY: The entry counts the task.
        let task = unsafe { ErasedFuture::from_header(head.cast()) };
        Box::new(move || text!("<end of a sleep of {}>", task.describe()))
    },
    second: None,
};
