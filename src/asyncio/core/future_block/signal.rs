//! [`Signal`]: a future that one task awaits, and that an entry completes.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use core::mem::{ManuallyDrop, offset_of};
use core::ptr::{self, NonNull};

use super::super::await_future::Await;
use super::super::header::{ErasedFuture, Header, State, Table, flag};
use super::super::node::{TypedFuture, drop_count, entry_head};
use super::super::registry::TaskRegistry;
use super::super::wait_reason::WaitReason;
use super::{FutureBlock, make};
use crate::error::Error;
use crate::event_loop::{Describe, Entry, EntryHead, EntryTable, JobKind, described};
use crate::logging::text;

/// A `()` future with one waiter, for which a task waits in a lock, a queue or a sleep. It is never
/// handed out, so it has no callbacks; its entry, in the timers or in the ready queue, completes it.
pub(crate) struct Signal(TypedFuture<()>);

static SIGNAL: Table = Table {
    entry: EntryTable {
        run: |head, _event_loop| {
            // SAFETY: The entry gives its count to the handle.
            unsafe { Signal::from_entry(head) }.complete();
        },
        // SAFETY: As for `run`.
        discard: |head, _event_loop| drop(unsafe { Signal::from_entry(head) }),
        // SAFETY: As for `run`.
        drop: |head| unsafe { drop_count(head.cast()) },
        kind: |head| {
            // SAFETY: The entry counts the block.
            match unsafe { head.cast::<Header>().as_ref() }.reason() {
                WaitReason::Sleep => JobKind::Sleep,
                _ => JobKind::Call,
            }
        },
        #[cfg(feature = "trace")]
        title: |head| {
            // SAFETY: As for `kind`.
            let describe = unsafe { describe_signal(head) };
            describe()
        },
        describe: described(describe_signal),
        second: None,
    },
    as_any: |signal| signal,
    value_owns: false,
    drop_contents: |_| {},
    drop_future: |_| {},
    finish: None,
    future_name: || "",
    value_offset: offset_of!(FutureBlock<()>, value),
};

unsafe fn describe_signal(head: NonNull<EntryHead>) -> Describe {
    // SAFETY: The entry counts the block.
    let signal = unsafe { ErasedFuture::from_header(head.cast()) };
    Box::new(move || text!("<end of {}>", signal.describe()))
}

impl Signal {
    /// A signal for `reason`; `None` where there is no memory for it.
    #[inline]
    pub(crate) fn new(registry: &TaskRegistry, reason: WaitReason) -> Option<Signal> {
        make(registry, &SIGNAL, reason).map(Signal)
    }

    /// A signal for `reason`: `used`, made new, if it has no other handle any more. `None` where there
    /// is no memory for another.
    #[inline]
    pub(crate) fn reuse(
        used: Option<Signal>,
        registry: &TaskRegistry,
        reason: WaitReason,
    ) -> Option<Signal> {
        match used {
            Some(signal)
                if ptr::eq(signal.0.erased().registry(), registry) && signal.renew(reason) =>
            {
                Some(signal)
            }
            _ => Signal::another(registry, reason),
        }
    }

    #[cold]
    #[inline(never)]
    fn another(registry: &TaskRegistry, reason: WaitReason) -> Option<Signal> {
        Signal::new(registry, reason)
    }

    /// Makes it what it was when it was made, if nothing else has it. Returns true if it did.
    #[inline]
    pub(crate) fn renew(&self, reason: WaitReason) -> bool {
        self.0.renew(reason)
    }

    /// A handle of the signal `future` that has no count of its own, for as long as `future` is borrowed.
    ///
    /// # Safety
    ///
    /// `future` is a signal.
    #[inline(always)]
    pub(crate) unsafe fn lent(future: &ErasedFuture) -> ManuallyDrop<Signal> {
        // SAFETY: By this function's contract. The count is that of `future`: the handle is not dropped.
        ManuallyDrop::new(Signal(unsafe {
            TypedFuture::new(ErasedFuture::from_count(future.pointer()))
        }))
    }

    /// # Safety
    ///
    /// `head` is that of a signal, and a count of it is given to the handle.
    unsafe fn from_entry(head: NonNull<EntryHead>) -> Signal {
        // SAFETY: By this function's contract. A value of no size may be read at any time.
        unsafe { Signal(TypedFuture::new(ErasedFuture::from_count(head.cast()))) }
    }

    /// An entry that completes it.
    pub(crate) fn entry(&self) -> Entry {
        let count = self.0.erased().clone().into_count();
        // SAFETY: The table is that of a signal; the entry has the count of the handle.
        unsafe { Entry::from_head(entry_head(count)) }
    }

    /// Completes it, unless it is done: one that was cancelled stays so. Returns true if it did.
    #[inline]
    pub(crate) fn complete(&self) -> bool {
        let pending = !self.is_done();
        if pending {
            self.0.erased().end(flag::FINISHED);
        }
        pending
    }

    /// Cancels it with `error`, before anything waits for it.
    pub(crate) fn cancel_with(&self, error: Error) {
        self.0.erased().end_with(flag::CANCELLED, error);
    }

    /// Returns true once it was completed or cancelled.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.0.header().done()
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.header().state() == State::Cancelled
    }

    pub(crate) fn erased(&self) -> &ErasedFuture {
        self.0.erased()
    }

    pub(crate) fn into_erased(self) -> ErasedFuture {
        self.0.into_erased()
    }

    /// Waits until it is completed.
    #[inline]
    pub(crate) fn wait(&self) -> Await<()> {
        self.clone().into_wait()
    }

    /// The same with this handle.
    #[inline]
    pub(crate) fn into_wait(self) -> Await<()> {
        Await::new(self.0)
    }
}

impl Clone for Signal {
    #[inline]
    fn clone(&self) -> Signal {
        Signal(self.0.clone())
    }
}
