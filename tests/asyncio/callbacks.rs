//! Done callbacks: which are equal, and what they may do.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use callsoon::{AnyFuture, Callback, Error, EventLoop, LoopFuture};

use crate::driver::{Reports, settle, turn};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

fn on_done(_: &dyn AnyFuture) {}

fn also_on_done(_: &dyn AnyFuture) {}

#[test]
fn a_function_equals_itself_wherever_it_is_made_a_callback() {
    assert_eq!(Callback::new(on_done), Callback::new(on_done));
    assert_eq!(Callback::from(on_done), Callback::new(on_done));
    assert_ne!(Callback::new(on_done), Callback::new(also_on_done));
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    future.add_done_callback(on_done);
    future.add_done_callback(also_on_done);
    assert_eq!(future.remove_done_callback(&Callback::new(on_done)), 1);
    assert!(future.has_callback(&Callback::new(also_on_done)));
}

/// A word of the future names it, and needs no block.
#[test]
fn sole_callback_takes_no_memory() {
    let event_loop = EventLoop::with_virtual_time();
    let futures: Vec<LoopFuture<()>> = (0..1000).map(|_| event_loop.create_future()).collect();
    let without = event_loop.memory();
    futures.iter().for_each(|future| _ = future.add_done_callback(on_done));
    assert_eq!(event_loop.memory(), without);
    futures.iter().for_each(|future| _ = future.add_done_callback(also_on_done));
    assert!(event_loop.memory() > without);
}

#[test]
fn closure_without_captures_equals_itself_by_its_source_place() {
    let make = || Callback::new(|_: &dyn AnyFuture| ());
    assert_eq!(make(), make());
    assert_ne!(make(), Callback::new(|_: &dyn AnyFuture| ()));
}

#[test]
fn a_closure_that_captures_equals_its_own_clones_only() {
    let captured = Rc::new(1);
    let closure = move |_: &dyn AnyFuture| drop(captured.clone());
    let callback = Callback::new(closure.clone());
    assert_eq!(callback, callback.clone());
    assert_eq!(callback, Callback::from(&callback));
    assert_ne!(callback, Callback::new(closure));
}

/// A callback that captures `N` words more than a trace and a guard.
fn run_callback_of<const N: usize>() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let future = event_loop.create_future::<i32>();
    let (says, dropped, words) = (trace.clone(), on_drop(trace.says("dropped")), [N; N]);
    future.add_done_callback(move |_: &dyn AnyFuture| {
        let _held = &dropped;
        says.push(words.iter().sum::<usize>());
    });
    future.set_result(1).unwrap();
    settle(&event_loop);
    trace.expect([(N * N).to_string(), "dropped".into()]);
}

#[test]
fn callbacks_of_any_size_are_called_and_dropped_once() {
    run_callback_of::<1>();
    run_callback_of::<2>();
    run_callback_of::<3>();
    run_callback_of::<64>();
}

#[test]
fn adding_gives_back_what_removing_takes() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let own = trace.clone();
    let callback = future.add_done_callback(move |_: &dyn AnyFuture| own.push("called"));
    assert_eq!(future.add_done_callback(&callback), callback);
    assert_eq!(future.remove_done_callback(&callback), 2);
    future.set_result(1).unwrap();
    settle(&event_loop);
    trace.expect_nothing();
}

#[test]
fn removed_callback_is_dropped_at_once() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let captured = Rc::new(());
    let own = captured.clone();
    let callback = Callback::new(move |_: &dyn AnyFuture| drop(own.clone()));
    future.add_done_callback(&callback);
    assert_eq!(future.remove_done_callback(&callback), 1);
    drop(callback);
    assert_eq!(Rc::strong_count(&captured), 1);
}

#[test]
fn callback_is_dropped_after_its_run_though_the_future_lives() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let captured = Rc::new(());
    let own = captured.clone();
    future.add_done_callback(move |_: &dyn AnyFuture| drop(own.clone()));
    future.set_result(1).unwrap();
    assert_eq!(Rc::strong_count(&captured), 2);
    settle(&event_loop);
    assert_eq!(Rc::strong_count(&captured), 1);
    assert!(future.done());
}

