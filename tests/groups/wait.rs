//! `wait`: the tasks that are done, those that aren't, and that nothing else happens to them.

use callsoon::{AnyFuture, ErrorKind, ReturnWhen, Task, create_task, running_loop, sleep, wait};

use crate::driver::{run, secs};
use crate::parts::{after, cleans_up, done, fails, now, oops, pending};
use crate::support::trace::Trace;

fn places<F: AnyFuture, A: AnyFuture>(of: &[F], among: &[A]) -> Vec<usize> {
    let place = |one: &F| among.iter().position(|other| other.id() == one.id());
    of.iter().map(|one| place(one).expect("one of those given")).collect()
}

fn tasks() -> callsoon::Result<[Task<i32>; 4]> {
    Ok([
        create_task(after(3, 3)),
        create_task(after(1, 1)),
        create_task(fails(2, "two")),
        create_task(after(4, 4)),
    ])
}

// CPython: test_tasks.BaseTaskTests.test_wait
// CPython: test_tasks.BaseTaskTests.test_wait_first_completed
// CPython: test_tasks.BaseTaskTests.test_wait_first_exception_in_wait
// CPython: test_tasks.BaseTaskTests.test_wait_with_exception
// CPython: test_tasks.BaseTaskTests.test_wait_with_timeout
#[test]
fn it_returns_when_it_is_told_to_in_the_order_given() {
    for (return_when, limit, at, done_then) in [
        (ReturnWhen::FirstCompleted, None, 1, vec![1]),
        (ReturnWhen::FirstException, None, 2, vec![1, 2]),
        (ReturnWhen::AllCompleted, None, 4, vec![0, 1, 2, 3]),
        (ReturnWhen::AllCompleted, Some(secs(3)), 3, vec![1, 2]),
        (ReturnWhen::FirstException, Some(secs(1)), 1, vec![]),
    ] {
        run(async move {
            let tasks = tasks()?;
            // The timer is older than the sleeps of the tasks, which have not started.
            let (done, pending) = wait(&tasks, limit, return_when).await?;
            assert_eq!(now()?, at);
            assert_eq!(places(&done, &tasks), done_then, "{return_when:?} {limit:?}");
            let others: Vec<_> = (0..4).filter(|place| !done_then.contains(place)).collect();
            assert_eq!(places(&pending, &tasks), others);
            sleep(secs(10)).await?;
            assert!(tasks.iter().all(|task| task.done() && !task.cancelled()));
            let _ = tasks[2].exception();
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn a_cancelled_one_is_no_exception_to_wait_for() {
    run(async {
        let (cancelled, slow) = (pending::<i32>()?, create_task(after(2, "slow")));
        cancelled.cancel();
        let both = [&cancelled as &dyn AnyFuture, &slow];
        let (done, _) = wait(both, None, ReturnWhen::FirstException).await?;
        assert_eq!((now()?, done.len()), (2, 2));
        let (done, pending) = wait(both, None, ReturnWhen::FirstCompleted).await?;
        assert_eq!((done.len(), pending.len()), (2, 0));
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_wait_duplicate_coroutines
// CPython: test_tasks.BaseTaskTests.test_wait_errors
// CPython: test_tasks.BaseTaskTests.test_wait_invalid_args
#[test]
fn one_named_twice_is_returned_once_and_none_at_all_is_an_error() {
    run(async {
        let (one, two) = (done(1)?, done(2)?);
        let (done, pending) = wait([&one, &two, &one], None, ReturnWhen::AllCompleted).await?;
        assert_eq!((places(&done, &[&one, &two]), pending.len()), (vec![0, 1], 0));
        let nothing: [&Task<i32>; 0] = [];
        let error = wait(nothing, None, ReturnWhen::AllCompleted).await.unwrap_err();
        let expected = (ErrorKind::Value, "Set of Tasks/Futures is empty.".to_owned());
        assert_eq!((error.kind(), error.message()), expected);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_wait_really_done
#[test]
fn what_ends_before_the_waiter_goes_on_is_done_too() {
    run(async {
        let (first, second) = (pending::<i32>()?, pending::<i32>()?);
        let (one, two) = (first.clone(), second.clone());
        let on = running_loop()?;
        on.clone().call_soon(move || {
            one.set_result(1)?;
            // In the next turn, behind the callback that tells the waiter, before that goes on.
            on.call_soon(move || two.set_result(2)).map(drop)
        })?;
        let (done, _) = wait([&first, &second], None, ReturnWhen::FirstCompleted).await?;
        assert_eq!(done.len(), 2);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_yield_wait_does_not_shield_cancel
#[test]
fn a_cancelled_wait_cancels_nothing_and_leaves_nothing_behind() {
    run(async {
        let trace = Trace::new();
        let task = cleans_up(&trace, "task");
        let future = pending::<i32>()?;
        let waiter = create_task({
            let (task, future) = (task.clone(), future.clone());
            async move {
                let both = [&task as &dyn AnyFuture, &future];
                wait(both, secs(60), ReturnWhen::AllCompleted).await.map(drop)
            }
        });
        sleep(secs(1)).await?;
        assert!(format!("{future:?}").contains("callbacks=1"));
        waiter.cancel();
        assert!(waiter.await.unwrap_err().is_cancelled());
        assert!(!task.done() && !future.done());
        assert!(!format!("{future:?}").contains("callbacks"), "{future:?}");
        assert_eq!(running_loop()?.pending_timers(), 1, "that of the task's sleep");
        trace.expect_nothing();
        Ok(())
    })
    .unwrap();
}

#[test]
fn exceptions_are_not_read_for_their_owner() {
    run(async {
        let on = running_loop()?;
        let reports = crate::driver::Reports::of(&on);
        for (return_when, expected) in [
            (ReturnWhen::AllCompleted, vec!["Future exception was never retrieved"]),
            (ReturnWhen::FirstException, vec![]),
        ] {
            let (future, other) = (pending::<i32>()?, pending::<i32>()?);
            future.set_exception(oops("unread"))?;
            other.set_result(1)?;
            wait([&future, &other], None, return_when).await?;
            drop(future);
            assert_eq!(reports.messages(), expected);
        }
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_wait_first_exception
#[test]
fn an_exception_that_is_there_already_ends_the_wait_for_one() {
    run(async {
        let slow = create_task(after(9, 9));
        let failing = create_task(fails::<i32>(0, "at once"));
        let both = [&failing, &slow];
        let (ended, left) = wait(both, None, ReturnWhen::FirstException).await?;
        assert_eq!((places(&ended, &both), places(&left, &both), now()?), (vec![0], vec![1], 0));
        let again = wait(both, None, ReturnWhen::FirstException).await?;
        assert_eq!((places(&again.0, &both), now()?), (vec![0], 0), "and the next one too");
        Ok(())
    })
    .unwrap();
}

/// It has been sleeping for longer than the wait has waited, so its timer is older.
// CPython: test_tasks.BaseTaskTests.test_wait_concurrent_complete
// CPython: test_tasks.BaseTaskTests.test_wait_with_iterator_of_tasks
#[test]
fn what_ends_at_the_time_of_the_limit_is_done_if_it_began_first() {
    run(async {
        let tasks = [1, 2].map(|seconds| create_task(after(seconds, seconds)));
        sleep(secs(0)).await?;
        let (ended, left) = wait(tasks.iter(), secs(1), ReturnWhen::AllCompleted).await?;
        assert_eq!((places(&ended, &tasks), places(&left, &tasks)), (vec![0], vec![1]));
        assert_eq!(now()?, 1);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_wait_with_iterator_of_tasks
// CPython: test_tasks.BaseTaskTests.test_wait_generator
#[test]
fn tasks_may_come_from_an_iterator_that_makes_them() {
    run(async {
        let made = (0..10).map(|n| create_task(async move { Ok(n) }));
        let (done, pending) = wait(made, None, ReturnWhen::AllCompleted).await?;
        let results: Vec<_> = done.iter().map(|task| task.result().unwrap()).collect();
        assert_eq!((results, pending.len()), ((0..10).collect(), 0));
        Ok(())
    })
    .unwrap();
}
