//! [`TaskHeader`]: the fields that a task has besides those of a future: the reason why it isn't
//! running, its waits, and its pending cancellation.
#![allow(unsafe_code)]

#[cfg(feature = "events")]
mod events;
pub(super) mod own_sleep;
mod own_wait;
pub(super) mod task_wait;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;
use core::mem::{self, offset_of};
use core::panic::Location;
use core::ptr::{NonNull, without_provenance_mut};

use super::header::site::Site;
use super::header::{ErasedFuture, Header, HeldHeader, flag};
use super::node::{entry_head, registry_of};
use super::wait_reason::WaitReason;
use crate::collections::Key;
#[cfg(feature = "contextvars")]
use crate::context::{Context, captured};
use crate::error::Error;
use crate::event_loop::Entry;
#[cfg(not(feature = "std"))]
use crate::event_loop::Link;
use crate::sync::AtomicU32;

/// Why a task doesn't run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Parked {
    /// It stands at no await of ours: it has not started, or awaits something that knows nothing of this
    /// loop but a waker.
    Foreign,
    /// It does: this is its step.
    Running,
    /// It has yielded, and its next step is scheduled.
    Yielding,
    /// It awaits futures of ours.
    Waiting,
}

impl Parked {
    pub(super) const fn bits(self) -> u32 {
        (self as u32) << flag::PARKED_SHIFT
    }
}

/// The bit that the number of an own wait has, and no address of a header; above it stand the reason and the
/// count of the wait.
const IS_OWN: usize = 1;
const REASON_SHIFT: u32 = 1;
const COUNT_SHIFT: u32 = 6;

/// Returns the number that stands for a task's own wait in the place of the pointer to a future. It is
/// dereferenced nowhere.
#[inline(always)]
fn number_of(count: usize, reason: WaitReason) -> Option<NonNull<Header>> {
    let number = count << COUNT_SHIFT | (reason as usize) << REASON_SHIFT | IS_OWN;
    NonNull::new(without_provenance_mut(number))
}

/// Returns true if the first wait of a task is its own.
#[inline(always)]
fn is_own(wait: NonNull<Header>) -> bool {
    wait.addr().get() & IS_OWN != 0
}

/// The number of cancellations in a task's flags that says that they stand in its `Rare`.
const MANY: u32 = u32::MAX >> flag::NUMBER_SHIFT;

/// The header of a task, with the state behind it that only tasks have.
///
/// **Wait Invariant**: the first wait is one that was added when there was no other, so that those of
/// `Rare` all came after it. It is a future of ours, or the [number](number_of) of an `OwnWait`.
#[repr(C)]
pub(crate) struct TaskHeader {
    pub(super) header: Header,
    /// The word of a [`HeldHeader`], by the Memory Invariant of `node`.
    memory: AtomicU32,
    site: Site,
    /// The first wait, most often the only one. Uncounted: the await that added it counts it.
    first_wait: Cell<Option<NonNull<Header>>>,
    /// Its halves: so it needs no more alignment than a word of 32 bits.
    serial: [u32; 2],
    /// By the Woken Invariant of `waker`.
    #[cfg(not(feature = "std"))]
    pub(super) link: Link,
}

const _: () = assert!(offset_of!(TaskHeader, memory) == offset_of!(HeldHeader, memory));

#[cfg(all(feature = "std", target_pointer_width = "64", not(any(loom, shuttle))))]
const _: () = assert!(size_of::<TaskHeader>() == 7 * size_of::<usize>());

impl TaskHeader {
    /// A new task's, number `serial`.
    #[inline(always)]
    pub(super) fn new(
        header: Header,
        created_at: &'static Location<'static>,
        serial: u64,
    ) -> TaskHeader {
        TaskHeader {
            header,
            memory: AtomicU32::new(1),
            site: Site::of(created_at),
            first_wait: Cell::new(None),
            serial: [serial as u32, (serial >> u32::BITS) as u32],
            #[cfg(not(feature = "std"))]
            link: Link::new(),
        }
    }
}

