//! Code of the program's own that the crate calls by a trait (`Ord`, `Clone`, `Drop`, `Debug`, a host,
//! a source, a watcher, a future-like thing) uses the very object that calls it: nothing is borrowed
//! or locked meanwhile.
#![allow(unsafe_code)] // a source of one's own is an unsafe trait's

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::future::pending;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use callsoon::{
    AnyFuture, Callback, ConcurrentFuture, ErrorKind, EventLoop, FutureId, Host, LoopFuture,
    LoopRef, Notify, Queue, Result, Watcher, create_task, helpers as hp, run_on, running_loop,
    sleep, yield_now,
};

use crate::support::on_drop::on_drop;
use crate::support::sockets::{LocalStream, local_pair};
use crate::support::trace::Trace;

const NOW: Option<Duration> = Some(Duration::ZERO);

// -- Ord and Drop: a priority queue

type Asks = RefCell<Option<Box<dyn FnMut()>>>;

thread_local! {
    static ASKS: Asks = const { RefCell::new(None) };
}

/// Calls what `ASKS` holds, unless that is what calls this.
fn ask() {
    let asks = ASKS.take();
    if let Some(mut asks) = asks {
        asks();
        ASKS.replace(Some(asks));
    }
}

fn set_asks(asks: impl FnMut() + 'static) {
    ASKS.replace(Some(Box::new(asks)));
}

#[derive(Debug, PartialEq, Eq)]
struct Item(u32);

