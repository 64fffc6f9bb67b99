//! Many requests from many tasks to a few threads, with cancels at random and an end in the
//! middle: each ends once, none is lost, and the threads are gone.
//!
//! A million of each kind in release (`cargo test --release --test stress`), a few in debug.

#[path = "threads/parts.rs"]
#[allow(dead_code)]
mod parts;
#[path = "support/mod.rs"]
mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use callsoon::helpers as hp;
use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, LoopFuture, Result, ThreadPoolExecutor, create_task,
    run_on, running_loop,
};
use parts::{Counted, Visitors};
use support::on_drop::on_drop;

const THREADS: usize = 4;
const TASKS: u64 = 64;
const ROUNDS: u64 = 8;
const IN_A_ROUND: u64 = if cfg!(debug_assertions) { 2_000 } else { 125_000 };

/// Counts that the loop keeps: requests made and refused, and their outcomes.
#[derive(Default)]
struct Seen {
    made: Cell<u64>,
    refused: Cell<u64>,
    answered: Cell<u64>,
    failed: Cell<u64>,
    cancelled: Cell<u64>,
}

/// Counts of the functions that the threads ran, and of those that were dropped.
#[derive(Default)]
struct Done {
    ran: AtomicU64,
    dropped: AtomicU64,
}

fn add(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

impl Seen {
    /// Counts how `future` ends, and asserts that it does so once.
    fn watch(self: &Rc<Seen>, future: &LoopFuture<u64>, expected: u64) {
        let (seen, ended) = (self.clone(), Cell::new(false));
        add(&seen.made);
        future.add_done_callback(move |future: &dyn AnyFuture| {
            assert!(!ended.replace(true), "it ended twice");
            if future.cancelled() {
                return add(&seen.cancelled);
            }
            match future.exception() {
                Ok(Some(error)) => {
                    assert!([ErrorKind::Value, ErrorKind::Panic].contains(&error.kind()));
                    add(&seen.failed);
                }
                outcome => {
                    assert!(outcome.is_ok());
                    add(&seen.answered);
                }
            }
        });
        let checked = future.clone();
        future.add_done_callback(move |_: &dyn AnyFuture| {
            let result = checked.result();
            assert!(result.is_err() || result.is_ok_and(|value| value == expected));
        });
    }

    fn ended(&self) -> u64 {
        self.answered.get() + self.failed.get() + self.cancelled.get()
    }
}

/// Returns the work for a thread: most often it returns its own number.
fn work(number: u64, done: &Arc<Done>) -> impl FnOnce() -> Result<u64> + Send + 'static {
    let (done, kept) = (done.clone(), done.clone());
    let guard = on_drop(move || {
        kept.dropped.fetch_add(1, Relaxed);
    });
    move || {
        let _guard = guard;
        done.ran.fetch_add(1, Relaxed);
        match number % 64 {
            1 => std::panic::resume_unwind(Box::new("on purpose")),
            2..6 => Err(Error::new(ErrorKind::Value, "on purpose")),
            _ => Ok(number),
        }
    }
}

/// Makes requests, a few at a time, and cancels some of them, until one is refused.
async fn keep_asking(
    seed: u64,
    seen: Rc<Seen>,
    mut request: impl FnMut(u64) -> Option<LoopFuture<u64>>,
) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let mut window = Vec::new();
        for _ in 0..random.usize(1..=16) {
            let number = random.u64(..1 << 32);
            let Some(future) = request(number) else {
                add(&seen.refused);
                return hp::wait_for_all_futures(&window).await;
            };
            seen.watch(&future, number);
            window.push(future);
            if random.u8(..8) == 0 {
                window[random.usize(..window.len())].cancel();
            }
        }
        if random.bool() {
            hp::wait_for_first_future(&window).await?;
            window[random.usize(..window.len())].cancel();
        }
        hp::wait_for_all_futures(&window).await?;
    }
}

async fn run_tasks(tasks: impl Iterator<Item = callsoon::Task<()>>) -> Result<()> {
    for task in tasks.collect::<Vec<_>>() {
        task.await?;
    }
    Ok(())
}

