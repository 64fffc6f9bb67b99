//! Executors within one step of a task: what they poll again in that step goes on.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use callsoon::{Result, sleep, yield_now};

use crate::combinators::{Boxed, boxed, join};
use crate::driver::{run, secs, turns_of};
use crate::support::trace::Trace;

/// More polls than any of these needs.
const MOST: usize = 1_000;

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls futures, each with a waker of its own, as long as any of them was woken.
struct Pool(Vec<(Option<Boxed<Result<()>>>, Arc<Flag>)>);

impl Pool {
    fn new(futures: Vec<Boxed<Result<()>>>) -> Pool {
        let woken = |future| (Some(future), Arc::new(Flag(AtomicBool::new(true))));
        Pool(futures.into_iter().map(woken).collect())
    }

    /// Polls each that was woken once. Returns whether there was one.
    fn try_tick(&mut self) -> bool {
        let mut ticked = false;
        for (slot, flag) in &mut self.0 {
            let Some(future) = slot else { continue };
            if flag.0.swap(false, Ordering::SeqCst) {
                ticked = true;
                let waker = Waker::from(flag.clone());
                if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    *slot = None;
                }
            }
        }
        ticked
    }

    /// Returns whether all have ended.
    fn run_until_stalled(&mut self) -> bool {
        let ticks = (0..MOST).take_while(|_| self.try_tick()).count();
        assert!(ticks < MOST, "polled again and again in one step");
        self.0.iter().all(|(slot, _)| slot.is_none())
    }
}

/// Polls with a waker that says when to poll again, until `future` is ready.
fn block_on<F: Future + ?Sized>(mut future: Pin<Box<F>>) -> F::Output {
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(flag.clone());
    for _ in 0..MOST {
        assert!(flag.0.swap(false, Ordering::SeqCst), "it can't be woken any more");
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
    }
    panic!("polled again and again in one step");
}

async fn counts(trace: Trace, name: &'static str) -> Result<()> {
    for number in 1..=3 {
        yield_now().await?;
        trace.push(format!("{name} {number}"));
    }
    Ok(())
}

#[test]
fn a_local_pool_runs_what_yields_to_its_end() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let mut pool = Pool::new(vec![
            boxed(counts(trace.clone(), "one")),
            boxed(counts(trace.clone(), "two")),
        ]);
        assert!(pool.run_until_stalled());
        trace.expect(["one 1", "two 1", "one 2", "two 2", "one 3", "two 3"]);
        Ok(())
    })
}

#[test]
fn block_on_in_a_step_runs_what_yields() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        block_on(boxed(counts(trace.clone(), "blocked")))?;
        block_on(boxed(sleep(secs(0))))?;
        trace.expect(["blocked 1", "blocked 2", "blocked 3"]);
        Ok(())
    })
}

#[test]
fn pools_within_each_other_run_what_yields() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let own = trace.clone();
        let mut outer = Pool::new(vec![
            boxed(async move {
                assert!(Pool::new(vec![boxed(counts(own.clone(), "in"))]).run_until_stalled());
                block_on(boxed(counts(own, "deep")))
            }),
            boxed(counts(trace.clone(), "out")),
        ]);
        assert!(outer.run_until_stalled());
        let inner = ["in 1", "in 2", "in 3", "deep 1", "deep 2", "deep 3"];
        trace.expect(inner.into_iter().chain(["out 1", "out 2", "out 3"]));
        Ok(())
    })
}

#[test]
fn a_yield_goes_from_one_pool_to_the_next_in_one_step() -> Result<()> {
    run(async {
        let mut yields = boxed(yield_now());
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        let cx = &mut Context::from_waker(&waker);
        assert!(yields.as_mut().poll(cx).is_pending());
        assert!(flag.0.load(Ordering::SeqCst), "it has woken its waker");
        let other = Waker::from(Arc::new(Flag::default()));
        let cx = &mut Context::from_waker(&other);
        assert!(matches!(yields.as_mut().poll(cx), Poll::Ready(Ok(()))));
        Ok(())
    })
}

/// A task polls its future twice in one step where a foreign future keeps a waker. A yield is not
/// over by that.
#[test]
fn a_yield_of_the_task_itself_takes_its_turn() -> Result<()> {
    run(async {
        let (turns, _) = turns_of(async {
            let yields: Vec<Boxed<Result<()>>> = vec![boxed(yield_now()), boxed(keeps_a_waker())];
            join(yields).await
        })
        .await?;
        assert_eq!(turns, 1);
        Ok(())
    })
}

async fn keeps_a_waker() -> Result<()> {
    let mut kept = None;
    std::future::poll_fn(move |cx| match kept.replace(cx.waker().clone()) {
        None => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        Some(_) => Poll::Ready(Ok(())),
    })
    .await
}
