//! `Answer`: each completes its future or calls its receiver exactly once, given or dropped, on any
//! thread, unless the loop closes first.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use callsoon::{
    Answer, AnyFuture, Error, ErrorKind, EventLoop, LoopFuture, Result, run_on, running_loop,
    yield_now,
};

use crate::driver::{Reports, run, settle};
use crate::parts::{Bomb, error_of};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

fn owed<T: Send + 'static>() -> Result<(LoopFuture<T>, Answer<T>)> {
    let on = running_loop()?;
    let future = on.create_future();
    let answer = on.answer_to(&future)?;
    Ok((future, answer))
}

fn may_be_sent<T: Send>(_: &T) {}

#[test]
fn an_answer_ends_its_future_as_it_says() -> Result<()> {
    run(async {
        let error = Error::new(ErrorKind::Value, "no");
        let cancelled = Error::cancelled_with("never mind");
        let gives = |outcome: Result<u8>| -> Result<LoopFuture<u8>> {
            let (future, answer) = owed()?;
            may_be_sent(&answer);
            assert_eq!(format!("{answer:?}"), "Answer { .. }");
            thread::spawn(move || answer.give(outcome)).join().unwrap()?;
            assert!(!future.done(), "not before the loop's turn");
            Ok(future)
        };
        assert_eq!(gives(Ok(3))?.await?, 3);
        assert!(gives(Err(error.clone()))?.await.unwrap_err().ptr_eq(&error));
        let ended = gives(Err(cancelled.clone()))?;
        assert!((&ended).await.unwrap_err().ptr_eq(&cancelled));
        assert!(ended.cancelled());
        Ok(())
    })
}

#[test]
fn an_answer_that_is_dropped_cancels() -> Result<()> {
    run(async {
        for elsewhere in [true, false] {
            let (future, answer) = owed::<()>()?;
            if elsewhere {
                thread::spawn(move || drop(answer)).join().unwrap();
            } else {
                drop(answer);
            }
            assert!((&future).await.unwrap_err().is_cancelled());
        }
        // Also by a thread that panics.
        let (future, answer) = owed::<()>()?;
        let thread = thread::spawn(move || {
            let _answer = answer;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(thread.join().is_err());
        assert!((&future).await.unwrap_err().is_cancelled());
        Ok(())
    })
}

#[test]
fn on_the_loops_own_thread_it_takes_a_turn_too() -> Result<()> {
    run(async {
        let (future, answer) = owed()?;
        let trace = Trace::new();
        running_loop()?.call_soon(trace.says("before"))?;
        answer.give(Ok(1))?;
        running_loop()?.call_soon(trace.says("after"))?;
        future.add_done_callback({
            let trace = trace.clone();
            move |_: &dyn AnyFuture| trace.push("done")
        });
        assert!(!future.done());
        yield_now().await?;
        trace.expect(["before", "after"]);
        assert!(future.done());
        yield_now().await?;
        trace.expect(["done"]);
        Ok(())
    })
}

#[test]
fn answers_are_told_in_the_order_in_which_they_were_given() -> Result<()> {
    let trace = Trace::new();
    let said = trace.clone();
    run(async move {
        let on = running_loop()?;
        let expects = |name: &'static str| {
            let trace = trace.clone();
            on.expect_answer(move |outcome: Result<u8>| trace.push(format!("{name} {outcome:?}")))
        };
        let (first, second, third) = (expects("first")?, expects("second")?, expects("third")?);
        thread::spawn(move || {
            drop(second);
            third.give(Ok(3))?;
            first.give(Err(Error::new(ErrorKind::Value, "1")))
        })
        .join()
        .unwrap()?;
        trace.expect_nothing();
        yield_now().await
    })?;
    said.expect(["second Err(CancelledError())", "third Ok(3)", "first Err(ValueError(\"1\"))"]);
    Ok(())
}

#[test]
fn a_future_that_is_done_stays_as_it_is() -> Result<()> {
    run(async {
        let dropped = Trace::new();
        let (future, answer) = owed()?;
        future.cancel();
        let value = on_drop(dropped.says("dropped"));
        thread::spawn(move || answer.give(Ok(value))).join().unwrap()?;
        dropped.expect_nothing();
        yield_now().await?;
        yield_now().await?;
        dropped.expect(["dropped"]);
        assert!(future.cancelled());
        Ok(())
    })
}

#[test]
fn answer_after_the_loop_has_closed_is_dropped() -> Result<()> {
    let event_loop = EventLoop::new();
    let trace = Trace::new();
    let guard = on_drop(trace.says("dropped"));
    let called = Rc::new(Cell::new(false));
    let calls = called.clone();
    let answer = event_loop.expect_answer(move |_: Result<OnValue>| {
        let _guard = guard;
        calls.set(true);
    })?;
    let other = event_loop.expect_answer(|_: Result<()>| ())?;
    event_loop.close()?;
    trace.expect(["dropped"]);
    let value = on_drop(Box::new(trace.says("the value")) as Box<dyn FnOnce() + Send>);
    let given = thread::spawn(move || answer.give(Ok(value))).join().unwrap();
    assert_eq!(given.unwrap_err().kind(), ErrorKind::Closed);
    trace.expect(["the value"]);
    drop(other);
    assert!(!called.get());
    let late = event_loop.expect_answer(|_: Result<()>| ()).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Closed);
    Ok(())
}

