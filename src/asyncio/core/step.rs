//! [`StepState`]: the step that is running, and the data that its task and the futures that it polls
//! exchange.
//!
//! **Step Pointer Invariant**: while a step goes on, this thread's `STEP` points to the registry of
//! its task, which lives for as long as that step; otherwise it is null. A thread runs one loop at a
//! time: a step inside of another, the first of an eager task, is one of the same registry, and puts
//! back what it found. A step that unwinds, without std to catch that, ends at the latest
//! when its loop closes.
#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::cell::Cell;
use core::ptr::{NonNull, null};
use core::task::Poll;

use super::header::{ErasedFuture, Header};
use super::registry::{RegistryHandle, TaskRegistry};
use super::task_header::TaskHeader;
use crate::collections::CellExt;
use crate::error::{Error, Result};
#[cfg(feature = "std")]
use crate::event_loop::LoopRef;
use crate::event_loop::{Entry, running_loop, thread_own};

thread_own! {
    static STEP: Cell<*const TaskRegistry> = Cell::new(null());
}

/// The first of our futures that is polled returns an error.
pub(super) const THROWS: u8 = 1;
/// The task yields until the next turn.
pub(super) const YIELDS: u8 = 2;
/// The task's own waker was woken by its own poll.
pub(super) const WOKE: u8 = 4;
/// A future of ours has returned `Pending` in this step without a new wait of the task: see `scope`.
const HOLDS: u8 = 8;

/// Returns the registry of the step that runs on this thread, if one does.
///
/// # Safety
///
/// It is not used after that step.
#[inline(always)]
pub(super) unsafe fn here<'a>() -> Option<&'a TaskRegistry> {
    let registry = STEP.try_with(Cell::get).unwrap_or(null());
    // SAFETY: By the Step Pointer Invariant, and this function's contract.
    (!registry.is_null()).then(|| unsafe { &*registry })
}

/// Calls `look` with the registry of the step that runs on this thread, and returns its value;
/// `None` if no step runs. `look` runs no code but the crate's own.
#[inline(always)]
pub(crate) fn in_step<R>(look: impl FnOnce(&TaskRegistry) -> R) -> Option<R> {
    // SAFETY: `look` returns within the step.
    unsafe { here() }.map(look)
}

/// Calls `body` with the registry of the loop that runs on this thread.
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
#[inline(always)]
pub(crate) fn with_running<R>(body: impl FnOnce(&TaskRegistry) -> Result<R>) -> Result<R> {
    let running;
    // SAFETY: A step that goes on goes on at least until `body` returns.
    let registry = match unsafe { here() } {
        Some(registry) => registry,
        None => {
            running = TaskRegistry::running()?;
            &*running
        }
    };
    body(registry)
}

/// Calls `body` with the registry of `event_loop`, which may run on this thread, and returns its value.
#[cfg(feature = "std")]
#[inline(always)]
pub(crate) fn with_registry_of<R>(
    event_loop: &LoopRef,
    body: impl FnOnce(&TaskRegistry) -> R,
) -> R {
    // SAFETY: A step that goes on goes on at least until `body` returns.
    match unsafe { here() } {
        Some(registry) if registry.event_loop().ptr_eq(event_loop) => body(registry),
        _ => body(&TaskRegistry::of(event_loop)),
    }
}

/// Set in the number of a step inside of another, so that no other has its number.
const EAGER: u64 = 1 << 63;

/// A step that was put aside for one inside of it.
struct Suspended {
    current: Option<NonNull<Header>>,
    flags: u8,
    ending: Option<NonNull<Header>>,
    number: u64,
    thrown: Option<Error>,
    throw_at: Vec<NonNull<Header>>,
    /// False where none went on.
    is_here: bool,
}

impl TaskRegistry {
    /// The registry of the loop that runs on this thread.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    #[inline]
    pub(crate) fn running() -> Result<RegistryHandle> {
        match in_step(|registry| registry.me.upgrade()).flatten() {
            Some(registry) => Ok(registry),
            None => running_loop().map(|event_loop| TaskRegistry::of(&event_loop)),
        }
    }

    /// Returns the task that is polled on this thread, if one is.
    #[inline]
    pub(crate) fn current_here() -> Option<ErasedFuture> {
        in_step(TaskRegistry::current_task).flatten()
    }

