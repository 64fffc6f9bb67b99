//! `as_completed`: one by one, as they end.

use std::rc::Rc;

use callsoon::{
    AnyFuture, as_completed, create_task, helpers as hp, running_loop, sleep, wait_for, yield_now,
};

use crate::driver::{run, secs};
use crate::parts::{after, done, fails, now, pending, shown};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

// CPython: test_tasks.BaseTaskTests.test_as_completed
#[test]
fn they_come_in_the_order_in_which_they_end() {
    run(async {
        let trace = Trace::new();
        let tasks =
            [create_task(after(3, 3)), create_task(after(1, 1)), create_task(fails(2, "two"))];
        let mut completed = as_completed(&tasks, None);
        while let Some(task) = completed.next().await? {
            trace.push(format!("{} {}", now()?, shown(task.await)));
        }
        assert!(completed.next().await?.is_none());
        trace.expect(["1 1", "2 ValueError: two", "3 3"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_as_completed_duplicate_coroutines
#[test]
fn those_done_already_come_first_and_each_once() {
    run(async {
        let trace = Trace::new();
        let (a, b, c) = (pending::<i32>()?, done(2)?, done(1)?);
        let last = a.clone();
        running_loop()?.call_later(secs(1), move || last.set_result(3))?;
        let mut completed = as_completed([&a, &b, &c, &b], None);
        while let Some(future) = completed.next().await? {
            trace.push(future.result()?);
        }
        trace.expect(["2", "1", "3"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_as_completed_with_timeout
#[test]
fn after_the_limit_each_that_is_missing_is_an_error() {
    run(async {
        let trace = Trace::new();
        let tasks = [1, 5, 6].map(|seconds| create_task(after(seconds, seconds)));
        let mut completed = as_completed(&tasks, secs(2));
        sleep(secs(3)).await?;
        loop {
            match completed.next().await {
                Ok(Some(task)) => trace.push(task.result()?),
                Ok(None) => break,
                Err(error) => trace.push(error),
            }
        }
        trace.expect(["1", "TimeoutError", "TimeoutError"]);
        sleep(secs(10)).await?;
        let results: Vec<_> = tasks.iter().map(|task| task.result().unwrap()).collect();
        assert_eq!(results, [1, 5, 6]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_as_completed_with_timeout
#[test]
fn as_completed_is_out_of_time_at_its_limit() {
    run(async {
        let trace = Trace::new();
        let tasks = [create_task(after(1, 1)), create_task(after(5, 5))];
        let mut completed = as_completed(&tasks, secs(2));
        while let Some(next) = completed.next().await.transpose() {
            let shown = shown(next.and_then(|task| task.result()));
            trace.push(format!("{:?} {shown}", running_loop()?.time()));
        }
        trace.expect(["1s 1", "2s TimeoutError"]);
        assert_eq!(running_loop()?.time(), secs(2));
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_as_completed_with_unused_timeout
// CPython: test_tasks.BaseTaskTests.test_as_completed_coroutine_use_running_loop
#[test]
fn when_all_have_come_the_limits_timer_is_gone() {
    run(async {
        let task = create_task(after(1, "done"));
        let mut completed = as_completed([&task], secs(60));
        let first = completed.next().await?.expect("it has come");
        assert_eq!((first.result()?, now()?), ("done", 1));
        assert_eq!(running_loop()?.pending_timers(), 0);
        assert!(completed.next().await?.is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn as_completed_leaves_no_callback_behind_its_limit() {
    run(async {
        let (future, parent) = (pending::<i32>()?, pending::<i32>()?);
        let child = hp::ChildOfFuture::<i32>::new(&parent);
        let before = format!("{future:?} {parent:?}");
        let mut completed = as_completed([&future as &dyn AnyFuture, &child], secs(1));
        assert_ne!(format!("{future:?} {parent:?}"), before);
        assert_eq!(shown(completed.next().await.map(drop)), "TimeoutError");
        assert_eq!(format!("{future:?} {parent:?}"), before);
        Ok(())
    })
    .unwrap();
}

#[test]
fn as_completed_with_a_limit_keeps_nothing_that_it_returned() {
    run(async {
        let trace = Trace::new();
        let (future, ends) =
            (pending::<i32>()?, create_task(after(1, Rc::new(on_drop(trace.says("gone"))))));
        let mut completed = as_completed([future.to_any(), ends.to_any()], secs(60));
        drop(ends);
        drop(completed.next().await?);
        trace.expect(["gone"]);
        assert_eq!(running_loop()?.pending_timers(), 1);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_as_completed_same_tasks_in_as_out
#[test]
fn a_cancelled_next_loses_none() {
    run(async {
        let task = create_task(after(2, "done"));
        let mut completed = as_completed([&task as &dyn AnyFuture], None);
        let next = callsoon::timeout(secs(1), async |_| completed.next().await.map(drop));
        assert!(next.await.is_err());
        assert_eq!(completed.next().await?.map(|next| next.id()), Some(task.id()));
        assert_eq!(now()?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn dropped_it_leaves_no_callback_and_no_timer() {
    run(async {
        let (future, other) = (pending::<i32>()?, done(1)?);
        let completed = as_completed([&future, &other], secs(60));
        assert!(format!("{future:?}").contains("callbacks=1"));
        drop(completed);
        assert!(!format!("{future:?}").contains("callbacks"), "{future:?}");
        assert_eq!(running_loop()?.pending_timers(), 0);
        let late = wait_for(future, secs(1)).await;
        assert_eq!(shown(late), "TimeoutError");
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_as_completed_same_tasks_in_as_out
// CPython: test_tasks.BaseTaskTests.test_as_completed_concurrent
#[test]
fn what_has_come_may_be_awaited_later_and_all_at_once() {
    run(async {
        let tasks = ["a", "b"].map(|name| create_task(after(1, name)));
        let mut completed = as_completed(tasks, None);
        let mut come = Vec::new();
        while let Some(task) = completed.next().await? {
            come.push(task);
        }
        drop(completed);
        let (done, pending) = callsoon::wait(&come, None, Default::default()).await?;
        assert_eq!((done.len(), pending.len(), now()?), (2, 0, 1));
        let results: Vec<_> = come.iter().map(|task| task.result().unwrap()).collect();
        assert_eq!(results, ["a", "b"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_as_completed_resume_iterator
#[test]
fn iteration_may_pause_and_go_on_later() {
    run(async {
        let tasks: Vec<_> = (0..4).map(|n| create_task(async move { Ok(n) })).collect();
        let mut completed = as_completed(&tasks, None);
        let mut seen = Vec::new();
        for _ in 0..2 {
            seen.push(completed.next().await?.expect("there are four").result()?);
        }
        sleep(secs(1)).await?;
        while let Some(task) = completed.next().await? {
            seen.push(task.result()?);
        }
        assert_eq!(seen, [0, 1, 2, 3]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn as_completed_returns_futures_in_any_order_of_their_ends() {
    run(async {
        const COUNT: usize = 101;
        let futures: Vec<_> = (0..COUNT).map(|_| pending::<usize>()).collect::<Result<_, _>>()?;
        let order: Vec<_> = (0..COUNT).map(|n| n * 37 % COUNT).collect();
        let mut completed = as_completed(&futures, None);
        for n in &order[..COUNT / 2] {
            futures[*n].set_result(*n)?;
        }
        yield_now().await?;
        let mut seen = Vec::new();
        while let Some(future) = completed.next().await? {
            seen.push(future.result()?);
            if seen.len() == 7 {
                for n in &order[COUNT / 2..] {
                    futures[*n].set_result(*n)?;
                }
            }
        }
        assert_eq!(seen, order);
        Ok(())
    })
    .unwrap();
}

#[test]
fn as_completed_returns_future_likes_as_they_were_given() {
    run(async {
        let (like, parent, plain) =
            (hp::ResettableFuture::<i32>::new(), pending::<i32>()?, pending::<i32>()?);
        let child = hp::ChildOfFuture::<i32>::new(&parent);
        let mut completed = as_completed([&plain as &dyn AnyFuture, &child, &like], None);
        like.set_result(1)?;
        child.set_result(2)?;
        plain.set_result(3)?;
        let mut seen = Vec::new();
        while let Some(future) = completed.next().await? {
            seen.push(future.id());
        }
        assert_eq!(seen, [like.id(), child.id(), plain.id()]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn as_completed_dropped_leaves_no_callback_on_future_likes() {
    run(async {
        let parent = pending::<i32>()?;
        let child = hp::ChildOfFuture::<i32>::new(&parent);
        let before = format!("{parent:?}");
        let completed = as_completed([&child as &dyn AnyFuture, &parent], None);
        assert_ne!(format!("{parent:?}"), before);
        drop(completed);
        assert_eq!(format!("{parent:?}"), before);
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_named_again_anywhere_is_returned_once() {
    run(async {
        // The last stands in memory of its own, far from the others.
        let mut futures = Vec::new();
        for value in 0..40_000 {
            futures.push(done(value)?);
        }
        let ends = [&futures[0], &futures[1], &futures[39_999]];
        for sequence in 0..81_usize {
            let named = [1, 3, 9, 27].map(|digit| sequence / digit % 3);
            let mut completed = as_completed(named.map(|own| ends[own]), None);
            let mut returned = Vec::new();
            while let Some(future) = completed.next().await? {
                returned.push(future.result()?);
            }
            let mut once = Vec::new();
            for own in named.map(|own| ends[own].result().unwrap()) {
                if !once.contains(&own) {
                    once.push(own);
                }
            }
            assert_eq!(returned, once, "{named:?}");
        }
        Ok(())
    })
    .unwrap();
}
