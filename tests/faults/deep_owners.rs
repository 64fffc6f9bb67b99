//! Chains of each thing that can own another future, task or callback, by value or in a closure: the
//! drop of a chain needs no stack as deep. They are tried in a process of its own, as an overflow of
//! the stack ends it.

use std::any::Any;
use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use callsoon::helpers::{self as hp, Adding, ChildOfFuture, ResettableFuture, ResultStreamer};
use callsoon::{
    AnyFuture, Callback, EventLoop, Handle, LoopFuture, Queue, Result, Runner, TimerHandle,
    WeakFuture, as_completed, gather, generator, running_loop,
};

use crate::child::is_child;

const NAME: &str = "deep_owners::chains_of_owners_are_dropped_flat";

/// With this stack a link has 26 bytes of it: as 100,000 links have of what a thread has by default.
const DEEP: usize = 15_000;
const STACK: usize = 384 << 10;

/// A loop takes some kilobytes, and its drop more of the stack than other drops.
const LOOPS: usize = 1_000;

/// An owner of the rest of a chain; the last one owns nothing.
type Link = Rc<dyn Any>;

/// The same, for chains that cross threads.
type Sent = Arc<dyn Any + Send + Sync>;

/// Makes an owner of a link, of one kind.
enum Kind {
    Own(fn(&EventLoop, Link) -> Result<Link>),
    Across(fn(&EventLoop, Sent) -> Result<Sent>),
}

use Kind::{Across, Own};

fn shared<T: 'static>(owner: T) -> Result<Link> {
    Ok(Rc::new(owner))
}

fn sent<T: Any + Send + Sync>(owner: T) -> Result<Sent> {
    Ok(Arc::new(owner))
}

fn settle(event_loop: &EventLoop) -> Result<()> {
    while event_loop.run_once(Some(Duration::ZERO))? > 0 {}
    Ok(())
}

/// Makes an owner where the loop runs.
fn run<T: Clone + 'static>(
    event_loop: &EventLoop,
    make: impl AsyncFnOnce() -> Result<T> + 'static,
) -> Result<T> {
    event_loop.run_until_complete(async move { make().await })
}

struct CancelsTimer(TimerHandle);

impl Drop for CancelsTimer {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

struct CancelsHandle(Handle);

impl Drop for CancelsHandle {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Comes before nothing and behind nothing.
struct Even {
    _owned: Link,
}

impl PartialEq for Even {
    fn eq(&self, _: &Even) -> bool {
        true
    }
}

impl Eq for Even {}

impl PartialOrd for Even {
    fn partial_cmp(&self, other: &Even) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Even {
    fn cmp(&self, _: &Even) -> Ordering {
        Ordering::Equal
    }
}

const FUTURES: &[(&str, Kind)] = &[
    (
        "result",
        Own(|event_loop, link| {
            let future = event_loop.create_future();
            future.set_result(link)?;
            shared(future)
        }),
    ),
    (
        "await",
        Own(|event_loop, link| {
            let future = event_loop.create_future();
            future.set_result(link)?;
            shared(future.wait())
        }),
    ),
    (
        "result of a task",
        Own(|event_loop, link| {
            let task = event_loop.create_task(async { Ok(link) })?;
            settle(event_loop)?;
            shared(task)
        }),
    ),
    (
        "coroutine",
        Own(|event_loop, link| {
            let task = event_loop.create_task(async move {
                let ended = std::future::pending::<Result<()>>().await;
                drop(link);
                ended
            })?;
            shared(task)
        }),
    ),
    (
        "done callback",
        Own(|event_loop, link| {
            let future: LoopFuture<()> = event_loop.create_future();
            future.add_done_callback(move |_: &dyn AnyFuture| _ = &link);
            shared(future)
        }),
    ),
    ("callback", Own(|_, link| shared(Callback::new(move |_: &dyn AnyFuture| _ = &link)))),
    (
        "weak future",
        Own(|_, link| {
            shared(WeakFuture::new(move || {
                let _ = &link;
                None
            }))
        }),
    ),
    (
        "gathering",
        Own(|event_loop, link| {
            let future = event_loop.create_future();
            future.set_result(link)?;
            shared(gather([&future]))
        }),
    ),
    (
        "as_completed",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let future = running_loop()?.create_future();
                future.set_result(link)?;
                shared(as_completed([future], None))
            })
        }),
    ),
];

const CALLS: &[(&str, Kind)] = &[
    (
        "handle",
        Own(|event_loop, link| shared(CancelsHandle(event_loop.call_soon(move || drop(link))?))),
    ),
    (
        "timer",
        Own(|event_loop, link| {
            shared(CancelsTimer(event_loop.call_later(Duration::from_secs(1), move || drop(link))?))
        }),
    ),
    ("left handle", Own(|event_loop, link| shared(event_loop.call_soon(move || drop(link))?))),
    (
        "left timer",
        Own(|event_loop, link| {
            shared(event_loop.call_later(Duration::from_secs(1), move || drop(link))?)
        }),
    ),
    ("waker", Across(|event_loop, link| sent(event_loop.handle().waker(move || _ = &link)))),
    (
        "answer",
        Own(|event_loop, link| shared(event_loop.expect_answer::<u8, _>(move |_| drop(link))?)),
    ),
    (
        "call from a thread",
        Across(|event_loop, link| {
            event_loop.handle().call_soon_threadsafe(move || drop(link))?;
            sent(())
        }),
    ),
    (
        "loop",
        Own(|_, link| {
            let event_loop = EventLoop::with_virtual_time();
            event_loop.call_soon(move || drop(link))?;
            shared(event_loop)
        }),
    ),
    (
        "exception handler",
        Own(|_, link| {
            let event_loop = EventLoop::with_virtual_time();
            event_loop.set_exception_handler(Some(Rc::new(move |_, _| _ = &link)));
            shared(event_loop)
        }),
    ),
    (
        "runner",
        Own(|_, link| {
            shared(Runner::with_loop_factory(move || {
                drop(link);
                EventLoop::with_virtual_time()
            }))
        }),
    ),
    (
        "loop of a runner",
        Own(|_, link| {
            let runner = Runner::with_loop_factory(EventLoop::with_virtual_time);
            runner.get_loop()?.call_later(Duration::from_secs(1), move || drop(link))?;
            shared(runner)
        }),
    ),
    (
        "coroutine for a thread",
        Across(|event_loop, link| {
            let future = event_loop.handle().run_coroutine_threadsafe(|| async { Ok(link) })?;
            settle(event_loop)?;
            sent(future)
        }),
    ),
];