/// The name of a task: `Task-7`, unless it was given another.
///
/// # Safety
///
/// The Block Invariant holds for `task`, which is one.
pub(super) unsafe fn name_of(task: NonNull<Header>) -> String {
    // SAFETY: By this function's contract.
    let (own, registry) = unsafe { (task.cast::<TaskHeader>().as_ref(), registry_of(task)) };
    let number = || registry.number_in_name(own.serial()).to_string();
    own.header.name().unwrap_or_else(|| String::from("Task-") + &number())
}

impl ErasedFuture {
    /// Has a task that is given its name as it is made take no number.
    pub(crate) fn give_number_back(&self) {
        if let Some(task) = self.task() {
            self.registry().give_number_back(task.serial());
        }
    }

    /// Returns the header of the task, if it is one.
    #[inline]
    pub(crate) fn task(&self) -> Option<&TaskHeader> {
        if !self.header().is_task() {
            return None;
        }
        // SAFETY: The header of a task is the beginning of a `TaskHeader`.
        Some(unsafe { self.pointer().cast::<TaskHeader>().as_ref() })
    }

    /// Gives a new task a copy of the context of the code that makes it.
    #[cfg(feature = "contextvars")]
    #[cold]
    pub(super) fn capture_context(&self) {
        if let (Some(task), Some(context)) = (self.task(), captured()) {
            task.set_context(context);
        }
    }

    /// Schedules the step of a task, unless it is scheduled or done.
    pub(super) fn schedule_step(&self) {
        debug_assert!(self.header().is_task());
        // SAFETY: This handle keeps the task.
        unsafe { schedule_step(self.pointer()) }
    }

    /// Returns the future that a task awaits, if it awaits only this one, which is no task and has
    /// no children.
    #[inline]
    pub(super) fn sole_plain_wait(&self) -> Option<ErasedFuture> {
        let task = self.task().filter(|task| !task.header.has(flag::MORE_WAITS))?;
        // SAFETY: By the Await Invariant the await that has added the wait counts it.
        let wait = unsafe { ErasedFuture::from_header(task.first_future()?) };
        (!wait.header().has(flag::TASK | flag::CHILDREN)).then_some(wait)
    }

    /// Returns the futures that a task awaits, in the order of adding; its own wait is none.
    pub(crate) fn waits(&self) -> Vec<ErasedFuture> {
        let Some(task) = self.task() else { return Vec::new() };
        let mut waits: Vec<_> = task.first_future().into_iter().collect();
        if task.header.has(flag::MORE_WAITS) {
            task.header.with_rare_if_any(|rare| waits.extend(rare.waits.iter().copied()));
        }
        // SAFETY: By the Await Invariant the await that has added a wait counts it until it removes it.
        waits.into_iter().map(|wait| unsafe { ErasedFuture::from_header(wait) }).collect()
    }
}

impl TaskHeader {
    /// Notes the place where it was made, if its site doesn't say it.
    #[inline(always)]
    pub(super) fn note_created_at(&self, place: &'static Location<'static>) {
        if self.site == Site::ELSEWHERE {
            self.header.with_rare(|rare| rare.made_at = Some(place));
        }
    }

    /// Its number, counted from one.
    pub(crate) fn serial(&self) -> u64 {
        u64::from(self.serial[1]) << u32::BITS | u64::from(self.serial[0])
    }

    /// Where in the source it was made.
    pub(crate) fn created_at(&self) -> &'static Location<'static> {
        self.site.location().or(self.header.made_at()).expect("a place at hand")
    }

    /// Its context, made if it has none yet.
    #[cfg(feature = "contextvars")]
    #[cold]
    pub(crate) fn context(&self) -> Context {
        self.header.with_rare(|rare| rare.context.get_or_insert_default().clone())
    }

    /// Has it run in `context` from its next step on.
    #[cfg(feature = "contextvars")]
    #[cold]
    pub(crate) fn set_context(&self, context: Context) {
        let before = self.header.with_rare(|rare| rare.context.replace(context));
        drop(before);
    }

