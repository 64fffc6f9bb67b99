//! The end of a future: schedules its waiters in the order of adding, and runs none of them.
//!
//! **Callback Invariant**: while a future is pending, its waiters wait for its end. At the end each
//! task's step, each waker's wake and an entry for each callback go to the ready queue, in the order
//! of adding; from then on the waiters are the callbacks that have an entry, and each entry runs the
//! first of them. What waits is not touched from outside once the future is done.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::Cell;
use core::ptr::NonNull;
use core::task::Waker;

use super::any_future::{Callback, Watcher};
use super::header::waiter::{Waiter, Watch};
use super::header::{ErasedFuture, Header, Waiters, flag};
use super::many::ManyBox;
use super::node::{add_count, drop_count, entry_head, registry_of};
use super::registry::Occasion;
use super::task_header::schedule_step;
use super::waiters::Taken;
use crate::collections::Key;
#[cfg(feature = "contextvars")]
use crate::context::is_used;
use crate::error::Error;
use crate::event_loop::{Describe, Described, Entry, Job, JobCell, JobKind, LoopRef, drop_quietly};
use crate::event_loop::{run_callback, run_in_turn};
use crate::logging::{DESCRIBES, text};

/// Wakes a waker in its turn, or when its loop closes before that.
struct Wake(Cell<Option<Waker>>);

impl Drop for Wake {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

impl Job for Wake {
    fn run(this: Rc<JobCell<Self>>, _event_loop: &LoopRef) {
        if let Some(waker) = this.0.take() {
            waker.wake();
        }
    }

    fn kind(&self) -> JobKind {
        JobKind::Wake
    }

    fn describe(&self) -> String {
        "<wake of a waker>".into()
    }
}

pub(super) fn schedule_wake(event_loop: &LoopRef, waker: Waker) {
    event_loop.schedule(JobCell::new(Wake(Cell::new(Some(waker)))));
}

impl ErasedFuture {
    /// Ends it: see [`end`].
    #[inline]
    pub(super) fn end(&self, state: u32) {
        // SAFETY: This handle keeps the block.
        unsafe { end(self.pointer(), state) }
    }

    /// Ends it without a result: cancelled, or with an exception.
    pub(super) fn end_with(&self, state: u32, error: Error) {
        self.header().set_error(error);
        if state == flag::FAILED {
            self.header().set(flag::UNREAD);
        }
        self.end(state);
    }

    /// Adds a done callback. Of a future that is done it is scheduled now.
    #[inline]
    pub(crate) fn add_callback(&self, callback: Callback) {
        self.push_callback(callback);
    }

    /// Adds a done callback as [`add_callback`](ErasedFuture::add_callback) does. Returns its key, for
    /// [`remove_callback_at`](ErasedFuture::remove_callback_at).
    #[inline]
    pub(crate) fn push_callback(&self, callback: Callback) -> Option<Key> {
        #[cfg(feature = "contextvars")]
        let callback = if is_used() { callback.in_captured_context() } else { callback };
        let waiters = &self.header().waiters;
        let key = if waiters.is_empty() {
            waiters.set_sole_callback(callback);
            None
        } else {
            self.push_among_others(callback)
        };
        if self.header().done() {
            self.schedule_callback();
        }
        key
    }

    /// Removes the done callback that was added with this key, and not removed since, unless the future is done.
    pub(crate) fn remove_callback_at(&self, key: Option<Key>) {
        if !self.header().done() {
            drop(self.header().waiters.remove(key));
        }
    }

    /// Schedules an entry for a callback of a future that is done.
    #[inline(never)]
    fn schedule_callback(&self) {
        #[cfg(feature = "events")]
        if !self.header().is_task() {
            self.header().note_end(self.event_loop());
        }
        // SAFETY: This handle keeps the block.
        unsafe { schedule_callback(self.pointer()) }
    }

    /// Adds a watch. Of a future that is done its call is scheduled now, and nothing else called.
    pub(super) fn add_watch(&self, watch: Watch) {
        if self.header().done() {
            self.header().waiters.push(Waiter::Watch(watch), self.registry());
            self.schedule_callback();
        } else {
            self.push_in_place(Waiter::Watch(watch));
        }
    }