#[test]
fn every_request_ends_once_and_all_threads_are_joined() -> Result<()> {
    let totals = Rc::new(Seen::default());
    for round in 0..ROUNDS {
        let (totals, visitors) = (totals.clone(), Visitors::default());
        let comes = visitors.clone();
        run_on(&EventLoop::new(), async move {
            let (seen, done) = (Rc::new(Seen::default()), Arc::new(Done::default()));
            let stop = hp::create_future::<()>();
            let builder = hp::ThreadToAsyncQueue::builder(Counted(comes)).num_threads(THREADS);
            let queue = Rc::new(builder.build(&stop)?);
            queue.start().await?;
            let tasks = (0..TASKS).map(|task| {
                let (queue, seen, done) = (queue.clone(), seen.clone(), done.clone());
                let (counts, stop) = (seen.clone(), stop.clone());
                create_task(keep_asking(round * TASKS + task, seen, move |number| {
                    // In the middle of what others have at the threads.
                    if counts.made.get() == IN_A_ROUND {
                        stop.cancel();
                    }
                    let work = work(number, &done);
                    let future = queue.request(move |_| work());
                    if stop.done() {
                        assert!(future.cancelled(), "a request after the stop is refused");
                        return None;
                    }
                    Some(future)
                }))
            });
            run_tasks(tasks).await?;
            queue.finish().await?;
            visitors.assert_all_have_left(THREADS);
            assert_eq!((seen.made.get(), seen.ended()), (IN_A_ROUND, IN_A_ROUND));
            assert_eq!(seen.refused.get(), TASKS);
            assert_eq!(done.ran.load(Relaxed), IN_A_ROUND, "all that was taken was run");
            assert_eq!(done.dropped.load(Relaxed), IN_A_ROUND + TASKS);
            add_up(&totals, &seen);
            Ok(())
        })?;
    }
    say("requests", &totals);
    Ok(())
}

#[test]
fn pool_calls_or_cancels_each_function_and_joins_all_threads() -> Result<()> {
    let totals = Rc::new(Seen::default());
    for round in 0..ROUNDS {
        let (totals, visitors) = (totals.clone(), Visitors::default());
        let comes = visitors.clone();
        run_on(&EventLoop::new(), async move {
            let (seen, done) = (Rc::new(Seen::default()), Arc::new(Done::default()));
            let pool = ThreadPoolExecutor::new(THREADS)?;
            let on = running_loop()?;
            let first = on.run_in_executor(Some(&pool), move || {
                comes.come();
                Ok(())
            })?;
            first.await?;
            let shutdown: Rc<Cell<Option<callsoon::Task<()>>>> = Rc::default();
            let tasks = (0..TASKS).map(|task| {
                let (pool, seen, done) = (pool.clone(), seen.clone(), done.clone());
                let (on, counts, shutdown) = (on.clone(), seen.clone(), shutdown.clone());
                create_task(keep_asking(round * TASKS + task, seen, move |number| {
                    if counts.made.get() == IN_A_ROUND && counts.refused.get() == 0 {
                        let pool = pool.clone();
                        let ends = create_task(async move { pool.shutdown_cancelling().await });
                        shutdown.set(Some(ends));
                        return None;
                    }
                    on.run_in_executor(Some(&pool), work(number, &done)).ok()
                }))
            });
            run_tasks(tasks).await?;
            shutdown.take().expect("the last of a round shuts the pool down").await?;
            visitors.assert_all_have_left(1);
            let made = seen.made.get();
            // A shutdown begins in the turn after.
            assert!((IN_A_ROUND..IN_A_ROUND + 16 * TASKS).contains(&made), "{made}");
            assert_eq!(seen.ended(), made);
            let ran = done.ran.load(Relaxed);
            assert!(ran >= seen.answered.get() + seen.failed.get());
            assert!(ran + seen.cancelled.get() >= made, "each was called or cancelled");
            assert_eq!(seen.refused.get(), TASKS);
            add_up(&totals, &seen);
            Ok(())
        })?;
    }
    say("functions", &totals);
    Ok(())
}

fn add_up(totals: &Seen, seen: &Seen) {
    for (total, count) in [
        (&totals.made, &seen.made),
        (&totals.answered, &seen.answered),
        (&totals.failed, &seen.failed),
        (&totals.cancelled, &seen.cancelled),
    ] {
        total.set(total.get() + count.get());
    }
}

fn say(what: &str, totals: &Seen) {
    let [made, answered, failed, cancelled] =
        [&totals.made, &totals.answered, &totals.failed, &totals.cancelled].map(Cell::get);
    assert!(answered > 0 && failed > 0 && cancelled > 0);
    println!("{made} {what}: {answered} answered, {failed} failed, {cancelled} cancelled");
}
