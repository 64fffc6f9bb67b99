//! [`WakeCall`]: a callback that is called after each wake, in one block with its place in the mail.
//!
//! **Posted Invariant**: `posted` is set while the block stands in the mail or the ready queue, which
//! has a count of its `Arc` then. So it stands there once at most.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use core::ptr::NonNull;

use crate::event_loop::entry::JobKind;
use crate::event_loop::exception_handler::{drop_quietly, run_callback};
use crate::event_loop::inbox::Inbox;
use crate::event_loop::loop_ref::{Entry, EntryHead, EntryTable, Mail, RemoteCall, RemoteHead};
use crate::flat_drops::Flat;
use crate::sync::{Arc, AtomicBool, Ordering};

const WAKER: &str = "<waker of a handle>";

#[repr(C)]
pub(super) struct WakeCall<F: 'static> {
    head: RemoteHead,
    posted: AtomicBool,
    callback: Flat<F>,
}

// SAFETY: The head's link is used by one thread at a time, by the Posted Invariant; the rest says of
// itself that it may be shared.
unsafe impl<F: Send + Sync> Send for WakeCall<F> {}
// SAFETY: As above.
unsafe impl<F: Send + Sync> Sync for WakeCall<F> {}

impl<F: Fn() + Send + Sync + 'static> WakeCall<F> {
    const TABLE: EntryTable = EntryTable {
        run: |head, event_loop| {
            // SAFETY: By the Table Invariant of `entry` `head` is that of a `WakeCall<F>`, of which the count
            // the entry gives up.
            let call = unsafe { Self::from_head(head) };
            // A wake from here on is another one. Acquires what came before those that stand for this.
            call.posted.swap(false, Ordering::AcqRel);
            run_callback(
                event_loop,
                || WAKER.into(),
                || {
                    (call.callback)();
                    Ok(())
                },
            );
        },
        // SAFETY: As for `run`.
        discard: |head, event_loop| drop_quietly(event_loop, unsafe { Self::from_head(head) }),
        // SAFETY: As for `run`.
        drop: |head| drop(unsafe { Self::from_head(head) }),
        kind: |_| JobKind::Call,
        #[cfg(feature = "trace")]
        title: |_| WAKER.into(),
        describe: |_| Box::new(|| WAKER.into()),
        second: None,
    };

    pub(super) fn new(callback: F) -> Arc<WakeCall<F>> {
        Arc::new(WakeCall {
            head: RemoteHead::new(const { &Self::TABLE }),
            posted: AtomicBool::new(false),
            callback: Flat::new(callback),
        })
    }

    /// Has the callback called on the loop of `inbox`, from any thread or interrupt handler. Where it
    /// is about to be called already, that will do.
    pub(super) fn wake(this: &Arc<Self>, inbox: &Inbox<Mail>) {
        if this.posted.swap(true, Ordering::AcqRel) {
            return;
        }
        let head = Arc::into_raw(Arc::clone(this)).cast_mut().cast();
        // SAFETY: A pointer out of an `Arc` is not null. The Table Invariant holds: the block was
        // written with the table of its type, and its count is given to the entry. It is `Send`, and
        // begins with a `RemoteHead`.
        let call = unsafe { RemoteCall::new(Entry::from_head(NonNull::new_unchecked(head))) };
        // Only a loop that has closed refuses it.
        let _ = inbox.post(Mail::Call(call));
    }

    /// # Safety
    ///
    /// `head` is that of a `WakeCall<F>`, and a count of its `Arc` comes with it.
    unsafe fn from_head(head: NonNull<EntryHead>) -> Arc<WakeCall<F>> {
        // SAFETY: By this function's contract; the head is the block's beginning.
        unsafe { Arc::from_raw(head.as_ptr().cast_const().cast()) }
    }
}
