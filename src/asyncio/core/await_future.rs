//! [`Await`]: the future that `.await` on a future or task polls. It records the wait in the task.
//!
//! **Await Invariant**: an await of values of a type keeps the one future of that type that it was made
//! with. One that is registered counts the task that polled it, and its future; it stands once among
//! the waiters of the future, while that is pending, and once among the waits of the task, until it
//! unregisters, at the latest when it is dropped. So the pointers in those lists, which are uncounted,
//! are good; and where an await is leaked, so are its counts.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::ops::Deref;
use core::pin::Pin;
use core::ptr::{NonNull, null_mut};
use core::task::{Context, Poll, Waker};

use super::completion::schedule_wake;
use super::header::waiter::Waiter;
use super::header::{ErasedFuture, Header, State};
use super::node::{TypedFuture, add_count};
use super::registry::{RegistryHandle, TaskRegistry};
use super::task_header::TaskHeader;
use super::waker;
use crate::collections::Key;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;
use crate::logging::DESCRIBES;

/// Waits for a future or a task, and returns its result.
///
/// # Cancellation
///
/// Cancelling a task that awaits it cancels what is awaited, and the await returns that
/// cancellation. Dropping it leaves nothing behind: what it waited for goes on.
///
/// # Another executor
///
/// It may be polled without a task of its loop, by another executor on the loop's thread. Where the loop
/// closes before the future is done, it wakes the executor, and returns
/// [`Closed`](crate::ErrorKind::Closed).
#[must_use = "futures do nothing unless awaited"]
pub struct Await<T: 'static> {
    /// Of a `TypedFuture<T>`.
    wait: Wait,
    value: PhantomData<TypedFuture<T>>,
}

/// The wait for a future of any value, which is compiled once for all.
struct Wait {
    future: ErasedFuture,
    registered: Registered,
}

/// The place where an await is registered, in a word: null for nowhere; [`RETURNED`] for nowhere, after
/// it has returned; the task that polled it, if it was registered as the task's only wait, and the task
/// as the future's only waiter; or, with the lowest bit set, a box with [`Places`].
///
/// **Word Invariant**: the word is one of these four, and owns what it points to: a count of the
/// task, or the box.
struct Registered(Cell<*mut ()>);

/// Where an await is registered, if it isn't alone.
struct Places {
    /// The task, which may cancel what it waits for.
    task: Option<ErasedFuture>,
    /// Another crate's future stands between task and await: the waiter is its waker. The only copy is that
    /// one, so that a wake, or the loop's close, leaves nothing here that keeps what the waker owns.
    is_foreign: bool,
    /// The key among the waiters of the future.
    waiter: Option<Key>,
    /// The key among the waits of the task.
    wait: Option<Key>,
}

const PLACES: usize = 1;

/// The word of an await that has returned: the bit, and no box. Only `FusedFuture` asks for it.
const RETURNED: usize = PLACES;

impl Registered {
    /// Returns true if the word owns something.
    #[inline(always)]
    fn is_somewhere(&self) -> bool {
        self.word().addr() > RETURNED
    }

    fn word(&self) -> *mut () {
        self.0.get()
    }

    /// Returns true if it is registered with `task`, and no other crate's future stands between.
    #[inline(always)]
    fn is_with(&self, task: NonNull<Header>) -> bool {
        let word = self.word();
        word == task.as_ptr().cast() || word.addr() & PLACES != 0 && self.is_with_places(task)
    }

    #[cold]
    fn is_with_places(&self, task: NonNull<Header>) -> bool {
        let is_it = |own: &ErasedFuture| own.pointer() == task;
        self.places()
            .is_some_and(|places| !places.is_foreign && places.task.as_ref().is_some_and(is_it))
    }

    /// The places, where there are any.
    fn places(&self) -> Option<&Places> {
        let word = self.word();
        // SAFETY: By the Word Invariant.
        (self.is_somewhere() && word.addr() & PLACES != 0).then(|| unsafe { &*places_of(word) })
    }

    fn set_places(&self, places: Places) {
        let word = Box::into_raw(Box::new(places)).cast::<()>();
        self.0.set(word.map_addr(|address| address | PLACES));
    }
}

