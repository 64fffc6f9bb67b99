//! [`cancel`]: passes a cancellation from a task to the future that it awaits, and on down the chain.
//!
//! A loop and not a recursion: a chain of tasks may be longer than the stack is deep. It goes down to
//! the first wait's leaf before it looks at the next wait, as asyncio's recursion does, and what is on
//! its way down is marked, so that it ends in a circle too: the task that would come back to itself
//! throws instead.
//!
//! Only a future-like thing with a cancellation of its own comes back in here from inside of the
//! loop. Where that happens inside of itself too often, the task is deferred until the others are
//! through.
//!
//! A task may also be cancelled by [`RemoteTask`], and the cancellation of a future keeps another thread
//! from work by [`Claim`]. Both hold the memory of the block by the Memory Invariant of `node`, and read
//! nothing of it on another thread but `memory`.
#![allow(unsafe_code)]

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
#[cfg(feature = "std")]
use core::{ptr::NonNull, task::Waker};

#[cfg(feature = "std")]
use super::header::{CLAIMED, Header, drop_memory, memory_of};
use super::header::{CancelledChild, CancelledChildren, ErasedFuture, flag};
use super::registry::{EXACT, TaskRegistry};
use super::task_header::{Parked, TaskHeader};
#[cfg(feature = "std")]
use super::waker::{for_poll, task_of};
#[cfg(feature = "std")]
use crate::blocks;
use crate::error::Error;
#[cfg(feature = "events")]
use crate::event_loop::LoopEvent;
#[cfg(feature = "std")]
use crate::event_loop::running_here;
use crate::event_loop::{Job, JobCell, LoopRef, drop_quietly, note_event};
use crate::panics::UNWINDS;
#[cfg(feature = "std")]
use crate::sync::Ordering;

/// Cancellations inside of each other: more than any program has that Python could run, and few
/// enough for a small stack.
const DEEPEST: u32 = 100;

/// One level of cancellations, until it is dropped.
struct DepthGuard<'a>(&'a TaskRegistry);

impl<'a> DepthGuard<'a> {
    fn enter(registry: &'a TaskRegistry) -> DepthGuard<'a> {
        let depth = &registry.cancel_walk.depth;
        depth.set(depth.get() + 1);
        DepthGuard(registry)
    }

    /// Enters what was deferred, if this is the outermost level.
    fn enter_deferred(&self) {
        let walk = &self.0.cancel_walk;
        while walk.depth.get() == 1 {
            let Some((next, error)) = walk.deferred.borrow_mut().pop_front() else { break };
            if let Answer::Enter(frame) = ask(&next, &error, false) {
                go_down(frame);
            }
        }
    }
}

impl Drop for DepthGuard<'_> {
    fn drop(&mut self) {
        let walk = &self.0.cancel_walk;
        let depth = walk.depth.get() - 1;
        walk.depth.set(depth);
        if depth > 0 {
            return;
        }
        if walk.entered.take() >= EXACT {
            let visited = walk.visited.take();
            visited.iter().for_each(|future| future.header().clear(flag::VISITED));
            drop_quietly(self.0.event_loop(), visited);
        }
        if UNWINDS && !walk.deferred.borrow().is_empty() {
            // There was a panic, amid which nothing else of the program's is to run.
            self.0.event_loop().schedule(JobCell::new(EnterDeferred));
        }
    }
}

/// Enters what a panic has left deferred.
struct EnterDeferred;

impl Job for EnterDeferred {
    fn run(_this: Rc<JobCell<Self>>, event_loop: &LoopRef) {
        DepthGuard::enter(&TaskRegistry::of(event_loop)).enter_deferred();
    }

    fn describe(&self) -> String {
        "<cancellations that were deferred>".into()
    }
}

