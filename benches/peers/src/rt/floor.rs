//! A hand-rolled lower bound, and no product: no reactor, no timers, no wakes from other threads,
//! no cancellation, no names. One block with a plain reference count for each task. It keeps
//! asyncio's rules: the ready queue runs in rounds, and who awaits a task is woken by a callback
//! on that queue.

use super::Rt;
use std::{
    cell::{Cell, RefCell, UnsafeCell},
    collections::VecDeque,
    future::Future,
    net::TcpListener,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker},
    time::Instant,
};

/// An `Rc` queue: what a single-threaded program needs of a channel.
pub struct LocalChan<T> {
    q: RefCell<VecDeque<T>>,
    w: RefCell<Option<Waker>>,
}

/// A task as one heap block: future, result, waiter and a plain (not atomic) reference count.
/// The cheapest shape found here that still has sound, clonable wakers on its own thread.
struct Block<F: Future> {
    queued: Cell<bool>,
    fut: UnsafeCell<Option<F>>,
    out: Cell<Option<F::Output>>,
    waiter: Cell<Option<Waker>>,
}
trait Step {
    fn step(self: Rc<Self>);
}
pub trait Out<T> {
    fn take(&self, w: &Waker) -> Option<T>;
}
enum Entry {
    Step(Rc<dyn Step>),
    Callback(Waker),
}
struct RcQueue(UnsafeCell<VecDeque<Entry>>);
thread_local!(static RQ: RcQueue = const { RcQueue(UnsafeCell::new(VecDeque::new())) });
fn push(r: Entry) {
    // Safety: single-threaded; the reference ends with the statement.
    RQ.with(|q| unsafe { (*q.0.get()).push_back(r) })
}

impl<F: Future + 'static> Block<F> {
    const VT: RawWakerVTable =
        RawWakerVTable::new(Self::clone_w, Self::wake_w, Self::wake_ref, Self::drop_w);
    unsafe fn clone_w(p: *const ()) -> RawWaker {
        unsafe { Rc::increment_strong_count(p as *const Self) };
        RawWaker::new(p, &Self::VT)
    }
    unsafe fn wake_w(p: *const ()) {
        let rc = unsafe { Rc::from_raw(p as *const Self) };
        if !rc.queued.replace(true) {
            push(Entry::Step(rc))
        }
    }
    unsafe fn wake_ref(p: *const ()) {
        let rc = std::mem::ManuallyDrop::new(unsafe { Rc::from_raw(p as *const Self) });
        if !rc.queued.replace(true) {
            push(Entry::Step((*rc).clone()))
        }
    }
    unsafe fn drop_w(p: *const ()) {
        drop(unsafe { Rc::from_raw(p as *const Self) })
    }
}
impl<F: Future + 'static> Step for Block<F> {
    fn step(self: Rc<Self>) {
        self.queued.set(false);
        // Safety: a step never runs inside another of the same task (one thread, one loop).
        let slot = unsafe { &mut *self.fut.get() };
        let Some(fut) = slot else { return };
        let w = std::mem::ManuallyDrop::new(unsafe {
            Waker::from_raw(RawWaker::new(Rc::as_ptr(&self) as *const (), &Self::VT))
        });
        if let Poll::Ready(v) =
            unsafe { Pin::new_unchecked(fut) }.poll(&mut Context::from_waker(&w))
        {
            *slot = None;
            self.out.set(Some(v));
            if let Some(w) = self.waiter.take() {
                push(Entry::Callback(w))
            }
        }
    }
}
impl<F: Future + 'static> Out<F::Output> for Block<F> {
    fn take(&self, w: &Waker) -> Option<F::Output> {
        let v = self.out.take();
        if v.is_none() {
            self.waiter.set(Some(w.clone()));
        }
        v
    }
}
pub struct RcJoin<T>(Rc<dyn Out<T>>);
impl<T> Future for RcJoin<T> {
    type Output = T;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.0.take(cx.waker()) {
            Some(v) => Poll::Ready(v),
            None => Poll::Pending,
        }
    }
}

pub struct Floor;

impl Rt for Floor {
    type H = ();
    type Join<T: Clone + 'static> = RcJoin<T>;
    type Tx<T: 'static> = Rc<LocalChan<T>>;
    type Rx<T: 'static> = Rc<LocalChan<T>>;
    const CAN_CANCEL: bool = false;
    const HAS_TIMERS: bool = false;
    const HAS_ECHO: bool = false;

    fn run<F, Fut>(f: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        let root = Self::spawn((), f(()));
        loop {
            let n = RQ.with(|q| unsafe { (*q.0.get()).len() });
            for _ in 0..n {
                match RQ.with(|q| unsafe { (*q.0.get()).pop_front() }) {
                    Some(Entry::Step(t)) => t.step(),
                    Some(Entry::Callback(w)) => w.wake(),
                    None => break,
                }
            }
            if let Some(v) = root.0.take(Waker::noop()) {
                return v;
            }
            assert!(RQ.with(|q| unsafe { !(*q.0.get()).is_empty() }), "deadlock");
        }
    }
    fn spawn<F>(_: (), fut: F) -> RcJoin<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        let b = Rc::new(Block {
            queued: Cell::new(true),
            fut: UnsafeCell::new(Some(fut)),
            out: Cell::new(None),
            waiter: Cell::new(None),
        });
        push(Entry::Step(b.clone()));
        RcJoin(b)
    }
    fn cancel<T: Clone + 'static>(_: RcJoin<T>) {}
    fn detach<T: Clone + 'static>(j: RcJoin<T>) {
        std::mem::forget(j) // a parked task here has no other owner
    }
    fn sleep_until(_: (), _: Instant) -> impl Future<Output = ()> + 'static {
        async { unimplemented!() }
    }
    async fn echo(_: (), _: TcpListener) {
        unimplemented!()
    }
    fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
        let c = Rc::new(LocalChan { q: Default::default(), w: Default::default() });
        (c.clone(), c)
    }
    fn send<T: 'static>(tx: &Self::Tx<T>, v: T) {
        tx.q.borrow_mut().push_back(v);
        if let Some(w) = tx.w.borrow_mut().take() {
            w.wake()
        }
    }
    async fn recv<T: 'static>(rx: &mut Self::Rx<T>) -> T {
        std::future::poll_fn(|cx| match rx.q.borrow_mut().pop_front() {
            Some(v) => Poll::Ready(v),
            None => {
                *rx.w.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
    /// As a ResultStreamer would: the result goes to one queue when its task ends.
    async fn stream_results(_: (), n: u64) -> u64 {
        let (tx, mut rx) = Self::channel::<u64>();
        for i in 0..n {
            let tx = tx.clone();
            Self::spawn((), async move {
                super::generic_yield().await;
                Self::send(&tx, i);
            });
        }
        let mut acc = 0;
        for _ in 0..n {
            acc += Self::recv(&mut rx).await;
        }
        acc
    }
}
