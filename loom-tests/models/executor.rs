//! Functions on the threads of a pool.

use super::check::{Search, check, size};
use super::host::event_loop;
use crate::ThreadPoolExecutor;
use crate::sync::{Arc, AtomicUsize, Ordering};

/// A future is cancelled while a thread takes its function: the function runs once or not at
/// all, the future is cancelled, and the pool shuts down.
#[test]
fn cancel_against_begin() {
    check("cancel_against_begin", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let ran = Arc::new(AtomicUsize::new(0));
        let runs = Arc::clone(&ran);
        event_loop
            .run_until_complete(async move {
                let pool = ThreadPoolExecutor::new(1)?;
                let on = crate::running_loop()?;
                let future = on.run_in_executor(Some(&pool), move || {
                    runs.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })?;
                future.cancel();
                assert!((&future).await.unwrap_err().is_cancelled());
                pool.shutdown().await
            })
            .unwrap();
        assert!(ran.load(Ordering::Relaxed) <= 1);
    });
}

/// Functions are submitted while threads are started, work and fall asleep, and then the pool
/// is shut down: each function has run.
#[test]
fn submit_against_sleep() {
    check("submit_against_sleep", Search::Preemptions(3), || {
        let event_loop = event_loop();
        event_loop
            .run_until_complete(async move {
                let pool = ThreadPoolExecutor::new(size(1, 3))?;
                let on = crate::running_loop()?;
                let futures: Vec<_> = (0..size(2, 12))
                    .map(|number| on.run_in_executor(Some(&pool), move || Ok(number)).unwrap())
                    .collect();
                for (number, future) in futures.iter().enumerate() {
                    assert_eq!(future.await?, number);
                }
                pool.shutdown().await
            })
            .unwrap();
    });
}

/// A pool is shut down, and what no thread has begun is cancelled, while a thread begins: each function
/// has run and answered, or its future is cancelled.
#[test]
fn shutdown_cancelling_against_begin() {
    check("shutdown_cancelling_against_begin", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let ran = Arc::new(AtomicUsize::new(0));
        event_loop
            .run_until_complete(async move {
                let pool = ThreadPoolExecutor::new(1)?;
                let on = crate::running_loop()?;
                let submit = |_| {
                    let ran = Arc::clone(&ran);
                    let count = move || Ok(ran.fetch_add(1, Ordering::Relaxed));
                    on.run_in_executor(Some(&pool), count).unwrap()
                };
                let futures: Vec<_> = (0..size(2, 9)).map(submit).collect();
                pool.shutdown_cancelling().await?;
                let mut answered = 0;
                for future in &futures {
                    match future.await {
                        Ok(_) => answered += 1,
                        Err(error) => assert!(error.is_cancelled()),
                    }
                }
                assert_eq!(ran.load(Ordering::Relaxed), answered);
                Ok(())
            })
            .unwrap();
    });
}

/// A pool is dropped, not shut down, while its thread takes a function and falls asleep: each function
/// is answered, and the thread exits (a model ends when all its threads have).
#[test]
fn drop_against_a_thread() {
    check("executor::drop_against_a_thread", Search::Preemptions(3), || {
        let event_loop = event_loop();
        event_loop
            .run_until_complete(async move {
                let pool = ThreadPoolExecutor::new(size(1, 3))?;
                let on = crate::running_loop()?;
                let futures: Vec<_> = (0..size(2, 9))
                    .map(|number| on.run_in_executor(Some(&pool), move || Ok(number)).unwrap())
                    .collect();
                drop(pool);
                for (number, future) in futures.iter().enumerate() {
                    assert_eq!(future.await?, number);
                }
                Ok(())
            })
            .unwrap();
    });
}

/// A loop closes, and with it goes a future that has no handle, while a thread begins with its function:
/// the memory of the future is freed by the one that is through with it last.
#[test]
fn close_against_begin() {
    check("executor::close_against_begin", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let pool = ThreadPoolExecutor::new(1).unwrap();
        for _ in 0..size(1, 4) {
            drop(event_loop.run_in_executor(Some(&pool), || Ok(())).unwrap());
        }
        drop(event_loop);
        drop(pool);
    });
}
