//! [`ScheduledCall`]: a callback that runs once, soon or when its timer is due, in a block of the
//! loop's memory, which is [`Calls`]. In the block stands the link by which it is among the timers.
//!
//! **Block Invariant**: a [`Head`] stands at the beginning of a block of the pages of a [`Calls`]; that of a
//! [`TimedCall`] is the beginning of a [`TimedHead`]. Behind that is the place of a callback of the type that
//! the table is for. A `Calls` is made in its `Rc`, never moves, and its pages name it as their owner. Once
//! the loop has closed the pages hold the `Rc` until their last block is freed; before, the loop does.
//!
//! **Count Invariant**: the count, which is `state` without its flags, is the number of
//! [`ScheduledCall`]s and of entries of the block. The last of them drops the callback, if it is there, and
//! frees the block, once.
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
use core::ops::Deref;
use core::ptr::NonNull;
use core::time::Duration;

use super::calls;
use super::clock::{NEVER, Nanos, duration};
use super::entry::{self, CallHead, JobKind, LISTED, TimerAt};
#[cfg(feature = "events")]
use super::events::LoopEvent;
use super::exception_handler::{CallbackOutput, run_callback, run_in_turn};
use super::loop_ref::{Entry, EntryHead, EntryTable, LoopRef};
use crate::blocks::{Region, owner_of};
use crate::error::{Error, Result};
use crate::flat_drops::drop_on_thread;

/// The timers of a loop, and the memory of its callbacks.
type Calls = calls::Calls<LoopRef>;

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
        let table = const { &Functions::<Head, N, F, R>::TABLE };
        let head = CallHead { table, state: Cell::new((2 * ONE) | WAITS) };
        let head = self.new_block(head, callback)?;
        // SAFETY: By the Count Invariant: of the two counts one is the handle's, and one the entry's. The
        // entry's table fits.
        Ok((ScheduledCall(head), unsafe { Entry::from_head(head.cast()) }))
    }

    /// A callback that runs when its timer is due.
    ///
    /// # Errors
    ///
    /// As [`make_call`](LoopRef::make_call).
    #[inline]
    pub(super) fn make_timer<N, F, R>(
        &self,
        when: Nanos,
        _name: NameOf<N>,
        callback: F,
    ) -> Result<TimedCall>
    where
        N: 'static,
        F: FnOnce() -> R + 'static,
        R: CallbackOutput + 'static,
    {
        let table = const { &Functions::<TimedHead, N, F, R>::TABLE };
        let head = CallHead { table, state: Cell::new((2 * ONE) | WAITS | LISTED) };
        let head = self.new_block(TimedHead::new(head, when), callback)?;
        // By the Timer Invariant the timers have the count of the entry.
        let call = TimedCall(ScheduledCall(head));
        // SAFETY: It is a `TimedCall`'s.
        self.shared().calls.timers.borrow_mut().insert(unsafe { call.at() }, when);
        Ok(call)
    }

    /// Writes `head` and `callback` to a new block.
    #[inline(always)]
    fn new_block<H, F>(&self, head: H, callback: F) -> Result<NonNull<Head>> {
        let layout = Layout::new::<CallBlock<H, F>>();
        let block = match self.shared().calls.pages().alloc(layout) {
            Some(block) => block.cast::<CallBlock<H, F>>(),
            None => self.memory_of_others(layout)?.cast(),
        };
        // SAFETY: The block is new, and large enough. By the Block Invariant.
        unsafe {
            (&raw mut (*block.as_ptr()).head).write(head);
            (&raw mut (*block.as_ptr()).callback).cast::<F>().write(callback);
        }
        Ok(block.cast())
    }

    /// Memory for a callback that the loop's tasks and futures don't need any more.
    #[cold]
    fn memory_of_others(&self, layout: Layout) -> Result<NonNull<u8>> {
        self.with_tasks(|tasks| tasks.release());
        self.shared().calls.pages().alloc(layout).ok_or_else(Error::no_memory)
    }

    /// Bytes that scheduled callbacks have taken from the allocator.
    pub(crate) fn callback_memory(&self) -> usize {
        self.shared().calls.memory()
    }

    /// Has the callbacks be in `region`. There was none yet.
    pub(crate) fn set_callback_region(&self, region: &'static Region) {
        self.shared().calls.pages().set_region(region);
    }

    /// Makes room for so many entries that are ready, and for so many pending timers, and keeps it.
    pub(crate) fn reserve_entries(&self, ready: usize, timers: usize) -> Result<()> {
        let shared = self.shared();
        let reserve_timers = || {
            let mut pending = shared.calls.timers.borrow_mut();
            pending.links.slab.reserve(timers)?;
            pending.reserve(timers)
        };
        let reserved = shared.ready.reserve(ready);
        reserved.and_then(|()| reserve_timers()).map_err(|_| Error::no_memory())
    }

    /// Gives the memory of callbacks back that is not in use.
    pub(crate) fn release_callback_memory(&self) {
        self.shared().calls.release();
    }
}

