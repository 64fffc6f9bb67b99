//! [`LoopFuture`]: asyncio's `Future`, a value to come, with done callbacks.

use alloc::rc::Rc;
use alloc::string::String;
use core::any::Any;
use core::fmt;
use core::future::IntoFuture;
use core::panic::Location;

use super::future_like::FutureLike;
#[cfg(feature = "std")]
use crate::asyncio::core::Claim;
use crate::asyncio::core::{
    AnyFuture, Await, Callback, CancelledChildren, ErasedFuture, FutureId, FutureRef, TaskRegistry,
    WaitReason, WeakFuture, any_future_by, cancel, handle, in_step,
};
use crate::error::{Error, Result};
use crate::event_loop::{Answer, LoopRef};

handle! {
    /// A result to come, which is set once and awaited by any number of tasks: asyncio's `Future`.
    ///
    /// Clones are the same future. Done callbacks never run inside `set_result`, `set_exception`
    /// or `cancel`: each goes through the loop's ready queue, in the order of adding.
    ///
    /// An exception that is never read is reported to the loop's exception handler when the last
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
    /// Cancelling a task that awaits a future cancels the future, for all its waiters.
    pub struct LoopFuture of FutureRef
}

#[cfg(feature = "std")]
impl LoopFuture<()> {
    /// Makes it pending, as it was when it was made, if nothing else has it. Returns true if it did.
    #[inline]
    pub(crate) fn renew(&self) -> bool {
        self.0.renew(WaitReason::Future)
    }
}

