//! Functions that threads run for a loop: requests to a `ThreadToAsyncQueue`, and functions in a
//! `ThreadPoolExecutor`, begun, held at a door, cancelled, stopped and shut down in any order, or
//! the loop closes meanwhile. Each is answered, failed or cancelled once, runs once or not at all
//! as its outcome says, and nothing is left of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::helpers::{ThreadHooks, ThreadToAsyncQueue};
use callsoon::{
    AnyFuture, Error, ErrorKind, LoopFuture, Result, Task, ThreadPoolExecutor, create_task,
    running_loop, yield_now,
};

use super::common::{Watched, failure, panic_on_purpose};

const OPERATIONS: usize = 24;
const TURNS: usize = 4096;
/// Far more than threads take that only have to leave.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Arbitrary, Clone, Copy, PartialEq, Eq, Debug)]
enum Work {
    Value,
    Fail,
    Panic,
    /// Waits until the door is opened.
    Held,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    /// Of the queue.
    Request(Work),
    /// Of the pool.
    Execute(Work),
    Cancel(u8),
    Open,
    Yield,
    Start,
    Finish,
    /// The future that the queue's life hangs on.
    Stop,
    Shutdown {
        cancel_futures: bool,
    },
    /// Cancels the task that starts, finishes or shuts down.
    CancelTask(u8),
}

#[derive(Arbitrary, Debug)]
struct Input {
    ops: Vec<Op>,
    two_threads: bool,
    two_workers: bool,
    /// The pool is the loop's own.
    own_pool: bool,
    /// Which calls of `create_args` fail, and which panic.
    args_fail: u8,
    args_panic: u8,
    /// After how many turns the loop closes; `None`: when all is done.
    turns: Option<u8>,
}

/// The state that the threads share.
#[derive(Default)]
struct Floor {
    /// The number of runs of each function.
    runs: [AtomicUsize; OPERATIONS],
    /// Their numbers in the order in which they were begun.
    begun: Mutex<Vec<usize>>,
    /// The number of times that the door was opened.
    opened: Mutex<usize>,
    door: Condvar,
    args_calls: AtomicUsize,
    args_failed: AtomicUsize,
    /// The number of calls of `onerror`.
    told: AtomicUsize,
    tokens: Mutex<usize>,
    gone: Condvar,
}

impl Floor {
    fn open(&self) {
        *self.opened.lock().unwrap() += 1;
        self.door.notify_all();
    }

    fn opened(&self) -> usize {
        *self.opened.lock().unwrap()
    }

    fn runs(&self, number: usize) -> usize {
        self.runs[number].load(Ordering::Relaxed)
    }
}

/// A value owned by each function and by the hooks. All of them are gone at the end.
struct Token(Arc<Floor>);

impl Token {
    fn new(floor: &Arc<Floor>) -> Token {
        *floor.tokens.lock().unwrap() += 1;
        Token(floor.clone())
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        *self.0.tokens.lock().unwrap() -= 1;
        self.0.gone.notify_all();
    }
}

struct Hooks {
    token: Token,
    fail: u8,
    panic: u8,
}

impl ThreadHooks for Hooks {
    type Args = ();

    fn create_args(&self, _number: usize, _existing: Option<()>) -> Result<()> {
        let floor = &self.token.0;
        let call = floor.args_calls.fetch_add(1, Ordering::Relaxed);
        let is_in = |mask: u8| call < 8 && mask & (1 << call) != 0;
        if is_in(self.fail) || is_in(self.panic) {
            floor.args_failed.fetch_add(1, Ordering::Relaxed);
        }
        if is_in(self.panic) {
            panic_on_purpose();
        }
        if is_in(self.fail) { Err(Error::new(ErrorKind::Type, "no arguments")) } else { Ok(()) }
    }
}