const QUEUES: &[(&str, Kind)] = &[
    (
        "queue",
        Own(|_, link| {
            let queue = Queue::new(0);
            queue.put_nowait(link)?;
            shared(queue)
        }),
    ),
    (
        "last in, first out",
        Own(|_, link| {
            let queue = Queue::lifo(0);
            queue.put_nowait(link)?;
            shared(queue)
        }),
    ),
    (
        "priorities",
        Own(|_, link| {
            let queue = Queue::priority(0);
            queue.put_nowait(Even { _owned: link })?;
            shared(queue)
        }),
    ),
    (
        "helpers' queue",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let queue = hp::Queue::new(&hp::create_future::<()>());
                queue.append(link);
                shared(queue)
            })
        }),
    ),
    (
        "iteration of a queue",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let queue = hp::Queue::new(&hp::create_future::<()>());
                queue.append(link);
                shared(queue.iter())
            })
        }),
    ),
    (
        "queue for threads",
        Across(|event_loop, link| {
            let queue = hp::SyncQueue::new(&event_loop.create_future::<()>());
            queue.append(link);
            sent(queue)
        }),
    ),
];

const GENERATORS: &[(&str, Kind)] = &[
    (
        "generator",
        Own(|_, link| {
            shared(generator::<u8>(async move |_| {
                drop(link);
                Ok(())
            }))
        }),
    ),
    (
        "generator at a yield",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let own = generator(async move |y| {
                    y.give(1).await?;
                    drop(link);
                    Ok(())
                });
                own.next().await?;
                shared(own)
            })
        }),
    ),
    (
        "generator of a closed loop",
        Own(|event_loop, link| {
            let other = EventLoop::with_virtual_time();
            let _ = event_loop;
            other.run_until_complete(async move {
                let own = generator(async move |y| {
                    y.give(1).await?;
                    drop(link);
                    Ok(())
                });
                own.next().await?;
                shared(own)
            })
        }),
    ),
];

const HELPERS: &[(&str, Kind)] = &[
    (
        "resettable",
        Own(|event_loop, link| {
            let future = ResettableFuture::new_on(event_loop);
            future.set_result(link)?;
            shared(future)
        }),
    ),
    (
        "child",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let child = ChildOfFuture::new(&hp::create_future::<()>());
                child.set_result(link)?;
                shared(child)
            })
        }),
    ),
    (
        "parent",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let parent = hp::create_future();
                let child = ChildOfFuture::<()>::new(&parent);
                parent.set_result(link)?;
                shared(child)
            })
        }),
    ),
    (
        "task holder",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let future = running_loop()?.create_future();
                future.set_result(link)?;
                let holder = hp::TaskHolder::new(&hp::create_future::<()>());
                holder.add_task(&future);
                shared(holder)
            })
        }),
    ),
    (
        "streamed value",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let streamer = ResultStreamer::<Link>::new(&hp::create_future::<()>());
                streamer.add_value(link, Adding::new()).await?;
                shared(streamer)
            })
        }),
    ),
    (
        "iteration of a streamer",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let streamer = ResultStreamer::<Link>::new(&hp::create_future::<()>());
                streamer.add_value(link, Adding::new()).await?;
                shared(streamer.iter())
            })
        }),
    ),
    (
        "error catcher",
        Own(|event_loop, link| {
            run(event_loop, async move || {
                let catch = move |_| _ = &link;
                let stop = hp::create_future::<()>();
                shared(ResultStreamer::<u8>::with_exception_catcher(&stop, catch))
            })
        }),
    ),
    (
        "function of a result",
        Own(|_, link| shared(Adding::<u8, ()>::new().on_done(move |_| _ = &link))),
    ),
];

const ALL: &[&[(&str, Kind)]] = &[FUTURES, CALLS, QUEUES, GENERATORS, HELPERS];

fn drop_chain(name: &str, kind: &Kind) -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let deep = if name.contains("loop") || name == "exception handler" { LOOPS } else { DEEP };
    match kind {
        Own(own) => {
            let end: Link = Rc::new(());
            let first = (0..deep).try_fold(end, |link, _| own(&event_loop, link))?;
            drop(first);
        }
        Across(own) => {
            let end: Sent = Arc::new(());
            let first = (0..deep).try_fold(end, |link, _| own(&event_loop, link))?;
            drop(first);
        }
    }
    settle(&event_loop)?;
    drop(event_loop);
    Ok(())
}

#[test]
fn chains_of_owners_are_dropped_flat() {
    if !is_child(NAME, ":") {
        return;
    }
    let drops = || {
        for (name, kind) in ALL.iter().copied().flatten() {
            println!("{name}");
            drop_chain(name, kind).unwrap();
        }
    };
    thread::Builder::new().stack_size(STACK).spawn(drops).unwrap().join().unwrap();
}
