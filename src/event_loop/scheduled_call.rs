//! [`ScheduledCall`]: a callback that runs once, soon or when its timer is due, in a block of the
//! loop's memory, which is [`Calls`].
//!
//! **Block Invariant**: a [`Head`] stands at the beginning of a block of the pages of a [`Calls`], and
//! behind it is the place of a callback of the type that its table is for. A `Calls` is made in its
//! `Rc`, never moves, and its pages name it as their owner. Once the loop has closed the pages hold
//! the `Rc` until their last block is freed; before, the loop does.
//!
//! **Count Invariant**: the count, which is `state` without its flags, is the number of
//! [`ScheduledCall`]s and of entries of the block. When it falls to zero, the callback is dropped, if it
//! is there, and the block is freed, once.
//!
//! **Callback Invariant**: the callback is in its place while `WAITS` is set, and until an [`Unused`] of
//! the block is dropped. `WAITS` is cleared before the callback is moved or dropped, and never set
//! again; the code that clears it is the one that moves the callback, drops it, or leaves that to an
//! `Unused`.
#![allow(unsafe_code)]

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use core::alloc::Layout;
use core::any::type_name;
use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit, needs_drop};
use core::ptr::NonNull;
use core::time::Duration;

use super::calls::{self, TimerIndex};
use super::entry::JobKind;
#[cfg(feature = "events")]
use super::events::LoopEvent;
use super::exception_handler::{CallbackOutput, run_callback, run_in_turn};
use super::loop_ref::{Entry, EntryHead, EntryTable, LoopRef};
use crate::blocks::{Region, owner_of};
use crate::error::{Error, Result};
use crate::flat_drops::drop_on_thread;

/// The timers of a loop, and the memory of its callbacks.
type Calls = calls::Calls<Entry>;

impl LoopRef {
    /// A callback as a handle has it, and the entry that runs it.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for it; it is dropped.
    #[inline]
    pub(super) fn make_call<N, F, R>(
        &self,
        _name: NameOf<N>,
        callback: F,
    ) -> Result<(ScheduledCall, Entry)>
    where
        N: 'static,
        F: FnOnce() -> R + 'static,
        R: CallbackOutput + 'static,
    {
        let layout = Layout::new::<CallBlock<F>>();
        let block = match self.shared().calls.pages.alloc(layout) {
            Some(block) => block,
            None => self.memory_of_others(layout)?,
        };
        let block = block.cast::<CallBlock<F>>();
        let head = Head {
            table: const { &Functions::<N, F, R>::TABLE },
            state: Cell::new((2 * ONE) | WAITS),
            timer: Cell::new(NO_TIMER),
        };
        // SAFETY: The block is new, and large enough. This makes the invariants hold: of the two
        // counts one is the handle's, and one the entry's; the entry's table fits.
        unsafe {
            (&raw mut (*block.as_ptr()).head).write(head);
            (&raw mut (*block.as_ptr()).callback).cast::<F>().write(callback);
            Ok((ScheduledCall(block.cast()), Entry::from_head(block.cast())))
        }
    }

    /// Memory that the loop's tasks and futures don't need any more.
    #[cold]
    fn memory_of_others(&self, layout: Layout) -> Result<NonNull<u8>> {
        self.with_tasks(|tasks| tasks.release());
        self.shared().calls.pages.alloc(layout).ok_or_else(Error::no_memory)
    }

    /// Bytes that scheduled callbacks have taken from the allocator.
    pub(crate) fn callback_memory(&self) -> usize {
        self.shared().calls.pages.bytes()
    }

    /// Has the callbacks be in `region`. There was none yet.
    pub(crate) fn set_callback_region(&self, region: &'static Region) {
        self.shared().calls.pages.set_region(region);
    }

    /// Makes room for so many entries that are ready, and for so many pending timers, and keeps it.
    pub(crate) fn reserve_entries(&self, ready: usize, timers: usize) -> Result<()> {
        let shared = self.shared();
        let reserved = shared.ready.reserve(ready);
        reserved
            .and_then(|()| shared.calls.timers.borrow_mut().reserve(timers))
            .map_err(|_| Error::no_memory())
    }

    /// Gives the memory of callbacks back that is not in use.
    pub(crate) fn release_callback_memory(&self) {
        self.shared().calls.pages.release();
    }
}

/// The beginning of a callback's block, the same for each type.
#[repr(C)]
struct Head {
    /// The first field: an [`EntryHead`] is the beginning of a head.
    table: &'static CallTable,
    /// Three flags, and above them the count.
    state: Cell<u32>,
    timer: Cell<TimerIndex>,
}

/// The callback has neither run nor been dropped.
const WAITS: u32 = 1;
/// It was asked to cancel.
const CANCELLED: u32 = 2;
/// It has a place among the loop's timers that are never due.
const FAR: u32 = 4;
/// The count of one handle or entry in the state.
const ONE: u32 = 8;

