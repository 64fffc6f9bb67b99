//! callsoon: what it has of asyncio, and what it has of Photons.

use std::{
    cell::{Cell, RefCell},
    future::{Future, IntoFuture},
    net,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use callsoon::{
    Await, LoopFuture, Queue, Task, TaskGroup, ThreadPoolExecutor, TimerHandle, helpers as hp,
    io::{TcpListener, TcpStream},
};
use pin_project_lite::pin_project;

use super::{Rt, Timers, threads};

/// With `HELPERS`, whatever can be done by a Photons helper is.
pub struct Callsoon<const HELPERS: bool>;

pin_project! {
    /// A future of a value as one of a result, and no larger than it.
    struct Fine<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Fine<F> {
    type Output = callsoon::Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map(Ok)
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

enum Threads {
    Executor(ThreadPoolExecutor),
    Queue(hp::ThreadToAsyncQueue<()>),
}

thread_local!(static THREADS: RefCell<Option<Threads>> = const { RefCell::new(None) });

impl Threads {
    async fn start<const HELPERS: bool>(number: usize) -> callsoon::Result<Threads> {
        if !HELPERS {
            return Ok(Threads::Executor(ThreadPoolExecutor::new(number)?));
        }
        let stop = hp::create_future::<()>();
        let queue = hp::ThreadToAsyncQueue::builder(()).num_threads(number).build(&stop)?;
        queue.start().await?;
        Ok(Threads::Queue(queue))
    }
}

async fn echo(stream: TcpStream) -> callsoon::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => stream.write_all(&buffer[..count]).await?,
            _ => return Ok(()),
        }
    }
}

/// [`YieldNow`](callsoon::YieldNow) without a result, as the other runtimes' own.
struct GiveWay(callsoon::YieldNow);

impl Future for GiveWay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(Result::unwrap)
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
    const HAS_OFFLOAD: bool = true;
    const HAS_CALL_SOON: bool = true;

    fn run<F, Fut>(main: F) -> Fut::Output
    where
        F: FnOnce(()) -> Fut,
        Fut: Future + 'static,
        Fut::Output: Clone + 'static,
    {
        callsoon::run(Fine { future: main(()) }).unwrap()
    }

    fn spawn<F>(_: (), future: F) -> Join<F::Output>
    where
        F: Future + 'static,
        F::Output: Clone + 'static,
    {
        Join(callsoon::create_task(Fine { future }))
    }

    fn cancel<T: Clone + 'static>(task: Join<T>) {
        task.0.cancel();
    }

    fn detach<T: Clone + 'static>(_: Join<T>) {}
    fn sleep_until(_: (), at: Instant) -> impl Future<Output = ()> + 'static {
        async move { callsoon::sleep(until(at)).await.unwrap() }
    }

    fn channel<T: 'static>() -> (Queue<T>, Queue<T>) {
        let queue = Queue::new(0);
        (queue.clone(), queue)
    }

    fn send<T: 'static>(to: &Queue<T>, value: T) {
        to.put_nowait(value).unwrap()
    }

    async fn recv<T: 'static>(from: &mut Queue<T>) -> T {
        from.get().await.unwrap()
    }

    fn give_way() -> impl Future<Output = ()> + 'static {
        GiveWay(callsoon::yield_now())
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
        Join(task)
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
            let stop = hp::create_future::<()>();
            let streamer = hp::ResultStreamer::<u64>::new(&stop);
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
            let tasks = (0..n).map(|i| callsoon::create_task(yield_and_return(i)));
            let mut completed = callsoon::as_completed(tasks, None);
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
            let stop = hp::create_future::<()>();
            let holder = hp::TaskHolder::new(&stop);
            let work = async |holder: &hp::TaskHolder| {
                for gate in gates.iter() {
                    holder.add(waits(gate));
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

    async fn start_threads(_: ()) {
        let threads = Threads::start::<HELPERS>(threads::number()).await.unwrap();
        THREADS.replace(Some(threads));
    }

    fn offload(
        _: (),
        job: impl FnOnce() -> u64 + Send + 'static,
    ) -> impl Future<Output = u64> + 'static {
        let answer = THREADS.with_borrow(|threads| match threads {
            Some(Threads::Executor(executor)) => {
                let on = callsoon::running_loop().unwrap();
                on.run_in_executor(Some(executor), || Ok(job())).unwrap()
            }
            Some(Threads::Queue(queue)) => queue.request(|()| Ok(job())),
            None => panic!("no threads were started"),
        });
        Value(answer.into_future())
    }

    async fn echo(_: (), listener: net::TcpListener) {
        let listener = TcpListener::from(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            callsoon::create_task(echo(stream));
        }
    }
}