/// The beginning of a callback's block, the same for each type. Above its flags the state has the count.
type Head = CallHead<CallTable>;
type TimedHead = entry::TimedHead<CallTable>;

/// The beginning of a block, by the handle that a program has of it.
trait Named {
    const NAME: &'static str;
}

impl Named for Head {
    const NAME: &'static str = "Handle";
}

impl Named for TimedHead {
    const NAME: &'static str = "TimerHandle";
}

/// The callback has neither run nor been dropped.
const WAITS: u32 = 2 * LISTED;
/// It was asked to cancel.
const CANCELLED: u32 = 2 * WAITS;
/// It has a place among the loop's timers that are never due.
const FAR: u32 = 2 * CANCELLED;
/// The count of one handle or entry in the state.
const ONE: u32 = 2 * FAR;

#[repr(C)]
struct CallBlock<H, F> {
    head: H,
    callback: UnsafeCell<MaybeUninit<F>>,
}

#[repr(C)]
struct CallTable {
    /// The first field: see [`CallHead`].
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

/// The functions of a callback of type `F` behind a head `H`, which is named by `N`.
struct Functions<H, N, F, R>(PhantomData<(H, N, F, R)>);

impl<H, N, F, R> Functions<H, N, F, R>
where
    H: Named + 'static,
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
            title: |_| describe::<H, N>(),
            describe: |_| Box::new(describe::<H, N>),
            second: None,
        },
        drop_callback: |head| {
            // SAFETY: By the Callback Invariant: the caller has found that it waits.
            unsafe { (*place_of::<H, F>(head)).assume_init_drop() }
        },
        name: type_name::<N>,
        owns: needs_drop::<F>(),
    };

    /// A panic in the callback goes up to the turn, which finds its name in what the loop calls.
    unsafe fn run(head: NonNull<EntryHead>, event_loop: &LoopRef) {
        // SAFETY: By the Count Invariant the entry gives its count up.
        let call = unsafe { ScheduledCall::from_entry(head) };
        if !call.take_waits() {
            return;
        }
        // SAFETY: By the Callback Invariant: it waited, and is moved out of its place once.
        let callback = unsafe { (*place_of::<H, F>(call.0)).assume_init_read() };
        // The drop of a call without a callback.
        if ManuallyDrop::new(call).count_down() {
            free(head.cast());
        }
        run_in_turn(event_loop, || Box::new(describe::<H, N>), callback);
    }
}

/// The place of the callback.
///
/// # Safety
///
/// The Block Invariant holds for `head`, which is the beginning of an `H`, and its table is for callbacks of
/// type `F`.
#[inline(always)]
unsafe fn place_of<H, F>(head: NonNull<Head>) -> *mut MaybeUninit<F> {
    // SAFETY: By this function's contract. Only the place of the callback is reached.
    UnsafeCell::raw_get(unsafe { &raw const (*head.cast::<CallBlock<H, F>>().as_ptr()).callback })
}