/// Cancels a future or a task with `error`. Returns true if that was accepted: what is done refuses, and
/// so does what stands for others that all refuse.
///
/// A task is cancelled by cancelling what it awaits; where nothing of that accepts, its next await
/// returns the error.
pub(crate) fn cancel(future: &ErasedFuture, error: &Error) -> bool {
    match ask(future, error, true) {
        Answer::Refuses => false,
        Answer::Accepts | Answer::Circle => true,
        Answer::Enter(frame) => {
            let registry = future.registry();
            let walk = &registry.cancel_walk;
            if walk.depth.get() >= DEEPEST {
                drop(frame);
                walk.deferred.borrow_mut().push_back((future.clone(), error.clone()));
                return true;
            }
            let guard = DepthGuard::enter(registry);
            let accepted = go_down(frame);
            guard.enter_deferred();
            accepted
        }
    }
}

/// Cancels all that a task awaits, and returns true if any of it accepted.
fn cancel_waits(task: &ErasedFuture) -> bool {
    let error = task.task().map_or(Error::cancelled(), |task| task.cancellation());
    let mut accepted = task.cancel_own_wait(&error);
    for wait in task.waits() {
        accepted |= cancel(&wait, &error);
    }
    accepted
}

/// A cancellation with the message of `error`.
pub(crate) fn again(error: &Error) -> Error {
    let message = error.message();
    if message.is_empty() { Error::cancelled() } else { Error::cancelled_with(message) }
}

/// The outcome of a request to cancel.
enum Answer {
    Refuses,
    Accepts,
    /// It came to a task or future that is on the way already: a task has counted the request.
    Circle,
    /// The request goes on to others first.
    Enter(Frame),
}

/// Asks a future or a task to cancel; `counts` says whether a task counts the request.
fn ask(future: &ErasedFuture, error: &Error, counts: bool) -> Answer {
    let header = future.header();
    header.mark_read();
    if header.done() {
        return Answer::Refuses;
    }
    if let Some(task) = future.task() {
        if counts {
            note_event!(future.event_loop(), LoopEvent::CancelAsked(task.serial()));
            task.count_cancel();
        }
        if header.has(flag::ON_PATH) {
            return Answer::Circle;
        }
        let parked = task.parked();
        let was_scheduled = task.scheduled();
        if let Some(accepts) = ask_sole(future, error, parked) {
            if !accepts || parked != Parked::Waiting || was_scheduled {
                throw(future, error, parked);
            }
            return Answer::Accepts;
        }
        // A running task is told at its next await, whatever it awaited before.
        let mut waits = if parked == Parked::Running { Vec::new() } else { future.waits() };
        if waits.is_empty() || !future.registry().cancel_walk.may_enter(future) {
            if waits.is_empty() {
                // Other code may have dropped the await of the task: nothing else would wake it.
                let parked = if parked == Parked::Waiting { Parked::Foreign } else { parked };
                throw(future, error, parked);
            }
            return Answer::Accepts;
        }
        waits.reverse();
        let circles = Vec::new();
        let has_own = task.own_wait().is_some();
        let frontier =
            Frontier::Waits { has_own, waits, asked: None, parked, was_scheduled, circles };
        return Answer::Enter(Frame::new(future, error, frontier));
    }
    let children = if header.has(flag::CHILDREN) { header.children() } else { None };
    if let Some(children) = children {
        if header.has(flag::ON_PATH) {
            return Answer::Circle;
        }
        if !future.registry().cancel_walk.may_enter(future) {
            return Answer::Accepts;
        }
        let frontier = Frontier::Children { children, next: 0, circle: false };
        return Answer::Enter(Frame::new(future, error, frontier));
    }
    #[cfg(feature = "std")]
    if header.has(flag::CLAIM) {
        // SAFETY: By the Memory Invariant, as the handle holds it.
        unsafe { memory_of(future.pointer()) }.fetch_or(CLAIMED, Ordering::Relaxed);
    }
    future.end_with(flag::CANCELLED, error.clone());
    Answer::Accepts
}

/// Asks the one thing that a task awaits, if it awaits no other, and it is the task's own wait, or a
/// future that is no task and stands for no other. Returns true if that accepts.
#[inline]
fn ask_sole(task: &ErasedFuture, error: &Error, parked: Parked) -> Option<bool> {
    // A running task is told at its next await, whatever it awaited before.
    let asks = parked != Parked::Running;
    if task.awaits_own_only() {
        return Some(asks && task.cancel_own_wait(error));
    }
    let wait = task.sole_plain_wait()?;
    Some(asks && matches!(ask(&wait, error, true), Answer::Accepts))
}

