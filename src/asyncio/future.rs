//! [`LoopFuture`]: a value to come, with callbacks: asyncio's `Future`.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::Any;
use core::cell::{OnceCell, Ref, RefCell};
use core::fmt;
use core::future::IntoFuture;
use core::mem::needs_drop;
use core::panic::Location;

use super::await_future::Await;
use super::callback::Callback;
use super::future_like::{AnyFuture, FutureId, FutureLike, WeakFuture};
use super::node::{self, Core, HasCore, Node, State, Typed};
use super::purpose::Purpose;
use super::shown::show;
use super::tasks::Tasks;
use super::waitings::Waiting;
use super::watcher::Watcher;
use crate::error::{Error, Result};
use crate::event_loop::{Job, LoopRef, Mark};
#[cfg(feature = "std")]
use crate::sync::{Arc, AtomicBool, Ordering};

/// A result to come: set once, by anyone; awaited by many; asyncio's `Future`.
///
/// Clones are the same future. Done callbacks never run inside `set_result`, `set_exception`
/// or `cancel`: each goes through the loop's ready queue, in the order of adding.
///
/// An exception that nobody reads is reported to the loop's exception handler when the last
/// handle is dropped.
///
/// ```
/// callsoon::run(async {
///     let on = callsoon::running_loop()?;
///     let answer = on.create_future::<i32>();
///     let promise = answer.clone();
///     on.call_soon(move || promise.set_result(42))?;
///     assert_eq!(answer.await?, 42);
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Cancellation
///
/// Cancelling a task that awaits a future cancels the future, for all who await it.
pub struct LoopFuture<T: 'static>(pub(super) Rc<FutureCell<T>>);

pub(super) struct FutureCell<T: 'static> {
    core: Core,
    value: RefCell<Option<T>>,
    /// What cancels it in place of itself: a future that stands for others asks those.
    on_cancel: OnceCell<Box<CancelHook>>,
}

/// What is to happen when a future is cancelled.
enum CancelHook {
    /// This instead. It is given the cancellation, and says whether it was accepted.
    Instead(Box<dyn Fn(Error) -> bool>),
    /// This is set, for a thread to see.
    #[cfg(feature = "std")]
    Flag(Arc<AtomicBool>),
}

impl<T: 'static> LoopFuture<T> {
    /// A pending future of `on`. The same as [`LoopRef::create_future`].
    #[must_use]
    #[track_caller]
    pub fn new(on: &LoopRef) -> LoopFuture<T> {
        let future = LoopFuture::at(Tasks::of(on));
        future.0.core.note_made_at(Location::caller());
        future
    }

    /// A pending future of `on` inside of something that does what `purpose` says.
    pub(crate) fn made_for(on: &LoopRef, purpose: Purpose) -> LoopFuture<T> {
        LoopFuture::at(Tasks::of(on)).made_to(purpose)
    }

    /// The same future, of which it is known what it is there for.
    pub(super) fn made_to(self, purpose: Purpose) -> LoopFuture<T> {
        self.0.core.purpose.set(purpose);
        self
    }

    pub(crate) fn at(home: Rc<Tasks>) -> LoopFuture<T> {
        LoopFuture(Rc::new(FutureCell {
            core: Core::new(home),
            value: RefCell::new(None),
            on_cancel: OnceCell::new(),
        }))
    }

    /// A pending future of `on` that, when it is cancelled, calls `cancel` with the error
    /// instead, and goes on; `cancel` says whether the cancellation was accepted.
    #[track_caller]
    pub(crate) fn with_cancel(on: &LoopRef, cancel: impl Fn(Error) -> bool + 'static) -> Self {
        LoopFuture::with_hook(on, CancelHook::Instead(Box::new(cancel)))
    }

    /// A pending future of `on` that, when it is cancelled, sets `flag`.
    #[cfg(feature = "std")]
    pub(super) fn with_cancel_flag(on: &LoopRef, flag: Arc<AtomicBool>) -> Self {
        LoopFuture::with_hook(on, CancelHook::Flag(flag))
    }

    fn with_hook(on: &LoopRef, hook: CancelHook) -> Self {
        let future = LoopFuture::new(on);
        // A new future has none yet.
        let _ = future.0.on_cancel.set(Box::new(hook));
        future
    }

    fn node(&self) -> Rc<dyn Node> {
        self.0.clone()
    }

    /// Where its loop's tasks are.
    pub(super) fn home(&self) -> &Tasks {
        self.0.core.home()
    }

    /// The loop that it belongs to: asyncio's `get_loop`.
    #[must_use]
    pub fn get_loop(&self) -> LoopRef {
        self.0.core.home().on().clone()
    }

    /// Gives it a name to be shown by.
    pub fn set_name(&self, name: &str) {
        self.0.core.set_name(name);
    }

    /// Makes `value` its result and schedules its callbacks.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it is done; `value` is dropped.
    pub fn set_result(&self, value: T) -> Result<()> {
        self.0.core.check_pending()?;
        self.0.value.replace(Some(value));
        node::end(&self.0, State::Finished);
        Ok(())
    }

    /// Makes `error` its exception and schedules its callbacks.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it is done.
    pub fn set_exception(&self, error: Error) -> Result<()> {
        self.0.core.check_pending()?;
        node::end_with(&self.0, State::Failed, error);
        Ok(())
    }

    /// Cancels it with a message that the error will carry: asyncio's `cancel(msg=...)`.
    /// Says whether it was pending.
    pub fn cancel_with(&self, message: impl Into<String>) -> bool {
        self.cancel_as(Error::cancelled_with(message))
    }

    /// As [`cancel`](LoopFuture::cancel), with the error that whoever awaits it is to see.
    pub(crate) fn cancel_as(&self, error: Error) -> bool {
        self.node().cancel(error)
    }

    /// Has the message of its cancellation told only to the first who asks, as a task's is.
    pub(super) fn tell_first(&self) {
        self.0.core.tell_first();
    }

    /// Its result, cloned.
    ///
    /// # Errors
    ///
    /// Its exception, or the cancellation error; while it is pending
    /// [`InvalidState`](crate::ErrorKind::InvalidState).
    pub fn result(&self) -> Result<T>
    where
        T: Clone,
    {
        self.0.read()
    }
}

