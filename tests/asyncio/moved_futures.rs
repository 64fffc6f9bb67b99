//! A future of ours that one task polls, and then another: the wait belongs to the task that polled
//! it last.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use callsoon::{
    Event, EventLoop, Lock, Queue, Result, Semaphore, Task, create_task, gather, generator,
    running_loop, shield, sleep,
};

use crate::combinators::{Boxed, boxed};
use crate::driver::{secs, settle};
use crate::support::trace::Trace;

/// Makes a future that is pending until what it returns beside it is called.
type Make = fn(&Trace) -> Result<(Boxed<Result<()>>, Box<dyn FnOnce()>)>;

const MAKES: [(&str, Make); 9] = [
    ("future", |_| {
        let future = running_loop()?.create_future::<()>();
        let ends = future.clone();
        Ok((boxed(future.into_future()), Box::new(move || ends.set_result(()).unwrap())))
    }),
    ("task", |_| {
        let future = running_loop()?.create_future::<()>();
        let (ends, awaited) = (future.clone(), future);
        let task = create_task(async move { awaited.await });
        Ok((boxed(task.into_future()), Box::new(move || ends.set_result(()).unwrap())))
    }),
    ("sleep", |_| Ok((boxed(sleep(secs(5))), Box::new(|| ())))),
    ("event", |_| {
        let event = Event::new();
        let sets = event.clone();
        Ok((boxed(async move { event.wait().await }), Box::new(move || sets.set())))
    }),
    ("queue", |_| {
        let queue = Queue::<u8>::new(0);
        let puts = queue.clone();
        let get = boxed(async move { queue.get().await.map(drop) });
        Ok((get, Box::new(move || puts.put_nowait(1).unwrap())))
    }),
    ("lock", |_| {
        let lock = Lock::new();
        assert!(lock.try_acquire());
        let own = lock.clone();
        let acquire = boxed(async move { own.acquire().await });
        Ok((acquire, Box::new(move || lock.release().unwrap())))
    }),
    ("semaphore", |_| {
        let semaphore = Semaphore::new(0);
        let own = semaphore.clone();
        let acquire = boxed(async move { own.acquire().await });
        Ok((acquire, Box::new(move || semaphore.release())))
    }),
    ("generator", |trace| {
        let event = Event::new();
        let (sets, own) = (event.clone(), trace.clone());
        let values = generator(async move |y| {
            let waited = event.wait().await;
            if waited.is_err() {
                own.push("the generator is told");
            }
            waited?;
            y.give(()).await.map(drop)
        });
        let next = boxed(async move { values.next().await.map(drop) });
        Ok((next, Box::new(move || sets.set())))
    }),
    ("shielded gathering", |_| {
        let future = running_loop()?.create_future::<()>();
        let ends = future.clone();
        let gathered = shield(&gather([&future]));
        let awaits = boxed(async move { gathered.await.map(drop) });
        Ok((awaits, Box::new(move || ends.set_result(()).unwrap())))
    }),
];

/// A future in a place from which any task may poll it, with the task's own waker or with one that
/// stays the same, as a collection of futures does.
#[derive(Clone)]
struct Shared {
    future: Rc<RefCell<Boxed<Result<()>>>>,
    relay: Option<Arc<Relay>>,
}

/// Wakes the task that polled last.
#[derive(Default)]
struct Relay(Mutex<Option<Waker>>);

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        let outer = self.0.lock().unwrap().take();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

impl Shared {
    fn new(future: Boxed<Result<()>>, behind_waker: bool) -> Shared {
        let relay = behind_waker.then(Arc::default);
        Shared { future: Rc::new(RefCell::new(future)), relay }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut future = self.future.borrow_mut();
        let Some(relay) = &self.relay else { return future.as_mut().poll(cx) };
        *relay.0.lock().unwrap() = Some(cx.waker().clone());
        future.as_mut().poll(&mut Context::from_waker(&Waker::from(relay.clone())))
    }

    async fn poll_once(&self) -> bool {
        poll_fn(|cx| Poll::Ready(self.poll(cx).is_ready())).await
    }

    async fn finish(self) -> Result<()> {
        poll_fn(|cx| self.poll(cx)).await
    }
}

