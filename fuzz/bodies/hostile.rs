//! Code that calls back into the loop from everywhere it is run: callbacks, polls, wakers, done
//! callbacks, exception handlers and drops. It wakes itself and the dead, runs the loop from a
//! drop, closes it and drops it. Nothing of that may panic, hang or leak.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::{
    AnyFuture, Callback, EventLoop, ExceptionContext, LoopFuture, LoopRef, Result, Task,
    TimerHandle, sleep, wrap_future,
};

use super::common::{Census, Counted, eighths, failure, panic_on_purpose};

const FUEL: usize = 400;
/// The depth to which drops may run operations that drop in turn.
const DEPTH: usize = 6;
const TURNS: usize = 2_000;
const SCRIPTS: usize = 4;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Soon(u8),
    Later(u8, u8),
    CancelTimer(u8),
    /// A task that is polled by scripts.
    Spawn(u8),
    /// A task that awaits one of the futures, and runs a script then.
    Await(u8, u8),
    /// A task that awaits something foreign, wrapped so as to outlive a cancellation there.
    Wrapped(u8),
    Sleeper(u8, u8),
    CancelTask(u8),
    ForgetTask(u8),
    Set(u8),
    SetFailed(u8),
    CancelFuture(u8),
    /// Drops a future, and makes another in its place.
    Replace(u8),
    OnDone(u8, u8),
    OffDone(u8),
    Wake(u8),
    DropWaker(u8),
    /// A waker of the program's own, which runs a script when it is woken, waits for a future.
    PollWithOwn(u8, u8),
    Handler(u8),
    Stop,
    Turn(u8),
    Panic,
    Close,
    DropLoop,
}

#[derive(Arbitrary, Debug)]
struct Input {
    scripts: [Vec<Op>; SCRIPTS],
    main: Vec<Op>,
}

struct World {
    scripts: [Vec<Op>; SCRIPTS],
    /// None once an operation has dropped it.
    event_loop: RefCell<Option<Rc<EventLoop>>>,
    on: LoopRef,
    futures: RefCell<Vec<LoopFuture<Rc<Bomb>>>>,
    tasks: RefCell<Vec<Task<Rc<Bomb>>>>,
    timers: RefCell<Vec<TimerHandle>>,
    callbacks: RefCell<Vec<(usize, Callback)>>,
    wakers: RefCell<Vec<Waker>>,
    polled: RefCell<Vec<Pin<Box<dyn Future<Output = Result<Rc<Bomb>>>>>>>,
    fuel: Cell<usize>,
    depth: Cell<usize>,
    census: Census,
}

/// Runs a script when it is dropped.
struct Bomb {
    world: Weak<World>,
    script: u8,
    _counted: Counted,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade() {
            world.run(self.script);
        }
    }
}

/// A future that keeps the waker that it is polled with, and runs a script in each poll.
struct Foreign {
    bomb: Rc<Bomb>,
    polls_left: u8,
}

impl Future for Foreign {
    type Output = Result<Rc<Bomb>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(world) = self.bomb.world.upgrade() else { return Poll::Ready(Err(failure())) };
        world.wakers.borrow_mut().push(cx.waker().clone());
        world.run(self.bomb.script);
        if self.polls_left == 0 {
            return Poll::Ready(Ok(self.bomb.clone()));
        }
        self.polls_left -= 1;
        Poll::Pending
    }
}

thread_local! {
    /// Wakers are `Send`; what they do stays on this thread.
    static WOKEN: RefCell<Weak<World>> = const { RefCell::new(Weak::new()) };
}

struct Own(u8);

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        let world = WOKEN.with_borrow(Weak::upgrade);
        if let Some(world) = world {
            world.run(self.0);
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let world = WOKEN.with_borrow(Weak::upgrade);
        if let Some(world) = world {
            world.run(self.0.wrapping_add(1));
        }
    }
}

impl World {
    fn bomb(self: &Rc<World>, script: u8) -> Rc<Bomb> {
        Rc::new(Bomb { world: Rc::downgrade(self), script, _counted: self.census.one(0) })
    }

