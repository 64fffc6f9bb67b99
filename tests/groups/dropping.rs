//! Timeouts, groups and shields that are dropped half way, and all that this must leave behind.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use callsoon::{
    AnyFuture, EventLoop, Result, TaskGroup, current_task, gather, running_loop, shield, sleep,
    timeout,
};

use crate::driver::{Reports, run, secs};
use crate::parts::{after, cleaning_up, fails, pending};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

/// Polls `dropped` until it is parked, lets `seconds` pass, and drops it.
async fn drop_after<T>(seconds: u64, dropped: impl Future<Output = Result<T>>) -> Result<()> {
    let mut dropped = pin!(dropped);
    let mut until = pin!(sleep(secs(seconds)));
    poll_fn(|cx| {
        assert!(dropped.as_mut().poll(cx).is_pending());
        match until.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Polls `dropped` until it has cancelled its task once, drops it, and returns the requests left.
async fn requests_after_drop<T>(dropped: impl Future<Output = Result<T>>) -> usize {
    let mut dropped = Box::pin(dropped);
    let requests = || current_task().expect("inside of a task").cancelling();
    poll_fn(|cx| {
        assert!(dropped.as_mut().poll(cx).is_pending());
        if requests() == 1 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    drop(dropped);
    requests()
}

#[test]
fn a_dropped_timeout_takes_its_timer_back() {
    run(async {
        drop_after(1, timeout(secs(60), async |_| pending::<i32>()?.await)).await?;
        assert_eq!(running_loop()?.pending_timers(), 0);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_dropped_timeout_that_has_expired_takes_its_request_back() {
    run(async {
        let slow = timeout(secs(1), async |_| {
            let _ = pending::<i32>()?.await;
            pending::<i32>()?.await
        });
        assert_eq!(requests_after_drop(slow).await, 0);
        sleep(secs(1)).await
    })
    .unwrap();
}

#[test]
fn a_dropped_group_that_has_failed_takes_its_request_back() {
    run(async {
        let failed = TaskGroup::scope(async |group| {
            group.create_task(fails::<()>(1, "of the group"))?;
            let _ = pending::<i32>()?.await;
            pending::<i32>()?.await
        });
        assert_eq!(requests_after_drop(failed).await, 0);
        sleep(secs(1)).await
    })
    .unwrap();
}

#[test]
fn a_dropped_group_cancels_its_tasks_and_reports_what_they_say() {
    run(async {
        let (trace, reports) = (Trace::new(), Reports::of(&running_loop()?));
        let group = TaskGroup::scope(async |group| {
            group.create_task(cleaning_up(trace.clone(), "task"))?;
            group.create_task(async {
                assert!(sleep(secs(60)).await.is_err());
                fails::<()>(1, "it is unread").await
            })?;
            pending::<i32>()?.await
        });
        drop_after(1, group).await?;
        sleep(secs(5)).await?;
        trace.expect(["task cleans up", "task has cleaned up"]);
        let [report] = &reports.take()[..] else { panic!("one report") };
        assert_eq!(report.exception.as_ref().expect("its error").message(), "it is unread");
        assert_eq!(report.task.as_deref().map(|name| name.starts_with("Task-")), Some(true));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_loop_closed_in_the_middle_of_it_all_drops_it_all() {
    let trace = Trace::new();
    let event_loop = EventLoop::with_virtual_time();
    let dropped = on_drop(trace.says("the body is dropped"));
    let main = async move {
        let _dropped = dropped;
        TaskGroup::scope(async |group| {
            let task = group.create_task(after(60, 1))?;
            let all = gather([&task]);
            timeout(secs(30), async |_| shield(&all).await).await
        })
        .await
    };
    event_loop.create_task(main).unwrap();
    event_loop.run_once(None).unwrap();
    event_loop.run_once(None).unwrap();
    assert_eq!(event_loop.all_tasks().len(), 2);
    event_loop.set_exception_handler(Some(std::rc::Rc::new(|_, _| ())));
    event_loop.close().unwrap();
    trace.expect(["the body is dropped"]);
}

#[test]
fn shield_is_dropped_with_its_pending_inner_future() {
    let held = Rc::new(());
    let watch = Rc::downgrade(&held);
    let event_loop = EventLoop::with_virtual_time();
    let shielded = event_loop.run_until_complete(async move {
        let inner = running_loop()?.create_future::<()>();
        let outer = shield(&inner);
        outer.add_done_callback(move |_: &dyn AnyFuture| _ = &held);
        Ok(())
    });
    shielded.unwrap();
    assert!(watch.upgrade().is_none(), "shield and inner future keep each other");
}
