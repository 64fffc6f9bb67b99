//! Mains that borrow from the function that runs them: `run`, `run_on`, `block_on`.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use callsoon::{
    AnyFuture, AnyTask, ErrorKind, EventLoop, LoopFuture, Result, Runner, create_task,
    current_task, run_on, running_loop, sleep, yield_now,
};

use crate::driver::{run, secs};
use crate::support::trace::Trace;

/// A value that is neither `Clone` nor anything else.
#[derive(Debug, PartialEq)]
struct Plain(u8);

/// Adds a line to the trace when it is dropped.
struct Dropped<'a>(&'a Trace);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.push("dropped");
    }
}

#[test]
fn run_takes_a_main_that_borrows() {
    let mut words = vec!["a".to_owned()];
    let count = callsoon::run(async {
        yield_now().await?;
        words.push("b".to_owned());
        Ok(Plain(2))
    });
    assert_eq!(count.unwrap(), Plain(2));
    assert_eq!(words, ["a", "b"]);
}

#[test]
fn run_on_cancels_a_stalled_main_that_borrows() {
    let trace = Trace::new();
    let outcome = run_on(&EventLoop::with_virtual_time(), async {
        let _dropped = Dropped(&trace);
        let never = running_loop()?.create_future::<()>();
        let outcome = never.await;
        yield_now().await?;
        trace.push(format!("{outcome:?}"));
        outcome
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stalled);
    trace.expect(["Err(CancelledError())", "dropped"]);
}

#[test]
fn runner_returns_values_that_are_not_clone() {
    let runner = Runner::with_loop_factory(EventLoop::with_virtual_time);
    assert_eq!(runner.run(async { Ok(Plain(1)) }).unwrap(), Plain(1));
    runner.close().unwrap();
}

#[test]
fn block_on_runs_a_task_among_the_others() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    event_loop
        .create_task(async move {
            own.push("first");
            Ok(())
        })
        .unwrap();
    let value = event_loop.block_on(async {
        trace.push(current_task().expect("it is one").name().to_string());
        create_task(async { Ok(()) }).await.unwrap();
        Plain(7)
    });
    assert_eq!(value.unwrap(), Plain(7));
    trace.expect(["first", "Task-2"]);
    assert!(!event_loop.is_closed());
}

#[test]
fn block_on_drops_its_future_where_the_loop_stops() {
    let event_loop = EventLoop::with_virtual_time();
    let (trace, shared) = (Trace::new(), event_loop.create_future::<()>());
    let mut task: Option<AnyTask> = None;
    let outcome = event_loop.block_on(async {
        let _dropped = Dropped(&trace);
        task = current_task();
        running_loop().unwrap().stop();
        shared.clone().await
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Runtime);
    trace.expect(["dropped"]);
    let task = task.expect("it has run");
    assert!(!task.done() && !shared.cancelled());
    shared.set_result(()).unwrap();
    event_loop.run_until_complete(async { yield_now().await }).unwrap();
    assert!(task.cancelled(), "{task:?}");
}

#[test]
fn block_on_drops_its_future_where_the_loop_stalls() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let outcome = event_loop.block_on(async {
        let _dropped = Dropped(&trace);
        pending::<()>().await;
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stalled);
    trace.expect(["dropped"]);
}

#[test]
fn block_on_returns_the_error_of_a_panic() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let outcome = event_loop.block_on(async {
        let _dropped = Dropped(&trace);
        sleep(secs(1)).await.unwrap();
        panic!("in the future");
    });
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains("in the future"), "{error}");
    trace.expect(["dropped"]);
}

#[test]
fn block_on_is_refused_in_a_run_and_drops_its_future() {
    let trace = Trace::new();
    run(async move {
        let inner = EventLoop::with_virtual_time();
        let dropped = Dropped(&trace);
        let outcome = inner.block_on(async move { drop(dropped) });
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Runtime);
        trace.expect(["dropped"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn block_on_ends_before_what_its_future_holds() {
    let event_loop = EventLoop::with_virtual_time();
    let seen: RefCell<Vec<Result<u8>>> = RefCell::default();
    let (future, count) = (event_loop.create_future::<u8>(), Rc::new(Cell::new(0)));
    // Two waits at once, by a combinator that the crate doesn't know.
    let wait = |of: LoopFuture<u8>| async {
        let outcome = of.await;
        seen.borrow_mut().push(outcome);
    };
    let own = count.clone();
    event_loop
        .call_later(secs(3), move || {
            own.set(own.get() + 1);
            running_loop().unwrap().stop();
        })
        .unwrap();
    let both = async {
        let mut both = [Box::pin(wait(future.clone())), Box::pin(wait(future.clone()))];
        poll_fn(|cx| {
            let [first, second] = both.each_mut().map(|wait| wait.as_mut().poll(cx));
            if first.is_ready() { second } else { Poll::Pending }
        })
        .await;
    };
    assert_eq!(event_loop.block_on(both).unwrap_err().kind(), ErrorKind::Runtime);
    assert_eq!(count.get(), 1);
    future.set_result(1).unwrap();
    event_loop.run_until_complete(async { yield_now().await }).unwrap();
    assert!(seen.borrow().is_empty());
}
