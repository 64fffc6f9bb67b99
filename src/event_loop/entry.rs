//! [`Entry`]: an item of the ready queue or of the timers, one word that owns the code to run.
//!
//! An entry is a pointer to an [`EntryHead`], the beginning of whatever its table of functions
//! knows: a job or a call in its cell (`job`), or a future or task of the layer above. `L` is the
//! loop that runs it, which this file knows nothing of.
//!
//! **Table Invariant**: the functions of a head's table fit what the head is a part of. Code that
//! makes an entry of a pointer ([`Entry::from_head`]) promises it; each cell is written together with
//! the table of its type and never loses it.
//!
//! **Owner Invariant**: an entry is used up by exactly one of `run`, `discard` and its drop, each of
//! which passes the pointer to the table's function of that name and forgets the entry.
//!
//! **Tag Invariant**: the lowest bit of an entry's pointer, which no address of a head has, is set if the
//! functions to call are those of its table's `second`, which such a table has. They get the address of the head.
//!
//! **Timer Invariant**: a [`TimerAt`] that is no index leads to the link of a [`TimedHead`], which is used
//! no longer than that is there. While the state has `LISTED` it is among the [`PendingTimers`], which own an
//! entry of the head then. The wheel asks them for the links of those that are in it, and passes out each that is
//! due once. A link is reached by them alone, and borrows them.
//!
//! **Slots Invariant**: what a [`Slots`] has is reached by its own functions alone, each of which is done
//! with it before it returns or calls anything.
//!
//! **Send Invariant**: a [`RemoteEntry`] owns only what is `Send`, and its table is static. Its head is
//! the beginning of a [`RemoteHead`].
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, UnsafeCell};
use core::mem;
use core::num::NonZeroUsize;
use core::ops::{Index, IndexMut};
use core::ptr::{self, NonNull};

use super::clock::Nanos;
#[cfg(not(feature = "std"))]
use super::linked_mail::Link as MailLink;
use crate::collections::{At, Link, Links, TimerSlab};
use crate::logging::DESCRIBES;

/// The kind of an entry's next run, as far as it is the same in each run of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JobKind {
    /// A callback that was scheduled by itself, or by a timer.
    Call,
    /// The step of a task, by the number of its making.
    Step(u64),
    /// A done callback of a task.
    TaskDone(u64),
    /// A done callback of a future.
    FutureDone,
    /// The end of a sleep.
    Sleep,
    /// A waker that is woken.
    Wake,
}

impl JobKind {
    pub(super) fn number(self) -> u64 {
        let (kind, task) = match self {
            JobKind::Call => (1, 0),
            JobKind::Step(task) => (2, task),
            JobKind::TaskDone(task) => (3, task),
            JobKind::FutureDone => (4, 0),
            JobKind::Sleep => (5, 0),
            JobKind::Wake => (6, 0),
        };
        kind << 56 ^ task
    }
}

/// The beginning of everything that an [`Entry`] points to.
#[repr(C)]
pub(crate) struct EntryHead<L: 'static> {
    table: &'static EntryTable<L>,
}

impl<L> EntryHead<L> {
    pub(super) const fn new(table: &'static EntryTable<L>) -> EntryHead<L> {
        EntryHead { table }
    }
}

/// The functions of an entry. The first three use it up.
#[repr(C)]
pub(crate) struct EntryTable<L: 'static> {
    pub(crate) run: unsafe fn(NonNull<EntryHead<L>>, &L),
    /// The loop closes: drops what will not run, and what it holds.
    pub(crate) discard: unsafe fn(NonNull<EntryHead<L>>, &L),
    pub(crate) drop: unsafe fn(NonNull<EntryHead<L>>),
    /// Returns the kind of its next run, for a hash of the schedule.
    pub(crate) kind: unsafe fn(NonNull<EntryHead<L>>) -> JobKind,
    /// Returns its name in a timeline: short, and the same each time.
    #[cfg(feature = "trace")]
    pub(crate) title: unsafe fn(NonNull<EntryHead<L>>) -> String,
    /// Returns its name in debug mode, which can be made also after it has run.
    pub(crate) describe: unsafe fn(NonNull<EntryHead<L>>) -> Describe,
    /// The functions of another sort of entries that the same head has, if it has any.
    pub(crate) second: Option<&'static EntryTable<L>>,
}

/// Returns `describe`, for a table, or where nothing is described a function that a program has once.
pub(crate) const fn described<L>(
    describe: unsafe fn(NonNull<EntryHead<L>>) -> Describe,
) -> unsafe fn(NonNull<EntryHead<L>>) -> Describe {
    if DESCRIBES { describe } else { |_| Box::new(String::new) }
}