/// Has the next step of a task throw.
fn throw(future: &ErasedFuture, error: &Error, parked: Parked) {
    let Some(task) = future.task() else { return };
    may_cancel(future.registry());
    task.must_cancel(error.clone());
    if parked == Parked::Foreign {
        future.schedule_step();
    }
}

/// Has the next step of a task, which comes soon, throw at its awaits of `circles`: what it awaits there
/// would wait for the task itself.
fn throw_at(future: &ErasedFuture, error: &Error, circles: &[ErasedFuture]) {
    let Some(task) = future.task() else { return };
    may_cancel(future.registry());
    task.must_cancel(error.clone());
    task.throw_at(circles);
    future.schedule_step();
}

/// A future or task on the way down.
struct Frame {
    future: ErasedFuture,
    error: Error,
    frontier: Frontier,
    accepted: bool,
}

/// The futures that a request goes on to.
enum Frontier {
    /// The futures that a task awaits, the next one last.
    Waits {
        /// Its own wait, which comes before them, is still to be asked.
        has_own: bool,
        waits: Vec<ErasedFuture>,
        /// The future that was asked last.
        asked: Option<ErasedFuture>,
        parked: Parked,
        was_scheduled: bool,
        /// Those that lead back to the task, or to what it is on the way of.
        circles: Vec<ErasedFuture>,
    },
    /// The children that a future stands for.
    Children {
        children: Rc<dyn CancelledChildren>,
        next: usize,
        /// One of them leads back to it.
        circle: bool,
    },
}

impl Frame {
    fn new(future: &ErasedFuture, error: &Error, frontier: Frontier) -> Frame {
        future.header().set(flag::ON_PATH);
        Frame { future: future.clone(), error: error.clone(), frontier, accepted: false }
    }

    /// Asks the next one below. `None` where there is none left.
    fn ask_next(&mut self) -> Option<Answer> {
        match &mut self.frontier {
            Frontier::Waits { has_own, waits, asked, .. } => {
                if mem::take(has_own) {
                    let accepts = self.future.cancel_own_wait(&self.error);
                    return Some(if accepts { Answer::Accepts } else { Answer::Refuses });
                }
                let wait = waits.pop()?;
                let answer = ask(&wait, &self.error, true);
                *asked = Some(wait);
                Some(answer)
            }
            Frontier::Children { children, next, .. } => {
                let children = children.clone();
                let child = children.child(*next, &self.error)?;
                *next += 1;
                Some(match child {
                    CancelledChild::Future(future, error) => ask(&future, &error, true),
                    CancelledChild::Other(true) => Answer::Accepts,
                    CancelledChild::Other(false) => Answer::Refuses,
                })
            }
        }
    }

    fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::Refuses => {}
            // A task that is asked accepts, whatever comes of it.
            Answer::Accepts => self.accepted = true,
            Answer::Enter(frame) => self.accepted |= frame.future.header().is_task(),
            Answer::Circle => self.note_circle(),
        }
    }

    /// Notes that the future that was asked last leads back to one that is on the way.
    fn note_circle(&mut self) {
        self.accepted = true;
        match &mut self.frontier {
            Frontier::Waits { asked, circles, .. } => circles.extend(asked.take()),
            Frontier::Children { circle, .. } => *circle = true,
        }
    }

    /// All below were asked. Returns whether the request was accepted, and whether a future that stands
    /// for others leads back to what is on the way: then the task that awaits it is to throw.
    fn leave(self) -> (bool, bool) {
        match &self.frontier {
            Frontier::Waits { circles, .. } if !circles.is_empty() => {
                throw_at(&self.future, &self.error, circles);
                (true, false)
            }
            Frontier::Waits { parked, was_scheduled, .. } => {
                // A task that was woken already goes on with what woke it, unless it throws.
                if *parked != Parked::Waiting || *was_scheduled || !self.accepted {
                    throw(&self.future, &self.error, *parked);
                }
                (true, false)
            }
            Frontier::Children { children, circle, .. } => {
                if self.accepted {
                    children.note_accepted();
                }
                (self.accepted, *circle)
            }
        }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.future.header().clear(flag::ON_PATH);
    }
}