    #[inline(never)]
    fn push_among_others(&self, callback: Callback) -> Option<Key> {
        self.push_in_place(Waiter::Callback(callback))
    }

    /// Adds a waiter behind the others, and calls the watchers. Returns its key, unless it stands alone.
    #[inline(never)]
    pub(super) fn push_waiter(&self, waiter: Waiter) -> Option<Key> {
        self.push_in_place(waiter)
    }

    /// The same, with what the waiter is made of in registers: moved about in memory, it would be read by
    /// wider loads than it was written by, and a processor waits for the memory then.
    #[cfg_attr(feature = "std", inline(always))]
    fn push_in_place(&self, waiter: Waiter) -> Option<Key> {
        let waiters = &self.header().waiters;
        let watches = waiters.watches();
        let added = waiters.push(waiter, self.registry());
        if let (1.., Some(call)) = (watches.0, self.registry().call_watchers.get()) {
            call(self.event_loop(), waiters, watches, Occasion::Joined);
        }
        added
    }
}

/// Ends a future: its waiters are on the ready queue when this returns, and nothing has run.
///
/// # Safety
///
/// The Block Invariant holds for `header`, which is pending and is kept by a count.
#[cfg_attr(feature = "std", inline(always))]
pub(super) unsafe fn end(header: NonNull<Header>, state: u32) {
    // SAFETY: By this function's contract.
    let own = unsafe { header.as_ref() };
    // A future that needs no drop may be there still.
    own.flags.set(own.flags.get() & !flag::HAS_FUTURE | state);
    #[cfg(feature = "events")]
    if own.is_task() || !own.waiters.is_empty() {
        // SAFETY: By this function's contract.
        own.note_end(unsafe { registry_of(header) }.event_loop());
    }
    if own.waiters.is_empty() {
        return;
    }
    match own.waiters.sole_task() {
        Some(task) => {
            own.waiters.clear_sole_task();
            // SAFETY: By the Await Invariant an await that hasn't left counts the task.
            unsafe { schedule_step(task) }
        }
        // SAFETY: By this function's contract.
        None => unsafe { end_for_others(header) },
    }
}

/// Schedules what waits besides a sole task. Watchers are told when that is done.
#[inline(never)]
unsafe fn end_for_others(header: NonNull<Header>) {
    // SAFETY: By the caller's contract, here and below.
    unsafe {
        let waiters = &header.as_ref().waiters;
        if waiters.is_sole_callback() {
            schedule_callback(header);
        } else if let Taken::Many(many) = waiters.take() {
            end_for_many(header, many);
        }
    }
}

unsafe fn end_for_many(header: NonNull<Header>, mut many: ManyBox) {
    many.take_awaiting(
        // SAFETY: By the caller's contract.
        |waiter| unsafe { schedule_awaiting(header, waiter) },
        #[inline(always)]
        // SAFETY: As above.
        || unsafe { schedule_callback(header) },
    );
    // SAFETY: By the caller's contract, here and below.
    let (own, event_loop) = unsafe { (header.as_ref(), registry_of(header).event_loop()) };
    let watches = many.watches();
    own.waiters.put_back(many);
    // SAFETY: By the caller's contract.
    let call_watchers = unsafe { registry_of(header) }.call_watchers.get();
    if let (1.., Some(call)) = (watches.0, call_watchers) {
        call(event_loop, &own.waiters, watches, Occasion::Ended);
    }
    if event_loop.is_closed() {
        // Their entries were discarded before they were back.
        let callbacks = own.waiters.take();
        drop_quietly(event_loop, callbacks);
    }
}

/// Schedules a task or a waker that waited.
unsafe fn schedule_awaiting(header: NonNull<Header>, waiter: Waiter) {
    match waiter {
        // SAFETY: By the Await Invariant an await that hasn't left counts the task.
        Waiter::Task(task) => unsafe { schedule_step(task) },
        Waiter::Waker(waker) => {
            // SAFETY: By the caller's contract.
            schedule_wake(unsafe { registry_of(header) }.event_loop(), waker);
        }
        Waiter::Callback(_) | Waiter::Watch(_) => {}
    }
}

/// Calls watchers among `waiters`, so many from this key on. A panic of one goes to the exception handler, and
/// keeps nothing from being done. A loop has this function from the first watcher on.
pub(super) fn call_watchers(
    event_loop: &LoopRef,
    waiters: &Waiters,
    (count, mut from): (usize, Key),
    occasion: Occasion,
) {
    for _ in 0..count {
        let Some((key, watch)) = waiters.watch_from(from) else { break };
        run_callback(event_loop, describe_watcher, || match occasion {
            Occasion::Ended => watch.watcher.ended(watch.token),
            Occasion::Joined => watch.watcher.joined(watch.token),
        });
        from = key + 1;
    }
}

fn describe_watcher() -> String {
    "<watcher of a future>".into()
}

/// Makes a description, where things are described.
fn described(make: impl FnOnce() -> Described) -> Described {
    if DESCRIBES { make() } else { Box::new(String::new) }
}

#[cold]
fn describe_called(watcher: Rc<dyn Watcher>) -> Described {
    Box::new(move || {
        let _held = &watcher;
        describe_watcher()
    })
}

/// Describes the call of `callback` with `future`, which this holds.
#[cold]
fn describe_call(callback: Callback, future: ErasedFuture) -> Described {
    Box::new(move || text!("<Handle {} of {}>", callback.name(), future.describe()))
}

/// Schedules an entry that runs the next callback.
///
/// # Safety
///
/// The Block Invariant holds for `header`, which is kept by a count and is no signal.
#[cfg_attr(feature = "std", inline(always))]
unsafe fn schedule_callback(header: NonNull<Header>) {
    // SAFETY: By this function's contract. The entry has the count that is added, as `run_callback`
    // of the block's table expects.
    unsafe {
        add_count(header);
        registry_of(header).event_loop().schedule(Entry::from_head(entry_head(header)));
    }
}

/// Runs the first callback that has an entry, and gives back the entry's count. A panic in it goes up to
/// the turn.
///
/// # Safety
///
/// The Block Invariant holds for `header`, and the count of an entry is given to this function.
#[inline(never)]
pub(super) unsafe fn run_next_callback(header: NonNull<Header>, event_loop: &LoopRef) {
    // SAFETY: By this function's contract.
    let future = unsafe { ErasedFuture::from_count(header) };
    match future.header().waiters.pop_at_end() {
        Some(Waiter::Callback(callback)) => {
            let describe = || described(|| describe_call(callback.clone(), future.clone()));
            run_in_turn(event_loop, describe, || callback.call_erased(&future));
        }
        Some(Waiter::Watch(Watch { watcher, token })) => {
            let describe = || described(|| describe_called(watcher.clone()));
            run_in_turn(event_loop, describe, || watcher.called(token));
        }
        _ => {}
    }
}

/// The loop closes, or has closed: drops the callback that would have run, which may hold the future.
///
/// # Safety
///
/// As for [`run_next_callback`].
pub(super) unsafe fn discard_next_callback(header: NonNull<Header>, event_loop: &LoopRef) {
    // SAFETY: By this function's contract.
    let future = unsafe { ErasedFuture::from_count(header) };
    let next = future.header().waiters.pop();
    drop_quietly(event_loop, next);
    drop_quietly(event_loop, future);
}

/// Gives back the count of an entry that runs a callback.
///
/// # Safety
///
/// As for [`run_next_callback`].
pub(super) unsafe fn drop_callback_entry(header: NonNull<Header>) {
    // SAFETY: By this function's contract.
    unsafe { drop_count(header) }
}

/// Describes the entry that runs the next callback of `future`.
pub(super) fn describe_callback(future: ErasedFuture) -> Describe {
    let name = future.header().waiters.next_callback_name();
    Box::new(move || match name {
        Some(name) => text!("<Handle {name} of {}>", future.describe()),
        None => text!("<callback of {}>", future.describe()),
    })
}