impl LoopRef {
    /// A pending future that belongs to this loop: asyncio's `create_future`.
    #[must_use]
    #[track_caller]
    pub fn create_future<T: 'static>(&self) -> LoopFuture<T> {
        LoopFuture::new(self)
    }
}

impl<T: 'static> Job for FutureCell<T> {
    fn run(self: Rc<Self>, on: &LoopRef) {
        let node: Rc<dyn Node> = self;
        node::run_next_callback(&node, on);
    }

    fn discard(&self) {
        node::discard_next_callback(&self.core);
    }

    fn mark(&self) -> Mark {
        Mark::FutureDone
    }

    fn describe(&self) -> String {
        format!("<callback of {}>", self.show())
    }
}

impl<T: 'static> HasCore for FutureCell<T> {
    fn core(&self) -> &Core {
        &self.core
    }
}

impl<T: 'static> Node for FutureCell<T> {
    fn cancel(self: Rc<Self>, error: Error) -> bool {
        self.core.mark_read();
        if self.core.done() {
            return false;
        }
        match self.on_cancel.get().map(|hook| &**hook) {
            Some(CancelHook::Instead(cancel)) => return cancel(error),
            #[cfg(feature = "std")]
            Some(CancelHook::Flag(flag)) => flag.store(true, Ordering::Relaxed),
            None => {}
        }
        node::end_with(&self, State::Cancelled, error);
        true
    }

    fn call(self: Rc<Self>, callback: &Callback) -> Result<()> {
        callback.call(&LoopFuture(self))
    }

    fn as_job(self: Rc<Self>) -> Rc<dyn Job> {
        self
    }

    fn show(&self) -> String {
        show("Future", "pending", &self.core, self.core.name().as_deref(), self.core.made_at())
    }
}

impl<T: 'static> Typed<T> for FutureCell<T> {
    fn value(&self) -> Option<Ref<'_, T>> {
        Ref::filter_map(self.value.borrow(), Option::as_ref).ok()
    }

    fn node(&self) -> &dyn Node {
        self
    }

    fn as_node(self: Rc<Self>) -> Rc<dyn Node> {
        self
    }
}

impl<T: 'static> Drop for FutureCell<T> {
    fn drop(&mut self) {
        self.core.report_unread("Future", |context| {
            context.future = Some(self.show());
        });
        let value = if needs_drop::<T>() { self.value.take() } else { None };
        let hook = self.on_cancel.take();
        let holds = value.is_some() || hook.is_some();
        self.core.drop_held(holds.then_some((value, hook)));
    }
}