#[test]
fn callbacks_of_different_futures_run_in_the_order_of_the_ends() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let futures: Vec<LoopFuture<i32>> = (0..3).map(|_| event_loop.create_future()).collect();
    for (number, future) in futures.iter().enumerate() {
        for letter in ["a", "b"] {
            let own = trace.clone();
            future
                .add_done_callback(move |_: &dyn AnyFuture| own.push(format!("{number}{letter}")));
        }
    }
    event_loop.call_soon(trace.says("first")).unwrap();
    futures[2].set_result(1).unwrap();
    event_loop.call_soon(trace.says("between")).unwrap();
    futures[0].cancel();
    futures[1].set_exception(Error::cancelled()).unwrap();
    turn(&event_loop, 1);
    trace.expect(["first", "2a", "2b", "between", "0a", "0b", "1a", "1b"]);
}

#[test]
fn a_future_lives_as_long_as_a_callback_of_it_is_on_its_way() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let own = trace.clone();
    future.add_done_callback(move |done: &dyn AnyFuture| {
        let typed = done.downcast_ref::<i32>().unwrap();
        own.push(format!("{:?}", typed.result()));
    });
    future.set_result(8).unwrap();
    drop(future);
    settle(&event_loop);
    trace.expect(["Ok(8)"]);
}

#[test]
fn callback_of_a_dropped_pending_future_is_never_called() {
    let event_loop = EventLoop::with_virtual_time();
    let captured = Rc::new(());
    let own = captured.clone();
    let future = event_loop.create_future::<i32>();
    future.add_done_callback(move |_: &dyn AnyFuture| drop(own.clone()));
    drop(future);
    assert_eq!(Rc::strong_count(&captured), 1);
    assert_eq!(event_loop.run_once(Some(std::time::Duration::ZERO)).unwrap(), 0);
}

#[test]
fn a_callback_may_take_out_others_and_end_other_futures() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let (first, second) = (event_loop.create_future::<i32>(), event_loop.create_future::<i32>());
    let own = trace.clone();
    let doomed = second.add_done_callback(move |_: &dyn AnyFuture| own.push("doomed"));
    let own = trace.clone();
    second.add_done_callback(move |_: &dyn AnyFuture| own.push("second is done"));
    let (own, other) = (trace.clone(), second.clone());
    first.add_done_callback(move |_: &dyn AnyFuture| {
        own.push(format!("took out {}", other.remove_done_callback(&doomed)));
        other.set_result(2)
    });
    first.set_result(1).unwrap();
    turn(&event_loop, 1);
    trace.expect(["took out 1"]);
    turn(&event_loop, 1);
    trace.expect(["second is done"]);
}

// CPython: test_futures.BaseFutureDoneCallbackTests.test_schedule_callbacks_list_mutation_1
#[test]
fn a_callback_that_takes_itself_out_when_done_changes_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let calls = Rc::new(Cell::new(0));
    let own = calls.clone();
    let callback = Callback::new(move |_: &dyn AnyFuture| own.set(own.get() + 1));
    let itself = callback.clone();
    future.add_done_callback(move |done: &dyn AnyFuture| {
        assert_eq!(done.remove_done_callback(&itself), 0);
    });
    future.add_done_callback(&callback);
    future.set_result(1).unwrap();
    settle(&event_loop);
    assert_eq!(calls.get(), 1);
}

#[test]
fn an_error_of_a_callback_names_the_callback_and_the_future() {
    fn fails(_: &dyn AnyFuture) -> callsoon::Result<()> {
        Err(Error::cancelled_with("even this one"))
    }
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let future = event_loop.create_future::<i32>();
    future.set_name("subject");
    future.add_done_callback(fails);
    future.set_result(1).unwrap();
    settle(&event_loop);
    let report = &reports.take()[0];
    let handle = report.handle.clone().unwrap();
    assert_eq!(report.message, format!("Exception in callback {handle}"));
    assert!(handle.contains("fails") && handle.contains("name='subject'"), "{handle}");
    assert_eq!(report.exception.as_ref().unwrap().message(), "even this one");
}