impl Ord for Item {
    fn cmp(&self, other: &Item) -> Ordering {
        ask();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Item) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Sizes as `heapq` shows them to a comparison: with what is put, and without what is taken.
#[test]
fn comparisons_may_look_at_their_priority_queue() {
    let queue = Queue::priority(0);
    let (sizes, asked) = (Rc::new(RefCell::new(Vec::new())), queue.clone());
    let saw = sizes.clone();
    set_asks(move || {
        assert!(!asked.empty() && !asked.full());
        assert!(format!("{asked:?}").starts_with("<PriorityQueue"));
        saw.borrow_mut().push(asked.qsize());
    });
    for number in [3, 1, 2] {
        queue.put_nowait(Item(number)).unwrap();
    }
    assert_eq!(sizes.take(), [2, 3]);
    let taken: Vec<_> = (0..3).map(|_| queue.get_nowait().unwrap().0).collect();
    assert_eq!(taken, [1, 2, 3]);
    assert_eq!(sizes.take(), [2]);
    assert_eq!(queue.qsize(), 0);
    ASKS.take();
}

#[test]
fn comparisons_that_change_their_queue_are_refused() {
    let queue = Queue::priority(0);
    let (asked, refused) = (queue.clone(), Rc::new(Cell::new(0)));
    let counts = refused.clone();
    set_asks(move || {
        assert_eq!(asked.put_nowait(Item(9)).unwrap_err().kind(), ErrorKind::Runtime);
        assert_eq!(asked.get_nowait().unwrap_err().kind(), ErrorKind::Runtime);
        counts.set(counts.get() + 1);
    });
    for number in [5, 3, 4, 1, 2] {
        queue.put_nowait(Item(number)).unwrap();
    }
    let taken: Vec<_> = (0..5).map(|_| queue.get_nowait().unwrap().0).collect();
    assert_eq!(taken, [1, 2, 3, 4, 5]);
    assert!(refused.get() > 5);
    assert_eq!(queue.get_nowait().unwrap_err().kind(), ErrorKind::QueueEmpty);
    (0..5).for_each(|_| queue.task_done().unwrap());
    assert_eq!(queue.task_done().unwrap_err().kind(), ErrorKind::Value);
    ASKS.take();
}

#[test]
fn comparisons_may_shut_their_queue_down_at_once() {
    let queue = Queue::priority(0);
    (1..4).for_each(|number| queue.put_nowait(Item(number)).unwrap());
    let asked = queue.clone();
    set_asks(move || asked.shutdown_now());
    queue.put_nowait(Item(0)).unwrap();
    ASKS.take();
    assert_eq!(queue.qsize(), 0);
    assert_eq!(queue.get_nowait().unwrap_err().kind(), ErrorKind::QueueShutDown);
    assert_eq!(queue.task_done().unwrap_err().kind(), ErrorKind::Value);
}

#[test]
fn comparisons_that_panic_leave_their_queue_as_it_was() {
    let queue = Queue::priority(0);
    (1..6).for_each(|number| queue.put_nowait(Item(number)).unwrap());
    let fails = || {
        let panics = |change: &dyn Fn()| catch_unwind(AssertUnwindSafe(change)).is_err();
        set_asks(|| panic!("compared"));
        assert!(panics(&|| queue.put_nowait(Item(0)).unwrap()));
        set_asks(|| panic!("compared"));
        assert!(panics(&|| drop(queue.get_nowait())));
    };
    fails();
    assert_eq!(queue.qsize(), 5);
    let taken: Vec<_> = (0..5).map(|_| queue.get_nowait().unwrap().0).collect();
    assert_eq!(taken, [1, 2, 3, 4, 5]);
    (0..5).for_each(|_| queue.task_done().unwrap());
}

/// The order is that of Python's `heapq`, for pairs that compare by their first half alone.
#[test]
fn equal_items_leave_a_priority_queue_as_in_python() {
    #[derive(PartialEq, Eq)]
    struct Pair(u32, char);
    impl Ord for Pair {
        fn cmp(&self, other: &Pair) -> Ordering {
            self.0.cmp(&other.0)
        }
    }
    impl PartialOrd for Pair {
        fn partial_cmp(&self, other: &Pair) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }
    let queue = Queue::priority(0);
    for (place, name) in ('a'..='l').enumerate() {
        queue.put_nowait(Pair(u32::try_from(place * 7 % 3).unwrap(), name)).unwrap();
    }
    let order: String = (0..12).map(|_| queue.get_nowait().unwrap().1).collect();
    assert_eq!(order, PYTHON);
}

const PYTHON: &str = "agdjekbhcfil";

// -- Clone and Debug: the result for another thread

type Own = Arc<Mutex<Option<Arc<ConcurrentFuture<Clones>>>>>;

/// Its clone does `asks` with the future that it is the result of, once that is there.
struct Clones {
    own: Own,
    asks: fn(&ConcurrentFuture<Clones>),
}

impl Clone for Clones {
    fn clone(&self) -> Clones {
        let own = self.own.lock().unwrap().take();
        if let Some(own) = own {
            (self.asks)(&own);
            *self.own.lock().unwrap() = Some(own);
        }
        Clones { own: self.own.clone(), asks: self.asks }
    }
}

/// A future that has ended with a value. Cloning that value calls `asks`.
fn with_result(asks: fn(&ConcurrentFuture<Clones>)) -> Arc<ConcurrentFuture<Clones>> {
    let event_loop = EventLoop::with_virtual_time();
    let own = Own::default();
    let value = Clones { own: own.clone(), asks };
    let future = event_loop.handle().run_coroutine_threadsafe(|| async { Ok(value) }).unwrap();
    let future = Arc::new(future);
    while !future.done() {
        event_loop.run_once(NOW).unwrap();
    }
    *own.lock().unwrap() = Some(future.clone());
    future
}

#[test]
fn clones_may_use_the_concurrent_future_they_are_of() {
    let asks = |own: &ConcurrentFuture<Clones>| {
        assert!(own.done() && !own.cancelled() && !own.cancel());
        assert_eq!(format!("{own:?}"), "ConcurrentFuture { done: true, .. }");
        let again = own.result(None).map(drop).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Runtime);
        assert_eq!(again.message(), "the result is being cloned by this thread");
    };
    let future = with_result(asks);
    for _ in 0..2 {
        future.result(None).unwrap();
    }
    future.result(Some(Duration::ZERO)).unwrap();
}

