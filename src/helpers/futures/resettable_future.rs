//! [`ResettableFuture`]: a future that can be made pending again.

use alloc::rc::Rc;
use alloc::string::String;
use core::any::Any;
use core::fmt;
use core::future::IntoFuture;

use super::named_future::{create_future_on, fut_state_to_string, shown_name};
use super::stands_on_a_future::stands_on_a_future;
use crate::collections::RefCell;
use crate::{
    AnyFuture, Await, Callback, Error, FutureId, FutureLike, LoopFuture, LoopRef, Result,
    WeakFuture, expect_running_loop,
};

/// A future that can be made pending again, by a [reset](Self::reset): `hp.ResettableFuture`.
///
/// Its methods delegate to the future of the moment. Callbacks and awaits stay with the future that
/// was there when they came. Clones are the same.
///
/// ```
/// use callsoon::{helpers as hp, run};
///
/// run(async {
///     let doors = hp::ResettableFuture::<&str>::new();
///     doors.set_result("open");
///     assert_eq!((&doors).await?, "open");
///     doors.reset();
///     assert!(!doors.done());
///     doors.set_result("open again")?;
///     assert_eq!((&doors).await?, "open again");
///     Ok(())
/// }).unwrap();
/// ```
pub struct ResettableFuture<T: 'static>(Rc<Inner<T>>);

struct Inner<T: 'static> {
    fut: RefCell<LoopFuture<T>>,
    name: Option<Rc<str>>,
}

impl<T: 'static> ResettableFuture<T> {
    /// One that is pending, on the running loop.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "a default must not panic")]
    pub fn new() -> Self {
        ResettableFuture::new_on(&expect_running_loop())
    }

    /// One that is pending, on a loop that needn't run yet.
    #[must_use]
    pub fn new_on(on: &LoopRef) -> Self {
        ResettableFuture::made(on, None)
    }

    /// Makes a future as [`new`](ResettableFuture::new) does, with a name to be shown by.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn named(name: &str) -> Self {
        ResettableFuture::made(&expect_running_loop(), Some(Rc::from(name)))
    }

    fn made(on: &LoopRef, name: Option<Rc<str>>) -> Self {
        ResettableFuture(Rc::new(Inner { fut: RefCell::new(create_future_on(on)), name }))
    }

    /// The future that it stands on now.
    fn fut(&self) -> LoopFuture<T> {
        self.0.fut.borrow().clone()
    }

    /// Takes a new future if the present one is done, else does nothing. The callbacks of the one
    /// before are dropped, except those that are scheduled already.
    pub fn reset(&self) {
        let fut = self.fut();
        if fut.done() {
            let before = self.0.fut.replace(create_future_on(&fut.get_loop()));
            drop(before);
        }
    }

    /// Like [`reset`](ResettableFuture::reset), but cancels a present future that is pending:
    /// `reset(force=True)`.
    pub fn force_reset(&self) {
        self.fut().cancel();
        self.reset();
    }

    /// Returns true if the future of the moment is done.
    #[must_use]
    pub fn done(&self) -> bool {
        self.fut().done()
    }

    /// Returns true if the future of the moment was cancelled.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.fut().cancelled()
    }

    /// Cancels the future of the moment, and returns true if it was pending.
    pub fn cancel(&self) -> bool {
        self.fut().cancel()
    }

    /// The exception of the future of the moment.
    ///
    /// # Errors
    ///
    /// As [`LoopFuture::exception`].
    pub fn exception(&self) -> Result<Option<Error>> {
        self.fut().exception()
    }

    /// Makes `error` the exception of the future of the moment.
    ///
    /// # Errors
    ///
    /// As [`LoopFuture::set_exception`].
    pub fn set_exception(&self, error: Error) -> Result<()> {
        self.fut().set_exception(error)
    }

    /// Makes `value` the result of the future of the moment.
    ///
    /// # Errors
    ///
    /// As [`LoopFuture::set_result`].
    pub fn set_result(&self, value: T) -> Result<()> {
        self.fut().set_result(value)
    }

    /// The result of the future of the moment.
    ///
    /// # Errors
    ///
    /// As [`LoopFuture::result`].
    pub fn result(&self) -> Result<T>
    where
        T: Clone,
    {
        self.fut().result()
    }

    /// Adds a callback to the future of the moment; it gets that future, not this one.
    pub fn add_done_callback(&self, callback: impl Into<Callback>) -> Callback {
        self.fut().add_done_callback(callback)
    }
}

stands_on_a_future! {
    ResettableFuture

    /// The future under it changes, so that each method finds it anew.
    fn base(&self) -> &dyn AnyFuture {
        self
    }

    fn outcome(&self) -> Result<()> {
        self.fut().outcome()
    }

    fn check_settable(&self) -> Result<()> {
        self.fut().check_settable()
    }

    fn downgrade(&self) -> WeakFuture {
        let weak = Rc::downgrade(&self.0);
        WeakFuture::new(move || Some(Rc::new(ResettableFuture(weak.upgrade()?))))
    }
}

impl<T: 'static> fmt::Debug for ResettableFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = shown_name(self.0.name.as_deref());
        write!(f, "<ResettableFuture#{name}({})>", fut_state_to_string(&self.fut()))
    }
}
