//! Properties of every future-like thing, tested with each kind of them.

use std::any::Any;
use std::rc::Rc;

use callsoon::helpers::{ChildOfFuture, ResettableFuture};
use callsoon::{
    AnyFuture, Await, Callback, Error, ErrorKind, EventLoop, FutureLike, LoopFuture, Result, Task,
};

use crate::driver::{Reports, settle, turn, turns_of};
use crate::support::trace::Trace;

/// A pending thing of a kind, and how it is ended from outside.
struct Subject {
    future: Rc<dyn FutureLike<i32>>,
    end: Box<dyn Fn(Result<i32>)>,
}

type Make = fn(&EventLoop) -> Subject;

fn loop_future(event_loop: &EventLoop) -> Subject {
    let future: LoopFuture<i32> = event_loop.create_future();
    let end = future.clone();
    Subject { future: Rc::new(future), end: Box::new(move |outcome| set(&end, outcome)) }
}

/// A task that passes on the end of a future.
fn task(event_loop: &EventLoop) -> Subject {
    let inner: LoopFuture<i32> = event_loop.create_future();
    let end = inner.clone();
    let task: Task<i32> = event_loop.create_task(async move { inner.await }).unwrap();
    turn(event_loop, 1);
    Subject { future: Rc::new(task), end: Box::new(move |outcome| set(&end, outcome)) }
}

fn resettable_future(event_loop: &EventLoop) -> Subject {
    let future = ResettableFuture::new_on(event_loop);
    let end = future.clone();
    Subject { future: Rc::new(future), end: Box::new(move |outcome| set(&end, outcome)) }
}

/// A child of a parent that is pending, and stays so.
fn child_of_future(event_loop: &EventLoop) -> Subject {
    let parent: LoopFuture<()> = event_loop.create_future();
    let made = event_loop.run_until_complete(async move { Ok(ChildOfFuture::new(&parent)) });
    let future = made.unwrap();
    let end = future.clone();
    Subject { future: Rc::new(future), end: Box::new(move |outcome| set(&end, outcome)) }
}

/// A type of other code that stands on a future, and writes no more than it has to.
#[derive(Clone, Debug)]
struct Standing(LoopFuture<i32>);