#[test]
fn another_thread_gets_the_result_though_one_clones_it() {
    static BOTH: Barrier = Barrier::new(2);
    thread_local!(static IS_FIRST: Cell<bool> = const { Cell::new(false) });
    let future = with_result(|own| {
        if IS_FIRST.take() {
            BOTH.wait();
            // The other thread asks from here on.
            assert!(own.done());
        }
    });
    let theirs = future.clone();
    let other = thread::spawn(move || {
        BOTH.wait();
        theirs.result(Some(Duration::from_secs(60))).map(drop)
    });
    IS_FIRST.set(true);
    future.result(None).unwrap();
    other.join().unwrap().unwrap();
}

#[test]
fn a_clone_that_panics_leaves_the_result_there() {
    static PANICS: Mutex<bool> = Mutex::new(true);
    let future = with_result(|_| {
        let panics = std::mem::take(&mut *PANICS.lock().unwrap());
        assert!(!panics, "cloned");
    });
    let outcome = catch_unwind(AssertUnwindSafe(|| future.result(None).map(drop)));
    assert!(outcome.is_err());
    assert!(future.done());
    future.result(None).unwrap();
}

// -- a host and a source

/// A host that does `asks` whenever it is called.
struct Asking {
    now: Cell<Duration>,
    on: Rc<RefCell<Option<LoopRef>>>,
    calls: Rc<Cell<usize>>,
}

impl Asking {
    fn ask(&self) {
        // Not inside of itself: what it does may look at the clock.
        let Some(on) = self.on.take() else { return };
        self.calls.set(self.calls.get() + 1);
        let timer = on.call_later(Duration::from_secs(5), || ()).unwrap();
        assert!(on.pending_timers() > 0);
        assert!(format!("{on:?} {timer:?} {:?}", on.all_tasks()).len() > 9);
        timer.cancel();
        on.call_soon(|| ()).unwrap().cancel();
        on.handle().call_soon_threadsafe(|| ()).unwrap();
        let _ = (running_loop(), on.task_tree(), on.time());
        self.on.replace(Some(on));
    }
}

struct Silent;

impl Notify for Silent {
    fn notify(&self) {}
}

impl Host for Asking {
    fn now(&self) -> Duration {
        self.ask();
        self.now.get()
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        self.ask();
        self.now.set(self.now.get() + timeout.unwrap_or_default());
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Silent)
    }
}

#[test]
fn hosts_may_use_the_loop_that_asks_them() {
    let (own, calls) = (Rc::<RefCell<Option<LoopRef>>>::default(), Rc::<Cell<usize>>::default());
    let host = Asking { now: Cell::default(), on: own.clone(), calls: calls.clone() };
    let event_loop = EventLoop::with_host(host);
    own.replace(Some(LoopRef::clone(&event_loop)));
    let main = async {
        let task = create_task(sleep(Duration::from_secs(1)));
        sleep(Duration::from_secs(2)).await?;
        task.await?;
        callsoon::timeout(Duration::from_secs(1), async |_| sleep(Duration::from_secs(9)).await)
            .await
    };
    assert_eq!(event_loop.run_until_complete(main).unwrap_err().kind(), ErrorKind::Timeout);
    assert!(calls.get() > 9);
    own.take();
}

/// A source that does something whenever it is asked for its descriptor.
struct Asked(LocalStream, Rc<dyn Fn()>);

#[cfg(unix)]
impl std::os::fd::AsFd for Asked {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        (self.1)();
        self.0.as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Asked {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        (self.1)();
        self.0.as_socket()
    }
}

// SAFETY: It is the stream's own, which stays as it is.
unsafe impl callsoon::Source for Asked {}