/// Describes what an entry runs, at any time.
pub(crate) type Describe = Box<dyn FnOnce() -> String>;

/// The lowest bit of a pointer.
const TAG: NonZeroUsize = NonZeroUsize::MIN;

/// The pointer of an entry of the second sort that the table of `head` has.
#[inline(always)]
pub(crate) fn tagged<L>(head: NonNull<EntryHead<L>>) -> NonNull<EntryHead<L>> {
    head.map_addr(|address| address | TAG)
}

/// Something to run, once.
pub(crate) struct Entry<L: 'static>(NonNull<EntryHead<L>>);

impl<L> Entry<L> {
    /// # Safety
    ///
    /// The Table Invariant must hold for `head`, and the caller must own what one of the table's
    /// first three functions takes, and give it up.
    #[inline]
    pub(crate) unsafe fn from_head(head: NonNull<EntryHead<L>>) -> Entry<L> {
        Entry(head)
    }

    /// Returns its functions, and the head that they take.
    #[inline(always)]
    fn parts(&self) -> (&'static EntryTable<L>, NonNull<EntryHead<L>>) {
        if self.0.addr().get() & TAG.get() != 0 {
            return self.second_parts();
        }
        // SAFETY: By the Owner Invariant what the entry points to is there until it is used up.
        (unsafe { self.0.as_ref() }.table, self.0)
    }

    #[cold]
    fn second_parts(&self) -> (&'static EntryTable<L>, NonNull<EntryHead<L>>) {
        // SAFETY: By the Tag Invariant the head stands at the address before, and by the Owner Invariant it
        // is there.
        unsafe {
            let head = self.0.byte_sub(TAG.get());
            let table = head.as_ref().table;
            (table.second.unwrap_or(table), head)
        }
    }

    #[inline(always)]
    pub(super) fn run(self, event_loop: &L) {
        let (table, head) = self.parts();
        mem::forget(self);
        // SAFETY: By the Table Invariant and the Owner Invariant.
        unsafe { (table.run)(head, event_loop) }
    }

    pub(super) fn discard(self, event_loop: &L) {
        let (table, head) = self.parts();
        mem::forget(self);
        // SAFETY: By the Table Invariant and the Owner Invariant.
        unsafe { (table.discard)(head, event_loop) }
    }

    pub(crate) fn kind(&self) -> JobKind {
        let (table, head) = self.parts();
        // SAFETY: By the Table Invariant.
        unsafe { (table.kind)(head) }
    }

    #[cfg(feature = "trace")]
    pub(super) fn title(&self) -> String {
        let (table, head) = self.parts();
        // SAFETY: By the Table Invariant.
        unsafe { (table.title)(head) }
    }

    pub(super) fn describe(&self) -> Describe {
        let (table, head) = self.parts();
        // SAFETY: By the Table Invariant.
        unsafe { (table.describe)(head) }
    }

    /// Returns its pointer, with all that it owns.
    #[inline(always)]
    pub(super) fn into_head(self) -> NonNull<EntryHead<L>> {
        mem::ManuallyDrop::new(self).0
    }

    /// The address of what it runs.
    pub(crate) fn address(&self) -> *const () {
        self.0.as_ptr().cast()
    }
}

impl<L> Drop for Entry<L> {
    fn drop(&mut self) {
        let (table, head) = self.parts();
        // SAFETY: By the Table Invariant and the Owner Invariant.
        unsafe { (table.drop)(head) }
    }
}

/// An [`EntryHead`] by a table that begins with an [`EntryTable`], and a state.
#[repr(C)]
pub(super) struct CallHead<T: 'static> {
    pub(super) table: &'static T,
    pub(super) state: Cell<u32>,
}

/// The flag of a state that says that the timer is pending.
pub(super) const LISTED: u32 = 1;

/// The head of what is among the timers by a link of its own.
#[repr(C)]
pub(super) struct TimedHead<T: 'static> {
    head: CallHead<T>,
    pub(super) link: UnsafeCell<Link<TimerAt>>,
}

impl<T> TimedHead<T> {
    /// One that is due at `when`.
    #[inline(always)]
    pub(super) fn new(head: CallHead<T>, when: Nanos) -> TimedHead<T> {
        TimedHead { head, link: UnsafeCell::new(Link::new(when)) }
    }
}

/// Where a timer is: at a link in a [`TimedHead`], or at an index, above a bit that no address of one has.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct TimerAt(*mut Link<TimerAt>);

impl TimerAt {
    #[inline(always)]
    pub(super) fn of_link(link: *const UnsafeCell<Link<TimerAt>>) -> TimerAt {
        TimerAt(UnsafeCell::raw_get(link))
    }

