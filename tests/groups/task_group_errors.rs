//! `TaskGroup`: what comes out when errors and cancellations meet, in one group and in several.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use callsoon::{
    Error, ErrorKind, Result, Task, TaskGroup, create_task, current_task, running_loop, sleep,
    timeout, yield_now,
};

use crate::driver::{Reports, run, secs};
use crate::parts::{after, fails, never_started, now, oops, shown};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

fn cancelling() -> usize {
    current_task().expect("inside of a task").cancelling()
}

/// An error as its message, a group as those in it, in brackets.
fn message(error: &Error) -> String {
    if error.kind() != ErrorKind::Group {
        return error.to_string();
    }
    let inside: Vec<String> = error.group().iter().map(message).collect();
    format!("[{}]", inside.join(", "))
}

fn ended<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    outcome.map_or_else(|error| message(&error), |value| format!("{value:?}"))
}

/// Sleeps until it is cancelled, and fails then.
async fn fails_when_cancelled(message: &'static str) -> Result<()> {
    assert!(sleep(secs(3600)).await.is_err());
    Err(oops(message))
}

/// Runs `parent` as a task, cancels it after a second, and says what it ended with.
async fn cancelled_after_a_second(
    parent: impl Future<Output = Result<()>> + 'static,
) -> Result<String> {
    let parent = create_task(parent);
    sleep(secs(1)).await?;
    assert!(!parent.done() && parent.cancel());
    Ok(ended(parent.await))
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_08
#[test]
fn errors_of_the_tasks_go_before_the_cancellation_of_the_parent() {
    run(async {
        let parent = TaskGroup::scope(async |group| {
            for message in ["a", "b"] {
                group.create_task(fails_when_cancelled(message))?;
            }
            sleep(secs(3600)).await
        });
        assert_eq!(cancelled_after_a_second(parent).await?, "[ValueError: a, ValueError: b]");
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_11
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_12
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_14
#[test]
fn a_group_that_fails_is_an_error_of_the_group_around_it() {
    run(async {
        for other_tasks in [false, true] {
            let parent = TaskGroup::scope(async move |outer| {
                if other_tasks {
                    outer.create_task(after(3600, 1))?;
                }
                TaskGroup::scope(async |inner| {
                    inner.create_task(fails_when_cancelled("inner"))?;
                    sleep(secs(3600)).await
                })
                .await
            });
            assert_eq!(cancelled_after_a_second(parent).await?, "[[ValueError: inner]]");
        }
        let parent = TaskGroup::scope(async |outer| {
            outer.create_task(fails::<()>(10, "never"))?;
            TaskGroup::scope(async |inner| inner.create_task(fails::<()>(1, "inner")).map(drop))
                .await
        });
        assert_eq!(ended(parent.await), "[[ValueError: inner]]");
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_15
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_16
#[test]
fn failure_during_a_cancelled_bodys_exit_precedes_its_cancel() {
    async fn slow_to_leave() -> Result<()> {
        TaskGroup::scope(async |group| {
            group.create_task(async {
                assert!(sleep(secs(3600)).await.is_err());
                fails::<()>(2, "late").await
            })?;
            group.create_task(fails::<()>(3, "in the meantime"))?;
            let interrupted = sleep(secs(3600)).await;
            let _ = sleep(secs(5)).await;
            interrupted
        })
        .await
    }
    run(async {
        let expected = "[ValueError: in the meantime, ValueError: late]";
        assert_eq!(cancelled_after_a_second(slow_to_leave()).await?, expected);
        let by_way_of_another = async { create_task(slow_to_leave()).await };
        assert_eq!(cancelled_after_a_second(by_way_of_another).await?, expected);
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_17
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_18
#[test]
fn cancelled_body_without_tasks_ends_with_the_bodys_error() {
    run(async {
        let passes_it_on = TaskGroup::scope(async |_| sleep(secs(3600)).await);
        assert_eq!(cancelled_after_a_second(passes_it_on).await?, "CancelledError");
        let fails = TaskGroup::scope(async |_| fails_when_cancelled("instead").await);
        assert_eq!(cancelled_after_a_second(fails).await?, "[ValueError: instead]");
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_10
#[test]
fn a_body_that_fails_at_once_cancels_tasks_that_never_started() {
    run(async {
        let tasks = Rc::new(Cell::new(None));
        let own = tasks.clone();
        let failed = TaskGroup::scope(async move |group| {
            let made: [Task<()>; 2] =
                [group.create_task(never_started())?, group.create_task(never_started())?];
            own.set(Some(made));
            Err::<(), _>(oops("body"))
        });
        assert_eq!(ended(failed.await), "[ValueError: body]");
        assert!(tasks.take().expect("they were made").iter().all(Task::cancelled));
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_19
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_context_manager_exit_raises
#[test]
fn errors_of_task_and_interrupted_body_leave_no_cancel_request() {
    run(async {
        let both = TaskGroup::scope(async |group| {
            group.create_task(fails::<()>(0, "task"))?;
            fails_when_cancelled("body").await
        });
        assert_eq!(ended(both.await), "[ValueError: task, ValueError: body]");
        assert_eq!((now()?, cancelling()), (0, 0));
        yield_now().await
    })
    .unwrap();
}

/// The inner group's request to cancel is taken back, and the outer one's stays until it is left.
// CPython: test_taskgroups.TestTaskGroup.test_nested_groups_both_cancelled
#[test]
fn groups_in_groups_that_both_fail_each_count_their_own_request() {
    run(async {
        let outer = TaskGroup::scope(async |outer| {
            let others = outer.clone();
            let inner = TaskGroup::scope(async move |inner| {
                inner.create_task(fails::<()>(0, "inner"))?;
                others.create_task(fails::<()>(0, "outer")).map(drop)
            });
            assert_eq!(ended(inner.await), "[ValueError: inner]");
            assert_eq!(cancelling(), 1);
            Ok(())
        });
        assert_eq!(ended(outer.await), "[ValueError: outer]");
        assert_eq!(cancelling(), 0);
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_23
// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_task_name
#[test]
fn done_tasks_are_dropped_while_the_body_runs() {
    run(async {
        TaskGroup::scope(async |group| {
            for count in 0..10 {
                sleep(secs(1)).await?;
                let name = format!("job {count}");
                let job = group.create_task(sleep(secs(3)))?;
                job.set_name(&name);
                assert_eq!(job.name(), name);
            }
            // One of them ends now, behind the body.
            assert_eq!(format!("{group:?}"), "<TaskGroup tasks=4 entered>");
            sleep(secs(4)).await?;
            assert_eq!(format!("{group:?}"), "<TaskGroup entered>");
            Ok(())
        })
        .await
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_25
#[test]
fn tasks_that_multiply_are_stopped_by_one_that_fails() {
    fn multiplies(group: TaskGroup, count: Rc<Cell<usize>>) -> Result<()> {
        let own = group.clone();
        let body = async move {
            count.set(count.get() + 1);
            sleep(secs(10)).await?;
            multiplies(group.clone(), count.clone())?;
            multiplies(group, count)
        };
        own.create_task(body).map(drop)
    }
    run(async {
        let count = Rc::new(Cell::new(0));
        let seen = count.clone();
        let stopped = TaskGroup::scope(async move |group| {
            multiplies(group.clone(), seen.clone())?;
            let stops = async move {
                while seen.get() < 10 {
                    sleep(secs(15)).await?;
                }
                Err::<(), _>(oops("enough"))
            };
            group.create_task(stops).map(drop)
        });
        assert_eq!(ended(stopped.await), "[ValueError: enough]");
        assert!(count.get() >= 10);
        assert_eq!(callsoon::all_tasks().len(), 1);
        assert_eq!(running_loop()?.pending_timers(), 0);
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_finished
// CPython: test_taskgroups.TestTaskGroup.test_coro_closed_when_tg_closed
#[test]
fn what_a_group_refuses_is_dropped() {
    run(async {
        let trace = Trace::new();
        let left = TaskGroup::scope(async |group| Ok(group)).await?;
        let guard = on_drop(trace.says("dropped"));
        let refused = left.create_task(async move {
            drop(guard);
            Ok(())
        });
        assert_eq!(
            shown(refused.map(drop)),
            "RuntimeError: TaskGroup <TaskGroup entered> is finished"
        );
        trace.expect(["dropped"]);
        assert_eq!((now()?, callsoon::all_tasks().len()), (0, 1));
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_without_parent_task
#[test]
fn it_needs_a_parent_task() {
    let event_loop = callsoon::EventLoop::with_virtual_time();
    let trace = Trace::new();
    let own = trace.clone();
    let outside = move || {
        let mut entered = std::pin::pin!(TaskGroup::scope(async |_| Ok(())));
        let waker = std::task::Waker::noop();
        let polled = entered.as_mut().poll(&mut std::task::Context::from_waker(waker));
        match polled {
            std::task::Poll::Ready(Err(error)) => own.push(error),
            other => panic!("{other:?}"),
        }
    };
    outside();
    trace.expect(["RuntimeError: no running event loop"]);
    event_loop.call_soon(outside).unwrap();
    event_loop.run_once(None).unwrap();
    trace.expect(["RuntimeError: TaskGroup <TaskGroup> cannot determine the parent task"]);
}

#[test]
fn kept_group_and_timeout_let_their_task_go() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        drop(create_task(async move {
            let group = TaskGroup::scope(async |group| Ok(group)).await?;
            let timeout = timeout(None, async |scope| Ok(scope)).await?;
            keep.replace(Some((group, timeout)));
            Err::<(), _>(oops("unread"))
        }));
        yield_now().await?;
        assert!(kept.borrow().is_some());
        assert_eq!(reports.messages(), ["Task exception was never retrieved"]);
        Ok(())
    })
    .unwrap();
}
