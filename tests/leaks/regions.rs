//! A loop with a region of its own: it allocates nothing after its start, and what has no room is an error.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::sync::Mutex;
use std::time::Duration;

use callsoon::{
    ErrorKind, Event, EventLoop, Lock, LoopFuture, LoopRef, Queue, Result, Task, create_task,
    running_loop, sleep, wait_for, yield_now,
};

use crate::allocations;

const BYTES: usize = 400 * 1024;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A loop with a region, and room for so many timers and for four times as many ready callbacks.
fn bounded(timers: usize) -> EventLoop {
    // Where a tool that looks for leaks finds them.
    static REGIONS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let region = Vec::leak(vec![MaybeUninit::<u8>::uninit(); BYTES.max(100 * timers)]);
    REGIONS.lock().unwrap().push(region.as_ptr().expose_provenance());
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_memory_region(region).unwrap();
    event_loop.reserve(4 * timers, timers).unwrap();
    event_loop
}

/// Runs until no task is left.
fn finish(event_loop: &EventLoop) -> Result<()> {
    while event_loop.pending_timers() > 0 {
        event_loop.run_once(None)?;
    }
    while event_loop.run_once(Some(Duration::ZERO))? > 0 {}
    Ok(())
}

#[test]
fn loop_with_a_region_serves_waits_without_allocations() {
    let event_loop = bounded(500);
    let (queue, event, lock) = (Queue::new(4), Event::new(), Lock::new());
    // The waits of these grow by themselves, once.
    let warm = |tasks: u64| -> Result<()> {
        for number in 0..tasks {
            let (sender, receiver) = (queue.clone(), queue.clone());
            event_loop.create_task(async move { sender.put(number).await })?;
            event_loop.create_task(async move { receiver.get().await.map(drop) })?;
            let (event, lock) = (event.clone(), lock.clone());
            event_loop.create_task(async move {
                sleep(ms(number % 9)).await?;
                lock.acquire().await?;
                yield_now().await?;
                lock.release()?;
                event.set();
                event.wait().await
            })?;
            event_loop.call_later(ms(number % 5), || ())?;
            event_loop.call_later(ms(11), || ())?.cancel();
            event_loop.call_soon(|| ())?;
        }
        finish(&event_loop)
    };
    (0..4).for_each(|_| warm(100).unwrap());
    let before = allocations();
    for _ in 0..20 {
        warm(100).unwrap();
    }
    assert_eq!(allocations() - before, 0);
    assert!(event_loop.all_tasks().is_empty());
    assert!(event_loop.memory() <= BYTES);
}

#[test]
fn first_tasks_sleeps_and_timers_of_a_region_allocate_nothing() {
    let event_loop = bounded(1_000);
    let before = allocations();
    for number in 0..300 {
        event_loop
            .create_task(async move {
                sleep(ms(number % 70 + 1)).await?;
                yield_now().await
            })
            .unwrap();
        event_loop.call_later(Duration::from_millis(number << (number % 30)), || ()).unwrap();
        event_loop.call_soon(|| ()).unwrap();
    }
    finish(&event_loop).unwrap();
    assert_eq!(allocations() - before, 0);
}

#[test]
fn full_region_refuses_tasks_and_calls_until_others_end() {
    let event_loop = bounded(20_000);
    let mut tasks = Vec::new();
    let refused = loop {
        match event_loop.create_task(sleep(ms(5))) {
            Ok(task) => tasks.push(task),
            Err(error) => break error,
        }
    };
    assert_eq!(
        (refused.kind(), refused.to_string()),
        (ErrorKind::Runtime, "RuntimeError: the loop has no memory left".into())
    );
    assert!(tasks.len() > 100);
    // A call takes less than a task.
    while event_loop.call_soon(|| ()).is_ok() {}
    let calls: Vec<Result<()>> = vec![
        event_loop.call_soon(|| ()).map(drop),
        event_loop.call_later(ms(1), || ()).map(drop),
        event_loop.call_at(ms(1), || ()).map(drop),
    ];
    for call in calls {
        assert_eq!(call.unwrap_err().kind(), ErrorKind::Runtime);
    }
    // Their sleeps need no memory.
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    finish(&event_loop).unwrap();
    assert!(tasks.iter().all(|task| task.result().is_ok()));
    drop(tasks);
    for _ in 0..50 {
        event_loop.create_task(sleep(ms(5))).unwrap();
        event_loop.call_soon(|| ()).unwrap();
    }
    finish(&event_loop).unwrap();
    assert!(event_loop.memory() <= BYTES);
}

