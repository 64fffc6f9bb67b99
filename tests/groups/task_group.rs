//! `TaskGroup`: tasks that end with their scope, and fail together.

use std::cell::RefCell;
use std::rc::Rc;

use callsoon::{
    AnyFuture, Error, ErrorKind, Event, Result, TaskGroup, create_task, current_task, running_loop,
    sleep, yield_now,
};

use crate::driver::{run, secs};
use crate::parts::{after, cancel_me_after, cleaning_up, fails, never_started, now, oops, shown};
use crate::support::trace::Trace;

/// A group of errors as its messages, or what else came.
fn messages<T: std::fmt::Debug>(outcome: Result<T>) -> Vec<String> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Group => {
            assert_eq!(error.message(), "unhandled errors in a TaskGroup");
            error.group().iter().map(Error::message).collect()
        }
        other => vec![shown(other)],
    }
}

fn cancelling() -> usize {
    current_task().expect("inside of a task").cancelling()
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_01
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_02
#[test]
fn its_tasks_are_over_when_it_is_left() {
    run(async {
        let (slow, quick, value) = TaskGroup::scope(async |group| {
            let slow = group.create_task(after(3, "slow"))?;
            sleep(secs(1)).await?;
            let quick = group.create_task(after(1, 1))?;
            Ok((slow, quick, "body"))
        })
        .await?;
        assert_eq!((slow.result()?, quick.result()?), ("slow", 1));
        assert_eq!((value, now()?), ("body", 3));
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_04
// CPython: test_taskgroups.TestTaskGroup.test_cancel_children_on_child_error
// CPython: test_taskgroups.TestTaskGroup.test_cancelling_level_preserved
#[test]
fn failure_cancels_the_tasks_oldest_first_and_stops_the_body() {
    run(async {
        let trace = Trace::new();
        let ended = TaskGroup::scope(async |group| {
            for name in ["a", "b"] {
                group.create_task(cleaning_up(trace.clone(), name))?;
            }
            group.create_task(fails::<i32>(1, "one"))?;
            group.create_task(cleaning_up(trace.clone(), "c"))?;
            let slept = sleep(secs(60)).await;
            trace.push(format!("body: {} {}", shown(slept.clone()), cancelling()));
            slept
        });
        assert_eq!(messages(ended.await), ["one"]);
        trace.expect([
            "a cleans up",
            "b cleans up",
            "c cleans up",
            "body: CancelledError 1",
            "a has cleaned up",
            "b has cleaned up",
            "c has cleaned up",
        ]);
        assert_eq!((now()?, cancelling()), (2, 0));
        yield_now().await?;
        // The body has ended, and the scope waits for its task.
        let ended =
            TaskGroup::scope(async |group| group.create_task(fails::<i32>(0, "two")).map(drop));
        assert_eq!(messages(ended.await), ["two"]);
        assert_eq!(cancelling(), 0);
        yield_now().await
    })
    .unwrap();
}

#[test]
fn errors_are_in_the_order_of_failing_and_the_bodys_is_last() {
    run(async {
        let ended = TaskGroup::scope(async |group| {
            let fails_late = |message| async move {
                assert!(sleep(secs(60)).await.is_err());
                fails::<()>(1, message).await
            };
            group.create_task(fails_late("b"))?;
            group.create_task(fails_late("c"))?;
            group.create_task(fails::<i32>(0, "a"))?;
            assert!(sleep(secs(60)).await.is_err());
            Err::<(), _>(oops("body"))
        });
        assert_eq!(messages(ended.await), ["a", "b", "c", "body"]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_09
#[test]
fn a_body_that_fails_cancels_the_tasks() {
    run(async {
        let trace = Trace::new();
        let ended = TaskGroup::scope(async |group| {
            group.create_task(cleaning_up(trace.clone(), "task"))?;
            yield_now().await?;
            Err::<(), _>(oops("body"))
        });
        assert_eq!(messages(ended.await), ["body"]);
        trace.expect(["task cleans up", "task has cleaned up"]);
        assert_eq!(now()?, 1, "it was cancelled");
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_03
#[test]
fn a_cancelled_task_is_no_failure() {
    run(async {
        let left = TaskGroup::scope(async |group| {
            let cancelled = group.create_task(after(9, 9))?;
            sleep(secs(1)).await?;
            cancelled.cancel();
            let other = group.create_task(after(2, 2))?;
            sleep(secs(1)).await?;
            Ok((cancelled, other, group.create_task(after(3, 3))?))
        });
        let (cancelled, other, last) = left.await?;
        assert!(cancelled.cancelled());
        assert_eq!((other.result()?, last.result()?, now()?), (2, 3, 5));
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_cancellation
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_07
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_22
#[test]
fn a_cancelled_body_cancels_the_tasks_and_is_told_in_the_end() {
    for in_the_body in [true, false] {
        run(async move {
            let trace = Trace::new();
            let own = trace.clone();
            let parent = create_task(async move {
                cancel_me_after(1)?;
                TaskGroup::scope(async |group| {
                    for name in ["a", "b"] {
                        group.create_task(cleaning_up(own.clone(), name))?;
                    }
                    if in_the_body { sleep(secs(60)).await } else { Ok(()) }
                })
                .await
            });
            assert_eq!(shown(parent.clone().await), "CancelledError");
            assert!(parent.cancelled());
            trace.expect(["a cleans up", "b cleans up", "a has cleaned up", "b has cleaned up"]);
            assert_eq!(now()?, 2);
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn however_often_the_parent_is_cancelled_it_waits_for_the_tasks() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        let parent = create_task(async move {
            TaskGroup::scope(async |group| {
                for name in ["a", "b"] {
                    group.create_task(cleaning_up(own.clone(), name))?;
                }
                Ok(())
            })
            .await
        });
        sleep(secs(1)).await?;
        for _ in 0..3 {
            parent.cancel();
            yield_now().await?;
            yield_now().await?;
        }
        assert_eq!(shown(parent.clone().await), "CancelledError");
        assert_eq!(parent.cancelling(), 3);
        trace.expect(["a cleans up", "b cleans up", "a has cleaned up", "b has cleaned up"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn parent_cancelled_as_well_gets_the_errors_before_its_cancel() {
    run(async {
        let parent = create_task(async {
            cancel_me_after(2)?;
            let ended = TaskGroup::scope(async |group| {
                group.create_task(fails::<i32>(1, "one"))?;
                assert!(sleep(secs(60)).await.is_err());
                assert!(sleep(secs(60)).await.is_err());
                Ok(())
            });
            assert_eq!(messages(ended.await), ["one"]);
            assert_eq!(cancelling(), 1);
            let told = sleep(secs(60)).await;
            assert_eq!(now()?, 2);
            told
        });
        assert_eq!(shown(parent.clone().await), "CancelledError");
        assert_eq!(parent.cancelling(), 1);
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_error_and_cancel
#[test]
fn error_in_the_turn_of_the_parents_cancel_goes_before_it() {
    run(async {
        let event = Event::new();
        let fails = event.clone();
        let parent = create_task(async move {
            let ended = TaskGroup::scope(async |group| {
                group.create_task::<()>(async move {
                    fails.set();
                    yield_now().await?;
                    Err(oops("one"))
                })?;
                sleep(secs(60)).await
            });
            assert_eq!(messages(ended.await), ["one"]);
            assert_eq!(cancelling(), 1);
            sleep(secs(60)).await
        });
        event.wait().await?;
        assert!(parent.cancelling() == 0 && parent.cancel() && parent.cancelling() == 1);
        assert_eq!(shown(parent.clone().await), "CancelledError");
        assert_eq!((now()?, parent.cancelled()), (0, true));
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_24
#[test]
fn tasks_may_be_added_while_it_waits_for_others() {
    run(async {
        let trace = Trace::new();
        TaskGroup::scope(async |group| {
            let (own, adds) = (trace.clone(), group.clone());
            group.create_task(async move {
                sleep(secs(1)).await?;
                adds.create_task(async move {
                    sleep(secs(1)).await?;
                    own.push("added late");
                    Ok(())
                })
                .map(drop)
            })?;
            Ok(())
        })
        .await?;
        trace.expect(["added late"]);
        assert_eq!(now()?, 2);
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_no_create_task_after_failure
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_finished
#[test]
fn none_is_added_once_it_fails_or_is_left() {
    run(async {
        let refused =
            |group: &TaskGroup| group.create_task(never_started()).unwrap_err().to_string();
        let kept = Rc::new(RefCell::new(None));
        let own = kept.clone();
        let ended = TaskGroup::scope(async |group| {
            own.replace(Some(group.clone()));
            group.create_task(fails::<i32>(0, "early"))?;
            group.create_task(after(5, 5))?;
            assert!(sleep(secs(1)).await.is_err());
            assert_eq!(
                refused(&group),
                "RuntimeError: TaskGroup <TaskGroup tasks=1 errors=1 cancelling> is shutting down"
            );
            Ok(())
        });
        assert_eq!(messages(ended.await), ["early"]);
        let group = kept.take().expect("it was entered");
        assert_eq!(refused(&group), "RuntimeError: TaskGroup <TaskGroup cancelling> is finished");
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_13
#[test]
fn groups_in_groups_end_from_the_inside_out() {
    run(async {
        let trace = Trace::new();
        let outer = TaskGroup::scope(async |outer| {
            outer.create_task(fails::<i32>(1, "outer"))?;
            let inner = TaskGroup::scope(async |inner| {
                inner.create_task(cleaning_up(trace.clone(), "inner task")).map(drop)
            });
            let inner = inner.await;
            trace.push(shown(inner.clone()));
            inner
        });
        assert_eq!(messages(outer.await), ["outer"]);
        trace.expect(["inner task cleans up", "inner task has cleaned up", "CancelledError"]);
        assert_eq!(cancelling(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn many_tasks_are_cancelled_in_the_order_of_their_making() {
    run(async {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let ended = TaskGroup::scope(async |group| {
            for n in 0..100 {
                let seen = seen.clone();
                let task = group.create_task(after(60, n))?;
                task.add_done_callback(move |done: &dyn AnyFuture| {
                    assert!(done.cancelled());
                    seen.borrow_mut().push(n);
                });
            }
            yield_now().await?;
            Err::<(), _>(oops("body"))
        });
        assert!(ended.await.is_err());
        assert_eq!(seen.take(), (0..100).collect::<Vec<_>>());
        assert_eq!(running_loop()?.pending_timers(), 0);
        Ok(())
    })
    .unwrap();
}