    pub(crate) fn parked(&self) -> Parked {
        match (self.header.flags.get() & flag::PARKED) >> flag::PARKED_SHIFT {
            0 => Parked::Foreign,
            1 => Parked::Running,
            2 => Parked::Yielding,
            _ => Parked::Waiting,
        }
    }

    /// Counts a task as started although its first step is still to come.
    pub(crate) fn set_started(&self) {
        let flags = self.header.flags.get() & !flag::PARKED;
        self.header.flags.set(flags | Parked::Yielding.bits());
    }

    /// Keeps the loop from reporting the task where it is closed before the task's end.
    pub(crate) fn set_no_destroy_report(&self) {
        self.header.set(flag::NO_DESTROY_REPORT);
    }

    /// Returns true if its step is on the ready queue.
    pub(crate) fn scheduled(&self) -> bool {
        self.header.has(flag::SCHEDULED)
    }

    /// Returns true if it awaits anything of ours.
    #[inline(always)]
    pub(super) fn awaits(&self) -> bool {
        self.first_wait.get().is_some() || self.header.has(flag::MORE_WAITS)
    }

    /// The first wait, if it is a future.
    #[inline(always)]
    pub(super) fn first_future(&self) -> Option<NonNull<Header>> {
        self.first_wait.get().filter(|wait| !is_own(*wait))
    }

    /// Returns the reason of its first wait, if that is its own wait.
    #[inline]
    pub(crate) fn own_wait(&self) -> Option<WaitReason> {
        let own = self.first_wait.get().filter(|wait| is_own(*wait))?;
        let bits = own.addr().get() as u32 & ((1 << COUNT_SHIFT) - 1);
        Some(WaitReason::of_number(bits >> REASON_SHIFT))
    }

    /// Forgets the futures that it awaits. The awaits that have added them are not polled any more.
    pub(super) fn forget_waits(&self) {
        if self.first_future().is_some() {
            self.first_wait.set(None);
        }
        self.header.clear(flag::MORE_WAITS);
        drop(self.header.with_rare_if_any(|rare| mem::take(&mut rare.waits)));
    }

    /// Counts the futures of ours that it awaits, and its own wait.
    #[inline]
    pub(super) fn wait_count(&self) -> usize {
        let more = if self.header.has(flag::MORE_WAITS) { self.more_wait_count() } else { 0 };
        usize::from(self.first_wait.get().is_some()) + more
    }

    #[cold]
    fn more_wait_count(&self) -> usize {
        self.header.with_rare_if_any(|rare| rare.waits.len()).unwrap_or_default()
    }

    /// Returns true if a wait that is added now is the only one.
    #[inline(always)]
    pub(super) fn awaits_nothing(&self) -> bool {
        !self.awaits()
    }

    /// Adds the first wait.
    #[inline(always)]
    pub(super) fn set_first_wait(&self, wait: NonNull<Header>) {
        self.first_wait.set(Some(wait));
    }

    /// Adds a wait behind others. Returns its key.
    #[cold]
    pub(super) fn add_more_wait(&self, wait: NonNull<Header>) -> Key {
        self.header.set(flag::MORE_WAITS);
        self.header.with_rare(|rare| rare.waits.push(wait))
    }

    /// Removes a wait: the one of `key`, or the first.
    #[inline(always)]
    pub(super) fn remove_wait(&self, key: Option<Key>) {
        match key {
            None => self.first_wait.set(None),
            Some(key) => self.remove_more_wait(key),
        }
    }

    #[cold]
    fn remove_more_wait(&self, key: Key) {
        let empty = self.header.with_rare_if_any(|rare| {
            rare.waits.remove(key);
            rare.waits.is_empty()
        });
        if empty != Some(false) {
            self.header.clear(flag::MORE_WAITS);
        }
    }