    /// A step of `task` begins.
    #[inline(always)]
    pub(super) fn begin_step(&self, task: NonNull<Header>) {
        self.step.current.set(Some(task));
        // An error that was thrown while no step ran, and met no await, is not thrown any more.
        self.step.flags.set(0);
        self.step.number.set(self.step.number.get() + 1);
        // Without this thread's locals the step runs all the same: its futures look elsewhere.
        let _ = STEP.try_with(|step| step.set(self));
    }

    /// The step is over. Returns its flags.
    #[inline(always)]
    pub(super) fn end_step(&self) -> u8 {
        self.step.current.set(None);
        let _ = STEP.try_with(|step| step.set(null()));
        self.step.flags.get()
    }

    /// Runs the step of an eager task inside of the entry that goes on.
    pub(crate) fn run_inside(&self, step: Entry) {
        let suspended = self.suspend_step();
        self.event_loop().run_inside(step);
        self.resume_step(suspended);
    }

    /// Puts the step that goes on aside, for one inside of it.
    fn suspend_step(&self) -> Suspended {
        let step = &self.step;
        let eager = step.eager.get();
        step.eager.set(eager + 1);
        Suspended {
            current: step.current.take(),
            flags: step.flags.take(),
            ending: step.ending.take(),
            number: step.number.replace(EAGER | eager),
            thrown: step.thrown.take(),
            throw_at: step.throw_at.take(),
            is_here: STEP.try_with(|here| !here.replace(null()).is_null()).unwrap_or(false),
        }
    }

    /// Goes on with the step that was put aside.
    fn resume_step(&self, suspended: Suspended) {
        let step = &self.step;
        step.current.set(suspended.current);
        step.flags.set(suspended.flags);
        step.ending.set(suspended.ending);
        step.number.set(suspended.number);
        // The leftovers of the step inside are dropped last: that may run the program's code.
        let left =
            (step.thrown.replace(suspended.thrown), step.throw_at.replace(suspended.throw_at));
        let here = if suspended.is_here { self } else { null() };
        let _ = STEP.try_with(|step| step.set(here));
        drop(left);
    }

    /// Ends a step that unwound, if one did.
    pub(super) fn end_unwound_step(&self) {
        let is_here = STEP.try_with(|step| core::ptr::eq(step.get(), self));
        if is_here.unwrap_or(false) {
            self.end_step();
        }
    }

    /// Notes the task that drops its future after its last step; `None` once the drop is over.
    #[inline(always)]
    pub(super) fn set_ending(&self, task: Option<NonNull<Header>>) {
        self.step.ending.set(task);
    }

    /// Takes the task that was dropping its future after its last step, if one was.
    pub(super) fn take_ending(&self) -> Option<NonNull<Header>> {
        self.step.ending.take()
    }

    /// The task that is polled, uncounted.
    #[inline(always)]
    pub(super) fn current(&self) -> Option<NonNull<Header>> {
        self.step.current.get()
    }

    /// The task that is polled.
    #[inline]
    pub(crate) fn current_task(&self) -> Option<ErasedFuture> {
        // SAFETY: The loop counts a task for as long as its step goes on.
        self.current().map(|task| unsafe { ErasedFuture::from_header(task) })
    }

    /// Returns true if a step of a task of this loop runs on this thread.
    #[inline(always)]
    pub(crate) fn in_step(&self) -> bool {
        self.current().is_some()
    }

    /// The number of the step that goes on.
    #[inline(always)]
    pub(crate) fn step_number(&self) -> u64 {
        self.step.number.get()
    }

    /// Returns true if there is an error to be thrown.
    #[inline(always)]
    pub(crate) fn throws(&self) -> bool {
        self.step.flags.get() & THROWS != 0
    }

    /// Takes what is to be thrown, at any await.
    #[inline]
    pub(crate) fn take_thrown(&self) -> Option<Error> {
        if !self.throws() || self.step.throw_at.with(|at| !at.is_empty()) {
            return None;
        }
        self.step.flags.set(self.step.flags.get() & !THROWS);
        self.step.thrown.take()
    }

