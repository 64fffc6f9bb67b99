//! The common operations, N times each: `benches/instructions` counts what one of them costs, and
//! `benches/growth` whether that depends on how many there are.
//!
//! Usage: `workloads WORKLOAD N`
//!
//! Time is virtual and the random numbers are always the same ones, so that each run does the same.

use std::cell::Cell;
use std::hint::black_box;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    EventLoop, LoopFuture, Queue, Result, TaskGroup, TimerHandle, as_completed, create_task,
    helpers as hp, run_on, running_loop, sleep, wait_for, yield_now,
};

/// Creates `n` tasks, then awaits each.
async fn spawn_join(n: u64) -> Result<()> {
    let tasks: Vec<_> = (0..n).map(|i| create_task(async move { Ok(i) })).collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await?;
    }
    assert_eq!(sum, n * (n - 1) / 2);
    Ok(())
}

/// A hundred tasks that yield in turns, `n` times in all.
async fn yield_ring(n: u64) -> Result<()> {
    TaskGroup::scope(async |group| {
        for _ in 0..100 {
            group.create_task(async move {
                for _ in 0..n / 100 {
                    yield_now().await?;
                }
                Ok(())
            })?;
        }
        Ok(())
    })
    .await
}

/// Each of `n` tasks awaits the one before.
async fn wake_chain(n: u64) -> Result<()> {
    let gate: LoopFuture<u64> = running_loop()?.create_future();
    let first = gate.clone();
    let mut last = create_task(async move { first.await });
    for _ in 1..n {
        let before = last;
        last = create_task(async move { Ok(before.await? + 1) });
    }
    yield_now().await?;
    gate.set_result(1)?;
    assert_eq!(last.await?, n);
    Ok(())
}

/// `n` messages between two tasks, there and back.
async fn ping_pong(n: u64) -> Result<()> {
    let (there, back) = (Queue::new(0), Queue::new(0));
    let (asked, answers) = (there.clone(), back.clone());
    let asks = create_task(async move {
        for i in 0..n / 2 {
            there.put_nowait(i)?;
            assert_eq!(back.get().await?, i);
        }
        Ok(())
    });
    create_task(async move {
        for _ in 0..n / 2 {
            answers.put_nowait(asked.get().await?)?;
        }
        Ok(())
    })
    .await?;
    asks.await
}

/// `n` callbacks that are called in the next turn.
async fn call_soon(n: u64) -> Result<()> {
    let (on, called) = (running_loop()?, Rc::new(Cell::new(0)));
    for _ in 0..n {
        let called = called.clone();
        on.call_soon(move || called.set(called.get() + 1))?;
    }
    yield_now().await?;
    assert_eq!(called.get(), n);
    Ok(())
}

/// `n` times up to `most`, without order.
fn times(n: u64, most: Duration) -> impl Iterator<Item = Duration> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..n).map(move |_| most.mul_f64(random.f64()))
}

fn start_timers(n: u64, within: Duration, called: &Rc<Cell<u64>>) -> Result<Vec<TimerHandle>> {
    let on = running_loop()?;
    let start = |delay| {
        let called = called.clone();
        on.call_later(delay, move || called.set(called.get() + 1))
    };
    times(n, within).map(start).collect()
}

/// `n` timers, all cancelled a turn later.
async fn timer_cancel(n: u64) -> Result<()> {
    let called = Rc::default();
    let timers = start_timers(n, Duration::from_secs(10), &called)?;
    yield_now().await?;
    timers.iter().for_each(TimerHandle::cancel);
    yield_now().await?;
    assert_eq!(called.get(), 0);
    Ok(())
}

/// `n` timers that fire within 50 ms.
async fn timer_fire(n: u64) -> Result<()> {
    let called = Rc::default();
    start_timers(n, Duration::from_millis(50), &called)?;
    sleep(Duration::from_millis(51)).await?;
    assert_eq!(called.get(), n);
    Ok(())
}

/// `n` timers that fire within 50 ms, each with a pointer and so many words as captures.
async fn captures<const WORDS: usize>(n: u64) -> Result<()> {
    let (on, called) = (running_loop()?, Rc::new(Cell::new(0)));
    for delay in times(n, Duration::from_millis(50)) {
        let (called, words) = (called.clone(), [n; WORDS]);
        on.call_later(delay, move || {
            black_box(&words);
            called.set(called.get() + 1);
        })?;
    }
    sleep(Duration::from_millis(51)).await?;
    assert_eq!(called.get(), n);
    Ok(())
}

/// `n` tasks asleep, all cancelled.
async fn sleep_cancel(n: u64) -> Result<()> {
    let sleepers: Vec<_> =
        times(n, Duration::from_secs(10)).map(|delay| create_task(sleep(delay))).collect();
    yield_now().await?;
    for task in &sleepers {
        task.cancel();
    }
    for task in sleepers {
        assert!(task.await.is_err());
    }
    Ok(())
}