#[test]
fn second_waits_in_a_full_region_are_errors_and_leave_nothing() {
    let event_loop = bounded(64);
    let outcome = event_loop.run_until_complete(async {
        let (event, lock, queue) = (Event::new(), Lock::new(), Queue::<u8>::new(1));
        lock.acquire().await?;
        let mut waits = Vec::new();
        let on = running_loop()?;
        let kept = fill(&on);
        for number in 0..4 {
            waits.push(match number {
                0 => beside_a_sleep(event.wait()).await,
                1 => beside_a_sleep(lock.acquire()).await,
                2 => beside_a_sleep(async { queue.get().await.map(drop) }).await,
                _ => beside_a_sleep(sleep(ms(1))).await,
            });
        }
        let kinds: Vec<_> = waits.into_iter().map(|wait| wait.unwrap_err().kind()).collect();
        assert_eq!(kinds, [ErrorKind::Runtime; 4]);
        for task in &kept {
            task.cancel();
        }
        yield_now().await?;
        yield_now().await?;
        drop(kept);
        // All of them work as before.
        let own = event.clone();
        let setter = create_task(async move {
            own.set();
            Ok(())
        });
        event.wait().await?;
        lock.release()?;
        lock.acquire().await?;
        queue.put(7).await?;
        assert_eq!(queue.get().await?, 7);
        wait_for(sleep(ms(1)), ms(10)).await?;
        setter.await?;
        Ok(())
    });
    outcome.unwrap();
}

/// Awaits `wait` while the task is in a sleep already.
async fn beside_a_sleep(wait: impl Future<Output = Result<()>>) -> Result<()> {
    let (mut first, mut second) = (Box::pin(sleep(ms(1))), Box::pin(wait));
    poll_fn(|cx| {
        assert!(first.as_mut().poll(cx).is_pending());
        second.as_mut().poll(cx)
    })
    .await
}

#[test]
fn waits_that_are_their_tasks_only_ones_fit_in_a_full_region() {
    let event_loop = bounded(64);
    let (event, lock, queue) = (Event::new(), Lock::new(), Queue::<u8>::new(1));
    assert!(lock.try_acquire());
    let (own_event, own_lock, own_queue) = (event.clone(), lock.clone(), queue.clone());
    let waits = event_loop.create_task(async move {
        own_event.wait().await?;
        own_lock.acquire().await?;
        own_queue.get().await
    });
    let waits = waits.unwrap();
    let filled = fill(&event_loop);
    let before = allocations();
    let turns = || (0..4).for_each(|_| _ = event_loop.run_once(Some(Duration::ZERO)).unwrap());
    turns();
    event.set();
    turns();
    lock.release().unwrap();
    turns();
    queue.put_nowait(7).unwrap();
    turns();
    assert_eq!(waits.result().unwrap(), 7);
    assert_eq!(allocations() - before, 1, "the queue's own");
    filled.iter().for_each(|task| _ = task.cancel());
    finish(&event_loop).unwrap();
}

/// Has tasks take all memory, and returns those.
fn fill(event_loop: &LoopRef) -> Vec<Task<()>> {
    std::iter::from_fn(|| event_loop.create_task(std::future::pending::<Result<()>>()).ok())
        .collect()
}

#[test]
fn waiter_keeps_its_place_where_a_second_has_no_memory() {
    let event_loop = bounded(64);
    let future = event_loop.create_future::<u8>();
    let awaits = |future: LoopFuture<u8>| event_loop.create_task(future.into_future());
    let (first, second) = (awaits(future.clone()).unwrap(), awaits(future.clone()).unwrap());
    let filled = fill(&event_loop);
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    // The panic was the second's alone.
    assert_eq!(second.exception().unwrap().unwrap().kind(), ErrorKind::Panic);
    assert!(!first.done());
    future.set_result(7).unwrap();
    finish(&event_loop).unwrap();
    assert_eq!(first.result().unwrap(), 7);
    filled.iter().for_each(|task| _ = task.cancel());
    finish(&event_loop).unwrap();
}

#[test]
fn bursts_beyond_what_was_reserved_leave_it_reserved() {
    let event_loop = bounded(600);
    let burst = |timers: u64| {
        for number in 0..timers {
            event_loop.call_later(ms(number % 7), || ()).unwrap();
        }
        finish(&event_loop).unwrap();
    };
    burst(3_000);
    let before = allocations();
    burst(3_000);
    burst(600);
    assert_eq!(allocations() - before, 0);
}

#[test]
fn many_reserved_timers_are_sorted_without_allocations() {
    const TIMERS: u64 = 10_000;
    let event_loop = bounded(TIMERS as usize);
    let burst = || {
        for number in 0..TIMERS {
            event_loop.call_later(ms(number * 7_919 % TIMERS), || ()).unwrap();
        }
        finish(&event_loop).unwrap();
    };
    burst();
    let before = allocations();
    burst();
    assert_eq!(allocations() - before, 0);
}

#[test]
fn reserving_more_than_there_can_be_is_an_error() {
    let event_loop = bounded(8);
    for (ready, timers) in [(usize::MAX, 0), (usize::MAX / 2, 0), (0, usize::MAX)] {
        let refused = event_loop.reserve(ready, timers).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Runtime);
    }
}

#[test]
fn region_is_set_before_a_loop_has_memory() {
    let event_loop = bounded(8);
    event_loop.call_soon(|| ()).unwrap();
    let second = Vec::leak(vec![MaybeUninit::<u8>::uninit(); 8]);
    let kept = second.as_ptr();
    assert_eq!(event_loop.set_memory_region(second).unwrap_err().kind(), ErrorKind::Runtime);
    let small = EventLoop::with_virtual_time();
    let third = Vec::leak(vec![MaybeUninit::<u8>::uninit(); 8]);
    assert_eq!(small.set_memory_region(third).unwrap_err().kind(), ErrorKind::Value);
    assert!(!kept.is_null());
}