impl<T: 'static> LoopFuture<T> {
    /// A pending future of `on`. The same as [`LoopRef::create_future`].
    #[must_use]
    #[track_caller]
    pub fn new(on: &LoopRef) -> LoopFuture<T> {
        let future = LoopFuture::with_reason(on, WaitReason::Future);
        future.erased().note_made_at(Location::caller());
        future
    }

    /// A pending future of `on`, which a task awaits for `reason`.
    pub(crate) fn with_reason(on: &LoopRef, reason: WaitReason) -> LoopFuture<T> {
        // Most often it is made in a step of its loop.
        let of_own = |registry: &TaskRegistry| {
            registry.event_loop().ptr_eq(on).then(|| LoopFuture::of(registry, reason))
        };
        in_step(of_own).flatten().unwrap_or_else(|| LoopFuture::of(&TaskRegistry::of(on), reason))
    }

    pub(crate) fn of(registry: &TaskRegistry, reason: WaitReason) -> LoopFuture<T> {
        LoopFuture(FutureRef::new::<LoopFuture<T>>(registry, reason))
    }

    /// A pending future of `on` that a task awaits for `reason`, and the claim on the work of which it is to
    /// have the outcome.
    #[cfg(feature = "std")]
    pub(crate) fn with_claim(on: &LoopRef, reason: WaitReason) -> (LoopFuture<T>, Claim) {
        let (future, claim) = FutureRef::with_claim::<LoopFuture<T>>(&TaskRegistry::of(on), reason);
        (LoopFuture(future), claim)
    }

    /// Sets why a task awaits it.
    pub(crate) fn set_reason(&self, reason: WaitReason) {
        self.0.set_reason(reason);
    }

    /// Has `children` cancelled in its place.
    pub(crate) fn set_children(&self, children: Rc<dyn CancelledChildren>) {
        self.0.set_children(children);
    }

    /// The answer, expected by the loop `on`, that settles it.
    pub(super) fn answer_on(&self, on: &LoopRef) -> Result<Answer<T>>
    where
        T: Send,
    {
        self.0.answer_on(on)
    }

    /// The answer, expected by the loop `on`, with the outcome of a function that was called elsewhere.
    #[cfg(feature = "std")]
    pub(crate) fn outcome_on(&self, on: &LoopRef) -> Result<Answer<Result<T>>>
    where
        T: Send,
    {
        self.0.outcome_on(on)
    }

    pub(crate) fn erased(&self) -> &ErasedFuture {
        self.0.erased()
    }

    /// The loop that it belongs to: asyncio's `get_loop`.
    #[must_use]
    pub fn get_loop(&self) -> LoopRef {
        self.erased().get_loop()
    }

    /// Gives it a name to be shown by.
    pub fn set_name(&self, name: impl Into<String>) {
        self.0.header().set_name(name.into());
    }

    /// Makes `value` its result and schedules its callbacks.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it is done; `value` is dropped.
    pub fn set_result(&self, value: T) -> Result<()> {
        self.0.finish(value).map_err(|_value| Error::invalid_state("invalid state"))
    }

    /// Makes `error` its exception and schedules its callbacks.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it is done.
    pub fn set_exception(&self, error: Error) -> Result<()> {
        self.0.header().check_pending()?;
        self.0.fail(error);
        Ok(())
    }

    /// Cancels it with a message that the error will carry: asyncio's `cancel(msg=...)`.
    /// Returns true if it was pending.
    pub fn cancel_with(&self, message: impl Into<String>) -> bool {
        self.cancel_as(Error::cancelled_with(message))
    }

    /// Does as [`cancel`](LoopFuture::cancel), with `error` for the waiters.
    pub(crate) fn cancel_as(&self, error: Error) -> bool {
        cancel(self.erased(), &error)
    }

    /// Has the message of its cancellation delivered to the first reader only, as a task's is.
    pub(crate) fn deliver_to_first(&self) {
        self.0.header().deliver_to_first();
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

/// The methods of both a future and a task: each has its node in field 0.
macro_rules! impl_handle {
    ($handle:ident) => {
        impl<T: 'static> $handle<T> {
            /// Returns true once it has a result or an exception, or was cancelled.
            #[must_use]
            pub fn done(&self) -> bool {
                self.erased().done()
            }

            /// Returns true if it was cancelled.
            #[must_use]
            pub fn cancelled(&self) -> bool {
                self.erased().cancelled()
            }

            /// Its exception, or `None` if it has a result. Reading it keeps it from being
            /// reported as never retrieved.
            ///
            /// # Errors
            ///
            /// [`InvalidState`](crate::ErrorKind::InvalidState) while it is pending, and the
            /// cancellation error if it was cancelled.
            pub fn exception(&self) -> Result<Option<Error>> {
                self.erased().exception()
            }

            /// Has `callback` called with this future when it is done, and gives it back as
            /// what [`remove_done_callback`](Self::remove_done_callback) takes. It is called by way
            /// of the ready queue, in the order of adding; on a future that is done already,
            /// in the next turn. The same one may be added often, and is called that often.
            ///
            /// A closure has to say what it takes: `|future: &dyn AnyFuture| ...`.
            pub fn add_done_callback(&self, callback: impl Into<Callback>) -> Callback {
                let callback = callback.into();
                self.erased().add_callback(callback.clone());
                callback
            }

            /// Takes out every callback that equals `callback`, and returns their number.
            /// Once it is done its callbacks are on their way, and there are none.
            pub fn remove_done_callback(&self, callback: &Callback) -> usize {
                self.erased().remove_done_callback(callback)
            }

            /// Returns true if a callback that equals `callback` waits for its end.
            #[must_use]
            pub fn has_callback(&self, callback: &Callback) -> bool {
                self.erased().has_callback(callback)
            }

            /// Its identity, the same for all clones.
            #[must_use]
            pub fn id(&self) -> FutureId {
                self.erased().id()
            }
        }

        impl<T: Clone + 'static> $handle<T> {
            /// Returns the future that `.await` awaits, for functions of other crates that take
            /// futures: `join_all(tasks.iter().map(Task::wait))`. It is `Unpin`.
            ///
            /// # Errors
            ///
            /// It ends with the exception or the cancellation; a cancellation of the task that awaits
            /// it is passed on, as by `.await`.
            pub fn wait(&self) -> Await<T> {
                Await::new(self.0.typed())
            }
        }

        impl<T: 'static> AnyFuture for $handle<T> {
            any_future_by!(self => self.0.erased());

            fn base(&self) -> &dyn AnyFuture {
                self
            }

            fn set_exception(&self, error: Error) -> Result<()> {
                AnyFuture::set_exception(self.erased(), error)
            }

            fn check_settable(&self) -> Result<()> {
                self.erased().check_settable()
            }

            fn erased(&self) -> Option<&ErasedFuture> {
                Some(self.0.erased())
            }

            fn name(&self) -> String {
                self.name()
            }

            fn to_any(&self) -> Rc<dyn AnyFuture> {
                AnyFuture::to_any(self.erased())
            }

            fn downgrade(&self) -> WeakFuture {
                AnyFuture::downgrade(self.erased())
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
                Await::new(self.0.typed())
            }

            fn to_future_like(&self) -> Rc<dyn FutureLike<T>> {
                Rc::new(self.clone())
            }
        }

        impl<T: Clone + 'static> IntoFuture for $handle<T> {
            type Output = Result<T>;
            type IntoFuture = Await<T>;

            fn into_future(self) -> Await<T> {
                Await::new(self.0.typed())
            }
        }

        impl<T: Clone + 'static> IntoFuture for &$handle<T> {
            type Output = Result<T>;
            type IntoFuture = Await<T>;

            fn into_future(self) -> Await<T> {
                Await::new(self.0.typed())
            }
        }

        impl<T: 'static> Clone for $handle<T> {
            fn clone(&self) -> Self {
                $handle(self.0.clone())
            }
        }

        $crate::asyncio::core::identity_traits!([T: 'static] $handle<T>);

        impl<T: 'static> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.erased().describe())
            }
        }
    };
}
pub(crate) use impl_handle;

impl_handle!(LoopFuture);

impl<T: 'static> LoopFuture<T> {
    /// Cancels it and schedules its callbacks. Returns true if it was pending.
    pub fn cancel(&self) -> bool {
        self.erased().cancel()
    }

    /// Returns its name; empty if it has none.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.header().name().unwrap_or_default()
    }
}
