//! [`Entry`]: what stands in the ready queue and in the timers: one word that owns what it runs.
//!
//! An entry is a pointer to an [`EntryHead`], behind which stands whatever its table of functions
//! knows: a [`Job`] in its [`JobCell`], a call from another thread in its [`CallCell`], or a future
//! or task of the layer above, whose header begins in the same way.
//!
//! **Table Invariant**: the functions of a head's table fit what the head is a part of. Whoever
//! makes an entry of a pointer ([`Entry::from_head`]) promises it; here each cell is written
//! together with the table of its type and never loses it.
//!
//! **Owner Invariant**: an entry is used up by exactly one of `run`, `discard` and its drop, each of
//! which passes the pointer to the table's function of that name and forgets the entry.
//!
//! **Send Invariant**: a [`RemoteCall`] is made of a [`Call`] that is `Send`, and of nothing else.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::fmt;
use core::mem;
use core::ops::Deref;
use core::ptr::{self, NonNull};

use super::handle::{drop_quietly, run_callback};
use super::loop_ref::LoopRef;
use super::schedule_hash::Mark;
use crate::error::Result;

/// How a [`RemoteCall`] is described.
const REMOTE: &str = "<Handle from another thread>";

/// The beginning of everything that an [`Entry`] points to.
#[repr(C)]
pub(crate) struct EntryHead {
    table: &'static EntryTable,
}

/// What can be done with an entry. The first three functions use it up.
#[repr(C)]
pub(crate) struct EntryTable {
    pub(crate) run: unsafe fn(NonNull<EntryHead>, &LoopRef),
    /// The loop closes: drops what will not run, and what it holds.
    pub(crate) discard: unsafe fn(NonNull<EntryHead>, &LoopRef),
    pub(crate) drop: unsafe fn(NonNull<EntryHead>),
    /// What it does next, for a hash of the schedule.
    pub(crate) mark: unsafe fn(NonNull<EntryHead>) -> Mark,
    /// What a timeline calls it: short, and the same each time.
    #[cfg(feature = "trace")]
    pub(crate) title: unsafe fn(NonNull<EntryHead>) -> String,
    /// What debug mode calls it, also after it has run.
    pub(crate) describe: unsafe fn(NonNull<EntryHead>) -> Describe,
}

/// Describes what an entry runs, at any time.
pub(crate) type Describe = Box<dyn FnOnce() -> String>;

/// Something to run, once.
pub(crate) struct Entry(NonNull<EntryHead>);

impl Entry {
    /// # Safety
    ///
    /// The Table Invariant must hold for `head`, whose owner gives up what one of the table's
    /// first three functions takes.
    #[inline]
    pub(crate) unsafe fn from_head(head: NonNull<EntryHead>) -> Entry {
        Entry(head)
    }

    #[inline(always)]
    fn table(&self) -> &'static EntryTable {
        // SAFETY: By the Owner Invariant what the entry points to is there until it is used up.
        unsafe { self.0.as_ref() }.table
    }

    #[inline(always)]
    pub(super) fn run(self, event_loop: &LoopRef) {
        let (table, head) = (self.table(), self.0);
        mem::forget(self);
        // SAFETY: By the Table Invariant and the Owner Invariant.
        unsafe { (table.run)(head, event_loop) }
    }

    pub(super) fn discard(self, event_loop: &LoopRef) {
        let (table, head) = (self.table(), self.0);
        mem::forget(self);
        // SAFETY: By the Table Invariant and the Owner Invariant.
        unsafe { (table.discard)(head, event_loop) }
    }

    pub(super) fn mark(&self) -> Mark {
        // SAFETY: By the Table Invariant.
        unsafe { (self.table().mark)(self.0) }
    }

    #[cfg(feature = "trace")]
    pub(super) fn title(&self) -> String {
        // SAFETY: By the Table Invariant.
        unsafe { (self.table().title)(self.0) }
    }

    pub(super) fn describe(&self) -> Describe {
        // SAFETY: By the Table Invariant.
        unsafe { (self.table().describe)(self.0) }
    }

    /// The address of what it runs.
    pub(super) fn address(&self) -> *const () {
        self.0.as_ptr().cast()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the Table Invariant and the Owner Invariant.
        unsafe { (self.table().drop)(self.0) }
    }
}

