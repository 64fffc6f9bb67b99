//! Wakers of tasks, for futures of other crates. This crate's own futures need none.
//!
//! A waker is a pointer to its task's block. The reference that a task is polled with has no count;
//! a clone, which may go to any thread and outlive the task and its loop, has one of the block's
//! memory. So no waker needs an allocation, and a task of which no clone is left can't be woken from
//! outside.
//!
//! **Memory Invariant**: see `node`. A clone reads nothing of the block but `memory`, and, by the
//! block's page, what other threads may have of its loop; the rest belongs to the loop's thread.
//!
//! **Woken Invariant**: the bit `WOKEN` of `memory` is set while a message to the loop that the task
//! was woken is on its way; that message has a count. So there is one of them at most, however often
//! the task is woken until the loop takes it.
//!
//! **Order Invariant**: each wake from another thread writes `memory` with release, and the loop
//! clears the bit with acquire before it polls. So a poll sees what came before each of the wakes
//! that its message stands for.
#![allow(unsafe_code)]

use core::mem::ManuallyDrop;
#[cfg(not(feature = "std"))]
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use core::task::{RawWaker, RawWakerVTable, Waker};

use super::header::{Header, WOKEN, memory_of};
use super::registry::TaskRegistry;
use super::step;
#[cfg(not(feature = "std"))]
use super::task_header::TaskHeader;
use super::task_header::schedule_step;
use crate::blocks;
use crate::event_loop::{Inbox, Mail, Woken, running_here};
use crate::sync::{Arc, Ordering};

/// The reference that a task is polled with while no clone is kept.
static POLLING: RawWakerVTable = RawWakerVTable::new(clone, |_| (), wake_polling, |_| ());
/// A clone; also the reference while one is kept, so that `will_wake` recognises it.
static KEPT: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The waker that `task` is polled with. It must not be dropped, which would give back a count.
///
/// # Safety
///
/// The Block Invariant holds for `task`, which stays for as long as this is used.
#[inline(always)]
pub(super) unsafe fn for_poll(task: NonNull<Header>) -> ManuallyDrop<Waker> {
    // SAFETY: By this function's contract.
    let memory = unsafe { memory_of(task) };
    let functions = if memory.load(Ordering::Relaxed) == 1 { &POLLING } else { &KEPT };
    // SAFETY: The functions uphold the contract of a waker: see each. It borrows the task's count.
    ManuallyDrop::new(unsafe { Waker::new(task.as_ptr().cast_const().cast(), functions) })
}

/// Returns true if `waker` wakes `task` without another waker between.
#[inline(always)]
pub(super) fn is_of(waker: &Waker, task: NonNull<Header>) -> bool {
    is_ours(waker) && ptr::eq(waker.data(), task.as_ptr().cast())
}

#[inline(always)]
fn is_ours(waker: &Waker) -> bool {
    ptr::eq(waker.vtable(), &POLLING) || has_kept(waker)
}

/// Returns whether `waker` is a clone, or the reference of a task that has clones. It stands out of
/// the way of the first comparison, which most often is enough.
#[cold]
fn has_kept(waker: &Waker) -> bool {
    ptr::eq(waker.vtable(), &KEPT)
}

/// Returns true if a clone of a waker of this task is kept.
///
/// # Safety
///
/// The memory of the block, which is that of a task, is held.
pub(super) unsafe fn is_kept(task: NonNull<Header>) -> bool {
    // SAFETY: By this function's contract.
    unsafe { memory_of(task) }.load(Ordering::Acquire) & !WOKEN > 1
}

pub(super) fn task_of(data: *const ()) -> NonNull<Header> {
    // SAFETY: The data of these wakers is the pointer of a block.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: By the Memory Invariant: whatever is cloned holds the memory.
    let before = unsafe { memory_of(task_of(data)) }.fetch_add(1, Ordering::Relaxed);
    assert!(before & !WOKEN < WOKEN / 2, "too many wakers of one task");
    RawWaker::new(data, &KEPT)
}

/// The reference was woken during the poll that it was made for, most often by that poll.
unsafe fn wake_polling(data: *const ()) {
    if !step::note_woken(task_of(data)) {
        // SAFETY: By the Memory Invariant.
        unsafe { wake_by_ref(data) }
    }
}

