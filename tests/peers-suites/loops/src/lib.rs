//! [`Driven`]: a loop that wakes the executor that drives it, with tasks of any lifetime.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{RefUnwindSafe, UnwindSafe, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use callsoon::{Await, EventLoop, Host, LoopRef, Notify, Result};

/// The waker of the task that drives a loop.
#[derive(Default)]
struct Driver(Mutex<Option<Waker>>);

impl Notify for Driver {
    fn notify(&self) {
        if let Some(waker) = self.0.lock().unwrap().take() {
            waker.wake();
        }
    }
}

struct Outer {
    start: Instant,
    driver: Arc<Driver>,
}

impl Host for Outer {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wait(&self, _timeout: Option<Duration>) -> Result<()> {
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        self.driver.clone()
    }
}

pub struct Driven {
    event_loop: EventLoop,
    driver: Arc<Driver>,
}

impl UnwindSafe for Driven {}
impl RefUnwindSafe for Driven {}

impl Default for Driven {
    fn default() -> Driven {
        let driver = Arc::new(Driver::default());
        let outer = Outer { start: Instant::now(), driver: driver.clone() };
        Driven { event_loop: EventLoop::with_host(outer), driver }
    }
}

impl Driven {
    pub fn on(&self) -> &LoopRef {
        &self.event_loop
    }

    /// Runs a turn, if something is ready. Returns whether anything ran.
    pub fn turn(&self) -> bool {
        self.event_loop.run_once(Some(Duration::ZERO)).unwrap() > 0
    }

    /// Waits until something has run.
    pub async fn tick(&self) {
        poll_fn(|cx| {
            self.wakes(cx.waker());
            if self.turn() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Runs until `future` is ready.
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        poll_fn(|cx| {
            loop {
                self.wakes(cx.waker());
                if let Poll::Ready(output) = future.as_mut().poll(cx) {
                    return Poll::Ready(output);
                }
                if !self.turn() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn wakes(&self, waker: &Waker) {
        *self.driver.0.lock().unwrap() = Some(waker.clone());
    }
}

/// A task of a loop as other executors have it: it ends with any value, and dropping it cancels it.
pub struct Task<T> {
    task: callsoon::Task<()>,
    wait: Option<Await<()>>,
    output: Rc<RefCell<Option<T>>>,
    is_detached: Cell<bool>,
}

impl<T> Unpin for Task<T> {}
impl<T> UnwindSafe for Task<T> {}
impl<T> RefUnwindSafe for Task<T> {}

/// Spawns a future of any lifetime, or returns it if the loop has closed.
pub fn spawn<'a, T: 'a>(on: &LoopRef, future: impl Future<Output = T> + 'a) -> Result<Task<T>> {
    let output = Rc::new(RefCell::new(None));
    let to = output.clone();
    let body: Pin<Box<dyn Future<Output = Result<()>> + 'a>> = Box::pin(async move {
        let value = future.await;
        *to.borrow_mut() = Some(value);
        Ok(())
    });
    // SAFETY: The loop drops the future when it closes, which these tests have it do within `'a`, as the
    // executor that owns it has the lifetime as well; or they leak it, and never run it again.
    let body: Pin<Box<dyn Future<Output = Result<()>>>> = unsafe { std::mem::transmute(body) };
    let task = on.create_task(body)?;
    Ok(Task { task, wait: None, output, is_detached: Cell::new(false) })
}

impl<T> Task<T> {
    pub fn detach(self) {
        self.is_detached.set(true);
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.wait.is_none() {
            self.wait = Some((&self.task).into_future());
        }
        let wait = self.wait.as_mut().expect("it was just made");
        match Pin::new(wait).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(self.output.take().expect("the output, once")),
            Poll::Ready(Err(error)) => match error.take_panic() {
                Some(payload) => resume_unwind(payload),
                None => panic!("the task didn't end: {error}"),
            },
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if !self.is_detached.get() {
            self.task.cancel();
        }
    }
}