type OnValue = crate::support::on_drop::OnDrop<Box<dyn FnOnce() + Send>>;

#[test]
fn undelivered_answer_is_dropped_with_a_closing_loop() -> Result<()> {
    let event_loop = EventLoop::new();
    let trace = Trace::new();
    let future = event_loop.create_future();
    let answer = event_loop.answer_to(&future)?;
    let value = on_drop(trace.says("the value"));
    thread::spawn(move || answer.give(Ok(value))).join().unwrap()?;
    trace.expect_nothing();
    event_loop.close()?;
    trace.expect(["the value"]);
    assert!(!future.done());
    Ok(())
}

/// A drop that the close causes may ask for an answer again.
#[test]
fn a_drop_at_the_close_is_told_that_the_loop_is_closed() -> Result<()> {
    let event_loop = EventLoop::new();
    let on = (*event_loop).clone();
    let told = Rc::new(Cell::new(None));
    let tells = told.clone();
    let asks = on_drop(move || {
        tells.set(on.expect_answer(|_: Result<()>| ()).err().map(|error| error.kind()));
    });
    let answer = event_loop.expect_answer(move |_: Result<()>| drop(asks))?;
    event_loop.close()?;
    assert_eq!(told.get(), Some(ErrorKind::Closed));
    drop(answer);
    Ok(())
}

#[test]
fn panic_of_a_receiver_or_in_its_drop_is_reported() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let answer = event_loop.expect_answer(|_: Result<()>| panic!("heard"))?;
    answer.give(Ok(()))?;
    settle(&event_loop);
    let messages = |reports: &Reports| -> Vec<String> {
        let told = reports.take();
        told.iter().filter_map(|told| told.exception.as_ref().map(Error::message)).collect()
    };
    assert_eq!(messages(&reports), ["heard"]);
    let bomb = Bomb("never heard");
    let answer = event_loop.expect_answer(move |_: Result<()>| drop(bomb))?;
    event_loop.close()?;
    assert_eq!(messages(&reports), ["never heard"]);
    drop(answer);
    Ok(())
}

#[test]
fn ten_thousand_answers_from_four_threads_each_end_their_own() -> Result<()> {
    run_on(&EventLoop::new(), async {
        let (send, work) = mpsc::channel::<(u32, Answer<u32>)>();
        let work = std::sync::Arc::new(std::sync::Mutex::new(work));
        let threads = [(); 4].map(|()| {
            let work = work.clone();
            thread::spawn(move || {
                loop {
                    let next = work.lock().unwrap().recv();
                    let Ok((n, answer)) = next else { return };
                    match n % 3 {
                        0 => answer.give(Ok(n)).unwrap(),
                        1 => answer.give(Err(Error::new(ErrorKind::Value, n.to_string()))).unwrap(),
                        _ => drop(answer),
                    }
                }
            })
        });
        let mut futures = Vec::new();
        for n in 0..10_000 {
            let (future, answer) = owed()?;
            send.send((n, answer)).unwrap();
            futures.push(future);
        }
        drop(send);
        for (n, future) in (0..).zip(futures) {
            let outcome = (&future).await;
            match n % 3 {
                0 => assert_eq!(outcome?, n),
                1 => assert_eq!(error_of(&future).message(), n.to_string()),
                _ => assert!(future.cancelled()),
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        Ok(())
    })
}
