//! [`Shared`]: a wait that goes from task to task.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use callsoon::{EventLoop, Result, Task};

use crate::support::trace::Trace;

/// A wait that several tasks may poll, one after the other.
pub(crate) struct Shared<F>(Rc<RefCell<Option<F>>>);

impl<F> Clone for Shared<F> {
    fn clone(&self) -> Shared<F> {
        Shared(self.0.clone())
    }
}

impl<F: Future<Output = Result<()>> + Unpin + 'static> Shared<F> {
    pub(crate) fn new(wait: F) -> Shared<F> {
        Shared(Rc::new(RefCell::new(Some(wait))))
    }

    /// One that was dropped never ends.
    pub(crate) async fn wait(&self) -> Result<()> {
        poll_fn(|cx| match self.0.borrow_mut().as_mut() {
            Some(wait) => Pin::new(wait).poll(cx),
            None => Poll::Pending,
        })
        .await
    }

    /// Drops the wait, wherever it is.
    pub(crate) fn drop_wait(&self) {
        let wait = self.0.borrow_mut().take();
        drop(wait);
    }

    /// A task that waits, and says how that has ended.
    pub(crate) fn task(&self, on: &EventLoop, trace: &Trace, name: &'static str) -> Task<()> {
        let (own, trace) = (self.clone(), trace.clone());
        on.create_task(async move {
            let outcome = own.wait().await;
            trace.push(format!("{name}: {outcome:?}"));
            outcome
        })
        .unwrap()
    }
}
