//! Which loop: that of the futures, wherever the call is made.

use callsoon::{
    AnyFuture, ErrorKind, EventLoop, LoopFuture, ReturnWhen, as_completed, gather, gather_outcomes,
    shield, wait,
};

use crate::driver::settle;
use crate::parts::done;
use crate::support::panics::assert_needs_a_loop;

// CPython: test_tasks.GatherTestsBase.test_result_exception_success
// CPython: test_tasks.FutureGatherTests.test_constructor_homogenous_futures
#[test]
fn gather_and_shield_use_the_futures_loop_though_none_runs() {
    let event_loop = EventLoop::with_virtual_time();
    let futures: Vec<LoopFuture<i32>> = (0..2).map(|_| event_loop.create_future()).collect();
    let both = gather(&futures);
    let outcomes = gather_outcomes(&futures);
    let shielded = shield(&both);
    for outer in [both.get_loop(), outcomes.get_loop(), shielded.get_loop()] {
        assert!(outer.ptr_eq(&event_loop));
    }
    settle(&event_loop);
    assert!(!both.done() && !outcomes.done() && !shielded.done());
    futures[0].set_result(1).unwrap();
    futures[1].set_result(2).unwrap();
    assert_eq!(event_loop.run_until_complete(shielded).unwrap(), [1, 2]);
    let outcomes = event_loop.run_until_complete(outcomes).unwrap();
    assert_eq!(outcomes.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
    let over = shield(&futures[0]);
    assert!(over.done() && over.get_loop().ptr_eq(&event_loop));
}

/// A call from another loop's task is no different.
// CPython: test_tasks.BaseTaskTests.test_shield_result
// CPython: test_tasks.BaseTaskTests.test_shield_coroutine_use_running_loop
// CPython: test_tasks.CoroutineGatherTests.test_constructor_use_running_loop
#[test]
fn it_is_not_the_running_loop_that_counts() {
    let (event_loop, other) = (EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    let future = event_loop.create_future::<i32>();
    let inner = future.clone();
    let made = other.run_until_complete(async move { Ok((gather([&inner]), shield(&inner))) });
    let (all, shielded) = made.unwrap();
    assert!(all.get_loop().ptr_eq(&event_loop) && shielded.get_loop().ptr_eq(&event_loop));
    future.set_result(3).unwrap();
    settle(&other);
    assert!(!all.done());
    settle(&event_loop);
    assert_eq!((all.result().unwrap(), shielded.result().unwrap()), (vec![3], 3));
}

// CPython: test_tasks.FutureGatherTests.test_constructor_heterogenous_futures
#[test]
fn gather_and_wait_refuse_futures_of_another_loop() {
    let (event_loop, other) = (EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    let (own, stranger) = (event_loop.create_future::<i32>(), other.create_future::<i32>());
    let (one, two) = (own.clone(), stranger.clone());
    let refused = event_loop.run_until_complete(async move {
        let both = [&one, &two];
        let mut completed = [as_completed(both, None), as_completed([&two; 2], None)];
        let refused = [
            gather(both).await.err(),
            gather([&two, &one]).await.err(),
            gather_outcomes(both).await.err(),
            completed[0].next().await.err(),
            completed[1].next().await.err(),
        ];
        assert!(completed[0].next().await?.is_none() && completed[1].next().await?.is_none());
        Ok(refused)
    });
    let different = "The future belongs to a different loop than the one specified as the loop \
                     argument";
    for error in refused.unwrap() {
        let error = error.expect("it is refused");
        assert_eq!((error.kind(), &*error.message()), (ErrorKind::Value, different));
    }
    for future in [&own, &stranger] {
        assert_eq!(format!("{future:?}"), "<Future pending>", "none the worse");
    }
}

// CPython: test_tasks.BaseTaskTests.test_as_completed_coroutine_without_loop
// CPython: test_tasks.FutureGatherTests.test_constructor_empty_sequence_without_loop
#[test]
fn without_futures_or_a_running_loop_there_is_none_to_wait_on() {
    let said = |error: Option<callsoon::Error>| {
        let error = error.expect("it is refused");
        (error.kind(), error.message())
    };
    let none: [&LoopFuture<i32>; 0] = [];
    let nothing = (ErrorKind::Runtime, "no running event loop".to_owned());
    assert_needs_a_loop(|| gather(none));
    assert_needs_a_loop(|| gather_outcomes(none));
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    assert_needs_a_loop(|| as_completed([&future], None));
    let waiting = std::pin::pin!(wait([&future], None, ReturnWhen::AllCompleted));
    let waker = std::task::Waker::noop();
    match waiting.poll(&mut std::task::Context::from_waker(waker)) {
        std::task::Poll::Ready(outcome) => assert_eq!(said(outcome.err()), nothing),
        std::task::Poll::Pending => panic!("it waits where no loop runs"),
    }
    assert_eq!(format!("{future:?}"), "<Future pending>", "and no task waits for it");
}

#[test]
fn every_future_says_which_loop_it_belongs_to() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let task = event_loop.create_task(async { Ok(1) }).unwrap();
    let resettable = callsoon::helpers::ResettableFuture::<i32>::new_on(&event_loop);
    let any: [&dyn AnyFuture; 4] = [&future, &task, &event_loop.all_tasks()[0], &resettable];
    for future in any {
        assert!(future.get_loop().ptr_eq(&event_loop));
        assert!(future.to_any().get_loop().ptr_eq(&event_loop));
    }
    settle(&event_loop);
    assert_eq!(task.result().unwrap(), 1);
    let none = event_loop.run_until_complete(async { done(2) }).unwrap();
    assert!(none.get_loop().ptr_eq(&event_loop));
}