impl AnyFuture for Standing {
    fn base(&self) -> &dyn AnyFuture {
        &self.0
    }
    fn to_any(&self) -> Rc<dyn AnyFuture> {
        Rc::new(self.clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl FutureLike<i32> for Standing {
    fn result(&self) -> Result<i32> {
        self.0.result()
    }
    fn set_result(&self, value: i32) -> Result<()> {
        self.0.set_result(value)
    }
    fn wait(&self) -> Await<i32> {
        self.0.wait()
    }
    fn to_future_like(&self) -> Rc<dyn FutureLike<i32>> {
        Rc::new(self.clone())
    }
}

fn standing_on_a_future(event_loop: &EventLoop) -> Subject {
    let future = Standing(event_loop.create_future());
    let end = future.clone();
    Subject { future: Rc::new(future), end: Box::new(move |outcome| set(&end, outcome)) }
}

fn set(future: &dyn FutureLike<i32>, outcome: Result<i32>) {
    match outcome {
        Ok(value) => future.set_result(value).unwrap(),
        Err(error) if error.is_cancelled() => assert!(future.cancel()),
        Err(error) => future.set_exception(error).unwrap(),
    }
}

macro_rules! suite {
    ($($kind:ident),*: $behaviours:tt) => {
        $(mod $kind { suite!(@tests $kind $behaviours); })*
    };
    (@tests $kind:ident { $($behaviour:ident)* }) => {
        $(
            #[test]
            fn $behaviour() {
                super::$behaviour(super::$kind);
            }
        )*
    };
}

suite! {
    loop_future, task, resettable_future, child_of_future, standing_on_a_future: {
        a_pending_one_has_neither_result_nor_exception
        a_result_is_there_for_every_reader
        an_exception_is_the_same_error_for_every_reader
        a_cancelled_one_raises_from_result_and_from_exception
        what_is_done_refuses_a_cancel
        callbacks_run_in_the_order_of_adding_and_never_at_once
        the_same_callback_added_twice_is_called_twice
        removing_takes_out_every_equal_callback_and_counts_them
        once_done_no_callback_can_be_taken_out
        a_callback_added_when_done_runs_next_turn_behind_what_is_ready
        a_callback_added_by_a_callback_runs_a_turn_later
        a_failing_callback_is_reported_and_the_others_run
        awaiting_a_done_one_does_not_yield
        awaiters_wake_in_the_order_in_which_they_came
        awaiters_and_callbacks_share_one_order
        cancelling_an_awaiter_cancels_it_for_all_awaiters
        all_handles_have_one_identity
    }
}

// CPython: test_futures.BaseFutureTests.test_initial_state
// CPython: test_futures.BaseFutureTests.test_result
// CPython: test_futures.BaseFutureTests.test_exception
fn a_pending_one_has_neither_result_nor_exception(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let Subject { future, .. } = make(&event_loop);
    assert!(!future.done() && !future.cancelled());
    assert!(future.get_loop().ptr_eq(&event_loop));
    let error = future.result().unwrap_err();
    assert_eq!((error.kind(), &*error.message()), (ErrorKind::InvalidState, "Result is not set."));
    assert_eq!(future.outcome().unwrap_err().kind(), ErrorKind::InvalidState);
    let error = future.exception().unwrap_err();
    assert_eq!(
        (error.kind(), &*error.message()),
        (ErrorKind::InvalidState, "Exception is not set.")
    );
}

// CPython: test_futures.BaseFutureTests.test_result
fn a_result_is_there_for_every_reader(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let Subject { future, end } = make(&event_loop);
    end(Ok(7));
    settle(&event_loop);
    assert!(future.done() && !future.cancelled());
    assert_eq!(future.result().unwrap(), 7);
    assert_eq!(future.result().unwrap(), 7);
    assert!(future.exception().unwrap().is_none());
    assert!(future.outcome().is_ok() && future.check_settable().is_err());
}

// CPython: test_futures.BaseFutureTests.test_exception
fn an_exception_is_the_same_error_for_every_reader(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let Subject { future, end } = make(&event_loop);
    let error = Error::new(ErrorKind::Value, "bad");
    end(Err(error.clone()));
    settle(&event_loop);
    assert!(future.done() && !future.cancelled());
    assert!(future.result().unwrap_err().ptr_eq(&error));
    assert!(future.exception().unwrap().unwrap().ptr_eq(&error));
    assert!(future.outcome().unwrap_err().ptr_eq(&error));
    let awaited = event_loop.run_until_complete({
        let wait = future.wait();
        async move { wait.await.map(drop) }
    });
    assert!(awaited.unwrap_err().ptr_eq(&error));
}

// CPython: test_futures.BaseFutureTests.test_initial_state
// CPython: test_futures.BaseFutureTests.test_cancel
fn a_cancelled_one_raises_from_result_and_from_exception(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let Subject { future, .. } = make(&event_loop);
    assert!(future.cancel());
    settle(&event_loop);
    assert!(future.done() && future.cancelled());
    assert!(future.result().unwrap_err().is_cancelled());
    assert!(future.exception().unwrap_err().is_cancelled());
}

// CPython: test_tasks.BaseTaskTests.test_cancel
fn what_is_done_refuses_a_cancel(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let outcomes = [Ok(1), Err(Error::new(ErrorKind::Value, "")), Err(Error::cancelled())];
    for outcome in outcomes {
        let Subject { future, end } = make(&event_loop);
        end(outcome.clone());
        settle(&event_loop);
        assert!(!future.cancel());
        settle(&event_loop);
        assert_eq!(future.result().is_ok(), outcome.is_ok(), "nothing has changed");
    }
}

/// Callbacks that push lines.
fn saying(trace: &Trace, line: &'static str) -> Callback {
    let trace = trace.clone();
    Callback::new(move |_: &dyn AnyFuture| trace.push(line))
}

// CPython: test_futures.BaseFutureDoneCallbackTests.test_callbacks_invoked_on_set_result
// CPython: test_futures.BaseFutureDoneCallbackTests.test_callbacks_invoked_on_set_exception
fn callbacks_run_in_the_order_of_adding_and_never_at_once(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    for outcome in [Ok(1), Err(Error::new(ErrorKind::Value, "")), Err(Error::cancelled())] {
        let Subject { future, end } = make(&event_loop);
        for line in ["a", "b", "c"] {
            future.add_callback(saying(&trace, line));
        }
        end(outcome);
        while !future.done() {
            turn(&event_loop, 1);
        }
        trace.expect_nothing();
        turn(&event_loop, 1);
        trace.expect(["a", "b", "c"]);
        settle(&event_loop);
        trace.expect_nothing();
        let _ = future.exception();
    }
}

fn the_same_callback_added_twice_is_called_twice(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, end } = make(&event_loop);
    let again = saying(&trace, "again");
    future.add_callback(again.clone());
    future.add_callback(saying(&trace, "between"));
    future.add_callback(again);
    end(Ok(1));
    settle(&event_loop);
    trace.expect(["again", "between", "again"]);
}

// CPython: test_futures.BaseFutureDoneCallbackTests.test_remove_done_callback
fn removing_takes_out_every_equal_callback_and_counts_them(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, end } = make(&event_loop);
    let (gone, stays) = (saying(&trace, "gone"), saying(&trace, "stays"));
    for callback in [&gone, &stays, &gone, &gone, &stays] {
        future.add_callback(callback.clone());
    }
    assert!(future.has_callback(&gone));
    assert_eq!(future.remove_done_callback(&saying(&trace, "never added")), 0);
    assert_eq!(future.remove_done_callback(&gone), 3);
    assert_eq!(future.remove_done_callback(&gone), 0);
    assert!(!future.has_callback(&gone));
    assert!(future.has_callback(&stays));
    assert_eq!(future.remove_done_callback(&stays), 2);
    future.add_callback(stays);
    future.add_callback(gone);
    end(Ok(1));
    settle(&event_loop);
    trace.expect(["stays", "gone"]);
    assert_eq!(future.result().unwrap(), 1);
}

// CPython: test_futures.BaseFutureDoneCallbackTests.test_schedule_callbacks_list_mutation_1
fn once_done_no_callback_can_be_taken_out(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, end } = make(&event_loop);
    let callback = saying(&trace, "called all the same");
    future.add_callback(callback.clone());
    end(Ok(1));
    while !future.done() {
        turn(&event_loop, 1);
    }
    assert!(!future.has_callback(&callback));
    assert_eq!(future.remove_done_callback(&callback), 0);
    settle(&event_loop);
    trace.expect(["called all the same"]);
}

