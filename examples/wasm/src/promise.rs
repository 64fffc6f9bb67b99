//! Promises of the host as futures.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use callsoon::{Error, ErrorKind, Result, wrap_future};

use crate::javascript;

/// The outcome of a promise, or the waker of the task that awaits it.
enum State {
    Waiting(Waker),
    Settled(Result<Vec<u8>>),
}

/// The promises that tasks await, by their numbers. Cloning it makes another handle.
#[derive(Clone, Default)]
pub struct Promises {
    states: Rc<RefCell<BTreeMap<u32, State>>>,
    last: Rc<Cell<u32>>,
}

impl Promises {
    /// Fetches the text at `url`. A cancellation ends the await, and aborts the fetch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] with the host's reason, and the cancellation.
    pub async fn fetch(&self, url: &str) -> Result<String> {
        let number = self.last.get() + 1;
        self.last.set(number);
        javascript::fetch(number, url);
        let promise = Promise { number, states: self.states.clone() };
        let bytes = wrap_future(promise).await??;
        Ok(String::from_utf8_lossy(&bytes).to_string())
    }

    /// Hands the outcome of a promise to the future that waits for it, and wakes its task.
    pub fn settle(&self, number: u32, is_fulfilled: bool, bytes: Vec<u8>) {
        let outcome = if is_fulfilled {
            Ok(bytes)
        } else {
            Err(Error::new(ErrorKind::Other, String::from_utf8_lossy(&bytes)))
        };
        let state = self.states.borrow_mut().insert(number, State::Settled(outcome));
        if let Some(State::Waiting(waker)) = state {
            waker.wake();
        }
    }
}

/// A foreign future: the loop knows of it by its waker only.
struct Promise {
    number: u32,
    states: Rc<RefCell<BTreeMap<u32, State>>>,
}

impl Future for Promise {
    type Output = Result<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>>> {
        let state = self.states.borrow_mut().remove(&self.number);
        if let Some(State::Settled(outcome)) = state {
            return Poll::Ready(outcome);
        }
        let waiting = State::Waiting(cx.waker().clone());
        self.states.borrow_mut().insert(self.number, waiting);
        Poll::Pending
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let state = self.states.borrow_mut().remove(&self.number);
        if let Some(State::Waiting(_)) = state {
            javascript::abort(self.number);
        }
    }
}