/// Room for one entry in a queue. To drop it with an entry in it leaks that.
///
/// **Slot Invariant**: the pointer is null, or that of an [`Entry`], which it owns.
pub(super) struct EntrySlot(*mut EntryHead);

impl EntrySlot {
    pub(super) const FREE: EntrySlot = EntrySlot(ptr::null_mut());

    #[inline(always)]
    pub(super) fn is_free(&self) -> bool {
        self.0.is_null()
    }

    /// Puts `entry` in where the slot is free.
    #[inline(always)]
    pub(super) fn put(&mut self, entry: Entry) {
        debug_assert!(self.is_free());
        self.0 = entry.0.as_ptr();
        mem::forget(entry);
    }

    #[inline(always)]
    pub(super) fn take(&mut self) -> Option<Entry> {
        // By the Slot Invariant the entry has an owner again.
        NonNull::new(mem::replace(&mut self.0, ptr::null_mut())).map(Entry)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe()())
    }
}

/// What stands in the ready queue, or in a timer, in a block of its own.
pub(crate) trait Job: Sized + 'static {
    fn run(this: Rc<JobCell<Self>>, event_loop: &LoopRef);

    /// The loop closes: drops what will not run.
    fn discard(&self) {}

    /// What it does next, for a hash of the schedule.
    fn mark(&self) -> Mark {
        Mark::Call
    }

    /// What debug mode calls it.
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
            // SAFETY: By the Table Invariant `head` is that of a `JobCell<J>`, whose count the
            // entry gives up.
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
        mark: |head| unsafe { head.cast::<Self>().as_ref() }.job.mark(),
        #[cfg(feature = "trace")]
        // SAFETY: As for `mark`.
        title: |head| unsafe { head.cast::<Self>().as_ref() }.job.describe(),
        describe: |head| {
            // SAFETY: By the Table Invariant; the count that this adds is the description's own.
            let cell = unsafe {
                Rc::increment_strong_count(head.cast::<Self>().as_ptr());
                Self::from_head(head)
            };
            Box::new(move || cell.job.describe())
        },
    };

    pub(crate) fn new(job: J) -> Rc<JobCell<J>> {
        Rc::new(JobCell { head: EntryHead { table: const { &Self::TABLE } }, job })
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
        unsafe { Entry(NonNull::new_unchecked(head)) }
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
    head: EntryHead,
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
        mark: |_| Mark::Call,
        #[cfg(feature = "trace")]
        title: |_| REMOTE.into(),
        describe: |_| Box::new(|| REMOTE.into()),
    };

    pub(crate) fn new(call: C) -> Box<CallCell<C>> {
        Box::new(CallCell { head: EntryHead { table: const { &Self::TABLE } }, call })
    }

    /// # Safety
    ///
    /// `head` is that of a `CallCell<C>`, whose box comes with it.
    unsafe fn from_head(head: NonNull<EntryHead>) -> Box<CallCell<C>> {
        // SAFETY: By this function's contract; the head is the cell's first field.
        unsafe { Box::from_raw(head.as_ptr().cast()) }
    }
}

/// A [`Call`] on its way to the thread that makes it.
pub(crate) struct RemoteCall(Entry);

// SAFETY: By the Send Invariant what it owns may go to another thread. Of its head, which says
// nothing of threads, only the table is read, which is static.
unsafe impl Send for RemoteCall {}

impl RemoteCall {
    pub(crate) fn new<C: Call + Send>(cell: Box<CallCell<C>>) -> RemoteCall {
        let head = Box::into_raw(cell).cast();
        // SAFETY: A box is not null. The Table Invariant holds, because the cell was written with
        // its table, and the box is given to the entry.
        RemoteCall(unsafe { Entry(NonNull::new_unchecked(head)) })
    }

    /// The entry that makes the call, for the loop's thread.
    pub(super) fn into_entry(self) -> Entry {
        self.0
    }
}