// CPython: test_futures.BaseFutureDoneCallbackTests.test_callbacks_remove_first_callback
// CPython: test_futures.BaseFutureDoneCallbackTests.test_callbacks_remove_first_and_second_callback
// CPython: test_futures.BaseFutureDoneCallbackTests.test_callbacks_remove_third_callback
#[test]
fn whichever_is_taken_out_the_others_run_in_their_order() {
    for out in [vec![0], vec![0, 1], vec![1], vec![2], vec![0, 2], vec![0, 1, 2]] {
        let event_loop = EventLoop::with_virtual_time();
        let trace = Trace::new();
        let future = event_loop.create_future::<i32>();
        let callbacks: Vec<Callback> = (0..3)
            .map(|number| {
                let own = trace.clone();
                future.add_done_callback(move |_: &dyn AnyFuture| own.push(number))
            })
            .collect();
        for place in &out {
            assert_eq!(future.remove_done_callback(&callbacks[*place]), 1);
            assert_eq!(future.remove_done_callback(&callbacks[*place]), 0);
        }
        trace.expect_nothing();
        future.set_result(1).unwrap();
        settle(&event_loop);
        let left = (0..3).filter(|number| !out.contains(number));
        trace.expect(left.map(|number: usize| number.to_string()));
        assert_eq!(future.result().unwrap(), 1);
    }
}

/// Python's may do so where they are compared; here nothing of theirs runs then, but what they
/// captured is dropped.
// CPython: test_futures.BaseFutureDoneCallbackTests.test_remove_done_callbacks_list_mutation
// CPython: test_futures.BaseFutureDoneCallbackTests.test_remove_done_callbacks_list_clear
// CPython: test_futures.BaseFutureDoneCallbackTests.test_schedule_callbacks_list_mutation_2
#[test]
fn dropped_captures_may_remove_and_add_other_callbacks() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let future = event_loop.create_future::<i32>();
    let own = trace.clone();
    let other = Callback::new(move |_: &dyn AnyFuture| own.push("other"));
    let (of, others, own) = (future.clone(), other.clone(), trace.clone());
    let guard = on_drop(move || {
        own.push(format!("took out {}", of.remove_done_callback(&others)));
        let late = own.clone();
        of.add_done_callback(move |_: &dyn AnyFuture| late.push("added"));
    });
    let doomed = Callback::new(move |_: &dyn AnyFuture| _ = &guard);
    future.add_done_callback(&other);
    future.add_done_callback(doomed.clone());
    for _ in 0..63 {
        future.add_done_callback(&other);
    }
    assert_eq!(future.remove_done_callback(&doomed), 1);
    trace.expect_nothing();
    drop(doomed);
    trace.expect(["took out 64"]);
    future.set_result(1).unwrap();
    settle(&event_loop);
    trace.expect(["added"]);
}

#[test]
fn callback_weak_handle_outlives_its_function() {
    let dropped = Rc::new(Cell::new(0));
    let count = dropped.clone();
    let guard = on_drop(move || count.set(count.get() + 1));
    let callback = Callback::new(move |_: &dyn AnyFuture| {
        let _ = &guard;
    });
    let weak = callback.downgrade();
    let other = weak.clone();
    let again = weak.upgrade().expect("a handle is there");
    drop(callback);
    assert_eq!(dropped.get(), 0);
    drop(weak);
    drop(again);
    assert_eq!(dropped.get(), 1);
    assert!(other.upgrade().is_none());
}

#[test]
fn callback_weak_handle_survives_a_drop_that_panics() {
    let guard = on_drop(|| panic!("dropped badly"));
    let callback = Callback::new(move |_: &dyn AnyFuture| {
        let _ = &guard;
    });
    let weak = callback.downgrade();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(callback))).is_err());
    assert!(weak.upgrade().is_none());
}
