//! A hand-rolled lower bound, and no product: no reactor, no timers, no wakes from other threads,
//! no cancellation, no names. One block with a plain reference count for each task. It keeps
//! asyncio's rules: the ready queue runs in rounds, and the task that awaits another is woken
//! by a callback on that queue.
//!
//! Its wakers are not `Sync`: a wake from another thread is undefined behaviour.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    mem::ManuallyDrop,
    net::TcpListener,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
    time::Instant,
};

use super::{Rt, wake_self};

pub struct Floor;

/// A task. Its future is never moved while it is in here.
struct Block<F: Future> {
    queued: Cell<bool>,
    future: RefCell<Option<F>>,
    value: Cell<Option<F::Output>>,
    waiter: Cell<Option<Waker>>,
}

trait Step {
    fn step(self: Rc<Self>);
}

trait Joined<T> {
    /// The task's value, or the waker kept for when there is one.
    fn poll_value(&self, waker: &Waker) -> Poll<T>;
}

enum Ready {
    Step(Rc<dyn Step>),
    Callback(Waker),
}

thread_local!(static READY: RefCell<VecDeque<Ready>> = const { RefCell::new(VecDeque::new()) });

fn schedule(ready: Ready) {
    READY.with_borrow_mut(|queue| queue.push_back(ready))
}

/// Runs what is ready now, and none of what that makes ready. Returns how much it was.
fn run_round() -> usize {
    let round = READY.with_borrow(VecDeque::len);
    for _ in 0..round {
        match READY.with_borrow_mut(VecDeque::pop_front) {
            Some(Ready::Step(task)) => task.step(),
            Some(Ready::Callback(waker)) => waker.wake(),
            None => unreachable!("only a round takes from the queue"),
        }
    }
    round
}

impl<F: Future + 'static> Block<F> {
    const WAKER: RawWakerVTable =
        RawWakerVTable::new(Self::clone_waker, Self::wake, Self::wake_by_ref, Self::drop_waker);

    // SAFETY of these four: the pointer is from `Rc::into_raw` or borrowed from one that lives,
    // and all happens on one thread.

    unsafe fn clone_waker(task: *const ()) -> RawWaker {
        unsafe { Rc::increment_strong_count(task.cast::<Self>()) };
        RawWaker::new(task, &Self::WAKER)
    }

    unsafe fn wake(task: *const ()) {
        unsafe { Rc::from_raw(task.cast::<Self>()) }.woken()
    }

    unsafe fn wake_by_ref(task: *const ()) {
        ManuallyDrop::new(unsafe { Rc::from_raw(task.cast::<Self>()) }).woken()
    }

    unsafe fn drop_waker(task: *const ()) {
        drop(unsafe { Rc::from_raw(task.cast::<Self>()) })
    }

    fn woken(self: &Rc<Self>) {
        if !self.queued.replace(true) {
            schedule(Ready::Step(self.clone()))
        }
    }
}

impl<F: Future + 'static> Step for Block<F> {
    fn step(self: Rc<Self>) {
        self.queued.set(false);
        let mut place = self.future.borrow_mut();
        let Some(future) = place.as_mut() else { return };
        let raw = RawWaker::new(Rc::as_ptr(&self).cast(), &Self::WAKER);
        // SAFETY: `self` outlives the waker, which isn't dropped.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw) });
        // SAFETY: it is in an `Rc`, and leaves its place only to be dropped there.
        let future = unsafe { Pin::new_unchecked(future) };
        if let Poll::Ready(value) = future.poll(&mut Context::from_waker(&waker)) {
            *place = None;
            self.value.set(Some(value));
            if let Some(waiter) = self.waiter.take() {
                schedule(Ready::Callback(waiter))
            }
        }
    }
}

impl<F: Future + 'static> Joined<F::Output> for Block<F> {
    fn poll_value(&self, waker: &Waker) -> Poll<F::Output> {
        match self.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                self.waiter.set(Some(waker.clone()));
                Poll::Pending
            }
        }
    }
}

pub struct Join<T>(Rc<dyn Joined<T>>);

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.0.poll_value(cx.waker())
    }
}

/// The parts of a channel that a single-threaded program needs.
pub struct Channel<T> {
    values: RefCell<VecDeque<T>>,
    waiter: Cell<Option<Waker>>,
}

impl Rt for Floor {
    type H = ();
    type Join<T: Clone + 'static> = Join<T>;
    type Tx<T: 'static> = Rc<Channel<T>>;
    type Rx<T: 'static> = Rc<Channel<T>>;
    const CAN_CANCEL: bool = false;
    const HAS_TIMERS: bool = false;
    const HAS_ECHO: bool = false;

    fn run<F, Fut>(main: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        let main = Self::spawn((), main(()));
        loop {
            assert_ne!(run_round(), 0, "nothing could ever happen again");
            if let Poll::Ready(value) = main.0.poll_value(Waker::noop()) {
                return value;
            }
        }
    }

    fn spawn<F>(_: (), future: F) -> Join<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        let task = Rc::new(Block {
            queued: Cell::new(true),
            future: RefCell::new(Some(future)),
            value: Cell::new(None),
            waiter: Cell::new(None),
        });
        schedule(Ready::Step(task.clone()));
        Join(task)
    }

    fn cancel<T: Clone + 'static>(_: Join<T>) {
        unimplemented!()
    }

    fn detach<T: Clone + 'static>(task: Join<T>) {
        // Nothing else holds a task that is parked.
        std::mem::forget(task)
    }

    fn sleep_until(_: (), _: Instant) -> impl Future<Output = ()> + 'static {
        async { unimplemented!() }
    }

    fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
        let channel = Rc::new(Channel { values: RefCell::default(), waiter: Cell::default() });
        (channel.clone(), channel)
    }

    fn send<T: 'static>(to: &Self::Tx<T>, value: T) {
        to.values.borrow_mut().push_back(value);
        if let Some(waiter) = to.waiter.take() {
            waiter.wake()
        }
    }

    async fn recv<T: 'static>(from: &mut Self::Rx<T>) -> T {
        std::future::poll_fn(|cx| match from.values.borrow_mut().pop_front() {
            Some(value) => Poll::Ready(value),
            None => {
                from.waiter.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }

    /// Each task's end goes to one queue.
    async fn stream_results(_: (), n: u64) -> u64 {
        let (to, mut from) = Self::channel::<u64>();
        for i in 0..n {
            let to = to.clone();
            Self::spawn((), async move {
                wake_self().await;
                Self::send(&to, i);
            });
        }
        let mut sum = 0;
        for _ in 0..n {
            sum += Self::recv(&mut from).await;
        }
        sum
    }

    async fn echo(_: (), _: TcpListener) {
        unimplemented!()
    }
}