fn a_callback_added_when_done_runs_next_turn_behind_what_is_ready(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, end } = make(&event_loop);
    end(Ok(1));
    settle(&event_loop);
    event_loop.call_soon(trace.says("ready before")).unwrap();
    let late = saying(&trace, "late");
    future.add_callback(late.clone());
    event_loop.call_soon(trace.says("ready after")).unwrap();
    assert!(!future.has_callback(&late), "it is on its way");
    assert_eq!(future.remove_done_callback(&late), 0);
    trace.expect_nothing();
    turn(&event_loop, 1);
    trace.expect(["ready before", "late", "ready after"]);
}

fn a_callback_added_by_a_callback_runs_a_turn_later(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, end } = make(&event_loop);
    let (own, on) = (trace.clone(), event_loop.clone());
    future.add_callback(Callback::new(move |done: &dyn AnyFuture| {
        own.push("a");
        on.call_soon(own.says("soon"))?;
        done.add_callback(saying(&own, "late"));
        Ok(())
    }));
    future.add_callback(saying(&trace, "b"));
    end(Ok(1));
    while !future.done() {
        turn(&event_loop, 1);
    }
    turn(&event_loop, 1);
    trace.expect(["a", "b"]);
    turn(&event_loop, 1);
    trace.expect(["soon", "late"]);
}

/// Not so for those that stand on a future of their own: their callbacks are given that one.
#[test]
fn a_callback_of_a_future_or_task_is_given_the_future_itself() {
    a_callback_is_given_the_future_itself(loop_future);
    a_callback_is_given_the_future_itself(task);
}

fn a_callback_is_given_the_future_itself(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, end } = make(&event_loop);
    let (own, id) = (trace.clone(), future.id());
    future.add_callback(Callback::new(move |done: &dyn AnyFuture| {
        assert_eq!(done.id(), id);
        let typed = done.downcast_ref::<i32>().expect("its results are of this type");
        assert!(done.downcast_ref::<u8>().is_none());
        own.push(format!("done={} result={:?}", done.done(), typed.result()));
    }));
    end(Ok(5));
    settle(&event_loop);
    trace.expect(["done=true result=Ok(5)"]);
}