/// Does the work of function `number`, on a thread.
fn work(token: &Token, number: usize, work: Work, made_at: usize) -> Result<usize> {
    let floor = &token.0;
    floor.begun.lock().unwrap().push(number);
    floor.runs[number].fetch_add(1, Ordering::Relaxed);
    match work {
        Work::Value => Ok(number),
        Work::Fail => Err(failure()),
        Work::Panic => panic_on_purpose(),
        Work::Held => {
            let opened = floor.opened.lock().unwrap();
            let (opened, waited) = floor
                .door
                .wait_timeout_while(opened, PATIENCE, |opened| *opened <= made_at)
                .unwrap();
            drop(opened);
            assert!(!waited.timed_out(), "the door was not opened");
            Ok(number)
        }
    }
}

/// One function, and what is known of it.
struct Asked {
    number: usize,
    work: Work,
    of_queue: bool,
    made_at: usize,
    future: LoopFuture<usize>,
    /// Before the queue was told to stop.
    in_time: bool,
    /// Cancelled here.
    cancelled: bool,
    /// It stood behind a door while its cancellation went through: it can't have run.
    never: bool,
    ended: Rc<Cell<usize>>,
}

struct Hall {
    floor: Arc<Floor>,
    queue: ThreadToAsyncQueue<Hooks>,
    pool: ThreadPoolExecutor,
    input: Input,
    stop: LoopFuture<()>,
    asked: RefCell<Vec<Asked>>,
    tasks: RefCell<Vec<Task<()>>>,
    stopped: Cell<bool>,
    shut: Cell<bool>,
    /// The shutdown was to cancel what was not begun.
    shut_cancels: Cell<bool>,
    started: Cell<bool>,
    /// The queue was told to finish before it was to start.
    finishing: Cell<bool>,
    late: Cell<bool>,
}

impl Hall {
    async fn go(self: Rc<Hall>) -> Result<()> {
        for number in 0..self.input.ops.len().min(OPERATIONS) {
            self.clone().step(number).await?;
        }
        self.floor.open();
        self.stopped.set(true);
        self.queue.finish().await?;
        self.shut.set(true);
        self.pool.shutdown().await
    }

    async fn step(self: Rc<Hall>, number: usize) -> Result<()> {
        match self.input.ops[number] {
            Op::Request(work) => self.request(number, work),
            Op::Execute(work) => self.execute(number, work)?,
            Op::Cancel(which) => self.cancel(which),
            Op::Open => self.floor.open(),
            Op::Yield => {
                yield_now().await?;
                self.cancellations_went_through();
            }
            Op::Start => {
                self.late.set(self.late.get() || self.finishing.get());
                let hall = self.clone();
                self.spawn(async move {
                    let outcome = hall.queue.start().await;
                    hall.started.set(hall.started.get() || outcome.is_ok());
                })?;
            }
            Op::Finish => {
                self.stopped.set(true);
                self.finishing.set(true);
                let hall = self.clone();
                self.spawn(async move { drop(hall.queue.finish().await) })?;
            }
            Op::Stop => {
                self.stopped.set(true);
                self.stop.cancel();
            }
            Op::Shutdown { cancel_futures } => {
                self.shut.set(true);
                self.shut_cancels.set(self.shut_cancels.get() || cancel_futures);
                let hall = self.clone();
                self.spawn(async move {
                    drop(match cancel_futures {
                        true => hall.pool.shutdown_cancelling().await,
                        false => hall.pool.shutdown().await,
                    });
                })?;
            }
            Op::CancelTask(which) => {
                let tasks = self.tasks.borrow();
                if !tasks.is_empty() {
                    tasks[usize::from(which) % tasks.len()].cancel();
                }
            }
        }
        Ok(())
    }

    fn spawn(&self, body: impl Future<Output = ()> + 'static) -> Result<()> {
        let task = create_task(async move {
            body.await;
            Ok(())
        });
        self.tasks.borrow_mut().push(task);
        Ok(())
    }

