//! [`Header`]: the beginning of the block of each future and task, for any value type; [`Rare`], rarely
//! used fields in a block of their own; and [`ErasedFuture`], which points to a header.
//!
//! **Quiet Invariant**: what looks into a header's cells runs no code but the crate's own while it
//! does; what may run the program's code when it is dropped is taken out first, and dropped after.
#![allow(unsafe_code)]

pub(super) mod handle;
pub(super) mod site;
pub(super) mod waiter;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::Cell;
use core::panic::Location;
use core::ptr::NonNull;

use super::wait_reason::WaitReason;
use crate::blocks;
use crate::collections::{CellExt, KeyedQueue};
#[cfg(feature = "contextvars")]
use crate::context::Context;
use crate::error::{Error, Result};
use crate::event_loop::{EntryTable, Inbox, Mail};
use crate::logging;
use crate::sync::{Arc, AtomicU32, Ordering};

/// The state of a future: two bits of its flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Pending,
    Cancelled,
    Failed,
    Finished,
}

/// The bits of a header's flags.
pub(super) mod flag {
    /// 0 pending, 1 cancelled, 2 failed, 3 finished.
    pub(crate) const STATE: u32 = 3;
    pub(crate) const CANCELLED: u32 = 1;
    pub(crate) const FAILED: u32 = 2;
    pub(crate) const FINISHED: u32 = 3;
    /// The task's step is on the ready queue: the next entry of this task is that step.
    pub(crate) const SCHEDULED: u32 = 1 << 2;
    /// Why a task doesn't run: see `Parked`.
    pub(crate) const PARKED: u32 = 3 << 3;
    pub(crate) const PARKED_SHIFT: u32 = 3;
    /// No entry will come that completes the task's own wait.
    pub(crate) const NO_ENTRY: u32 = 1 << 5;
    /// A cancellation that nothing awaited has taken: the next step throws it.
    pub(crate) const MUST_CANCEL: u32 = 1 << 6;
    /// The next step throws an error other than a cancellation.
    pub(crate) const THROWS: u32 = 1 << 7;
    /// The exception was not read: if it never is, it is reported.
    pub(crate) const UNREAD: u32 = 1 << 8;
    /// The message of the cancellation is delivered to the first reader only.
    pub(crate) const TO_FIRST: u32 = 1 << 9;
    /// The message of the cancellation was delivered to its one reader.
    pub(crate) const DELIVERED: u32 = 1 << 10;
    /// A task that is not reported when the loop is closed before its end.
    pub(crate) const NO_DESTROY_REPORT: u32 = 1 << 11;
    /// The task awaits more than its first wait.
    pub(crate) const MORE_WAITS: u32 = 1 << 12;
    /// A cancellation is on its way through this future or task.
    pub(crate) const ON_PATH: u32 = 1 << 13;
    /// The task's Rust future stands in the block.
    pub(crate) const HAS_FUTURE: u32 = 1 << 14;
    /// The future has children that are cancelled in its place.
    pub(crate) const CHILDREN: u32 = 1 << 15;
    /// It is a task.
    pub(crate) const TASK: u32 = 1 << 16;
    /// A cancellation that is among very many has come to this future or task.
    pub(crate) const VISITED: u32 = 1 << 17;
    /// The future has a `Claim`, on work of another thread.
    #[cfg(feature = "std")]
    pub(crate) const CLAIM: u32 = 1 << 18;
    /// The task's own wait was completed: see `own_wait`.
    pub(crate) const OWN_DONE: u32 = 1 << 19;
    /// The task's own wait was cancelled.
    pub(crate) const OWN_CANCELLED: u32 = 1 << 20;
    /// An entry of an earlier own wait of the task is to come.
    pub(crate) const STALE_ENTRY: u32 = 1 << 21;
    /// The contents are dropped, and that entry frees the block.
    pub(crate) const LEFT_TO_ENTRY: u32 = 1 << 22;
    /// That entry is of a sleep.
    pub(crate) const STALE_SLEEP: u32 = 1 << 23;
    /// The block begins with a `HeldHeader`.
    #[cfg(feature = "std")]
    pub(crate) const HELD: u32 = TASK | CLAIM;
    #[cfg(not(feature = "std"))]
    pub(crate) const HELD: u32 = TASK;
    /// The number of a `WaitReason`; of a task, the requests to cancel it.
    pub(crate) const NUMBER_SHIFT: u32 = 24;
}