fn a_failing_callback_is_reported_and_the_others_run(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let reports = Reports::of(&event_loop);
    let Subject { future, end } = make(&event_loop);
    let error = Error::new(ErrorKind::Value, "from a callback");
    let raised = error.clone();
    future.add_callback(Callback::new(move |_: &dyn AnyFuture| Err::<(), _>(raised.clone())));
    future.add_callback(Callback::new(|_: &dyn AnyFuture| -> () { panic!("in a callback") }));
    future.add_callback(saying(&trace, "called"));
    end(Ok(1));
    settle(&event_loop);
    trace.expect(["called"]);
    let reports = reports.take();
    assert_eq!(reports.len(), 2);
    assert!(reports.iter().all(|report| report.message.starts_with("Exception in callback ")));
    assert!(reports[0].exception.as_ref().unwrap().ptr_eq(&error));
    let panic = reports[1].exception.as_ref().unwrap();
    assert_eq!((panic.kind(), &*panic.message()), (ErrorKind::Panic, "in a callback"));
    assert_eq!(future.result().unwrap(), 1, "the future is none the worse");
}

fn awaiting_a_done_one_does_not_yield(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let Subject { future, end } = make(&event_loop);
    end(Ok(3));
    settle(&event_loop);
    let awaited = event_loop.run_until_complete(async move { turns_of(future.wait()).await });
    let (turns, value) = awaited.unwrap();
    assert_eq!((turns, value.unwrap()), (0, 3));
}

// CPython: test_tasks.BaseTaskTests.test_step_result_future
fn awaiters_wake_in_the_order_in_which_they_came(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, end } = make(&event_loop);
    for name in ["first", "second", "third"] {
        let (wait, own) = (future.wait(), trace.clone());
        let awaiter = async move {
            let value = wait.await?;
            own.push(format!("{name} {value}"));
            Ok(())
        };
        event_loop.create_task(awaiter).unwrap();
    }
    settle(&event_loop);
    end(Ok(4));
    settle(&event_loop);
    trace.expect(["first 4", "second 4", "third 4"]);
}

fn awaiters_and_callbacks_share_one_order(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, end } = make(&event_loop);
    future.add_callback(saying(&trace, "before"));
    let (wait, own) = (future.wait(), trace.clone());
    let awaiter = async move {
        wait.await?;
        own.push("awaiter");
        Ok(())
    };
    event_loop.create_task(awaiter).unwrap();
    settle(&event_loop);
    future.add_callback(saying(&trace, "after"));
    end(Ok(1));
    settle(&event_loop);
    trace.expect(["before", "awaiter", "after"]);
}

// CPython: test_tasks.BaseTaskTests.test_cancel_inner_future
fn cancelling_an_awaiter_cancels_it_for_all_awaiters(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let Subject { future, .. } = make(&event_loop);
    let mut awaiters = Vec::new();
    for name in ["first", "second"] {
        let (wait, own) = (future.wait(), trace.clone());
        let awaiter = async move {
            let outcome = wait.await;
            own.push(format!("{name} {outcome:?}"));
            outcome
        };
        awaiters.push(event_loop.create_task(awaiter).unwrap());
    }
    settle(&event_loop);
    assert!(awaiters[1].cancel());
    trace.expect_nothing();
    settle(&event_loop);
    trace.expect(["first Err(CancelledError())", "second Err(CancelledError())"]);
    assert!(future.cancelled());
    assert!(awaiters.iter().all(Task::cancelled));
    let counts: Vec<usize> = awaiters.iter().map(Task::cancelling).collect();
    assert_eq!(counts, [0, 1], "only one was asked to");
}

fn all_handles_have_one_identity(make: Make) {
    let event_loop = EventLoop::with_virtual_time();
    let Subject { future, end } = make(&event_loop);
    let (any, typed) = (future.to_any(), future.to_future_like());
    let other = make(&event_loop);
    assert_eq!(any.id(), future.id());
    assert_eq!(typed.id(), future.id());
    assert_ne!(other.future.id(), future.id());
    drop(future);
    end(Ok(9));
    settle(&event_loop);
    assert!(any.done());
    assert_eq!(typed.result().unwrap(), 9);
}
