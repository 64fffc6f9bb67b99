//! `run_coroutine_threadsafe`: a thread has a loop run something, and may wait for it.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use callsoon::{
    Answer, AnyFuture, ConcurrentFuture, Error, ErrorKind, EventLoop, LoopFuture, LoopHandle,
    Result, run_on, running_loop, sleep, yield_now,
};

use crate::driver::{Reports, run, secs, settle};
use crate::support::log_lines::logged_here;
use crate::support::trace::Trace;

/// Runs `body` on a thread of its own, while the loop goes on, and returns its result.
async fn elsewhere<R: Send + Clone + 'static>(
    body: impl FnOnce(LoopHandle) -> Result<R> + Send + 'static,
) -> Result<R> {
    let on = running_loop()?;
    let (handle, future) = (on.handle(), on.create_future());
    let answer = on.answer_to(&future)?;
    let thread = thread::spawn(move || answer.give(body(handle)));
    let outcome = future.await;
    thread.join().expect("the thread's own assertions hold")?;
    outcome
}

/// Makes a future that only the loop waits for, and the answer by which a thread completes it.
fn signal() -> Result<(LoopFuture<()>, Answer<()>)> {
    let on = running_loop()?;
    let future = on.create_future();
    let answer = on.answer_to(&future)?;
    Ok((future, answer))
}

// CPython: test_tasks.RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe
#[test]
fn a_thread_is_given_what_the_coroutine_returns() -> Result<()> {
    run(async {
        let home = thread::current().id();
        elsewhere(move |handle| {
            let future = handle.run_coroutine_threadsafe(move || async move {
                yield_now().await?;
                Ok(thread::current().id() == home)
            })?;
            assert!(future.result(None)?);
            assert!(future.result(Some(Duration::ZERO))?, "again, without waiting");
            assert!((future.done(), future.cancelled()) == (true, false));
            assert!(format!("{future:?}").contains("done: true"));
            assert!(!future.cancel(), "too late");
            Ok(())
        })
        .await
    })
}

// CPython: test_tasks.RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_with_exception
#[test]
fn an_error_is_the_same_for_the_thread_and_a_panic_is_one() -> Result<()> {
    run(async {
        let error = Error::new(ErrorKind::Value, "no");
        let theirs = error.clone();
        elsewhere(move |handle| {
            let fails = theirs.clone();
            let future = handle.run_coroutine_threadsafe::<(), _>(|| async { Err(fails) })?;
            assert!(future.result(None).unwrap_err().ptr_eq(&theirs));
            let future =
                handle.run_coroutine_threadsafe::<(), _>(|| async { panic!("in the task") })?;
            let panic = future.result(None).unwrap_err();
            assert_eq!((panic.kind(), panic.message()), (ErrorKind::Panic, "in the task".into()));
            Ok(())
        })
        .await
    })
}

/// Both get the error, as in asyncio.
// CPython: test_tasks.RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_task_factory_exception
#[test]
fn failed_coroutine_factory_is_an_error_for_thread_and_loop() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let panic = run_on(&event_loop, async {
        elsewhere(|handle| {
            let future = handle.run_coroutine_threadsafe(|| {
                if thread::current().name() != Some("nobody's") {
                    panic!("not made");
                }
                async { Ok(()) }
            })?;
            let panic = future.result(None).unwrap_err();
            assert_eq!((panic.kind(), panic.message()), (ErrorKind::Panic, "not made".into()));
            Ok(panic)
        })
        .await
    })?;
    let [report] = &reports.take()[..] else { panic!("one report") };
    assert!(report.exception.as_ref().is_some_and(|told| told.ptr_eq(&panic)));
    Ok(())
}

// CPython: test_tasks.RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_with_timeout
#[test]
fn a_wait_with_a_limit_leaves_the_task_alone() -> Result<()> {
    run(async {
        let (go, goes) = signal()?;
        let trace = Trace::new();
        let said = trace.clone();
        // A future can't be sent: it is found again on the loop's thread.
        thread_local! { static GO: Cell<Option<LoopFuture<()>>> = const { Cell::new(None) }; }
        GO.set(Some(go));
        elsewhere(move |handle| {
            let future = handle.run_coroutine_threadsafe(move || async move {
                GO.take().expect("set above").await?;
                said.push("went");
                Ok(5)
            })?;
            for limit in [Duration::ZERO, Duration::from_millis(1)] {
                let late = future.result(Some(limit)).unwrap_err();
                assert_eq!(late.kind(), ErrorKind::Timeout);
            }
            assert!(!future.done());
            goes.give(Ok(()))?;
            assert_eq!(future.result(Some(Duration::MAX))?, 5);
            Ok(())
        })
        .await?;
        trace.expect(["went"]);
        Ok(())
    })
}

/// Says when it begins, and what its long sleep returns.
async fn long(trace: Trace) -> Result<()> {
    trace.push("began");
    let outcome = sleep(secs(3600)).await;
    trace.push(format!("{outcome:?}"));
    yield_now().await?;
    trace.push("cleaned up");
    outcome
}

#[test]
fn task_cancelled_before_its_creation_learns_at_its_first_await() -> Result<()> {
    run(async {
        let (trace, handle) = (Trace::new(), running_loop()?.handle());
        let said = trace.clone();
        // The loop can't have made it: its thread waits here.
        let future = thread::spawn(move || {
            let future = handle.run_coroutine_threadsafe(|| long(said))?;
            assert!(future.cancel());
            assert!(future.done() && future.cancelled());
            assert!(future.cancel(), "it is cancelled, as was asked");
            assert!(future.result(None).unwrap_err().is_cancelled());
            Ok::<_, Error>(future)
        })
        .join()
        .unwrap()?;
        for _ in 0..6 {
            yield_now().await?;
        }
        trace.expect(["began", "Err(CancelledError())", "cleaned up"]);
        assert!(future.result(None).unwrap_err().is_cancelled());
        Ok(())
    })
}