fn describe<H: Named, N>() -> String {
    "<".to_owned() + H::NAME + " " + type_name::<N>() + ">"
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

    #[inline(always)]
    pub(super) fn address(&self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }

    /// Where its link is.
    ///
    /// # Safety
    ///
    /// It is that of a [`TimedCall`].
    #[inline(always)]
    unsafe fn at(&self) -> TimerAt {
        // SAFETY: By the Block Invariant and the Count Invariant the block begins with a `TimedHead`.
        TimerAt::of_link(unsafe { &raw const (*self.0.cast::<TimedHead>().as_ptr()).link })
    }

    #[inline(always)]
    pub(super) fn calls(&self) -> &Calls {
        // SAFETY: By the Block Invariant, and the Count Invariant.
        unsafe { owner_of(self.0.cast()) }
    }

    /// Takes its timer out, and drops the callback, unless it has run.
    pub(super) fn cancel(&self) {
        let head = self.head();
        let state = head.state.get();
        head.state.set(state & !WAITS | CANCELLED);
        if state & WAITS == 0 {
            return;
        }
        #[cfg(feature = "events")]
        if self.calls().events.is_on() {
            self.calls().events.note(LoopEvent::CallCancelled(self.address().addr()));
        }
        // Its count keeps the block; where it was in no timer, another does.
        let entry = (state & LISTED != 0).then(|| self.forget_timer());
        if head.table.owns {
            // Its drop may cancel the next callback of a long chain.
            drop_on_thread(Unused(entry.unwrap_or_else(|| self.clone())));
        }
    }

    /// Clears `WAITS`. Returns true if it was set.
    #[inline(always)]
    fn take_waits(&self) -> bool {
        let state = &self.head().state;
        let before = state.get();
        state.set(before & !WAITS);
        before & WAITS != 0
    }

    /// Takes one from the count, unless it is the last. Returns true if it is.
    #[inline(always)]
    fn count_down(&self) -> bool {
        let state = self.head().state.get();
        if state >= 2 * ONE {
            self.head().state.set(state - ONE);
        }
        state < 2 * ONE
    }

    /// Takes its timer out, which is pending. Returns what the timer had.
    #[inline]
    fn forget_timer(&self) -> ScheduledCall {
        let mut timers = self.calls().timers.borrow_mut();
        // SAFETY: By the Timer Invariant it is a `TimedCall`'s.
        timers.remove(unsafe { self.at() });
        timers.rest();
        self.head().state.set(self.head().state.get() & !LISTED);
        // By the Timer Invariant it has the count of the entry.
        ScheduledCall(self.0)
    }

    /// Drops the callback, unless it has run.
    fn drop_callback(self) {
        if self.take_waits() {
            drop(Unused(self));
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

/// A callback that has a timer, as its handles have it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TimedCall(ScheduledCall);

impl Deref for TimedCall {
    type Target = ScheduledCall;

    fn deref(&self) -> &ScheduledCall {
        &self.0
    }
}

impl TimedCall {
    /// Notes when its timer, which is never due, was to be due.
    #[cold]
    pub(super) fn set_far(&self, when: Duration) {
        self.head().state.set(self.head().state.get() | FAR);
        self.calls().far.borrow_mut().insert(self.address(), when);
    }

    /// When its timer is due, or was.
    pub(super) fn when(&self) -> Duration {
        let calls = self.calls();
        // SAFETY: It is a `TimedCall`'s.
        let when = calls.timers.borrow().links[unsafe { self.at() }].when();
        if when != NEVER {
            return duration(when);
        }
        calls.far.borrow().get(&self.address()).copied().unwrap_or(Duration::MAX)
    }
}

/// A callback that will not run. It is dropped with this, while the block is kept.
struct Unused(ScheduledCall);

impl Drop for Unused {
    fn drop(&mut self) {
        // SAFETY: By the Callback Invariant: what made this has found that it waits.
        unsafe { (self.0.head().table.drop_callback)(self.0.0) }
    }
}

impl Clone for ScheduledCall {
    fn clone(&self) -> ScheduledCall {
        let state = &self.head().state;
        state.set(state.get().checked_add(ONE).expect("fewer handles than 28 bits can count"));
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

/// Frees a block that nothing else counts, and that has no callback any more.
#[inline(never)]
fn free(head: NonNull<Head>) {
    // SAFETY: By the Block Invariant. The contents are dropped, and by the Count Invariant what had the
    // last count is the only one that had the block.
    unsafe {
        debug_assert!(head.as_ref().state.get() & LISTED == 0, "a pending timer's block is freed");
        if head.as_ref().state.get() & FAR != 0 {
            return free_far(head);
        }
        owner_of::<Calls>(head.cast()).pages().free(head.cast());
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
        calls.pages().free(head.cast());
    }
}

/// Ends a block that nothing else counts.
#[inline(never)]
fn end(head: NonNull<Head>) {
    let call = ManuallyDrop::new(ScheduledCall(head));
    if !call.take_waits() {
        return free(head);
    }
    // Its own drop comes here again, behind that of the callback, also where this panics.
    drop(Unused(ManuallyDrop::into_inner(call)));
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::collections::SCARCE;

    #[test]
    fn a_callback_takes_two_words_and_with_a_timer_five() {
        assert_eq!(size_of::<CallBlock<Head, [usize; 2]>>(), 32);
        // A tree has one link more than a wheel.
        let timed = if SCARCE { 64 } else { 56 };
        assert_eq!(size_of::<CallBlock<TimedHead, [usize; 2]>>(), timed);
    }
}