/// Set in a task's `memory` while a message that the task was woken is on its way: by the Woken
/// Invariant of `waker`.
pub(super) const WOKEN: u32 = 1 << 31;

/// The same bit of a future that is no task: its `Claim` was taken, by the thread or by a cancellation.
#[cfg(feature = "std")]
pub(super) const CLAIMED: u32 = WOKEN;

/// The beginning of each block.
#[repr(C)]
pub(crate) struct Header {
    pub(super) table: &'static Table,
    /// By the Count Invariant of `node`.
    pub(super) count: Cell<u32>,
    pub(super) flags: Cell<u32>,
    pub(super) waiters: Waiters,
    pub(super) rare: Cell<Option<Box<Rare>>>,
}

/// The beginning of a block that other threads may hold: that of a task, or of a future with a `Claim`.
#[repr(C)]
pub(super) struct HeldHeader {
    pub(super) header: Header,
    /// By the Memory Invariant of `node`.
    pub(super) memory: AtomicU32,
}

/// The waiters of a future or task, in one word: see `waiters`.
pub(super) struct Waiters(pub(super) Cell<*mut ()>);

/// A handle of a future or task of any value type: see `node`.
pub struct ErasedFuture(pub(super) NonNull<Header>);

/// The functions and facts that a block has by its type.
#[repr(C)]
pub(super) struct Table {
    /// The first field: an [`EntryHead`] is the beginning of a header.
    pub(super) entry: EntryTable,
    /// Returns a handle of a block with this table as one of the type that the program knows it by.
    pub(super) as_any: unsafe fn(&ErasedFuture) -> &dyn Any,
    /// True if the value, where there is one, owns something.
    pub(super) value_owns: bool,
    /// Drops the contents behind the header, whichever stand there.
    pub(super) drop_contents: unsafe fn(NonNull<Header>),
    /// Drops a task's Rust future in its place, if it is there.
    pub(super) drop_future: unsafe fn(NonNull<Header>),
    /// Ends a task, after its value was written to its place, where a panic has kept its step from that.
    pub(super) finish: Option<unsafe fn(NonNull<Header>)>,
    /// Returns the type name of a task's Rust future.
    pub(super) future_name: fn() -> &'static str,
    /// Where the value stands, from the header on.
    pub(super) value_offset: usize,
}

impl Header {
    pub(super) fn new(table: &'static Table, count: u32, flags: u32) -> Header {
        Header {
            table,
            count: Cell::new(count),
            flags: Cell::new(flags),
            waiters: Waiters::new(),
            rare: Cell::new(None),
        }
    }

    #[inline(always)]
    pub(super) fn has(&self, flags: u32) -> bool {
        self.flags.get() & flags != 0
    }

    #[inline(always)]
    pub(super) fn set(&self, flags: u32) {
        self.flags.set(self.flags.get() | flags);
    }

    #[inline(always)]
    pub(super) fn clear(&self, flags: u32) {
        self.flags.set(self.flags.get() & !flags);
    }

    /// Clears `flags`, and returns true if any was set.
    #[inline(always)]
    pub(super) fn take(&self, flags: u32) -> bool {
        let before = self.flags.get();
        // Volatile, so that one byte alone isn't written: a processor can't load the word then until that has
        // come to the cache.
        // SAFETY: The pointer is of a cell that nothing has a reference into.
        unsafe { self.flags.as_ptr().write_volatile(before & !flags) };
        before & flags != 0
    }

    #[inline(always)]
    pub(crate) fn done(&self) -> bool {
        self.has(flag::STATE)
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        match self.flags.get() & flag::STATE {
            0 => State::Pending,
            flag::CANCELLED => State::Cancelled,
            flag::FAILED => State::Failed,
            _ => State::Finished,
        }
    }

    #[inline(always)]
    pub(crate) fn is_task(&self) -> bool {
        self.has(flag::TASK)
    }

    /// Returns the number of handles.
    pub(super) fn count(&self) -> u32 {
        self.count.get()
    }

    /// Returns true if nothing beside the header has to be dropped.
    #[inline(always)]
    pub(super) fn is_bare(&self) -> bool {
        // SAFETY: Nothing is written while this borrow lasts: a header belongs to one thread, and
        // no other code runs meanwhile.
        let rare = unsafe { &*self.rare.as_ptr() };
        rare.is_none() && self.waiters.is_empty() && !self.has(flag::UNREAD)
    }