// CPython: test_tasks.RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_task_cancelled
#[test]
fn thread_may_cancel_a_started_task_without_waiting_for_it() -> Result<()> {
    run(async {
        let trace = Trace::new();
        let said = trace.clone();
        elsewhere(move |handle| {
            let begins = said.clone();
            let future = handle.run_coroutine_threadsafe(|| long(begins))?;
            // A coroutine scheduled after it on the loop runs once it has begun.
            let turns = || async {
                yield_now().await?;
                yield_now().await
            };
            handle.run_coroutine_threadsafe(turns)?.result(None)?;
            said.expect(["began"]);
            assert!(future.cancel());
            assert!(future.result(None).unwrap_err().is_cancelled());
            Ok(())
        })
        .await?;
        for _ in 0..4 {
            yield_now().await?;
        }
        trace.expect(["Err(CancelledError())", "cleaned up"]);
        Ok(())
    })
}

/// No code can read the exception any more: the loop reports it.
#[test]
fn what_a_cancelled_futures_task_fails_with_is_reported() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let handle = event_loop.handle();
    let future: ConcurrentFuture<()> = handle.run_coroutine_threadsafe(|| async {
        let _ = sleep(secs(1)).await;
        Err(Error::new(ErrorKind::Value, "while cleaning up"))
    })?;
    settle_without_time(&event_loop);
    assert!(future.cancel());
    settle(&event_loop);
    assert_eq!(reports.messages(), ["Task exception was never retrieved"]);
    Ok(())
}

fn settle_without_time(event_loop: &EventLoop) {
    for _ in 0..3 {
        event_loop.run_once(Some(Duration::ZERO)).unwrap();
    }
}

// CPython: test_tasks.RunCoroutineThreadsafeTests.test_run_coroutine_threadsafe_task_cancelled
#[test]
fn task_cancelled_on_the_loop_is_cancelled_for_the_thread() -> Result<()> {
    run(async {
        elsewhere(|handle| {
            let future = handle.run_coroutine_threadsafe::<(), _>(|| async {
                callsoon::current_task().expect("it is one").cancel();
                yield_now().await
            })?;
            assert!(future.result(None).unwrap_err().is_cancelled());
            assert!(future.cancelled() && future.cancel());
            Ok(())
        })
        .await
    })
}

#[test]
fn closed_loop_takes_no_task_and_a_closing_one_fails_the_wait() -> Result<()> {
    let event_loop = EventLoop::new();
    let handle = event_loop.handle();
    let begun = handle.run_coroutine_threadsafe(|| sleep(secs(3600)))?;
    settle_without_time(&event_loop);
    let unmade = handle.run_coroutine_threadsafe(|| sleep(secs(3600)))?;
    let waits = {
        let begun = std::sync::Arc::new(begun);
        let theirs = begun.clone();
        (thread::spawn(move || theirs.result(None)), begun)
    };
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    event_loop.close()?;
    assert_eq!(waits.0.join().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    for future in [&*waits.1, &unmade] {
        assert_eq!(future.result(None).unwrap_err().kind(), ErrorKind::Closed);
        assert!(future.done() && !future.cancelled() && !future.cancel());
    }
    let late = handle.run_coroutine_threadsafe(|| sleep(secs(1))).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Closed);
    Ok(())
}

#[test]
fn a_loop_that_closes_after_a_cancel_has_nothing_to_add() -> Result<()> {
    let event_loop = EventLoop::new();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let future = event_loop.handle().run_coroutine_threadsafe(|| sleep(secs(3600)))?;
    settle_without_time(&event_loop);
    event_loop.close()?;
    assert!(!future.cancel(), "it has ended: its loop has closed");
    let event_loop = EventLoop::new();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let future = event_loop.handle().run_coroutine_threadsafe(|| sleep(secs(3600)))?;
    assert!(future.cancel());
    event_loop.close()?;
    assert!(future.cancelled() && future.result(None).unwrap_err().is_cancelled());
    Ok(())
}

#[test]
fn wait_on_the_loops_own_thread_is_an_error_not_a_deadlock() -> Result<()> {
    run(async {
        let handle = running_loop()?.handle();
        let future = handle.run_coroutine_threadsafe(|| async { Ok(3) })?;
        for limit in [None, Some(Duration::ZERO)] {
            assert_eq!(future.result(limit).unwrap_err().kind(), ErrorKind::Runtime);
        }
        for _ in 0..4 {
            yield_now().await?;
        }
        assert_eq!(future.result(None)?, 3);
        Ok(())
    })
}

#[test]
fn a_dropped_future_leaves_its_task_going() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let said = trace.clone();
    drop(event_loop.handle().run_coroutine_threadsafe(move || async move {
        sleep(secs(5)).await?;
        said.push("still there");
        Ok(())
    })?);
    event_loop.run_until_complete(sleep(secs(6)))?;
    trace.expect(["still there"]);
    assert!(logged_here().is_empty());
    Ok(())
}

#[test]
fn many_may_wait_for_one_end() -> Result<()> {
    run(async {
        elsewhere(|handle| {
            let future = handle.run_coroutine_threadsafe(|| async {
                for _ in 0..100 {
                    yield_now().await?;
                }
                Ok("one end".to_owned())
            })?;
            thread::scope(|scope| {
                let waits = [(); 4].map(|()| scope.spawn(|| future.result(None)));
                for wait in waits {
                    assert_eq!(wait.join().unwrap()?, "one end");
                }
                Ok(())
            })
        })
        .await
    })
}