/// `n` tasks that sleep for up to 50 ms.
async fn sleep_fire(n: u64) -> Result<()> {
    let sleepers: Vec<_> =
        times(n, Duration::from_millis(50)).map(|delay| create_task(sleep(delay))).collect();
    for task in sleepers {
        task.await?;
    }
    Ok(())
}

async fn yield_once(i: u64) -> Result<u64> {
    yield_now().await?;
    Ok(i)
}

/// `n` awaits with a limit, one after the other.
async fn limited_wait(n: u64) -> Result<()> {
    for i in 0..n {
        assert_eq!(wait_for(yield_once(i), Duration::from_secs(10)).await?, i);
    }
    Ok(())
}

/// `n` times `hp.async_with_timeout`.
async fn with_timeout(n: u64) -> Result<()> {
    for i in 0..n {
        let options = hp::TimeoutOptions { timeout: Duration::from_secs(10), ..Default::default() };
        assert_eq!(hp::async_with_timeout(yield_once(i), options).await?, i);
    }
    Ok(())
}

/// The results of `n` tasks as they finish.
async fn completed(n: u64) -> Result<()> {
    let tasks: Vec<_> = (0..n).map(|i| create_task(yield_once(i))).collect();
    let (mut results, mut seen) = (as_completed(tasks, None), 0);
    while let Some(task) = results.next().await? {
        task.result()?;
        seen += 1;
    }
    assert_eq!(seen, n);
    Ok(())
}

/// A holder of `n` tasks that end one by one, each in an instant of its own.
async fn holder(n: u64) -> Result<()> {
    let stop = hp::create_future::<()>();
    let holder = hp::TaskHolder::new(&stop);
    holder
        .scope(async |holder| {
            for task in 1..=n {
                holder.add(sleep(Duration::from_millis(task)));
            }
            Ok(())
        })
        .await
}

/// A streamer of `n` results, each in an instant of its own.
async fn streamer(n: u64) -> Result<()> {
    stream(n, |task| async move { sleep(Duration::from_millis(task)).await.map(|()| task) }).await
}

/// A streamer of `n` results, all in one turn.
async fn results_at_once(n: u64) -> Result<()> {
    stream(n, yield_once).await
}

async fn stream<F: Future<Output = Result<u64>> + 'static>(
    n: u64,
    coroutine: impl Fn(u64) -> F,
) -> Result<()> {
    let stop = hp::create_future::<()>();
    let streamer = hp::ResultStreamer::<u64>::new(&stop);
    streamer
        .scope(async |streamer| {
            for task in 1..=n {
                streamer.add_coroutine(coroutine(task), hp::Adding::new()).await?;
            }
            streamer.no_more_work();
            let (mut results, mut seen) = (streamer.iter(), 0);
            while results.next().await?.is_some() {
                seen += 1;
            }
            assert_eq!(seen, n, "a result for each task");
            Ok(())
        })
        .await
}

fn run(workload: &str, n: u64) -> Option<Result<()>> {
    let event_loop = EventLoop::with_virtual_time();
    // EVENTS=1 shows the cost of recording the events.
    #[cfg(feature = "events")]
    if std::env::var_os("EVENTS").is_some() {
        event_loop.start_events();
    }
    Some(match workload {
        "spawn_join" => run_on(&event_loop, spawn_join(n)),
        "yield_ring" => run_on(&event_loop, yield_ring(n)),
        "wake_chain" => run_on(&event_loop, wake_chain(n)),
        "ping_pong" => run_on(&event_loop, ping_pong(n)),
        "call_soon" => run_on(&event_loop, call_soon(n)),
        "timer_cancel" => run_on(&event_loop, timer_cancel(n)),
        "timer_fire" => run_on(&event_loop, timer_fire(n)),
        "timer_8" => run_on(&event_loop, captures::<0>(n)),
        "timer_16" => run_on(&event_loop, captures::<1>(n)),
        "timer_24" => run_on(&event_loop, captures::<2>(n)),
        "timer_64" => run_on(&event_loop, captures::<7>(n)),
        "sleep_cancel" => run_on(&event_loop, sleep_cancel(n)),
        "sleep_fire" => run_on(&event_loop, sleep_fire(n)),
        "limited_wait" => run_on(&event_loop, limited_wait(n)),
        "with_timeout" => run_on(&event_loop, with_timeout(n)),
        "completed" => run_on(&event_loop, completed(n)),
        "holder" => run_on(&event_loop, holder(n)),
        "streamer" => run_on(&event_loop, streamer(n)),
        "results_at_once" => run_on(&event_loop, results_at_once(n)),
        _ => return None,
    })
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &args[..] {
        [workload, n] => n.parse().ok().and_then(|n| run(workload, n)),
        _ => None,
    };
    match outcome {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("usage: workloads WORKLOAD N");
            ExitCode::from(2)
        }
    }
}