/// What is the same for a future and a task: both have their node in field 0.
macro_rules! impl_handle {
    ($handle:ident) => {
        impl<T: 'static> $handle<T> {
            /// Whether it has a result or an exception, or was cancelled.
            #[must_use]
            pub fn done(&self) -> bool {
                self.0.core().done()
            }

            /// Whether it was cancelled.
            #[must_use]
            pub fn cancelled(&self) -> bool {
                self.0.core().state() == State::Cancelled
            }

            /// Its exception, or `None` if it has a result. Reading it keeps it from being
            /// reported as never retrieved.
            ///
            /// # Errors
            ///
            /// [`InvalidState`](crate::ErrorKind::InvalidState) while it is pending, and the
            /// cancellation error if it was cancelled.
            pub fn exception(&self) -> Result<Option<Error>> {
                self.0.core().exception()
            }

            /// Has `callback` called with this future when it is done, and gives it back as
            /// what [`remove_done_callback`](Self::remove_done_callback) takes. It is called by way
            /// of the ready queue, in the order of adding; on a future that is done already,
            /// in the next turn. The same one may be added often, and is called that often.
            ///
            /// A closure has to say what it takes: `|future: &dyn AnyFuture| ...`.
            pub fn add_done_callback(&self, callback: impl Into<Callback>) -> Callback {
                let callback = callback.into();
                node::add(&self.node(), Waiting::Callback(callback.clone()));
                callback
            }

            /// Takes out every callback that equals `callback`, and says how many there were.
            /// Once it is done its callbacks are on their way, and there are none.
            pub fn remove_done_callback(&self, callback: &Callback) -> usize {
                node::remove_callback(self.0.core(), callback)
            }

            /// Whether a callback that equals `callback` waits for its end.
            #[must_use]
            pub fn has_callback(&self, callback: &Callback) -> bool {
                node::has_callback(self.0.core(), callback)
            }

            /// Its identity, the same for all clones.
            #[must_use]
            pub fn id(&self) -> FutureId {
                FutureId::of(&self.0)
            }
        }

        impl<T: 'static> AnyFuture for $handle<T> {
            fn done(&self) -> bool {
                self.done()
            }

            fn cancelled(&self) -> bool {
                self.cancelled()
            }

            fn cancel(&self) -> bool {
                self.cancel()
            }

            fn exception(&self) -> Result<Option<Error>> {
                self.exception()
            }

            fn outcome(&self) -> Result<()> {
                self.0.core().outcome()
            }

            fn set_exception(&self, error: Error) -> Result<()> {
                self.set_exception(error)
            }

            fn check_settable(&self) -> Result<()> {
                self.check_settable()
            }

            fn add_callback(&self, callback: Callback) {
                node::add(&self.node(), Waiting::Callback(callback));
            }

            fn remove_done_callback(&self, callback: &Callback) -> usize {
                self.remove_done_callback(callback)
            }

            fn has_callback(&self, callback: &Callback) -> bool {
                self.has_callback(callback)
            }

            fn watch(&self, watcher: &Rc<dyn Watcher>, token: u64) -> bool {
                node::watch(self.0.core(), watcher, token);
                true
            }

            fn get_loop(&self) -> LoopRef {
                self.get_loop()
            }

            fn id(&self) -> FutureId {
                self.id()
            }

            fn name(&self) -> String {
                self.name()
            }

            fn to_any(&self) -> Rc<dyn AnyFuture> {
                Rc::new(self.clone())
            }

            fn downgrade(&self) -> WeakFuture {
                let weak = Rc::downgrade(&self.0);
                WeakFuture::new(move || Some(Rc::new($handle(weak.upgrade()?))))
            }

            fn as_any(&self) -> &dyn Any {
                self
            }
        }

        impl<T: Clone + 'static> FutureLike<T> for $handle<T> {
            fn result(&self) -> Result<T> {
                self.result()
            }

            fn set_result(&self, value: T) -> Result<()> {
                self.set_result(value)
            }

            fn wait(&self) -> Await<T> {
                Await::new(self.0.clone())
            }

            fn to_future_like(&self) -> Rc<dyn FutureLike<T>> {
                Rc::new(self.clone())
            }
        }

        impl<T: Clone + 'static> IntoFuture for $handle<T> {
            type Output = Result<T>;
            type IntoFuture = Await<T>;

            fn into_future(self) -> Await<T> {
                Await::new(self.0)
            }
        }

        impl<T: Clone + 'static> IntoFuture for &$handle<T> {
            type Output = Result<T>;
            type IntoFuture = Await<T>;

            fn into_future(self) -> Await<T> {
                Await::new(self.0.clone())
            }
        }

        impl<T: 'static> Clone for $handle<T> {
            fn clone(&self) -> Self {
                $handle(Rc::clone(&self.0))
            }
        }

        impl<T: 'static> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&Typed::node(&*self.0).show())
            }
        }
    };
}
pub(crate) use impl_handle;

impl_handle!(LoopFuture);

impl<T: 'static> LoopFuture<T> {
    /// Cancels it and schedules its callbacks. Says whether it was pending.
    pub fn cancel(&self) -> bool {
        self.node().cancel(Error::cancelled())
    }

    fn check_settable(&self) -> Result<()> {
        self.0.core.check_pending()
    }

    /// What it is called; empty if it has no name.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.core.name().unwrap_or_default()
    }
}