    #[inline(always)]
    fn is_index(self) -> bool {
        self.0.addr() & TAG.get() != 0
    }
}

impl At for TimerAt {
    const NIL: TimerAt = TimerAt(ptr::null_mut());

    #[inline(always)]
    fn of(index: u32) -> TimerAt {
        TimerAt(ptr::without_provenance_mut((index as usize) << 1 | TAG.get()))
    }

    #[inline(always)]
    fn index(self) -> usize {
        self.0.addr() >> 1
    }
}

/// Timers of a loop: heads with links of their own, and entries in a slab.
pub(super) struct PendingTimers<L: 'static> {
    pub(super) slab: TimerSlab<Entry<L>, (), TimerAt>,
}

impl<L> PendingTimers<L> {
    pub(super) const fn new() -> PendingTimers<L> {
        PendingTimers { slab: TimerSlab::new(()) }
    }

    /// Returns what a timer runs that was taken out of the wheel.
    #[inline(always)]
    pub(super) fn take(&mut self, at: TimerAt) -> Option<Entry<L>> {
        if at.is_index() {
            return self.slab.take(at.index() as u32);
        }
        // SAFETY: By the Timer Invariant the head is there, and its entry the caller's from now on.
        unsafe {
            let head = Self::head_at(at);
            let state = &(*head).head.state;
            state.set(state.get() & !LISTED);
            Some(Entry(NonNull::new_unchecked(head.cast())))
        }
    }

    /// The address of what a timer runs.
    pub(super) fn address(&self, at: TimerAt) -> *const () {
        if !at.is_index() {
            return Self::head_at(at).cast();
        }
        self.slab.payload(at.index()).map_or(ptr::null(), Entry::address)
    }

    /// The head that has the link.
    #[inline(always)]
    fn head_at(at: TimerAt) -> *mut TimedHead<EntryTable<L>> {
        at.0.wrapping_byte_sub(mem::offset_of!(TimedHead<EntryTable<L>>, link)).cast()
    }
}

impl<L> Index<TimerAt> for PendingTimers<L> {
    type Output = Link<TimerAt>;

    #[cfg_attr(feature = "std", inline(always))]
    #[cfg_attr(not(feature = "std"), inline(never))]
    fn index(&self, at: TimerAt) -> &Link<TimerAt> {
        if at.is_index() {
            return self.slab.link(at.index());
        }
        // SAFETY: By the Timer Invariant.
        unsafe { &*at.0 }
    }
}

impl<L> IndexMut<TimerAt> for PendingTimers<L> {
    #[cfg_attr(feature = "std", inline(always))]
    #[cfg_attr(not(feature = "std"), inline(never))]
    fn index_mut(&mut self, at: TimerAt) -> &mut Link<TimerAt> {
        if at.is_index() {
            return self.slab.link_mut(at.index());
        }
        // SAFETY: By the Timer Invariant.
        unsafe { &mut *at.0 }
    }
}

impl<L> Links for PendingTimers<L> {
    type At = TimerAt;

    fn rest(&mut self) {
        self.slab.give_back();
    }
}

/// An entry that is kept for what it owns: it is dropped, or gives its pointer back, and is never run.
pub(crate) struct HeldEntry<L: 'static>(Entry<L>);

impl<L> HeldEntry<L> {
    pub(crate) fn new(entry: Entry<L>) -> HeldEntry<L> {
        HeldEntry(entry)
    }

    /// Returns its pointer, with all that it owns.
    pub(crate) fn into_head(self) -> NonNull<EntryHead<L>> {
        self.0.into_head()
    }
}

/// Room for one entry in a queue. To drop it with an entry in it leaks that.
///
/// **Slot Invariant**: the pointer is null, or that of an [`Entry`], which it owns.
pub(super) struct EntrySlot<L: 'static>(*mut EntryHead<L>);

impl<L> EntrySlot<L> {
    pub(super) const FREE: EntrySlot<L> = EntrySlot(ptr::null_mut());

    #[inline(always)]
    pub(super) fn is_free(&self) -> bool {
        self.0.is_null()
    }

    /// Puts `entry` in where the slot is free.
    #[inline(always)]
    pub(super) fn put(&mut self, entry: Entry<L>) {
        debug_assert!(self.is_free());
        self.0 = entry.0.as_ptr();
        mem::forget(entry);
    }

    #[inline(always)]
    pub(super) fn take(&mut self) -> Option<Entry<L>> {
        // By the Slot Invariant the entry has an owner again.
        NonNull::new(mem::replace(&mut self.0, ptr::null_mut())).map(Entry)
    }
}