/// A task that polls the future once and then sleeps, and a task that awaits it from then on.
fn two_tasks(
    event_loop: &EventLoop,
    trace: &Trace,
    make: Make,
    behind_waker: bool,
) -> (Task<()>, Task<()>, Box<dyn FnOnce()>) {
    let own = trace.clone();
    let making = event_loop.create_task(async move {
        let (future, end) = make(&own)?;
        Ok(Rc::new((Shared::new(future, behind_waker), RefCell::new(Some(end)))))
    });
    let made = event_loop.run_until_complete(making.unwrap()).unwrap();
    let (shared, own) = (made.0.clone(), trace.clone());
    let first = event_loop
        .create_task(async move {
            assert!(!shared.poll_once().await);
            let slept = sleep(secs(900)).await;
            own.push(format!("first slept: {}", slept.is_ok()));
            slept
        })
        .unwrap();
    settle(event_loop);
    let (shared, own) = (made.0.clone(), trace.clone());
    let second = event_loop
        .create_task(async move {
            let outcome = shared.finish().await;
            own.push(format!("second: {}", outcome.is_ok()));
            sleep(secs(1)).await?;
            own.push("second cleaned up");
            outcome
        })
        .unwrap();
    settle(event_loop);
    (first, second, made.1.take().unwrap())
}

fn each(mut test: impl FnMut(&str, &EventLoop, &Trace, Task<()>, Task<()>, Box<dyn FnOnce()>)) {
    for (name, make) in MAKES {
        for behind_waker in [false, true] {
            println!("{name}, behind a waker of its own: {behind_waker}");
            let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
            let (first, second, end) = two_tasks(&event_loop, &trace, make, behind_waker);
            test(name, &event_loop, &trace, first, second, end);
        }
    }
}

#[test]
fn cancelling_the_first_task_leaves_the_second_its_wait() {
    each(|_, event_loop, trace, first, second, end| {
        assert!(first.cancel());
        settle(event_loop);
        assert!(first.cancelled() && !second.done());
        trace.expect(["first slept: false"]);
        end();
        event_loop.run_until_complete(second).unwrap();
        trace.expect(["second: true", "second cleaned up"]);
    });
}

#[test]
fn cancelling_the_second_task_returns_at_its_await() {
    each(|name, event_loop, trace, first, second, _end| {
        assert!(second.cancel());
        let ended = event_loop.run_until_complete(second);
        assert!(ended.unwrap_err().is_cancelled());
        let told: &[&str] = if name == "generator" { &["the generator is told"] } else { &[] };
        trace.expect(told.iter().copied().chain(["second: false", "second cleaned up"]));
        assert!(!first.done() && first.cancelling() == 0);
    });
}

#[test]
fn the_end_of_a_moved_future_wakes_the_second_task() {
    each(|_, event_loop, trace, first, second, end| {
        end();
        event_loop.run_until_complete(second).unwrap();
        trace.expect(["second: true", "second cleaned up"]);
        assert!(!first.done());
    });
}

#[test]
fn a_future_that_comes_back_belongs_to_the_first_task_again() {
    for behind_waker in [false, true] {
        let event_loop = EventLoop::with_virtual_time();
        let future = event_loop.create_future::<()>();
        let shared = Shared::new(boxed(future.clone().into_future()), behind_waker);
        let trace = Trace::new();
        let gate = Event::new();
        let (own, opens, told) = (shared.clone(), gate.clone(), trace.clone());
        let first = event_loop
            .create_task(async move {
                own.poll_once().await;
                opens.wait().await?;
                let outcome = own.finish().await;
                told.push(format!("first: {}", outcome.is_ok()));
                outcome
            })
            .unwrap();
        settle(&event_loop);
        let own = shared.clone();
        let second = event_loop
            .create_task(async move {
                own.poll_once().await;
                sleep(secs(900)).await
            })
            .unwrap();
        settle(&event_loop);
        gate.set();
        settle(&event_loop);
        second.cancel();
        settle(&event_loop);
        assert!(second.cancelled() && !future.done());
        first.cancel();
        settle(&event_loop);
        assert!(first.cancelled() && future.cancelled());
        trace.expect(["first: false"]);
    }
}

/// A waker with a name.
struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn await_polled_again_keeps_its_place_or_takes_a_new_waker() {
    let ways = [("one", ["one", "two"]), ("other", ["two", "other"])];
    for ((again, expected), others) in ways.into_iter().flat_map(|way| [(way, 0), (way, 3)]) {
        let event_loop = EventLoop::with_virtual_time();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let wakers = ["one", "two", "other"]
            .map(|name| (name, Waker::from(Arc::new(Named(name, woken.clone())))));
        let future = event_loop.create_future::<()>();
        let mut before: Vec<_> = (0..others).map(|_| future.wait()).collect();
        for wait in &mut before {
            assert!(Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let mut awaits = [future.wait(), future.wait()];
        for (at, name) in [(0, "one"), (1, "two"), (0, again)] {
            let waker = &wakers.iter().find(|(own, _)| *own == name).unwrap().1;
            let polled = Pin::new(&mut awaits[at]).poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        future.set_result(()).unwrap();
        settle(&event_loop);
        assert_eq!(*woken.lock().unwrap(), expected);
    }
}