/// The index of no timer.
const NO_TIMER: TimerIndex = TimerIndex::MAX;

impl Head {
    /// Clears `WAITS`. Returns true if it was set.
    #[inline(always)]
    fn take_waits(&self) -> bool {
        let state = self.state.get();
        self.state.set(state & !WAITS);
        state & WAITS != 0
    }
}

#[repr(C)]
struct CallBlock<F> {
    head: Head,
    callback: UnsafeCell<MaybeUninit<F>>,
}

#[repr(C)]
struct CallTable {
    /// The first field: see [`Head::table`].
    entry: EntryTable,
    /// Drops the callback in its place.
    drop_callback: unsafe fn(NonNull<Head>),
    name: fn() -> &'static str,
    /// True if the callback has anything to drop.
    owns: bool,
}

/// The type that a callback is named by, where others are around it.
pub(super) struct NameOf<N>(PhantomData<fn() -> N>);

impl<N> NameOf<N> {
    pub(super) fn new(_callback: &N) -> NameOf<N> {
        NameOf(PhantomData)
    }
}

/// The functions of a callback of type `F`, which is named by `N`.
struct Functions<N, F, R>(PhantomData<(N, F, R)>);

impl<N, F, R> Functions<N, F, R>
where
    N: 'static,
    F: FnOnce() -> R + 'static,
    R: CallbackOutput + 'static,
{
    const TABLE: CallTable = CallTable {
        entry: EntryTable {
            run: Self::run,
            discard: |head, event_loop| {
                // SAFETY: By the Count Invariant the entry gives its count up.
                let call = unsafe { ScheduledCall::from_entry(head) };
                run_callback(event_loop, || "<drop of a callback>".into(), || call.drop_callback());
            },
            // SAFETY: As for `discard`.
            drop: |head| drop(unsafe { ScheduledCall::from_entry(head) }),
            kind: |_| JobKind::Call,
            #[cfg(feature = "trace")]
            title: |_| describe::<N>(),
            describe: |_| Box::new(describe::<N>),
            second: None,
        },
        drop_callback: |head| {
            // SAFETY: By the Callback Invariant: the caller has found that it waits.
            unsafe { (*place_of::<F>(head)).assume_init_drop() }
        },
        name: type_name::<N>,
        owns: needs_drop::<F>(),
    };

    /// A panic in the callback goes up to the turn, which finds its name in what the loop calls.
    unsafe fn run(head: NonNull<EntryHead>, event_loop: &LoopRef) {
        // SAFETY: By the Count Invariant the entry gives its count up.
        let call = unsafe { ScheduledCall::from_entry(head) };
        if !call.head().take_waits() {
            return;
        }
        // SAFETY: By the Callback Invariant: it waited, and is moved out of its place once.
        let callback = unsafe { (*place_of::<F>(call.0)).assume_init_read() };
        call.give_up_empty();
        run_in_turn(event_loop, || Box::new(describe::<N>), callback);
    }
}

/// The place of the callback.
///
/// # Safety
///
/// The Block Invariant holds for `head`, and its table is for callbacks of type `F`.
#[inline(always)]
unsafe fn place_of<F>(head: NonNull<Head>) -> *mut MaybeUninit<F> {
    // SAFETY: By this function's contract.
    unsafe { head.cast::<CallBlock<F>>().as_ref() }.callback.get()
}

fn describe<N>() -> String {
    "<Handle ".to_owned() + type_name::<N>() + ">"
}

/// A callback as its handles have it.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct ScheduledCall(NonNull<Head>);

impl ScheduledCall {
    /// # Safety
    ///
    /// `head` is that of a callback, and the entry's count is given to this.
    #[inline(always)]
    unsafe fn from_entry(head: NonNull<EntryHead>) -> ScheduledCall {
        ScheduledCall(head.cast())
    }

    #[inline(always)]
    fn head(&self) -> &Head {
        // SAFETY: By the Count Invariant the block is there for as long as this is.
        unsafe { self.0.as_ref() }
    }

    /// Notes the timer that it waits for.
    #[inline]
    pub(super) fn set_timer(&self, timer: TimerIndex) {
        self.head().timer.set(timer);
    }

    /// Notes when its timer, which is never due, was to be due.
    #[cold]
    pub(super) fn set_far(&self, when: Duration) {
        self.head().state.set(self.head().state.get() | FAR);
        self.calls().far.borrow_mut().insert(self.address(), when);
    }

    /// When its timer was to be due, if that was noted.
    pub(super) fn far(&self) -> Duration {
        self.calls().far.borrow().get(&self.address()).copied().unwrap_or(Duration::MAX)
    }