unsafe fn wake_by_ref(data: *const ()) {
    let task = task_of(data);
    // SAFETY: By the Memory Invariant the block's memory, and so its page, is held.
    let (inbox, address): (&Arc<Inbox<Mail>>, _) =
        unsafe { (blocks::remote_of(task.cast()), blocks::remote_address(task.cast())) };
    if step::is_here(address) || running_here(inbox).is_some() {
        // SAFETY: It is the loop of this block that runs on this thread.
        return unsafe { schedule_step(task) };
    }
    // SAFETY: By the Memory Invariant.
    let memory = unsafe { memory_of(task) };
    // The message has a count, taken with the bit: nothing else may come between the two. Where a
    // message is on its way already, the word is written all the same: the poll that the message
    // leads to must see what happened before this wake, and acquires it from this word.
    let claim = |memory| Some(if memory & WOKEN == 0 { (memory | WOKEN) + 1 } else { memory });
    let (Ok(before) | Err(before)) =
        memory.fetch_update(Ordering::Release, Ordering::Relaxed, claim);
    if before & WOKEN != 0 {
        return;
    }
    // SAFETY: The count that was just taken is that of a waker.
    let message = message_of(unsafe { Waker::new(data, &KEPT) });
    if let Err(Mail::Wake(refused)) = inbox.post(Mail::Wake(message)) {
        // The loop has closed.
        memory.fetch_and(!WOKEN, Ordering::Relaxed);
        // SAFETY: It is the message that was made above.
        drop(unsafe { of_message(refused) });
    }
}

unsafe fn wake(data: *const ()) {
    // SAFETY: By the Memory Invariant: the waker that is used up gives back its count.
    unsafe {
        wake_by_ref(data);
        drop_waker(data);
    }
}

unsafe fn drop_waker(data: *const ()) {
    let task = task_of(data);
    // SAFETY: By the Memory Invariant the memory is held until the count is given back.
    let (memory, inbox) =
        unsafe { (memory_of(task), blocks::remote_of::<Arc<Inbox<Mail>>>(task.cast())) };
    let mut before = memory.load(Ordering::Relaxed);
    let last_kept = loop {
        // Once the count is given back the block may be freed: what is needed later is cloned first.
        let last_kept = (before & !WOKEN == 2).then(|| Arc::clone(inbox));
        let after = before - 1;
        // The last to give its count back acquires what the others did before they gave theirs: by
        // the exchange itself, as ThreadSanitizer knows nothing of fences.
        match memory.compare_exchange_weak(before, after, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => break last_kept,
            Err(now) => before = now,
        }
    };
    if before & !WOKEN == 1 {
        // SAFETY: The last count of the memory was this one, so the contents are dropped.
        unsafe { blocks::free_remote::<Arc<Inbox<Mail>>>(task.cast()) }
    } else if let Some(inbox) = last_kept {
        // The loop may wait for this waker alone.
        inbox.note_gone();
    }
}

#[cfg(feature = "std")]
fn message_of(waker: Waker) -> Woken {
    waker
}

/// # Safety
///
/// None with std.
#[cfg(feature = "std")]
pub(super) unsafe fn of_message(woken: Woken) -> Waker {
    woken
}

/// The message that the task of `waker` was woken: the task's link, which by the Woken Invariant is in
/// no other message. It holds the waker's count.
#[cfg(not(feature = "std"))]
fn message_of(waker: Waker) -> Woken {
    debug_assert!(is_ours(&waker));
    let task = task_of(ManuallyDrop::new(waker).data());
    // SAFETY: By the Memory Invariant the block is there, which is that of a task.
    Woken(unsafe { task.byte_add(offset_of!(TaskHeader, link)).cast() })
}

/// The waker that a message was made of.
///
/// # Safety
///
/// `woken` was returned by [`message_of`], and is used once.
#[cfg(not(feature = "std"))]
pub(super) unsafe fn of_message(woken: Woken) -> Waker {
    // SAFETY: By this function's contract the link is that of a task, and the message holds a count of it.
    unsafe { Waker::new(woken.0.byte_sub(offset_of!(TaskHeader, link)).as_ptr().cast(), &KEPT) }
}

/// The waker of a message to the loop of its task, on that loop's thread.
pub(super) fn wake_task_of(waker: &Waker) {
    debug_assert!(is_ours(waker));
    let task = task_of(waker.data());
    // SAFETY: By the Memory Invariant.
    unsafe { memory_of(task) }.fetch_and(!WOKEN, Ordering::AcqRel);
    // SAFETY: The message came to the loop of this block, on its thread.
    unsafe { schedule_step(task) };
}

impl TaskRegistry {
    /// Does as [`request_yield`](TaskRegistry::request_yield) if the task itself polls with `waker`, and
    /// returns true if it does.
    #[inline(always)]
    pub(crate) fn request_yield_of(&self, waker: &Waker) -> bool {
        let direct = self.current().is_some_and(|task| is_of(waker, task));
        if direct {
            self.request_yield();
        }
        direct
    }
}