    /// Returns true if the contents behind the header own something.
    #[inline(always)]
    pub(super) fn owns(&self) -> bool {
        self.has(flag::HAS_FUTURE)
            || self.table.value_owns && self.flags.get() & flag::STATE == flag::FINISHED
    }

    /// Returns true if there is a [`Rare`].
    pub(super) fn has_rare(&self) -> bool {
        // SAFETY: As in `is_bare`.
        unsafe { &*self.rare.as_ptr() }.is_some()
    }

    /// Calls `body` with what few futures have, which is made for it. `body` runs no code but the
    /// crate's own.
    pub(super) fn with_rare<R>(&self, body: impl FnOnce(&mut Rare) -> R) -> R {
        self.rare.with(|rare| body(rare.get_or_insert_default()))
    }

    /// The same, of a future that has it.
    pub(super) fn with_rare_if_any<R>(&self, body: impl FnOnce(&mut Rare) -> R) -> Option<R> {
        self.rare.with(|rare| rare.as_deref_mut().map(body))
    }

    /// The reason for which a task awaits it. It is no task itself.
    pub(crate) fn reason(&self) -> WaitReason {
        debug_assert!(!self.is_task());
        WaitReason::of_number(self.flags.get() >> flag::NUMBER_SHIFT)
    }

    /// The name of its class in asyncio.
    pub(super) fn class_name(&self) -> &'static str {
        if self.is_task() {
            return "Task";
        }
        if self.reason() == WaitReason::Gather { "_GatheringFuture" } else { "Future" }
    }

    pub(crate) fn name(&self) -> Option<String> {
        self.with_rare_if_any(|rare| rare.name.as_deref().map(String::from)).flatten()
    }

    pub(crate) fn set_name(&self, name: String) {
        self.with_rare(|rare| rare.name = Some(name.into()));
    }

    /// Where it was made, if that was noted.
    pub(crate) fn made_at(&self) -> Option<&'static Location<'static>> {
        self.with_rare_if_any(|rare| rare.made_at).flatten()
    }

    pub(super) fn children(&self) -> Option<Rc<dyn CancelledChildren>> {
        self.with_rare_if_any(|rare| rare.children.clone()).flatten()
    }

    pub(super) fn set_error(&self, error: Error) {
        // The commonest says nothing, and needs no room.
        if !error.ptr_eq(&Error::cancelled()) {
            let before = self.with_rare(|rare| rare.error.replace(error));
            drop(before);
        }
    }

    /// The exception, if there is one, counts as read.
    pub(crate) fn mark_read(&self) {
        self.clear(flag::UNREAD);
    }

    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it is done.
    #[inline]
    pub(crate) fn check_pending(&self) -> Result<()> {
        if self.done() { Err(Error::invalid_state("invalid state")) } else { Ok(()) }
    }

    /// The error of a future that is done without a result. It may be read to deliver a
    /// cancellation's message: to ask whether there is one, look at the state.
    #[cold]
    pub(crate) fn error(&self) -> Error {
        self.mark_read();
        if self.has(flag::DELIVERED) {
            return Error::cancelled();
        }
        if self.has(flag::TO_FIRST) {
            self.set(flag::DELIVERED);
        }
        self.peek()
    }

    /// The same, which doesn't count as reading it.
    pub(super) fn peek(&self) -> Error {
        let error = self.with_rare_if_any(|rare| rare.error.clone()).flatten();
        error.unwrap_or(Error::cancelled())
    }

    /// Has the message of a cancellation delivered to its first reader only, as asyncio does for a
    /// coroutine that ends with a cancellation: later readers get one without a message.
    pub(crate) fn deliver_to_first(&self) {
        self.set(flag::TO_FIRST);
    }

    /// Returns true if every reader gets the message of the cancellation.
    pub(crate) fn delivers_to_all(&self) -> bool {
        !self.has(flag::TO_FIRST)
    }

    /// The error as text, which doesn't count as reading it.
    pub(crate) fn peek_error(&self) -> String {
        logging::shown(&self.peek())
    }

    pub(crate) fn exception(&self) -> Result<Option<Error>> {
        match self.state() {
            State::Pending => Err(Error::invalid_state("Exception is not set.")),
            State::Cancelled => Err(self.error()),
            State::Failed => Ok(Some(self.error())),
            State::Finished => Ok(None),
        }
    }

    /// The result without the value.
    #[inline]
    pub(crate) fn outcome(&self) -> Result<()> {
        match self.state() {
            State::Pending => Err(Error::invalid_state("Result is not set.")),
            State::Finished => Ok(()),
            State::Cancelled | State::Failed => Err(self.error()),
        }
    }
}