fn places_of(word: *mut ()) -> *mut Places {
    word.map_addr(|address| address & !PLACES).cast()
}

impl<T: 'static> Await<T> {
    pub(crate) fn new(future: TypedFuture<T>) -> Await<T> {
        let registered = Registered(Cell::new(null_mut()));
        Await { wait: Wait { future: future.into_erased(), registered }, value: PhantomData }
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        self.wait.header()
    }

    #[inline(always)]
    fn future(&self) -> &TypedFuture<T> {
        // SAFETY: By the Await Invariant.
        unsafe { TypedFuture::of_erased(&self.wait.future) }
    }

    /// Returns true if the future that it waits for has a result.
    pub(crate) fn is_complete(&self) -> bool {
        self.header().state() == State::Finished
    }

    /// Returns true if the future that it waits for is done.
    #[cfg(feature = "std")]
    pub(crate) fn is_done(&self) -> bool {
        self.header().done()
    }

    /// Returns true if it waits for `future`.
    #[cfg(feature = "std")]
    pub(crate) fn is_for(&self, future: &ErasedFuture) -> bool {
        self.wait.future.ptr_eq(future)
    }

    /// The address of what it waits for, by which a timer knows it.
    pub(crate) fn address(&self) -> *const () {
        self.wait.future.address()
    }

    pub(crate) fn event_loop(&self) -> &LoopRef {
        self.wait.future.event_loop()
    }

    /// Does what `poll` does, for waits that are made of this one.
    #[inline(always)]
    pub(crate) fn poll_with(&self, waker: &Waker) -> Poll<Result<T>>
    where
        T: Clone,
    {
        let registry = self.wait.future.registry();
        if self.header().done() && registry.in_step() && !registry.throws() {
            self.wait.unregister_from(false);
            return Poll::Ready(self.future().read());
        }
        match self.wait.poll_pending(waker) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(self.future().read()),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

impl Wait {
    #[inline(always)]
    fn header(&self) -> &Header {
        self.future.header()
    }

    /// Registers with `task`, which polls it itself, in this step.
    #[cfg_attr(feature = "std", inline(always))]
    fn register(&self, task: NonNull<Header>) {
        // SAFETY: The step's task is counted by the loop, and is a task.
        let own = unsafe { task.cast::<TaskHeader>().as_ref() };
        let future = self.future.pointer();
        if !self.header().waiters.is_empty() || !own.awaits_nothing() {
            return self.register_among_others(task);
        }
        // SAFETY: By the Await Invariant: the word has the count that is added. It is added first: where
        // it can't be, nothing has the uncounted pointers.
        unsafe { add_count(task) };
        self.header().waiters.set_sole_task(task);
        own.set_first_wait(future);
        self.registered.0.set(task.as_ptr().cast());
    }

    #[cold]
    fn register_among_others(&self, task: NonNull<Header>) {
        // SAFETY: The step's task is counted by the loop.
        let task = unsafe { ErasedFuture::from_header(task) };
        let waiter = self.future.push_waiter(Waiter::Task(task.pointer()));
        let wait = self.add_wait(&task);
        self.registered.set_places(Places { task: Some(task), is_foreign: false, waiter, wait });
    }

    /// Adds the future to what `task` awaits.
    fn add_wait(&self, task: &ErasedFuture) -> Option<Key> {
        let own = task.task()?;
        let future = self.future.pointer();
        if own.awaits_nothing() {
            own.set_first_wait(future);
            return None;
        }
        Some(own.add_more_wait(future))
    }

    /// Registers behind the waker of another crate's future. There may be no next step of the task's
    /// in which a mistake could be thrown: it is returned, and so is that the loop has closed.
    #[cold]
    fn register_waker(&self, registry: &TaskRegistry, waker: &Waker) -> Result<()> {
        let task = registry.current_task();
        if let Some(mistake) = task.as_ref().and_then(|task| self.mistake(task)) {
            return Err(mistake);
        }
        if self.future.event_loop().is_closed() {
            self.leave();
            return Err(Error::closed());
        }
        if let Some(Places { task: own, is_foreign: true, waiter, .. }) = self.registered.places() {
            let same_task = match (own, &task) {
                (Some(own), Some(task)) => own.ptr_eq(task),
                (None, None) => true,
                _ => false,
            };
            if same_task && self.header().waiters.is_waker(*waiter, waker) {
                registry.set_holds(true);
                return Ok(());
            }
        }
        self.leave();
        // Cloning a waker may run the program's code, which may end the future.
        let waker = waker.clone();
        if self.header().done() {
            schedule_wake(self.future.event_loop(), waker);
            return Ok(());
        }
        let waiter = self.future.push_waiter(Waiter::Waker(waker));
        let wait = task.as_ref().and_then(|task| self.add_wait(task));
        self.registered.set_places(Places { task, is_foreign: true, waiter, wait });
        Ok(())
    }

    /// Returns the error that asyncio throws at an await of the task itself, or of another loop's
    /// future: neither could end well.
    fn mistake(&self, task: &ErasedFuture) -> Option<Error> {
        if task.ptr_eq(&self.future) {
            return Some(awaits_itself(task));
        }
        let same = task.registry().is(self.future.registry());
        (!same).then(|| awaits_stranger(task, &self.future))
    }

    /// Unregisters, if it is registered.
    #[cfg_attr(feature = "std", inline(always))]
    fn unregister(&self) {
        self.unregister_from(!self.header().done());
    }

    /// Unregisters where that is rare, as of an await that is dropped before it has returned.
    #[inline(never)]
    fn leave(&self) {
        self.unregister();
    }

    /// Unregisters, if it is registered, from a future that is `pending`, or is done and so has no
    /// waiters.
    #[cfg_attr(feature = "std", inline(always))]
    fn unregister_from(&self, pending: bool) {
        let word = self.registered.0.replace(null_mut());
        if word.addr() <= RETURNED {
            return;
        }
        if word.addr() & PLACES != 0 {
            return self.unregister_places(word);
        }
        // SAFETY: By the Word Invariant the word was a count, and of a task.
        unsafe {
            let task = ErasedFuture::from_count(NonNull::new_unchecked(word.cast()));
            if pending {
                self.leave_waiters(task.pointer());
            }
            task.pointer().cast::<TaskHeader>().as_ref().remove_wait(None);
        }
    }

    /// Removes the task, which was the only waiter, from those of a future that is pending.
    #[cold]
    fn leave_waiters(&self, task: NonNull<Header>) {
        // Perhaps it was polled again in this step.
        self.future.registry().set_holds(false);
        let waiters = &self.header().waiters;
        if waiters.sole_task() == Some(task) {
            waiters.clear_sole_task();
        } else {
            drop(waiters.remove(None));
        }
    }

    #[cold]
    fn unregister_places(&self, word: *mut ()) {
        // SAFETY: By the Word Invariant, and the word has given it up.
        let places = unsafe { Box::from_raw(places_of(word)) };
        let pending = !self.header().done();
        if pending {
            self.future.registry().set_holds(false);
        }
        let waiter = pending.then(|| self.header().waiters.remove(places.waiter));
        if let Some(own) = places.task.as_ref().and_then(|task| task.task()) {
            own.remove_wait(places.wait);
        }
        // Dropping a waker may run the program's code: last.
        drop(waiter);
    }

    /// Returns the registry of the loop that runs here, if no step of the future's own goes on.
    #[cold]
    fn running_elsewhere(&self) -> Option<RegistryHandle> {
        if self.future.registry().in_step() { None } else { TaskRegistry::running().ok() }
    }

    /// Returns what a poll in a step of `registry`, or in none, is ready with at once, if it is.
    #[cold]
    fn ready_rarely(&self, registry: &TaskRegistry) -> Option<Result<()>> {
        if registry.throws() {
            if let Some(error) = registry.take_thrown_at(self.future.pointer()) {
                return Some(Err(self.thrown(error)));
            }
        }
        self.header().done().then(|| {
            self.leave();
            Ok(())
        })
    }

    /// Polls where there is more to do than to return the result. Ready, the result is to be returned, or
    /// an error in its place.
    #[inline(never)]
    fn poll_pending(&self, waker: &Waker) -> Poll<Result<()>> {
        let elsewhere;
        let mut registry = self.future.registry();
        if !registry.in_step() || registry.throws() {
            elsewhere = self.running_elsewhere();
            registry = elsewhere.as_deref().map_or(registry, Deref::deref);
            if let Some(outcome) = self.ready_rarely(registry) {
                return Poll::Ready(outcome);
            }
        }
        self.register_with_poller(registry, waker)
    }

    /// Registers with what polls it, unless it is registered.
    #[cfg_attr(feature = "std", inline(always))]
    fn register_with_poller(&self, registry: &TaskRegistry, waker: &Waker) -> Poll<Result<()>> {
        let direct = registry.current().filter(|task| waker::is_of(waker, *task));
        match direct {
            Some(task) if self.registered.is_with(task) => {
                registry.set_holds(true);
                Poll::Pending
            }
            Some(task) => {
                if self.registered.is_somewhere() {
                    self.leave();
                    // Leaving may have dropped a task, and that may have ended the future.
                    if self.header().done() {
                        return Poll::Ready(Ok(()));
                    }
                }
                self.register_checked(registry, task);
                Poll::Pending
            }
            None => match self.register_waker(registry, waker) {
                Ok(()) => Poll::Pending,
                Err(mistake) => Poll::Ready(Err(mistake)),
            },
        }
    }

    #[cfg_attr(feature = "std", inline(always))]
    fn register_checked(&self, registry: &TaskRegistry, task: NonNull<Header>) {
        let own = &self.future;
        if task == own.pointer() || !core::ptr::eq(own.registry(), registry) {
            if let Some(task) = registry.current_task() {
                if let (Some(mistake), Some(own)) = (self.mistake(&task), task.task()) {
                    // The task's next step throws it, as in asyncio.
                    own.throw_next(mistake);
                    return registry.request_yield();
                }
            }
        }
        self.register(task);
    }

    /// The error that is returned in place of the result: what was thrown, unless the future was
    /// cancelled itself, and has words of its own for it.
    #[cold]
    fn thrown(&self, error: Error) -> Error {
        // That it is done counts as seen, though another error is thrown in its place.
        let own = self.header().outcome().err().filter(|_| self.header().done());
        let own = own.filter(|own| own.is_cancelled() && error.is_cancelled());
        self.unregister();
        own.unwrap_or(error)
    }
}

impl<T: Clone + 'static> Future for Await<T> {
    type Output = Result<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let polled = self.poll_with(cx.waker());
        #[cfg(feature = "futures-core")]
        if polled.is_ready() {
            self.wait.set_returned();
        }
        polled
    }
}