    /// Takes what is to be thrown at an await of `future`.
    #[cold]
    pub(super) fn take_thrown_at(&self, future: NonNull<Header>) -> Option<Error> {
        let last = self.step.throw_at.with(|at| {
            if let Some(place) = at.iter().position(|own| *own == future) {
                at.swap_remove(place);
                return Some(at.is_empty());
            }
            at.is_empty().then_some(true)
        });
        match last? {
            true => self.take_thrown(),
            // Another await is to return it, too.
            false => self.step.thrown.with(|thrown| thrown.clone()),
        }
    }

    /// Has the awaits of the futures `at` return `error` in this step; of none, the first of our
    /// futures that is polled.
    pub(super) fn throw_at(&self, error: Error, at: Vec<NonNull<Header>>) {
        self.step.throw_at.set(at);
        self.throw(error);
    }

    /// Has the first of our futures that is polled next in this step return `error`.
    pub(super) fn throw(&self, error: Error) {
        let before = self.step.thrown.replace(Some(error));
        self.step.flags.set(self.step.flags.get() | THROWS);
        drop(before);
    }

    /// Takes the error that was thrown in the step that has ended and has met no await of ours.
    pub(super) fn take_untaken(&self) -> Option<Error> {
        drop(self.step.throw_at.take());
        self.step.thrown.take()
    }

    /// Has the task that is polled be scheduled for the next turn.
    #[inline(always)]
    pub(crate) fn request_yield(&self) {
        self.step.flags.set(self.step.flags.get() | YIELDS | HOLDS);
    }

    /// Notes whether a future of ours is pending that is not a new wait of the task.
    #[inline]
    pub(super) fn set_holds(&self, holds: bool) {
        let flags = self.step.flags.get();
        self.step.flags.set(if holds { flags | HOLDS } else { flags & !HOLDS });
    }
}

/// Notes, in the step that goes on on this thread, that a future of ours is pending that is not a new
/// wait of the task.
pub(crate) fn note_held() {
    in_step(|registry| registry.set_holds(true));
}

/// The waits of a pending part of the current task, by what its poll has left.
#[derive(Clone, Copy)]
pub(crate) struct PartWaits {
    /// The serial number of the task.
    pub(crate) task: u64,
    /// The numbers of futures of ours that the task awaited before the poll, and awaits after it.
    pub(crate) before: usize,
    pub(crate) after: usize,
    /// True if a future of ours was pending in the poll without being a new wait of the task.
    pub(crate) holds: bool,
}

/// Polls a part of the current task on this thread by `poll`. Returns what it waits for, if it is
/// pending, and a step goes on.
#[inline(always)]
pub(crate) fn poll_part<T>(poll: impl FnOnce() -> Poll<T>) -> (Poll<T>, Option<PartWaits>) {
    // SAFETY: `poll` returns within the step, if one goes on, for which the loop counts the task; only
    // tasks have steps.
    let step = unsafe { here() }.and_then(|registry| {
        // SAFETY: As above.
        Some((registry, unsafe { registry.current()?.cast::<TaskHeader>().as_ref() }))
    });
    let (mut before, mut held) = (0, 0);
    if let Some((registry, task)) = step {
        before = task.wait_count();
        held = registry.step.flags.get() & HOLDS;
        registry.set_holds(false);
    }
    let outcome = poll();
    let Some((registry, task)) = step else { return (outcome, None) };
    let flags = registry.step.flags.get();
    if outcome.is_ready() {
        registry.step.flags.set(flags & !HOLDS | held);
        return (outcome, None);
    }
    registry.step.flags.set(flags | held);
    let (after, holds) = (task.wait_count(), flags & HOLDS != 0);
    (outcome, Some(PartWaits { task: task.serial(), before, after, holds }))
}

/// Notes that the waker with which `task` is polled was woken, if its step goes on on this thread.
/// Returns true if it does.
pub(super) fn note_woken(task: NonNull<Header>) -> bool {
    let noted = in_step(|registry| {
        let is_current = registry.current() == Some(task);
        if is_current {
            registry.step.flags.set(registry.step.flags.get() | WOKE);
        }
        is_current
    });
    noted == Some(true)
}

/// Returns true if this thread runs a step of the loop with blocks of this
/// [remote address](crate::blocks::remote_address). Always false without std: wakers call this, and
/// an interrupt handler may wake one in the middle of a step.
pub(super) fn is_here(address: *const ()) -> bool {
    cfg!(feature = "std")
        && in_step(|registry| registry.pages().remote_address() == address) == Some(true)
}