    #[inline(always)]
    fn address(&self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }

    #[inline(always)]
    fn calls(&self) -> &Calls {
        // SAFETY: By the Block Invariant, and the Count Invariant.
        unsafe { owner_of(self.0.cast()) }
    }

    /// Takes its timer out, and drops the callback, unless it has run.
    pub(super) fn cancel(&self) {
        let head = self.head();
        head.state.set(head.state.get() | CANCELLED);
        if !head.take_waits() {
            return;
        }
        let timer = head.timer.get();
        #[cfg(feature = "events")]
        if self.calls().events.is_on() {
            self.calls().events.note(LoopEvent::CallCancelled(self.address().addr()));
        }
        // Its count keeps the block; where it was in no timer, another does.
        let entry = if timer == NO_TIMER { None } else { self.forget_timer(timer) };
        if head.table.owns {
            // Its drop may cancel the next callback of a long chain.
            drop_on_thread(Unused(entry.unwrap_or_else(|| self.clone())));
        }
    }

    /// Does as its drop, after the callback was moved or dropped.
    #[inline(always)]
    fn give_up_empty(self) {
        let call = ManuallyDrop::new(self);
        if call.count_down() {
            free(call.0);
        }
    }

    /// Takes one from the count. Returns true if it was the last.
    #[inline(always)]
    fn count_down(&self) -> bool {
        let state = self.head().state.get() - ONE;
        self.head().state.set(state);
        state < ONE
    }

    /// Takes its timer out. Returns what the timer had.
    #[inline]
    fn forget_timer(&self, timer: TimerIndex) -> Option<ScheduledCall> {
        let is_own = |entry: &Entry| entry.address() == self.address();
        let entry = self.calls().timers.borrow_mut().remove(timer, is_own)?;
        // SAFETY: By the Count Invariant: it is an entry of this block.
        Some(unsafe { ScheduledCall::from_entry(entry.into_head()) })
    }

    #[inline]
    fn drop_callback(&self) {
        if self.head().take_waits() {
            // SAFETY: By the Callback Invariant.
            unsafe { (self.head().table.drop_callback)(self.0) }
        }
    }

    /// Returns true once it was cancelled.
    pub(super) fn cancelled(&self) -> bool {
        self.head().state.get() & CANCELLED != 0
    }

    /// The name of its type.
    pub(super) fn name(&self) -> &'static str {
        (self.head().table.name)()
    }
}

/// A callback that was cancelled. It is dropped with this, while the block is kept.
struct Unused(ScheduledCall);

impl Drop for Unused {
    fn drop(&mut self) {
        // SAFETY: By the Callback Invariant: `cancel`, which alone makes this, has found that it waits.
        unsafe { (self.0.head().table.drop_callback)(self.0.0) }
    }
}

impl Clone for ScheduledCall {
    fn clone(&self) -> ScheduledCall {
        let state = &self.head().state;
        state.set(state.get().checked_add(ONE).expect("fewer handles than 29 bits can count"));
        ScheduledCall(self.0)
    }
}

impl Drop for ScheduledCall {
    #[inline(always)]
    fn drop(&mut self) {
        if self.count_down() {
            end(self.0);
        }
    }
}

/// Frees a block with a count of zero and no callback any more.
#[inline(never)]
fn free(head: NonNull<Head>) {
    // SAFETY: By the Block Invariant. The contents are dropped, and nothing has the block any more, by
    // the Count Invariant.
    unsafe {
        if head.as_ref().state.get() & FAR != 0 {
            return free_far(head);
        }
        owner_of::<Calls>(head.cast()).pages.free(head.cast());
    }
}

/// Frees the block of a timer that is never due.
#[cold]
#[inline(never)]
unsafe fn free_far(head: NonNull<Head>) {
    // SAFETY: As in `free`.
    unsafe {
        let calls = owner_of::<Calls>(head.cast());
        calls.far.borrow_mut().remove(&head.as_ptr().cast_const().cast());
        calls.pages.free(head.cast());
    }
}

/// Drops the contents of a block with a count of zero, and frees it.
#[inline(never)]
fn end(head: NonNull<Head>) {
    /// Frees the memory also where the drop of the callback panics.
    struct Memory(NonNull<Head>);

    impl Drop for Memory {
        #[inline(always)]
        fn drop(&mut self) {
            free(self.0);
        }
    }

    let memory = Memory(head);
    // SAFETY: By the Count Invariant the block was not freed yet. By the Callback Invariant.
    unsafe {
        if memory.0.as_ref().take_waits() {
            (memory.0.as_ref().table.drop_callback)(memory.0);
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn a_callback_takes_two_words_beside_its_captures() {
        assert_eq!(size_of::<CallBlock<[usize; 2]>>(), 32);
    }
}