#[test]
fn sources_may_use_the_loop_that_asks_for_their_descriptor() {
    let event_loop = EventLoop::with_virtual_time();
    let (ours, mut theirs) = local_pair().unwrap();
    let (on, calls) = (LoopRef::clone(&event_loop), Rc::new(Cell::new(0)));
    let counts = calls.clone();
    let asks = move || {
        counts.set(counts.get() + 1);
        let other = Rc::new(local_pair().unwrap().0);
        on.add_reader(other.clone(), || ()).unwrap();
        on.add_writer(other.clone(), || ()).unwrap();
        assert!(on.remove_reader(&other).unwrap() && on.remove_writer(&other).unwrap());
    };
    let source = Rc::new(Asked(ours, Rc::new(asks)));
    let read = Rc::new(Cell::new(0));
    let reads = read.clone();
    event_loop.add_reader(source.clone(), move || reads.set(reads.get() + 1)).unwrap();
    event_loop.add_writer(source.clone(), || ()).unwrap();
    assert!(event_loop.remove_writer(&source).unwrap());
    theirs.write_all(b"!").unwrap();
    event_loop.run_once(NOW).unwrap();
    assert_eq!(read.get(), 1);
    assert!(event_loop.remove_reader(&source).unwrap());
    let waits = source.clone();
    let main = async move {
        let source = callsoon::io::Async::new(waits)?;
        source.readable().await?;
        source.writable().await
    };
    event_loop.run_until_complete(main).unwrap();
    event_loop.add_reader(source, || ()).unwrap();
    drop(event_loop);
    assert!(calls.get() > 5);
}

// -- watchers, and what is a future by a trait of its own

/// A watcher that adds callbacks to the future that it watches.
struct Adds {
    future: RefCell<Option<LoopFuture<()>>>,
    trace: Trace,
}

impl Adds {
    fn add(&self, line: &'static str) {
        let Some(future) = self.future.take() else { return };
        let says = self.trace.clone();
        future.add_done_callback(move |_: &dyn AnyFuture| says.push(line));
        self.trace.push(format!("{line}: {}", future.done()));
        self.future.replace(Some(future));
    }
}

impl Watcher for Adds {
    fn ended(&self, _token: u64) {
        self.add("added at the end");
    }

    fn joined(&self, _token: u64) {
        self.add("added to another");
    }
}

#[test]
fn watchers_may_use_the_future_they_watch() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let future = event_loop.create_future::<()>();
    let adds = Rc::new(Adds { future: RefCell::new(Some(future.clone())), trace: trace.clone() });
    future.erased().unwrap().watch(adds.clone(), 1);
    for line in ["first", "second"] {
        let says = trace.clone();
        future.add_done_callback(move |_: &dyn AnyFuture| says.push(line));
    }
    trace.expect(["added to another: false", "added to another: false"]);
    future.set_result(()).unwrap();
    trace.expect(["added at the end: true"]);
    event_loop.run_once(NOW).unwrap();
    let lines = ["first", "added to another", "second", "added to another", "added at the end"];
    trace.expect(lines);
    adds.future.take();
}

#[test]
fn drops_of_callbacks_may_use_their_task_at_a_close() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_: &LoopRef, _: &_| ())));
    let task = event_loop.create_task(pending::<Result<()>>()).unwrap();
    let (late, kept) = (Rc::new(()), Trace::new());
    for _ in 0..2 {
        let (own, late, says) = (task.clone(), late.clone(), kept.clone());
        let asks = on_drop(move || {
            let callback = own.add_done_callback(move |_: &dyn AnyFuture| drop(late.clone()));
            says.push(format!("added: {}", own.has_callback(&callback)));
        });
        task.add_done_callback(move |_: &dyn AnyFuture| {
            let _held = &asks;
        });
    }
    drop(event_loop);
    kept.expect(["added: true", "added: true"]);
    drop(task);
    assert_eq!(Rc::strong_count(&late), 1);
}