    /// Takes the error that the step that begins is to throw.
    pub(super) fn take_thrown(&self) -> Option<Error> {
        let thrown = if self.header.take(flag::THROWS) {
            self.header.with_rare_if_any(|rare| rare.throw_next.take()).flatten()
        } else {
            None
        };
        // A cancellation takes the place of another error.
        if self.header.take(flag::MUST_CANCEL) { Some(self.cancellation()) } else { thrown }
    }

    /// Notes a cancellation for the next step to throw.
    pub(super) fn must_cancel(&self, error: Error) {
        self.header.set(flag::MUST_CANCEL);
        // The commonest says nothing, and needs no room.
        let before = if error.ptr_eq(&Error::cancelled()) {
            self.header.with_rare_if_any(|rare| rare.cancellation.take()).flatten()
        } else {
            self.header.with_rare(|rare| rare.cancellation.replace(error))
        };
        drop(before);
    }

    /// Has the cancellation thrown at the awaits of `futures`, each of which it awaits.
    pub(super) fn throw_at(&self, futures: &[ErasedFuture]) {
        let futures = futures.iter().map(ErasedFuture::pointer);
        self.header.with_rare(|rare| rare.throw_at.extend(futures));
    }

    /// Takes the awaited futures at which the next step is to throw.
    pub(super) fn take_throw_at(&self) -> Vec<NonNull<Header>> {
        self.header.with_rare_if_any(|rare| mem::take(&mut rare.throw_at)).unwrap_or_default()
    }

    /// The cancellation that is to be thrown, or was the last to be.
    pub(crate) fn cancellation(&self) -> Error {
        let error = self.header.with_rare_if_any(|rare| rare.cancellation.clone()).flatten();
        error.unwrap_or(Error::cancelled())
    }

    /// Notes an error for the next step to throw.
    pub(super) fn throw_next(&self, error: Error) {
        self.header.set(flag::THROWS);
        let before = self.header.with_rare(|rare| rare.throw_next.replace(error));
        drop(before);
    }

    pub(super) fn count_cancel(&self) {
        self.set_cancels(self.cancels().saturating_add(1));
    }

    /// The number of requests to cancel it, less the `uncancel`s.
    pub(crate) fn cancelling(&self) -> usize {
        self.cancels() as usize
    }

    /// Takes a request back, and returns how many are left: with the last one, a cancellation that
    /// was not thrown yet is off.
    pub(crate) fn uncancel(&self) -> usize {
        let cancels = self.cancels();
        if cancels == 1 {
            self.header.clear(flag::MUST_CANCEL);
        }
        self.set_cancels(cancels.saturating_sub(1));
        self.cancelling()
    }

    fn cancels(&self) -> u32 {
        match self.header.flags.get() >> flag::NUMBER_SHIFT {
            MANY => self.header.with_rare_if_any(|rare| rare.cancels).unwrap_or(MANY),
            few => few,
        }
    }

    fn set_cancels(&self, cancels: u32) {
        let number = cancels.min(MANY);
        if number == MANY {
            self.header.with_rare(|rare| rare.cancels = cancels);
        }
        let others = self.header.flags.get() & !(MANY << flag::NUMBER_SHIFT);
        self.header.flags.set(others | number << flag::NUMBER_SHIFT);
    }
}

/// Puts the step of a task on the ready queue, unless it is there or the task is done.
///
/// # Safety
///
/// The Block Invariant holds for `task`, which is a task, on its loop's thread; or the task is done,
/// and a waker holds the block's memory.
#[cfg_attr(feature = "std", inline(always))]
pub(super) unsafe fn schedule_step(task: NonNull<Header>) {
    // SAFETY: By this function's contract, and the Step Invariant. No reference to the whole header
    // is made: once the contents of a block are dropped, the first word of its header is no table.
    unsafe {
        let flags = &(*task.as_ptr()).flags;
        if flags.get() & (flag::SCHEDULED | flag::STATE) == 0 {
            flags.set(flags.get() | flag::SCHEDULED);
            #[cfg(feature = "events")]
            TaskHeader::at(task).note_woken();
            registry_of(task).event_loop().schedule(Entry::from_head(entry_head(task)));
        }
    }
}