/// The slots of a ring, found by the number of an entry modulo theirs, which is a power of two or zero.
pub(super) struct Slots<L: 'static>(UnsafeCell<Vec<EntrySlot<L>>>);

impl<L> Slots<L> {
    pub(super) const fn new() -> Slots<L> {
        Slots(UnsafeCell::new(Vec::new()))
    }

    pub(super) fn len(&self) -> usize {
        // SAFETY: By the Slots Invariant.
        unsafe { &*self.0.get() }.len()
    }

    #[inline(always)]
    fn slot(&self, number: usize) -> Option<NonNull<EntrySlot<L>>> {
        // SAFETY: By the Slots Invariant.
        let slots = unsafe { &mut *self.0.get() };
        let mask = slots.len().wrapping_sub(1);
        slots.get_mut(number & mask).map(NonNull::from)
    }

    /// Puts `entry` in the slot of `number`, or gives it back where that is not free.
    #[inline(always)]
    pub(super) fn put(&self, number: usize, entry: Entry<L>) -> Result<(), Entry<L>> {
        let Some(mut slot) = self.slot(number) else { return Err(entry) };
        // SAFETY: By the Slots Invariant; the slot was just found.
        let slot = unsafe { slot.as_mut() };
        if !slot.is_free() {
            return Err(entry);
        }
        slot.put(entry);
        Ok(())
    }

    /// Takes the entry out of the slot of `number`.
    #[inline(always)]
    pub(super) fn take(&self, number: usize) -> Option<Entry<L>> {
        // SAFETY: By the Slots Invariant; the slot was just found.
        unsafe { self.slot(number)?.as_mut() }.take()
    }

    /// Changes the slots, of which there are none meanwhile.
    pub(super) fn change(&self, change: impl FnOnce(&mut Vec<EntrySlot<L>>)) {
        // SAFETY: By the Slots Invariant: they are taken out while `change` has them.
        let mut slots = unsafe { self.0.get().replace(Vec::new()) };
        change(&mut slots);
        // SAFETY: By the Slots Invariant. What was put in meanwhile is leaked at most.
        let without = unsafe { self.0.get().replace(slots) };
        debug_assert!(without.is_empty());
    }
}

/// The beginning of what may be called from other threads, or from interrupt handlers: the head of its
/// entry, and without std the link by which it stands in the queue of mail.
#[repr(C)]
pub(crate) struct RemoteHead<L: 'static> {
    head: EntryHead<L>,
    #[cfg(not(feature = "std"))]
    link: MailLink,
}

impl<L> RemoteHead<L> {
    pub(super) fn new(table: &'static EntryTable<L>) -> RemoteHead<L> {
        RemoteHead {
            head: EntryHead::new(table),
            #[cfg(not(feature = "std"))]
            link: MailLink::new(),
        }
    }
}

/// An [`Entry`] on its way to the thread that runs it.
pub(crate) struct RemoteEntry<L: 'static>(Entry<L>);

// SAFETY: By the Send Invariant what it owns may go to another thread. Of its head, which says
// nothing of threads, only the table is read.
unsafe impl<L> Send for RemoteEntry<L> {}

impl<L> RemoteEntry<L> {
    /// # Safety
    ///
    /// What `entry` owns is `Send`, and its head the beginning of a [`RemoteHead`].
    pub(super) unsafe fn new(entry: Entry<L>) -> RemoteEntry<L> {
        RemoteEntry(entry)
    }

    /// The entry, on the loop's thread.
    pub(super) fn into_entry(self) -> Entry<L> {
        self.0
    }

    /// The link of what the entry points to. It is made an entry again by
    /// [`from_link`](RemoteEntry::from_link), once.
    #[cfg(not(feature = "std"))]
    pub(super) fn into_link(self) -> NonNull<MailLink> {
        let head: NonNull<RemoteHead<L>> = self.0.0.cast();
        mem::forget(self);
        // SAFETY: By the Send Invariant the head is that of a `RemoteHead`.
        unsafe { head.byte_add(mem::offset_of!(RemoteHead<L>, link)).cast() }
    }

    /// # Safety
    ///
    /// `link` was returned by [`into_link`](RemoteEntry::into_link), and is used once.
    #[cfg(not(feature = "std"))]
    pub(super) unsafe fn from_link(link: NonNull<MailLink>) -> RemoteEntry<L> {
        // SAFETY: By this function's contract the link stands in a `RemoteHead`.
        let head = unsafe { link.byte_sub(mem::offset_of!(RemoteHead<L>, link)) };
        RemoteEntry(Entry(head.cast()))
    }
}
