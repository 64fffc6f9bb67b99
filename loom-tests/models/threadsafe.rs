//! Coroutines that a thread has a loop run.

use core::time::Duration;

use super::check::{Search, check, thread};
use super::host::event_loop;
use crate::sync::{Arc, AtomicUsize, Ordering};
use crate::{ErrorKind, Result, sleep};

/// A thread waits for the result of what it has the loop run, while the loop sleeps, is woken
/// and runs it: neither waits for ever.
#[test]
fn result_against_the_loop() {
    check("result_against_the_loop", Search::Preemptions(4), || {
        let event_loop = event_loop();
        let handle = event_loop.handle();
        let thread = thread::spawn(move || {
            let future = handle.run_coroutine_threadsafe(|| async { Ok(7) }).unwrap();
            drop(handle);
            assert_eq!(future.result(None).unwrap(), 7);
        });
        assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
        thread.join().unwrap();
    });
}

/// A thread cancels while the loop makes, runs and ends the task: the thread gets one end,
/// and no task is left behind.
#[test]
fn cancel_against_the_end() {
    check("cancel_against_the_end", Search::Preemptions(4), || {
        let event_loop = event_loop();
        let handle = event_loop.handle();
        let thread = thread::spawn(move || {
            let make = || async { sleep(Duration::ZERO).await };
            let future = handle.run_coroutine_threadsafe(make).unwrap();
            let cancelled = future.cancel();
            let outcome: Result<()> = future.result(None);
            assert_eq!(cancelled, outcome.is_err());
        });
        assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
        assert!(event_loop.all_tasks().is_empty());
        thread.join().unwrap();
    });
}

/// The loop closes while a thread has it run a coroutine: the thread gets the result or the error of
/// the close, and doesn't wait for ever.
#[test]
fn coroutine_against_close() {
    check("coroutine_against_close", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let handle = event_loop.handle();
        let steps = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&steps);
        let thread = thread::spawn(move || {
            theirs.fetch_add(1, Ordering::Relaxed);
            let sent = handle.run_coroutine_threadsafe(|| async { Ok(7) });
            theirs.fetch_add(1, Ordering::Relaxed);
            match sent.and_then(|future| future.result(None)) {
                Ok(value) => assert_eq!(value, 7),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
            }
        });
        // Two turns make the task and run it, where the call has come by then.
        for _ in 0..2 {
            steps.fetch_add(1, Ordering::Relaxed);
            event_loop.run_once(Some(Duration::ZERO)).unwrap();
        }
        steps.fetch_add(1, Ordering::Relaxed);
        event_loop.close().unwrap();
        thread.join().unwrap();
    });
}

/// A thread waits for a result with a limit that is over at once, and then with one that is far away,
/// while the loop ends the task: the first is a timeout or the result and changes nothing, the second is
/// the result.
#[test]
fn result_with_a_limit_against_the_end() {
    check("result_with_a_limit_against_the_end", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let handle = event_loop.handle();
        let thread = thread::spawn(move || {
            let future = handle.run_coroutine_threadsafe(|| async { Ok(7) }).unwrap();
            drop(handle);
            match future.result(Some(Duration::ZERO)) {
                Ok(value) => assert_eq!(value, 7),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout),
            }
            assert_eq!(future.result(Some(Duration::from_secs(1 << 20))).unwrap(), 7);
        });
        assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
        thread.join().unwrap();
    });
}
