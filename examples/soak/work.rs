//! Jobs without sockets. Each returns how many answers it has had, and asserts that this is all of them.

use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    ErrorKind, EventLoop, Queue, Result, TaskGroup, ThreadPoolExecutor, create_task, gather,
    running_loop, sleep, wait_for,
};
use fastrand::Rng;

pub(crate) fn millis(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_millis(rng.u64(0..most))
}

/// Sleeps, of which each takes as long as it was told, and timers that are cancelled.
pub(crate) async fn timers(mut rng: Rng) -> Result<u64> {
    let on = running_loop()?;
    let count = rng.u64(1..50);
    let sleepers: Vec<_> = (0..count)
        .map(|_| {
            let (on, length) = (on.clone(), millis(&mut rng, 50));
            create_task(async move {
                let start = on.time();
                sleep(length).await?;
                assert!(on.time() >= start + length);
                Ok(())
            })
        })
        .collect();
    let called = || -> Result<()> { panic!("a cancelled timer was called") };
    let cancelled: Vec<_> = (0..rng.u64(0..20))
        .map(|more| on.call_later(Duration::from_secs(3600 + more), called))
        .collect::<Result<_>>()?;
    sleep(millis(&mut rng, 2)).await?;
    cancelled.iter().for_each(|timer| timer.cancel());
    Ok(gather(&sleepers).await?.len() as u64)
}

/// Tasks that are cancelled at a moment of chance, and clean up; and limits that are over.
pub(crate) async fn cancels(mut rng: Rng) -> Result<u64> {
    let cleaned = Rc::new(std::cell::Cell::new(0));
    let tasks: Vec<_> = (0..rng.u64(1..20))
        .map(|_| {
            let (cleaned, clean_up) = (cleaned.clone(), millis(&mut rng, 5));
            create_task(async move {
                let outcome = sleep(Duration::from_secs(3600)).await;
                sleep(clean_up).await?;
                cleaned.set(cleaned.get() + 1);
                outcome
            })
        })
        .collect();
    let late = wait_for(sleep(Duration::from_secs(3600)), millis(&mut rng, 20)).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
    // Each has begun by then, so that each has something to clean up.
    sleep(Duration::ZERO).await?;
    for task in &tasks {
        task.cancel();
    }
    for task in &tasks {
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert_eq!(cleaned.get(), tasks.len() as u64);
    Ok(cleaned.get() + 1)
}

/// Functions on threads; some of their futures are cancelled.
pub(crate) async fn threads(mut rng: Rng, pool: &ThreadPoolExecutor) -> Result<u64> {
    let on = running_loop()?;
    let futures: Vec<_> = (0..rng.u64(1..20))
        .map(|number| {
            on.run_in_executor(Some(pool), move || Ok(vec![number; 64].iter().sum::<u64>()))
        })
        .collect::<Result<_>>()?;
    let mut answers = 0;
    for (number, future) in futures.iter().enumerate() {
        if rng.u8(0..4) == 0 && future.cancel() {
            assert!(future.await.unwrap_err().is_cancelled());
        } else {
            assert_eq!(future.await?, 64 * number as u64);
        }
        answers += 1;
    }
    Ok(answers)
}

/// A queue between tasks of a group: each value arrives once, in order.
pub(crate) async fn queue(mut rng: Rng) -> Result<u64> {
    let queue = Rc::new(Queue::new(rng.usize(1..8)));
    let count = rng.u64(1..200);
    let (puts, mut pauses) = (queue.clone(), rng.fork());
    TaskGroup::scope(async |group| {
        group.create_task(async move {
            for value in 0..count {
                puts.put(value).await?;
                if pauses.u8(0..16) == 0 {
                    sleep(millis(&mut pauses, 3)).await?;
                }
            }
            Ok(())
        })?;
        for value in 0..count {
            assert_eq!(queue.get().await?, value);
        }
        Ok(())
    })
    .await?;
    Ok(count)
}

/// A loop on a thread of its own, which is dropped with tasks that are pending, and one that ends well.
pub(crate) async fn other_loop(mut rng: Rng) -> Result<u64> {
    let (pending, length) = (rng.u64(0..10), millis(&mut rng, 10_000));
    let answer = callsoon::to_thread(move || {
        let event_loop = EventLoop::with_virtual_time();
        event_loop.set_exception_handler(Some(Rc::new(|_: &_, _: &_| ())));
        for _ in 0..pending {
            event_loop.create_task(sleep(Duration::from_secs(3600)))?;
        }
        event_loop.run_until_complete(async move {
            sleep(length).await?;
            Ok(7)
        })
    });
    assert_eq!(answer.await?, 7);
    Ok(1)
}