/// # Safety
///
/// The block begins with a [`HeldHeader`], and its memory is held for as long as the reference is used.
#[inline(always)]
pub(super) unsafe fn memory_of<'a>(header: NonNull<Header>) -> &'a AtomicU32 {
    // SAFETY: By this function's contract. No reference to the whole header is made: the rest may be
    // another thread's.
    unsafe { &(*header.cast::<HeldHeader>().as_ptr()).memory }
}

/// Gives back a share of the memory, on any thread.
///
/// # Safety
///
/// By the Memory Invariant the share is the caller's. Where it may be the last, the loop has left the block.
pub(super) unsafe fn drop_memory(header: NonNull<Header>) {
    // SAFETY: By this function's contract. Of the last share, the contents are dropped by now.
    unsafe {
        if memory_of(header).fetch_sub(1, Ordering::AcqRel) & !WOKEN == 1 {
            blocks::free_remote::<Arc<Inbox<Mail>>>(header.cast());
        }
    }
}

/// **Quiet Invariant**: no field is dropped while the block is in use: what may run the program's
/// code when it is dropped is taken out first.
#[derive(Default)]
pub(super) struct Rare {
    /// The exception, or the cancellation if it has a message.
    pub(super) error: Option<Error>,
    pub(super) name: Option<Box<str>>,
    /// Where a future was made, noted in debug mode only; or a task, where its `Site` can't say it.
    pub(super) made_at: Option<&'static Location<'static>>,
    /// The futures that are cancelled in the place of this one.
    pub(super) children: Option<Rc<dyn CancelledChildren>>,
    /// The message of a task's last cancellation that nothing awaited has taken. It stays when it
    /// was thrown: see `gather`.
    pub(super) cancellation: Option<Error>,
    /// An error other than a cancellation that the task's next step throws.
    pub(super) throw_next: Option<Error>,
    /// The awaited futures at which the cancellation is to be thrown; none for the first await.
    pub(super) throw_at: Vec<NonNull<Header>>,
    /// The cancellation of a task's own wait, if it has a message.
    pub(super) own_error: Option<Error>,
    /// The requests to cancel a task, where they are too many for its flags.
    pub(super) cancels: u32,
    /// The futures that a task awaits besides its first, inside a join or a select.
    pub(super) waits: KeyedQueue<NonNull<Header>>,
    /// A task's, once contexts are used.
    #[cfg(feature = "contextvars")]
    pub(super) context: Option<Context>,
    /// The cell that weak handles share and read.
    pub(super) weak: Option<Rc<WeakCell>>,
}

/// The futures that are cancelled in the place of another.
pub(crate) trait CancelledChildren {
    /// Returns the child number `index` that is to be cancelled because of `error`, and cancels it where it has
    /// a cancellation of its own; `None` behind the last.
    fn child(&self, index: usize, error: &Error) -> Option<CancelledChild>;

    /// At least one child has accepted the cancellation.
    fn note_accepted(&self);
}

/// A future that is cancelled in the place of another.
pub(crate) enum CancelledChild {
    /// It has an error of its own.
    Future(ErasedFuture, Error),
    /// A future-like thing that stands on others, which has cancelled them: whether that was accepted.
    Other(bool),
}

/// A pointer that the weak handles of a future share: the future empties it when its last handle is
/// dropped. So a future without weak handles needs no count for them.
///
/// **Weak Invariant**: the pointer is set for as long as the future has handles.
pub(super) struct WeakCell(pub(super) Cell<Option<NonNull<Header>>>);

impl WeakCell {
    pub(super) fn new(header: NonNull<Header>) -> Rc<WeakCell> {
        Rc::new(WeakCell(Cell::new(Some(header))))
    }

    /// The future has no handles any more.
    pub(super) fn clear(&self) {
        self.0.set(None);
    }
}

/// A handle of a future or task that doesn't keep it alive.
#[derive(Clone)]
pub(crate) struct WeakErased(pub(super) Rc<WeakCell>);

impl WeakErased {
    pub(crate) fn upgrade(&self) -> Option<ErasedFuture> {
        self.0.0.get().map(ErasedFuture::from_weak)
    }
}
