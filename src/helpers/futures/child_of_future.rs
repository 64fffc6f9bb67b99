//! [`ChildOfFuture`]: a future that ends when its parent does. Its own end leaves the parent pending.
//!
//! Its rules, by what has happened to the child (rows) and to the parent:
//!
//! | | pending | cancelled | exception E | result |
//! | --- | --- | --- | --- | --- |
//! | pending | pending | cancelled | exception E | cancelled |
//! | cancelled | cancelled | cancelled | cancelled | cancelled |
//! | exception F | exception F | cancelled | exception F | exception F |
//! | result | result | cancelled | result | cancelled |
//!
//! This is what it counts as. The await of a child that came to an end of its own returns that
//! end, whatever became of the parent later.
//!
//! The child's own future follows its parent by a callback, so a turn later; the questions
//! ([`done`](ChildOfFuture::done), ...) look at the parent at once. `cancelled` and `result`
//! also *change* something, as Photons' own do: where the parent has a result, they cancel the
//! child's own future there and then.

use alloc::rc::Rc;
use alloc::string::String;
use core::any::Any;
use core::fmt;
use core::future::IntoFuture;

use super::ancestry;
use super::named_future::create_future;
use super::resettable_future::ResettableFuture;
use super::stands_on_a_future::stands_on_a_future;
use crate::{
    AnyFuture, Await, Callback, Child, Error, FutureId, FutureLike, LoopFuture, LoopRef, Result,
    drop_flat,
};

/// A future that is done when its parent is, or before, by its own outcome: `hp.ChildOfFuture`.
///
/// Ending the child leaves the parent alone. Clones are the same. The parent may be any
/// future-like thing: its own result never becomes the child's. The rules in full are at the
/// top of this module's source.
///
/// A parent keeps a callback for each of its children until that is done. So end a child that
/// isn't needed any more, by [`cancel`](ChildOfFuture::cancel) or by having it in a
/// [`scope`](ChildOfFuture::scope).
///
/// ```
/// use callsoon::{helpers as hp, run};
///
/// run(async {
///     let house = hp::create_future::<()>();
///     let room = hp::ChildOfFuture::<()>::new(&house);
///     assert!(!room.done());
///     house.cancel();
///     assert!(room.cancelled());
///     assert!((&room).await.unwrap_err().is_cancelled());
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Cancellation
///
/// Cancelling a task that awaits it cancels the child, not the parent.
pub struct ChildOfFuture<T: 'static>(Rc<Inner<T>>);

struct Inner<T: 'static> {
    fut: LoopFuture<T>,
    /// There until the drop.
    parent: Option<Rc<dyn AnyFuture>>,
    name: Option<Rc<str>>,
}

impl<T: 'static> Drop for Inner<T> {
    /// The parent may be the first of a long chain of them.
    fn drop(&mut self) {
        drop_flat(&self.fut.get_loop(), self.parent.take());
    }
}

/// Ends the child's own future by the parent's end.
fn follow_parent<T: 'static>(fut: &LoopFuture<T>, parent: &dyn AnyFuture) -> Result<()> {
    if fut.done() {
        return Ok(());
    }
    let exception = if parent.cancelled() { None } else { parent.exception()? };
    if let Some(error) = exception {
        return fut.set_exception(error);
    }
    fut.cancel();
    Ok(())
}

/// A future-like thing as one of `T`, if that is what its results are.
fn as_future_of<T: Clone + 'static>(future: &dyn AnyFuture) -> Option<&dyn FutureLike<T>> {
    let any = future.as_any();
    if let Some(child) = any.downcast_ref::<ChildOfFuture<T>>() {
        return Some(child);
    }
    if let Some(resettable) = any.downcast_ref::<ResettableFuture<T>>() {
        return Some(resettable);
    }
    future.downcast_ref::<T>()
}

