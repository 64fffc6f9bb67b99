//! This crate: its asyncio floor, and with `HELPERS` the Photons helpers on it.
use super::{Rt, Timers};
use callsoon::helpers as hp;
use callsoon::{Await, LoopFuture, Queue, Task, TaskGroup, TimerHandle};
use std::{
    cell::Cell,
    future::{Future, IntoFuture},
    net::TcpListener,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

pub struct Callsoon<const HELPERS: bool>;

/// A future of a value as one of a result: no larger than the future itself.
struct Fine<F>(F);

impl<F: Future> Future for Fine<F> {
    type Output = callsoon::Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the field is pinned with the whole, which is never moved out of.
        unsafe { self.map_unchecked_mut(|fine| &mut fine.0) }.poll(cx).map(Ok)
    }
}

pub struct Join<T: 'static>(Task<T>);
pub struct Value<T: 'static>(Await<T>);

impl<T: Clone> IntoFuture for Join<T> {
    type Output = T;
    type IntoFuture = Value<T>;

    fn into_future(self) -> Value<T> {
        Value(self.0.into_future())
    }
}

impl<T: Clone> Future for Value<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.unwrap())
    }
}

fn until(at: Instant) -> Duration {
    at.saturating_duration_since(Instant::now())
}

struct CallLater {
    timers: Vec<TimerHandle>,
    fired: Rc<Fired>,
}

struct Fired {
    count: Cell<u64>,
    done: LoopFuture<()>,
}

impl Timers for CallLater {
    async fn fired(mut self) {
        self.timers.clear();
        self.fired.done.clone().await.unwrap()
    }
}

impl Drop for CallLater {
    fn drop(&mut self) {
        for timer in &self.timers {
            timer.cancel()
        }
    }
}

async fn yield_and_return(i: u64) -> callsoon::Result<u64> {
    callsoon::yield_now().await?;
    Ok(i)
}

impl<const HELPERS: bool> Rt for Callsoon<HELPERS> {
    type H = ();
    type Join<T: Clone + 'static> = Join<T>;
    type Tx<T: 'static> = Queue<T>;
    type Rx<T: 'static> = Queue<T>;
    const HAS_CALL_SOON: bool = true;
    const HAS_ECHO: bool = false;

    fn run<F, Fut>(f: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        callsoon::run(Fine(f(()))).unwrap()
    }
    fn spawn<F>(_: (), fut: F) -> Join<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        Join(callsoon::create_task(Fine(fut)).unwrap())
    }
    fn cancel<T: Clone + 'static>(join: Join<T>) {
        join.0.cancel();
    }
    fn detach<T: Clone + 'static>(_: Join<T>) {}
    fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
        async move { callsoon::sleep(until(at)).await.unwrap() }
    }
    fn channel<T: 'static>() -> (Queue<T>, Queue<T>) {
        let queue = Queue::new(0);
        (queue.clone(), queue)
    }
    fn send<T: 'static>(tx: &Queue<T>, v: T) {
        tx.put_nowait(v).unwrap()
    }
    async fn recv<T: 'static>(rx: &mut Queue<T>) -> T {
        rx.get().await.unwrap()
    }
    async fn native_yield() {
        callsoon::yield_now().await.unwrap()
    }

    async fn start_timers(_: (), n: u64, due: impl Iterator<Item = Instant>) -> impl Timers {
        let on = callsoon::running_loop().unwrap();
        let (time, now) = (on.time(), Instant::now());
        let fired = Rc::new(Fired { count: Cell::new(0), done: on.create_future() });
        let mut timers = Vec::with_capacity(n as usize);
        for at in due {
            let fired = fired.clone();
            let callback = move || {
                fired.count.set(fired.count.get() + 1);
                if fired.count.get() == n {
                    fired.done.set_result(()).unwrap()
                }
            };
            timers.push(on.call_at(time + (at - now), callback).unwrap());
        }
        CallLater { timers, fired }
    }

    fn spawn_asleep<E: 'static>(_: (), started: Rc<Cell<u64>>, at: Instant, end: E) -> Join<()> {
        let task = callsoon::create_task(async move {
            started.set(started.get() + 1);
            let slept = callsoon::sleep(until(at)).await;
            drop(end);
            slept
        });
        Join(task.unwrap())
    }

    async fn with_timeout(_: (), i: u64) -> u64 {
        let limit = Duration::from_secs(10);
        let outcome = if HELPERS {
            let options = hp::TimeoutOptions { timeout: limit, ..Default::default() };
            hp::async_with_timeout(yield_and_return(i), options).await
        } else {
            callsoon::wait_for(yield_and_return(i), limit).await
        };
        outcome.unwrap()
    }

    async fn stream_results(_: (), n: u64) -> u64 {
        let mut sum = 0;
        if HELPERS {
            let stop = hp::create_future::<()>().unwrap();
            let streamer = hp::ResultStreamer::<u64>::new(&stop).unwrap();
            let work = async |streamer: &hp::ResultStreamer<u64>| {
                for i in 0..n {
                    streamer.add_coroutine(yield_and_return(i), hp::Adding::new()).await?;
                }
                streamer.no_more_work();
                let mut results = streamer.iter();
                while let Some(result) = results.next().await? {
                    sum += result.value.ok().unwrap();
                }
                Ok(())
            };
            streamer.scope(work).await.unwrap();
        } else {
            let tasks = (0..n).map(|i| callsoon::create_task(yield_and_return(i)).unwrap());
            let mut completed = callsoon::as_completed(tasks, None).unwrap();
            while let Some(task) = completed.next().await.unwrap() {
                sum += task.result().unwrap();
            }
        }
        sum
    }

    async fn hold(_: (), n: u64) {
        let on = callsoon::running_loop().unwrap();
        let gates: Rc<[LoopFuture<()>]> = (0..n).map(|_| on.create_future()).collect();
        let open = |gates: Rc<[LoopFuture<()>]>| async move {
            for gate in gates.iter() {
                gate.set_result(())?;
                callsoon::yield_now().await?;
            }
            Ok(())
        };
        let waits = |gate: &LoopFuture<()>| gate.clone().into_future();
        if HELPERS {
            let stop = hp::create_future::<()>().unwrap();
            let holder = hp::TaskHolder::new(&stop).unwrap();
            let work = async |holder: &hp::TaskHolder| {
                for gate in gates.iter() {
                    holder.add(waits(gate))?;
                }
                open(gates.clone()).await
            };
            holder.scope(work).await.unwrap()
        } else {
            let work = async |group: TaskGroup| {
                for gate in gates.iter() {
                    group.create_task(waits(gate))?;
                }
                open(gates.clone()).await
            };
            TaskGroup::scope(work).await.unwrap()
        }
    }

    async fn call_soon(_: (), n: u64) {
        let on = callsoon::running_loop().unwrap();
        let called = Rc::new(Cell::new(0u64));
        for _ in 0..n {
            let called = called.clone();
            on.call_soon(move || called.set(called.get() + 1)).unwrap();
        }
        let done = on.create_future::<()>();
        let end = done.clone();
        on.call_soon(move || end.set_result(())).unwrap();
        done.await.unwrap();
        assert_eq!(called.get(), n);
    }

    async fn echo(_: (), _: TcpListener) {
        unimplemented!()
    }
}
