//! [`BorrowedFuture`]: a future that borrows from a function, as the body of a task.
//!
//! **Borrow Invariant**: the future is gone when the function that lent it returns or unwinds. It has one
//! place, which the function empties at its end; a poll takes the future out, and has put it back or
//! dropped it before the function goes on, because the poll is a call of the function's own.
#![allow(unsafe_code)]

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::error::{Error, Result};

type Borrowing<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// The place of a future, of which the body of the task and the function that lends it know.
type Place = Rc<Cell<Option<Borrowing<'static>>>>;

/// The body of a task that polls a future which is lent to it. Once the function that lent it has
/// ended, the body ends as cancelled.
pub(crate) struct BorrowedFuture(Place);

/// Empties the place at the end of the function.
struct Lent(Place);

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// Calls `run` with a body for one task that polls `future`, which is dropped at the end: with the
/// body, or else after `run`.
pub(crate) fn with_borrowed<R>(
    future: impl Future<Output = Result<()>>,
    run: impl FnOnce(BorrowedFuture) -> R,
) -> R {
    let future: Borrowing<'_> = Box::pin(future);
    // SAFETY: By the Borrow Invariant it is not used for longer than it lives: `lent` is dropped before
    // this function is left. The types differ in the lifetime only.
    let future = unsafe { mem::transmute::<Borrowing<'_>, Borrowing<'static>>(future) };
    let lent = Lent(Rc::new(Cell::new(Some(future))));
    run(BorrowedFuture(lent.0.clone()))
}

impl Future for BorrowedFuture {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(mut future) = self.0.take() else {
            return Poll::Ready(Err(Error::cancelled()));
        };
        let polled = future.as_mut().poll(context);
        // Also where it has ended: it is dropped with the task's body, as any other is.
        self.0.set(Some(future));
        polled
    }
}

impl Drop for BorrowedFuture {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