    fn request(&self, number: usize, kind: Work) {
        let (token, made_at) = (Token::new(&self.floor), self.floor.opened());
        let stopped = self.stop.done();
        let future = self.queue.request(move |()| work(&token, number, kind, made_at));
        assert!(!stopped || future.cancelled(), "a queue that has stopped took a request");
        let in_time = !self.stopped.get();
        self.remember(number, kind, true, in_time, made_at, future);
    }

    fn execute(&self, number: usize, kind: Work) -> Result<()> {
        let (token, made_at) = (Token::new(&self.floor), self.floor.opened());
        let function = move || work(&token, number, kind, made_at);
        let pool = if self.input.own_pool { None } else { Some(&self.pool) };
        match running_loop()?.run_in_executor(pool, function) {
            Ok(future) => self.remember(number, kind, false, true, made_at, future),
            Err(error) => {
                assert!(self.shut.get(), "refused by a pool that is open: {error}");
                assert_eq!(error.kind(), ErrorKind::Runtime);
            }
        }
        Ok(())
    }

    fn remember(
        &self,
        number: usize,
        work: Work,
        of_queue: bool,
        in_time: bool,
        made_at: usize,
        future: LoopFuture<usize>,
    ) {
        let ended = Rc::new(Cell::new(0));
        let count = ended.clone();
        future.add_done_callback(move |_: &dyn AnyFuture| count.set(count.get() + 1));
        let (cancelled, never) = (false, false);
        let asked =
            Asked { number, work, of_queue, made_at, future, in_time, cancelled, never, ended };
        self.asked.borrow_mut().push(asked);
    }

    fn cancel(&self, which: u8) {
        let mut asked = self.asked.borrow_mut();
        if !asked.is_empty() {
            let at = usize::from(which) % asked.len();
            let cancelled = asked[at].future.cancel();
            asked[at].cancelled |= cancelled;
        }
    }

    /// A turn has passed. What was cancelled behind a door that is still closed, in a pool of one
    /// thread, is never run.
    fn cancellations_went_through(&self) {
        // A shutdown that cancels all that was not begun may begin with the function at the door.
        if self.input.two_workers || self.shut_cancels.get() {
            return;
        }
        let (opened, mut behind) = (self.floor.opened(), false);
        for it in self.asked.borrow_mut().iter_mut().filter(|it| !it.of_queue) {
            it.never |= behind && it.cancelled;
            let holds = it.work == Work::Held && it.made_at == opened;
            behind |= holds && !it.future.done();
        }
    }

    /// All threads have left and the loop has nothing more to do.
    fn check(&self) {
        let asked = self.asked.borrow();
        for it in asked.iter() {
            self.check_one(it);
        }
        let begun = self.floor.begun.lock().unwrap();
        for (of_queue, alone) in [(true, !self.input.two_threads), (false, !self.input.two_workers)]
        {
            let own = |number: &&usize| {
                asked.iter().any(|it| it.number == **number && it.of_queue == of_queue)
            };
            let own: Vec<usize> = begun.iter().filter(own).copied().collect();
            assert!(!alone || own.is_sorted(), "{own:?} were not begun in their order");
        }
        if self.started.get() {
            let fails = |it: &&Asked| matches!(it.work, Work::Fail | Work::Panic) && it.of_queue;
            let failed: usize =
                asked.iter().filter(fails).map(|it| self.floor.runs(it.number)).sum();
            let told = self.floor.told.load(Ordering::Relaxed);
            let expected = failed + self.floor.args_failed.load(Ordering::Relaxed);
            assert_eq!(told, expected, "onerror is told of each error once");
        }
    }