impl Drop for Wait {
    #[inline(always)]
    fn drop(&mut self) {
        if self.registered.is_somewhere() {
            self.leave();
        }
    }
}

#[cfg(feature = "futures-core")]
impl Wait {
    /// Unregisters, where a mistake was returned before that was done, and notes the return.
    fn set_returned(&self) {
        self.unregister();
        self.registered.0.set(core::ptr::without_provenance_mut(RETURNED));
    }
}

#[cfg(feature = "futures-core")]
impl<T: 'static> Await<T> {
    pub(crate) fn has_returned(&self) -> bool {
        self.wait.registered.word().addr() == RETURNED
    }
}

#[cold]
fn awaits_itself(task: &ErasedFuture) -> Error {
    if !DESCRIBES {
        return Error::runtime("Task cannot await on itself");
    }
    Error::runtime(String::from("Task cannot await on itself: ") + &task.describe())
}

#[cold]
fn awaits_stranger(task: &ErasedFuture, future: &ErasedFuture) -> Error {
    if !DESCRIBES {
        return Error::runtime("Task got Future attached to a different loop");
    }
    let (task, future) = (task.describe(), future.describe());
    Error::runtime(
        ["Task ", &task, " got Future ", &future, " attached to a different loop"].concat(),
    )
}

impl<T: 'static> fmt::Debug for Await<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Await of {}>", self.wait.future.describe())
    }
}
