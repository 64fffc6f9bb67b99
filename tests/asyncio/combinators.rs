//! Foreign ways to await several things in one task, as other crates have them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

pub(crate) fn boxed<T>(future: impl Future<Output = T> + 'static) -> Boxed<T> {
    Box::pin(future)
}

/// Polls all with the waker that it is given, until all are ready.
pub(crate) async fn join<T>(mut futures: Vec<Boxed<T>>) -> Vec<T> {
    let mut outputs: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |cx| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                if let Poll::Ready(value) = future.as_mut().poll(cx) {
                    *output = Some(value);
                }
            }
        }
        let left = outputs.iter().any(Option::is_none);
        if left { Poll::Pending } else { Poll::Ready(outputs.drain(..).flatten().collect()) }
    })
    .await
}

/// Polls all with the waker that it is given, until one is ready; the others are dropped.
pub(crate) async fn select<T>(mut futures: Vec<Boxed<T>>) -> T {
    std::future::poll_fn(move |cx| {
        let outputs = futures.iter_mut().map(|future| future.as_mut().poll(cx));
        outputs.into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

/// Gives each future a waker of its own, and polls only those that were woken: as
/// `FuturesUnordered` does.
pub(crate) struct Unordered<T> {
    futures: Vec<Option<Boxed<T>>>,
    woken: Arc<Woken>,
    outputs: Vec<T>,
}

#[derive(Default)]
struct Woken {
    list: Mutex<VecDeque<usize>>,
    outer: Mutex<Option<Waker>>,
}

struct Entry {
    index: usize,
    woken: Arc<Woken>,
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.woken.list.lock().unwrap().push_back(self.index);
        let outer = self.woken.outer.lock().unwrap().take();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

impl<T> Unordered<T> {
    pub(crate) fn new(futures: Vec<Boxed<T>>) -> Unordered<T> {
        let woken = Arc::new(Woken::default());
        woken.list.lock().unwrap().extend(0..futures.len());
        Unordered { futures: futures.into_iter().map(Some).collect(), woken, outputs: Vec::new() }
    }
}

impl<T> Unpin for Unordered<T> {}

impl<T> Future for Unordered<T> {
    /// In the order in which they came.
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<T>> {
        let this = &mut *self;
        *this.woken.outer.lock().unwrap() = Some(cx.waker().clone());
        loop {
            let Some(index) = this.woken.list.lock().unwrap().pop_front() else { break };
            let Some(future) = &mut this.futures[index] else { continue };
            let waker = Waker::from(Arc::new(Entry { index, woken: this.woken.clone() }));
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                this.futures[index] = None;
                this.outputs.push(output);
            }
        }
        let left = this.futures.iter().any(Option::is_some);
        if left { Poll::Pending } else { Poll::Ready(std::mem::take(&mut this.outputs)) }
    }
}

/// A value to come that knows nothing of any loop: it keeps the last waker that it was polled
/// with.
#[derive(Clone)]
pub(crate) struct OneShot<T>(Rc<RefCell<Slot<T>>>);

struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
    polls: usize,
}

impl<T> OneShot<T> {
    pub(crate) fn new() -> OneShot<T> {
        OneShot(Rc::new(RefCell::new(Slot { value: None, waker: None, polls: 0 })))
    }

    /// Puts the value there and wakes the task that waits.
    pub(crate) fn send(&self, value: T) {
        self.put(value);
        if let Some(waker) = self.take_waker() {
            waker.wake();
        }
    }

    pub(crate) fn put(&self, value: T) {
        self.0.borrow_mut().value = Some(value);
    }

    pub(crate) fn take_waker(&self) -> Option<Waker> {
        self.0.borrow_mut().waker.take()
    }

    /// Returns the number of polls so far.
    pub(crate) fn polls(&self) -> usize {
        self.0.borrow().polls
    }

    /// Returns the number of holders, the future in a task among them.
    pub(crate) fn holders(&self) -> usize {
        Rc::strong_count(&self.0)
    }
}

impl<T> Future for OneShot<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.0.borrow_mut();
        slot.polls += 1;
        if let Some(value) = slot.value.take() {
            return Poll::Ready(value);
        }
        let old = slot.waker.replace(cx.waker().clone());
        drop(slot);
        drop(old);
        Poll::Pending
    }
}

/// A foreign `yield`: wakes itself by reference and is pending once.
pub(crate) async fn foreign_yield() {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