    fn check_one(&self, it: &Asked) {
        let runs = self.floor.runs(it.number);
        assert_eq!(it.ended.get(), 1, "{} has ended so often", it.number);
        assert!(runs <= 1, "{} was run {runs} times", it.number);
        assert!(!(it.never && runs > 0), "{} was cancelled and run later", it.number);
        if it.future.cancelled() {
            if it.cancelled {
                // A thread may have begun with it; those of a queue don't ask.
                return;
            }
            assert_eq!(runs, 0, "{} was run, and its outcome lost", it.number);
            let lost = if it.of_queue {
                // Those threads that there were took all that came in time.
                !it.in_time || !self.started.get() || self.late.get()
            } else {
                self.shut_cancels.get()
            };
            assert!(lost, "{} was cancelled without a request", it.number);
            return;
        }
        assert!(!it.cancelled, "{} was cancelled and has a result", it.number);
        match (it.future.result(), it.work) {
            (Ok(number), Work::Value | Work::Held) => assert_eq!((number, runs), (it.number, 1)),
            (Err(error), _) if error.kind() == ErrorKind::Type => {
                assert!(it.of_queue && runs == 0);
            }
            (Err(error), _) if error.kind() == ErrorKind::Panic && runs == 0 => {
                assert!(it.of_queue && self.floor.args_failed.load(Ordering::Relaxed) > 0);
            }
            (Err(error), Work::Fail) => assert_eq!((error.kind(), runs), (ErrorKind::Value, 1)),
            (Err(error), Work::Panic) => assert_eq!((error.kind(), runs), (ErrorKind::Panic, 1)),
            other => panic!("{} has another's outcome: {other:?}", it.number),
        }
    }
}

fn hall(input: Input, floor: &Arc<Floor>) -> Result<Rc<Hall>> {
    let on = running_loop()?;
    let stop = on.create_future();
    let hooks = Hooks { token: Token::new(floor), fail: input.args_fail, panic: input.args_panic };
    let tells = Token::new(floor);
    let queue = ThreadToAsyncQueue::builder(hooks)
        .num_threads(1 + usize::from(input.two_threads))
        .onerror(move |_| _ = tells.0.told.fetch_add(1, Ordering::Relaxed))
        .build(&stop)?;
    let pool = ThreadPoolExecutor::new(1 + usize::from(input.two_workers))?;
    if input.own_pool {
        on.set_default_executor(&pool);
    }
    Ok(Rc::new(Hall {
        floor: floor.clone(),
        queue,
        pool,
        input,
        stop,
        asked: RefCell::default(),
        tasks: RefCell::default(),
        stopped: Cell::new(false),
        shut: Cell::new(false),
        shut_cancels: Cell::new(false),
        started: Cell::new(false),
        finishing: Cell::new(false),
        late: Cell::new(false),
    }))
}

pub(crate) fn bytes(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (floor, turns) = (Arc::new(Floor::default()), input.turns);
    let watched = Watched::new();
    let main = {
        let floor = floor.clone();
        let made = watched.event_loop.run_until_complete(async move { hall(input, &floor) });
        made.expect("a queue and a pool")
    };
    let task = watched.event_loop.create_task(main.clone().go()).unwrap();
    match turns {
        Some(turns) => {
            for _ in 0..turns % 16 {
                if watched.event_loop.run_once(Some(Duration::ZERO)).is_err() {
                    break;
                }
            }
            watched.event_loop.close().expect("it doesn't run");
            floor.open();
        }
        None => {
            assert!(watched.settles(TURNS), "it went on for {TURNS} turns");
            assert!(task.done() && task.exception().is_ok_and(|error| error.is_none()));
            main.check();
        }
    }
    for it in main.asked.borrow().iter() {
        assert!(it.ended.get() <= 1 && floor.runs(it.number) <= 1);
        // Reads the exception, so that it isn't reported.
        let _ = it.future.exception();
    }
    watched.check();
    drop((main, task, watched));
    let left = floor.tokens.lock().unwrap();
    let (left, _) = floor.gone.wait_timeout_while(left, PATIENCE, |left| *left > 0).unwrap();
    assert_eq!(*left, 0, "functions or threads are left");
}