    fn run(self: &Rc<World>, script: u8) {
        if self.depth.get() == DEPTH {
            return;
        }
        self.depth.set(self.depth.get() + 1);
        let guard = Deeper(self.clone());
        for at in 0.. {
            let Some(op) = self.scripts[usize::from(script) % SCRIPTS].get(at) else { break };
            if self.fuel.get() == 0 {
                break;
            }
            self.fuel.set(self.fuel.get() - 1);
            self.perform(*op);
        }
        drop(guard);
    }

    fn perform(self: &Rc<World>, op: Op) {
        match op {
            Op::Soon(script) => {
                let bomb = self.bomb(script);
                let _ = self.on.call_soon(move || bomb.explode());
            }
            Op::Later(time, script) => {
                let bomb = self.bomb(script);
                let timer = self.on.call_later(eighths(time), move || bomb.explode());
                self.timers.borrow_mut().extend(timer);
            }
            Op::CancelTimer(which) => {
                let timer = pick(&self.timers, which);
                timer.inspect(TimerHandle::cancel);
            }
            Op::Stop => self.on.stop(),
            Op::Panic => {
                // In a drop while another panic unwinds, a second one would end the process.
                if self.on.is_running() && self.depth.get() == 1 && !std::thread::panicking() {
                    panic_on_purpose();
                }
            }
            Op::Handler(script) => {
                let bomb = self.bomb(script);
                let handler = move |_: &LoopRef, _: &ExceptionContext| bomb.explode();
                let before = self.on.set_exception_handler(Some(Rc::new(handler)));
                drop(before);
            }
            Op::Turn(wait) => {
                let event_loop = self.event_loop.borrow().clone();
                if let Some(event_loop) = event_loop {
                    let _ = event_loop.run_once(Some(eighths(wait)));
                }
            }
            Op::Close => {
                let event_loop = self.event_loop.borrow().clone();
                if let Some(event_loop) = event_loop {
                    let _ = event_loop.close();
                }
            }
            Op::DropLoop => drop(self.event_loop.take()),
            op => self.perform_on_futures(op),
        }
    }

    fn perform_on_futures(self: &Rc<World>, op: Op) {
        match op {
            Op::Spawn(script) => {
                self.spawn(Foreign { bomb: self.bomb(script), polls_left: script / 64 });
            }
            Op::Wrapped(script) => {
                let foreign = Foreign { bomb: self.bomb(script), polls_left: script / 64 };
                self.spawn(async move { wrap_future(foreign).await? });
            }
            Op::Await(which, script) => {
                let (bomb, awaited) = (self.bomb(script), pick(&self.futures, which));
                self.spawn(async move {
                    let outcome = awaited.expect("there are futures").await;
                    bomb.explode();
                    outcome
                });
            }
            Op::Sleeper(time, script) => {
                let bomb = self.bomb(script);
                self.spawn(async move {
                    let slept = sleep(eighths(time)).await;
                    bomb.explode();
                    slept.map(|()| bomb)
                });
            }
            Op::CancelTask(which) => {
                if let Some(task) = pick(&self.tasks, which) {
                    task.cancel();
                }
            }
            Op::ForgetTask(which) => drop(take(&self.tasks, which)),
            Op::Set(which) => {
                let value = self.bomb(which);
                let future = pick(&self.futures, which).expect("there are futures");
                let _ = future.set_result(value);
            }
            Op::SetFailed(which) => {
                let future = pick(&self.futures, which).expect("there are futures");
                let _ = future.set_exception(failure());
            }
            Op::CancelFuture(which) => {
                pick(&self.futures, which).expect("there are futures").cancel();
            }
            Op::Replace(which) => {
                let fresh = self.on.create_future();
                let at = usize::from(which) % self.futures.borrow().len();
                let old = std::mem::replace(&mut self.futures.borrow_mut()[at], fresh);
                drop(old);
            }
            Op::OnDone(which, script) => {
                let at = usize::from(which) % self.futures.borrow().len();
                let future = self.futures.borrow()[at].clone();
                let bomb = self.bomb(script);
                let callback = future.add_done_callback(move |_: &dyn AnyFuture| bomb.explode());
                self.callbacks.borrow_mut().push((at, callback));
            }
            Op::OffDone(which) => {
                if let Some((at, callback)) = take(&self.callbacks, which) {
                    let future = self.futures.borrow()[at].clone();
                    future.remove_done_callback(&callback);
                }
            }
            op => self.perform_on_wakers(op),
        }
    }

