//! [`Here`]: what stays on its thread, for an interface that wants it to be `Send`.

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

/// A value that only its thread reads. On another thread it panics when read, and leaks when dropped.
pub struct Here<T> {
    thread: ThreadId,
    value: ManuallyDrop<T>,
}

// SAFETY: `check` lets no other thread than the one that made it read the value or drop it.
unsafe impl<T> Send for Here<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for Here<T> {}

impl<T> Here<T> {
    pub fn new(value: T) -> Here<T> {
        Here { thread: thread::current().id(), value: ManuallyDrop::new(value) }
    }

    pub fn is_here(&self) -> bool {
        self.thread == thread::current().id()
    }

    pub fn into_inner(mut self) -> T {
        self.check();
        // SAFETY: The value is taken once: `self` is forgotten.
        let value = unsafe { ManuallyDrop::take(&mut self.value) };
        std::mem::forget(self);
        value
    }

    fn check(&self) {
        assert!(self.is_here(), "a loop, and what waits on it, stays on its thread");
    }
}

impl<T> Deref for Here<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.check();
        &self.value
    }
}

impl<T> DerefMut for Here<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.check();
        &mut self.value
    }
}

impl<T> Drop for Here<T> {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: It is dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}

impl<F: Future> Future for Here<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.check();
        // SAFETY: The future is pinned with `self`, and never moved out of it once it is polled.
        let future = unsafe { self.map_unchecked_mut(|here| &mut *here.value) };
        future.poll(cx)
    }
}
