//! [`CallSlots`]: slots for calls of interrupt handlers, allocated before the first call.
//!
//! A handler claims a slot by one exchange, writes its callback there, and posts the slot. The loop
//! gives the slot back when it calls the callback, or drops it. A claim that is interrupted by others
//! tries again, once for each of them, so a handler never waits for one of lower priority.
//!
//! **Slot Invariant**: the bit of a slot is set in `free` while neither a sender nor the loop uses it.
//! The code that clears the bit is alone with the slot until the loop sets it again.
//!
//! **Room Invariant**: from a claim until the slot is given back, its head's table is that of the
//! callback in `room`, and `slots` is a count of the memory that it stands in.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, size_of};
use core::ptr::NonNull;

use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::entry::JobKind;
use crate::event_loop::exception_handler::{CallbackOutput, drop_quietly, run_callback};
use crate::event_loop::inbox::Inbox;
use crate::event_loop::loop_ref::{Entry, EntryHead, EntryTable, Mail, RemoteCall, RemoteHead};
use crate::sync::{Arc, AtomicU32, Ordering};

/// The most words that a callback may capture.
const WORDS: usize = 4;

const IN_INTERRUPT: &str = "<Handle from an interrupt>";

type Room = MaybeUninit<[usize; WORDS]>;

#[repr(C)]
struct Slot {
    head: RemoteHead,
    /// A count of what it stands in, while it is claimed.
    slots: *const CallSlots,
    number: usize,
    room: Room,
}

pub(super) struct CallSlots {
    /// A bit for each slot that can be claimed.
    free: Box<[AtomicU32]>,
    slots: Box<[UnsafeCell<MaybeUninit<Slot>>]>,
    full: Error,
    closed: Error,
}

// SAFETY: By the Slot Invariant one thread uses a slot at a time, and a callback is `Send`.
unsafe impl Send for CallSlots {}
// SAFETY: As above.
unsafe impl Sync for CallSlots {}

impl CallSlots {
    /// Room for so many calls at a time.
    pub(super) fn new(count: usize) -> Arc<CallSlots> {
        let word = |at: usize| {
            let left = count - at * 32;
            AtomicU32::new(if left < 32 { (1 << left) - 1 } else { u32::MAX })
        };
        Arc::new(CallSlots {
            free: (0..count.div_ceil(32)).map(word).collect(),
            slots: (0..count).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
            full: Error::new(ErrorKind::QueueFull, "too many calls wait for the event loop"),
            closed: Error::closed(),
        })
    }

    /// The number of a slot that is the caller's from now on.
    fn claim(&self) -> Option<usize> {
        self.free.iter().enumerate().find_map(|(at, word)| {
            let claim = |free: u32| (free != 0).then(|| free & (free - 1));
            // Acquires the end of the slot's last use.
            let before = word.fetch_update(Ordering::Acquire, Ordering::Relaxed, claim).ok()?;
            Some(at * 32 + before.trailing_zeros() as usize)
        })
    }

    /// Has `callback` called on the loop of `inbox`. It allocates nothing, and waits for nothing.
    pub(super) fn send<F, R>(this: &Arc<Self>, inbox: &Inbox<Mail>, callback: F) -> Result<()>
    where
        F: FnOnce() -> R + Send + 'static,
        R: CallbackOutput + 'static,
    {
        const {
            assert!(
                size_of::<F>() <= size_of::<Room>() && align_of::<F>() <= align_of::<Room>(),
                "without std a callback from another thread or an interrupt captures 4 words at most"
            );
        }
        let Some(number) = this.claim() else { return Err(this.full.clone()) };
        let mut room = Room::uninit();
        // SAFETY: There is room for it, as was just seen.
        unsafe { room.as_mut_ptr().cast::<F>().write(callback) };
        let slots = Arc::into_raw(Arc::clone(this));
        let head = RemoteHead::new(const { &table::<F, R>() });
        // SAFETY: By the Slot Invariant the slot is this call's. By the Room Invariant the table fits
        // what is written, and a `Slot` begins with a `RemoteHead`. The callback is `Send`.
        let call = unsafe {
            let slot = this.slots[number].get();
            (*slot).write(Slot { head, slots, number, room });
            RemoteCall::new(Entry::from_head(NonNull::new_unchecked(slot.cast())))
        };
        inbox.post(Mail::Call(call)).map_err(|_refused| this.closed.clone())
    }
}

const fn table<F, R>() -> EntryTable
where
    F: FnOnce() -> R + Send + 'static,
    R: CallbackOutput + 'static,
{
    EntryTable {
        run: |head, event_loop| {
            // SAFETY: By the Table Invariant of `entry` and the Room Invariant.
            let callback = unsafe { take::<F>(head) };
            run_callback(event_loop, || IN_INTERRUPT.into(), || callback().into_result());
        },
        // SAFETY: As for `run`.
        discard: |head, event_loop| drop_quietly(event_loop, unsafe { take::<F>(head) }),
        // SAFETY: As for `run`.
        drop: |head| drop(unsafe { take::<F>(head) }),
        kind: |_| JobKind::Call,
        #[cfg(feature = "trace")]
        title: |_| IN_INTERRUPT.into(),
        describe: |_| Box::new(|| IN_INTERRUPT.into()),
        second: None,
    }
}

/// Takes the callback out of a slot, and gives the slot back.
///
/// # Safety
///
/// `head` is that of a [`Slot`] that was claimed for an `F`, and is used for the last time.
unsafe fn take<F>(head: NonNull<EntryHead>) -> F {
    // SAFETY: By this function's contract, and the Room Invariant.
    unsafe {
        let slot = head.cast::<Slot>().as_ref();
        let callback = slot.room.as_ptr().cast::<F>().read();
        let (slots, number) = (Arc::from_raw(slot.slots), slot.number);
        // Publishes the end of this use.
        slots.free[number / 32].fetch_or(1 << (number % 32), Ordering::Release);
        callback
    }
}
