//! [`BorrowedFuture`]: a future that borrows from a function, as the body of a task.
//!
//! **Borrow Invariant**: the future is gone when the function that lent it returns or unwinds; one that no
//! function lends borrows nothing. It has one owner, the place, which is emptied by the end of that function
//! and by the drop of the task's body. Neither happens during a poll: the poll is a call of the function's
//! own, and a task is not dropped amid its step.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use crate::error::{Error, Result};

type Borrowing<'a> = dyn Future<Output = Result<()>> + 'a;

/// The place of a future, made by `Box::into_raw`, of which the body of the task and the function that lends
/// it know.
type Place = Rc<Cell<Option<NonNull<Borrowing<'static>>>>>;

/// Drops the future, if it is still there.
fn empty(place: &Place) {
    if let Some(future) = place.take() {
        // SAFETY: By the Borrow Invariant it has no other owner, and is not polled.
        drop(unsafe { Box::from_raw(future.as_ptr()) });
    }
}

/// The body of a task that polls a future which is lent to it. Once the function that lent it has
/// ended, the body ends as cancelled.
pub(crate) struct BorrowedFuture(Place);

/// Empties the place at the end of the function.
struct Lent(Place);

impl Drop for Lent {
    fn drop(&mut self) {
        empty(&self.0);
    }
}

impl BorrowedFuture {
    /// A body that owns `future`, which borrows nothing.
    pub(crate) fn owning(future: impl Future<Output = Result<()>> + 'static) -> BorrowedFuture {
        BorrowedFuture::within(Box::new(future))
    }

    fn within(future: Box<Borrowing<'static>>) -> BorrowedFuture {
        BorrowedFuture(Rc::new(Cell::new(NonNull::new(Box::into_raw(future)))))
    }
}

/// Calls `run` with a body for one task that polls `future`, which is dropped at the end: with the
/// body, or else after `run`.
pub(crate) fn with_borrowed<R>(
    future: impl Future<Output = Result<()>>,
    run: impl FnOnce(BorrowedFuture) -> R,
) -> R {
    let future: Box<Borrowing<'_>> = Box::new(future);
    // SAFETY: By the Borrow Invariant it is not used for longer than it lives: `_lent` is dropped before
    // this function is left. The types differ in the lifetime only.
    let future = unsafe { mem::transmute::<Box<Borrowing<'_>>, Box<Borrowing<'static>>>(future) };
    let body = BorrowedFuture::within(future);
    let _lent = Lent(body.0.clone());
    run(body)
}

impl Future for BorrowedFuture {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(future) = self.0.get() else { return Poll::Ready(Err(Error::cancelled())) };
        // SAFETY: By the Borrow Invariant it is there during the poll, and polled here alone. It stays in its
        // box until it is dropped.
        unsafe { Pin::new_unchecked(&mut *future.as_ptr()) }.poll(context)
    }
}

impl Drop for BorrowedFuture {
    fn drop(&mut self) {
        empty(&self.0);
    }
}