#[test]
fn watchers_that_panic_leave_no_finished_task_behind() {
    struct Panics;
    impl Watcher for Panics {
        fn ended(&self, token: u64) {
            panic!("ended {token}");
        }

        fn joined(&self, token: u64) {
            panic!("joined {token}");
        }
    }
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let says = trace.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |on: &LoopRef, context: &_| {
        let context: &callsoon::ExceptionContext = context;
        let panic = context.exception.as_ref().unwrap();
        says.push(format!(
            "{:?} {}, {} tasks",
            panic.kind(),
            panic.message(),
            on.all_tasks().len()
        ));
    })));
    let panics: Rc<dyn Watcher> = Rc::new(Panics);
    for token in [1, 2] {
        let body = async move {
            yield_now().await?;
            if token == 1 { Ok(()) } else { Err(callsoon::Error::new(ErrorKind::Value, "bad")) }
        };
        let task = event_loop.create_task(body).unwrap();
        task.erased().unwrap().watch(panics.clone(), token);
        let says = trace.clone();
        task.add_done_callback(move |task: &dyn AnyFuture| says.push(task.outcome().is_ok()));
        while !task.done() {
            event_loop.run_once(NOW).unwrap();
        }
        event_loop.run_once(NOW).unwrap();
    }
    assert!(event_loop.all_tasks().is_empty());
    trace.expect([
        "Panic joined 1, 1 tasks",
        "Panic ended 1, 0 tasks",
        "true",
        "Panic joined 2, 1 tasks",
        "Panic ended 2, 0 tasks",
        "false",
    ]);
}

/// A future-like thing that does something whenever it is called.
#[derive(Debug)]
struct Wrapped(LoopFuture<()>, hp::TaskHolder);

impl Wrapped {
    fn ask(&self) {
        assert!(self.1.pending() <= 4 && self.1.iter().count() <= 4);
    }
}

impl AnyFuture for Wrapped {
    fn base(&self) -> &dyn AnyFuture {
        &self.0
    }
    fn cancel(&self) -> bool {
        self.ask();
        self.0.cancel()
    }
    fn exception(&self) -> Result<Option<callsoon::Error>> {
        self.ask();
        self.0.exception()
    }
    fn outcome(&self) -> Result<()> {
        self.ask();
        self.base().outcome()
    }
    fn add_callback(&self, callback: Callback) {
        self.ask();
        self.base().add_callback(callback);
    }
    fn remove_done_callback(&self, callback: &Callback) -> usize {
        self.ask();
        self.0.remove_done_callback(callback)
    }
    fn has_callback(&self, callback: &Callback) -> bool {
        self.ask();
        self.0.has_callback(callback)
    }
    fn name(&self) -> String {
        self.ask();
        String::new()
    }
    fn id(&self) -> FutureId {
        // Changes what holds it: a task is added, and ends.
        let on = self.0.get_loop();
        if on.is_running() && self.1.iter().count() < 4 {
            let own: LoopFuture<()> = on.create_future();
            own.set_result(()).unwrap();
            self.1.add_task(&own);
        }
        self.ask();
        AnyFuture::id(&self.0)
    }
    fn to_any(&self) -> Rc<dyn AnyFuture> {
        self.ask();
        Rc::new(Wrapped(self.0.clone(), self.1.clone()))
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

#[test]
fn what_a_holder_holds_may_use_the_holder() {
    run_on(&EventLoop::with_virtual_time(), async {
        let final_future = hp::create_future::<()>();
        let holder = hp::TaskHolder::new(&final_future);
        let future = hp::create_future::<()>();
        let wrapped = Wrapped(future.clone(), holder.clone());
        holder.add_task(&wrapped);
        assert!(holder.contains(&wrapped));
        assert!(!holder.contains(&hp::create_future::<()>()));
        yield_now().await?;
        yield_now().await?;
        assert!(holder.contains(&wrapped));
        running_loop()?.call_later(Duration::from_secs(1), move || future.set_result(()))?;
        holder.finish(None).await?;
        assert_eq!(holder.iter().count(), 0);
        Ok(())
    })
    .unwrap();
}

// -- Drop: what a queue holds

#[test]
fn drops_of_items_may_use_their_queue() {
    type Item = Box<dyn std::any::Any>;
    let trace = Trace::new();
    for queue in [callsoon::Queue::new(0), callsoon::Queue::lifo(0)] {
        for number in 0..3 {
            let (own, says) = (queue.clone(), trace.clone());
            let asks: Item =
                Box::new(on_drop(move || says.push(format!("{number}: {}", own.qsize()))));
            queue.put_nowait(asks).unwrap();
        }
        queue.shutdown_now();
    }
    trace.expect(["0: 0", "1: 0", "2: 0", "2: 0", "1: 0", "0: 0"]);
}
