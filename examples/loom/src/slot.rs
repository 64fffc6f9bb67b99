//! [`Slot`]: a value that a thread leaves for a task, and a hasty form of the wait for it, which loses a
//! wakeup.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use callsoon::Result;

use crate::sync::{Arc, Mutex};

/// A value on its way from a thread to a task, and the waker of the task that waits for it.
#[derive(Clone)]
pub struct Slot<T>(Arc<Parts<T>>);

struct Parts<T> {
    value: Mutex<Option<T>>,
    waker: Mutex<Option<Waker>>,
}

impl<T: 'static> Slot<T> {
    #[must_use]
    pub fn new() -> Slot<T> {
        Slot(Arc::new(Parts { value: Mutex::new(None), waker: Mutex::new(None) }))
    }

    /// Leaves the value, and wakes the task that waits. Called by the thread, once.
    pub fn put(&self, value: T) {
        *self.0.value.lock().unwrap() = Some(value);
        let waker = self.0.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for the value: looks, and leaves its waker where there is none. A value that comes between
    /// these two steps wakes no task.
    #[cfg(loom)]
    pub async fn take_hastily(&self) -> Result<T> {
        poll_fn(|context| match self.look() {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => {
                self.leave_waker(context);
                Poll::Pending
            }
        })
        .await
    }

    /// Waits for the value: leaves its waker, and looks then. A value that comes before the look is
    /// seen, and one that comes later finds the waker.
    pub async fn take(&self) -> Result<T> {
        poll_fn(|context| {
            self.leave_waker(context);
            self.look().map(Ok)
        })
        .await
    }

    fn look(&self) -> Poll<T> {
        self.0.value.lock().unwrap().take().map_or(Poll::Pending, Poll::Ready)
    }

    fn leave_waker(&self, context: &Context<'_>) {
        *self.0.waker.lock().unwrap() = Some(context.waker().clone());
    }
}

impl<T: 'static> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot::new()
    }
}
