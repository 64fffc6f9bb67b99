//! Coroutines that a thread has a loop run.

use super::check::{Search, check, thread};
use super::host::event_loop;
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

/// A thread cancels while the loop makes, runs and ends the task: the thread hears of one end,
/// and no task is left behind.
#[test]
fn cancel_against_the_end() {
    check("cancel_against_the_end", Search::Preemptions(4), || {
        let event_loop = event_loop();
        let handle = event_loop.handle();
        let thread = thread::spawn(move || {
            let make = || async { sleep(core::time::Duration::ZERO).await };
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