    fn perform_on_wakers(self: &Rc<World>, op: Op) {
        match op {
            Op::Wake(which) => {
                let waker = pick(&self.wakers, which);
                waker.inspect(Waker::wake_by_ref);
            }
            Op::DropWaker(which) => drop(take(&self.wakers, which)),
            Op::PollWithOwn(which, script) => {
                let waker = Waker::from(Arc::new(Own(script)));
                let future = pick(&self.futures, which).expect("there are futures");
                let mut waits: Pin<Box<dyn Future<Output = _>>> = Box::pin(async { future.await });
                let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
                self.polled.borrow_mut().push(waits);
                drop(polled);
            }
            op => unreachable!("{op:?}"),
        }
    }

    fn spawn(self: &Rc<World>, body: impl Future<Output = Result<Rc<Bomb>>> + 'static) {
        // Refused, the body is dropped, which runs its script.
        if let Ok(task) = self.on.create_task(body) {
            self.tasks.borrow_mut().push(task);
        }
    }

    /// Drops everything, until what that does has come to an end.
    fn ends(self: &Rc<World>) {
        for _ in 0..TURNS {
            let event_loop = self.event_loop.borrow().clone();
            let ran = event_loop.map_or(Ok(0), |it| it.run_once(Some(Duration::ZERO)));
            if matches!(ran, Ok(0) | Err(_)) {
                break;
            }
        }
        self.fuel.set(0);
        drop(self.event_loop.take());
        drop(self.on.set_exception_handler(None));
        drop(self.tasks.take());
        drop(self.futures.take());
        drop(self.timers.take());
        drop(self.callbacks.take());
        drop(self.wakers.take());
        drop(self.polled.take());
    }
}

/// While it lives, a script runs.
struct Deeper(Rc<World>);

impl Drop for Deeper {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
    }
}

impl Bomb {
    fn explode(&self) {
        if let Some(world) = self.world.upgrade() {
            world.run(self.script);
        }
    }
}

/// A clone of one of these, made and used with nothing borrowed.
fn pick<T: Clone>(of: &RefCell<Vec<T>>, which: u8) -> Option<T> {
    let of = of.borrow();
    of.get(usize::from(which) % of.len().max(1)).cloned()
}

fn take<T>(of: &RefCell<Vec<T>>, which: u8) -> Option<T> {
    let mut of = of.borrow_mut();
    let at = usize::from(which) % of.len().max(1);
    (at < of.len()).then(|| of.swap_remove(at))
}

pub(crate) fn bytes(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| {})));
    let on = LoopRef::clone(&event_loop);
    let futures = (0..4).map(|_| on.create_future()).collect();
    let world = Rc::new(World {
        scripts: input.scripts,
        event_loop: RefCell::new(Some(Rc::new(event_loop))),
        on,
        futures: RefCell::new(futures),
        tasks: RefCell::default(),
        timers: RefCell::default(),
        callbacks: RefCell::default(),
        wakers: RefCell::default(),
        polled: RefCell::default(),
        fuel: Cell::new(FUEL),
        depth: Cell::new(0),
        census: Census::default(),
    });
    WOKEN.set(Rc::downgrade(&world));
    for op in input.main {
        if world.fuel.get() == 0 {
            break;
        }
        world.fuel.set(world.fuel.get() - 1);
        // Inside of nothing, no panic is on purpose: the depth says so.
        world.perform(op);
    }
    world.ends();
    let census = world.census.clone();
    let alive = Rc::downgrade(&world);
    drop(world);
    assert!(alive.upgrade().is_none(), "the world is still held");
    assert_eq!(census.alive(), 0, "something is left");
}
