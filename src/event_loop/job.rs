//! [`Job`] and [`Call`]: the code that an entry runs, each in a cell that begins with the entry's head.
//!
//! The invariants are those of `entry`: **Table**, **Owner** and **Send Invariant**.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::ops::Deref;
use core::ptr::NonNull;

use super::entry::{JobKind, described};
use super::exception_handler::{drop_quietly, run_callback};
use super::loop_ref::{Entry, EntryHead, EntryTable, LoopRef, RemoteCall, RemoteHead};
use crate::error::Result;

/// The description of a call from another thread.
const REMOTE: &str = "<Handle from another thread>";

/// An entry of the ready queue, or of a timer, in a block of its own.
pub(crate) trait Job: Sized + 'static {
    fn run(this: Rc<JobCell<Self>>, event_loop: &LoopRef);

    /// The loop closes: drops what will not run.
    fn discard(&self) {}

    /// Returns the kind of its next run, for a hash of the schedule.
    fn kind(&self) -> JobKind {
        JobKind::Call
    }

    /// Returns the name that debug mode shows for it.
    fn describe(&self) -> String;
}

/// A [`Job`] with the head by which an entry knows it.
#[repr(C)]
pub(crate) struct JobCell<J> {
    head: EntryHead,
    job: J,
}

impl<J: Job> JobCell<J> {
    const TABLE: EntryTable = EntryTable {
        run: |head, event_loop| {
            // SAFETY: By the Table Invariant `head` is that of a `JobCell<J>`, and the entry gives
            // up its count.
            J::run(unsafe { Self::from_head(head) }, event_loop);
        },
        discard: |head, event_loop| {
            // SAFETY: As for `run`.
            let cell = unsafe { Self::from_head(head) };
            run_callback(event_loop, || "<drop of a callback>".into(), || cell.job.discard());
            drop_quietly(event_loop, cell);
        },
        // SAFETY: As for `run`.
        drop: |head| drop(unsafe { Self::from_head(head) }),
        // SAFETY: By the Table Invariant; the entry lives for longer than this look.
        kind: |head| unsafe { head.cast::<Self>().as_ref() }.job.kind(),
        #[cfg(feature = "trace")]
        // SAFETY: As for `kind`.
        title: |head| unsafe { head.cast::<Self>().as_ref() }.job.describe(),
        describe: described(|head| {
            // SAFETY: By the Table Invariant; the count that this adds is the description's own.
            let cell = unsafe {
                Rc::increment_strong_count(head.cast::<Self>().as_ptr());
                Self::from_head(head)
            };
            Box::new(move || cell.job.describe())
        }),
        second: None,
    };

    pub(crate) fn new(job: J) -> Rc<JobCell<J>> {
        Rc::new(JobCell { head: EntryHead::new(const { &Self::TABLE }), job })
    }

    /// The address by which an entry and a timer know it.
    pub(crate) fn address(&self) -> *const () {
        core::ptr::from_ref(self).cast()
    }

    /// # Safety
    ///
    /// `head` is that of a `JobCell<J>`, and a count of its `Rc` comes with it.
    unsafe fn from_head(head: NonNull<EntryHead>) -> Rc<JobCell<J>> {
        // SAFETY: By this function's contract; the head is the cell's first field.
        unsafe { Rc::from_raw(head.as_ptr().cast_const().cast()) }
    }
}

impl<J> Deref for JobCell<J> {
    type Target = J;

    fn deref(&self) -> &J {
        &self.job
    }
}

impl<J: Job> From<Rc<JobCell<J>>> for Entry {
    #[inline]
    fn from(cell: Rc<JobCell<J>>) -> Entry {
        let head = Rc::into_raw(cell).cast_mut().cast();
        // SAFETY: A pointer out of an `Rc` is not null. The Table Invariant holds, because the cell
        // was written with its table, and its count is given to the entry.
        unsafe { Entry::from_head(NonNull::new_unchecked(head)) }
    }
}

/// A call from another thread, in a block of its own that has room for more.
pub(crate) trait Call: Sized + 'static {
    /// Makes the call, on the loop's thread.
    fn call(this: Box<CallCell<Self>>, event_loop: &LoopRef) -> Result<()>;
}

/// A [`Call`] with the head by which an entry knows it.
#[repr(C)]
pub(crate) struct CallCell<C> {
    head: RemoteHead,
    pub(crate) call: C,
}

impl<C: Call> CallCell<C> {
    const TABLE: EntryTable = EntryTable {
        run: |head, event_loop| {
            // SAFETY: By the Table Invariant `head` is that of a `CallCell<C>`, and its box comes
            // with it.
            let cell = unsafe { Self::from_head(head) };
            run_callback(event_loop, || REMOTE.into(), || C::call(cell, event_loop));
        },
        // SAFETY: As for `run`.
        discard: |head, event_loop| drop_quietly(event_loop, unsafe { Self::from_head(head) }),
        // SAFETY: As for `run`.
        drop: |head| drop(unsafe { Self::from_head(head) }),
        kind: |_| JobKind::Call,
        #[cfg(feature = "trace")]
        title: |_| REMOTE.into(),
        describe: described(|_| Box::new(|| REMOTE.into())),
        second: None,
    };

    pub(crate) fn new(call: C) -> Box<CallCell<C>> {
        Box::new(CallCell { head: RemoteHead::new(const { &Self::TABLE }), call })
    }

    /// The entry that makes the call, for the thread of the loop.
    pub(crate) fn into_remote(self: Box<Self>) -> RemoteCall
    where
        C: Send,
    {
        let head = Box::into_raw(self).cast();
        // SAFETY: A box is not null. The Table Invariant holds, because the cell was written with
        // its table, and the box is given to the entry. The Send Invariant holds by `C: Send`.
        unsafe { RemoteCall::new(Entry::from_head(NonNull::new_unchecked(head))) }
    }

    /// # Safety
    ///
    /// `head` is that of a `CallCell<C>`, and the box comes with it.
    unsafe fn from_head(head: NonNull<EntryHead>) -> Box<CallCell<C>> {
        // SAFETY: By this function's contract; the head is the cell's first field.
        unsafe { Box::from_raw(head.as_ptr().cast()) }
    }
}