impl<T: Clone + 'static> ChildOfFuture<T> {
    /// A child of `parent`, on the running loop. The parent's results may be of another type.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn new(parent: &dyn AnyFuture) -> Self {
        ChildOfFuture::made(parent, None)
    }

    /// Makes a child as [`new`](ChildOfFuture::new) does, with a name to be shown by.
    ///
    /// # Panics
    ///
    /// Where no loop runs.
    #[must_use]
    #[track_caller]
    pub fn named(parent: &dyn AnyFuture, name: &str) -> Self {
        ChildOfFuture::made(parent, Some(Rc::from(name)))
    }

    #[track_caller]
    fn made(parent: &dyn AnyFuture, name: Option<Rc<str>>) -> Self {
        let fut: LoopFuture<T> = create_future();
        let own = fut.clone();
        let parent_done = Callback::new(move |parent: &dyn AnyFuture| follow_parent(&own, parent));
        // The parent holds its callback, and that the child's future: which must hold neither.
        let (weak, to_remove) = (parent.downgrade(), parent_done.downgrade());
        fut.add_done_callback(move |_: &dyn AnyFuture| {
            if let (Some(parent), Some(to_remove)) = (weak.upgrade(), to_remove.upgrade()) {
                parent.remove_done_callback(&to_remove);
            }
        });
        parent.add_callback(parent_done);
        ChildOfFuture(Rc::new(Inner { fut, parent: Some(parent.to_any()), name }))
    }

    /// Runs `body` with the child, and cancels the child however it ends, or when it is
    /// dropped: `with hp.ChildOfFuture(...) as child`.
    ///
    /// # Cancellation
    ///
    /// Reaches the awaits of this crate in the body. At a foreign future it drops this together with
    /// the body, because `R` has no place for the error: see [`wrap_future`](crate::wrap_future).
    pub async fn scope<R>(self, body: impl AsyncFnOnce(&ChildOfFuture<T>) -> R) -> R {
        struct CancelAtEnd<T: Clone + 'static>(ChildOfFuture<T>);
        impl<T: Clone + 'static> Drop for CancelAtEnd<T> {
            fn drop(&mut self) {
                self.0.cancel();
            }
        }
        let child = CancelAtEnd(self);
        body(&child.0).await
    }

    fn fut(&self) -> &LoopFuture<T> {
        &self.0.fut
    }

    /// Returns true if its own future is done, which is where callbacks are: see the module's docs.
    pub(crate) fn own_is_done(&self) -> bool {
        self.fut().done()
    }

    fn parent(&self) -> &dyn AnyFuture {
        self.0.parent.as_deref().expect("a child has its parent until it is dropped")
    }

    /// Returns true if it or its parent is done.
    #[must_use]
    pub fn done(&self) -> bool {
        ancestry::done(self)
    }

    /// Returns true if it or its parent was cancelled, or its parent has a result, in which case
    /// this call cancels the child.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        if self.fut().cancelled() || ancestry::look(self.parent()).cancelled {
            return true;
        }
        let parent_has_result =
            self.parent().done() && !matches!(self.parent().exception(), Ok(Some(_)));
        if parent_has_result {
            self.fut().cancel();
        }
        parent_has_result
    }

    /// Cancels the child alone, and returns true if its own future was pending.
    pub fn cancel(&self) -> bool {
        self.fut().cancel()
    }

    /// Cancels the parent; where that is a child too, its parent, and so on up.
    pub fn cancel_parent(&self) {
        ancestry::root(self.parent()).cancel_parent();
    }

    /// The child's exception, else the parent's, else `None` for a result of either.
    ///
    /// # Errors
    ///
    /// As [`LoopFuture::exception`].
    pub fn exception(&self) -> Result<Option<Error>> {
        ancestry::exception(self)
    }

    /// Makes `error` the child's exception.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it or its parent is done.
    pub fn set_exception(&self, error: Error) -> Result<()> {
        self.check_settable()?;
        self.fut().set_exception(error)
    }

    /// A parent that is done refuses for the child.
    fn check_settable(&self) -> Result<()> {
        ancestry::check_settable(self)
    }

    /// Makes `value` the child's result.
    ///
    /// # Errors
    ///
    /// [`InvalidState`](crate::ErrorKind::InvalidState) if it or its parent is done.
    pub fn set_result(&self, value: T) -> Result<()> {
        self.check_settable()?;
        self.fut().set_result(value)
    }

    /// The child's result. Where the parent has one, this question cancels the child.
    ///
    /// # Errors
    ///
    /// The child's or the parent's exception; the cancellation of either, also where the parent
    /// has a result; [`InvalidState`](crate::ErrorKind::InvalidState) while both are pending.
    pub fn result(&self) -> Result<T> {
        // A parent that is a child itself counts as cancelled also where it has a result, and its own
        // parent one too: then there is a value all the same.
        let answer = ancestry::answer(self)?;
        as_future_of::<T>(answer).expect("a future of which `reads` is true").result()
    }

    /// Adds a callback to the child's own future, which is what it gets.
    pub fn add_done_callback(&self, callback: impl Into<Callback>) -> Callback {
        self.fut().add_done_callback(callback)
    }
}

stands_on_a_future! {
    ChildOfFuture

    /// Its callbacks are those of its own future.
    fn base(&self) -> &dyn AnyFuture {
        self.fut()
    }

    fn outcome(&self) -> Result<()> {
        ancestry::answer(self)?.outcome()
    }

    fn as_child(&self) -> Option<&dyn Child> {
        Some(self)
    }

    fn check_settable(&self) -> Result<()> {
        self.check_settable()
    }

    fn cancel_parent(&self) {
        self.cancel_parent();
    }
}

impl<T: Clone + 'static> Child for ChildOfFuture<T> {
    fn own(&self) -> &dyn AnyFuture {
        self.fut()
    }

    fn parent(&self) -> &dyn AnyFuture {
        self.parent()
    }

    fn reads(&self, parent: &dyn AnyFuture) -> bool {
        as_future_of::<T>(parent).is_some()
    }
}

impl<T: Clone + 'static> fmt::Debug for ChildOfFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ancestry::debug(self, f)
    }
}