/// Takes a request down to all below `first`, and returns true if it was accepted.
fn go_down(first: Frame) -> bool {
    let mut path = vec![first];
    let mut accepted = false;
    while let Some(frame) = path.last_mut() {
        match frame.ask_next() {
            Some(answer) => {
                frame.note(&answer);
                if let Answer::Enter(below) = answer {
                    path.push(below);
                }
            }
            None => {
                let circle;
                (accepted, circle) = path.pop().map_or((false, false), Frame::leave);
                if let Some(above) = path.last_mut() {
                    above.accepted |= accepted;
                    if circle {
                        above.note_circle();
                    }
                }
            }
        }
    }
    accepted
}

/// Has tasks of this loop find what they need where a step has been asked to cancel.
fn may_cancel(registry: &TaskRegistry) {
    registry.cancel_walk.cancel_parked.set(Some(cancel_parked));
}

/// Has the first of our futures that is polled next in the step that goes on, of `registry`, return `error`.
pub(crate) fn throw_in_step(registry: &TaskRegistry, error: Error) {
    may_cancel(registry);
    registry.throw(error);
}

/// Delivers the cancellation of a task that was asked for while it ran.
fn cancel_parked(task: &ErasedFuture) {
    match task.task().map(TaskHeader::parked) {
        Some(Parked::Foreign) => task.schedule_step(),
        Some(Parked::Waiting) if cancel_waits(task) => task.header().clear(flag::MUST_CANCEL),
        _ => {}
    }
}

/// A task as another thread may hold it: no handle, but as a kept waker is.
#[cfg(feature = "std")]
#[derive(Clone)]
pub(crate) struct RemoteTask(Waker);

#[cfg(feature = "std")]
impl RemoteTask {
    pub(crate) fn of(task: &ErasedFuture) -> RemoteTask {
        // SAFETY: The handle keeps the block. The reference is cloned, and not dropped.
        RemoteTask((*unsafe { for_poll(task.pointer()) }).clone())
    }

    /// Cancels the task, if it isn't done, where its loop runs on this thread.
    pub(crate) fn cancel(&self) {
        let task = task_of(self.0.data());
        // SAFETY: By the Memory Invariant the block's memory is held. The count is read on the loop's
        // thread, without a reference to the whole header: its contents may be dropped.
        let count = unsafe {
            if running_here(blocks::remote_of(task.cast())).is_none() {
                return;
            }
            (*task.as_ptr()).count.get()
        };
        if count > 0 {
            // SAFETY: The count is not zero.
            cancel(&unsafe { ErasedFuture::from_header(task) }, &Error::cancelled());
        }
    }
}

/// The right to begin the work of which a future awaits the outcome: the first has it that takes it, the
/// thread that holds this or the cancellation of the future.
#[cfg(feature = "std")]
pub(crate) struct Claim(NonNull<Header>);

// SAFETY: By the Memory Invariant the memory of the block is held, and of the block only `memory` is used.
#[cfg(feature = "std")]
unsafe impl Send for Claim {}

#[cfg(feature = "std")]
impl Claim {
    /// The claim on the work of `future`, which was made for it.
    ///
    /// # Safety
    ///
    /// The block begins with a `HeldHeader`, of which a share of the memory is given to the claim.
    pub(super) unsafe fn of(future: &ErasedFuture) -> Claim {
        debug_assert!(future.header().has(flag::CLAIM));
        Claim(future.pointer())
    }

    /// Returns true unless the future was cancelled.
    pub(crate) fn take(self) -> bool {
        // SAFETY: By the Memory Invariant.
        unsafe { memory_of(self.0) }.fetch_or(CLAIMED, Ordering::Relaxed) & CLAIMED == 0
    }
}

#[cfg(feature = "std")]
impl Drop for Claim {
    fn drop(&mut self) {
        // SAFETY: By the Memory Invariant this gives back the share that `of` was given, once.
        unsafe { drop_memory(self.0) }
    }
}
