//! Async generators that a main leaves half way, or drops, as its loop is ended: who hears of it.

use callsoon::{
    AnyFuture, AsyncGenerator, Error, ErrorKind, EventLoop, create_task, generator, run_on, sleep,
    yield_now,
};

use crate::driver::{Reports, secs};
use crate::support::trace::Trace;

fn two() -> AsyncGenerator<i32> {
    generator(async |y| {
        y.give(1).await?;
        y.give(2).await.map(drop)
    })
}

fn fails_in_the_clean_up() -> AsyncGenerator<i32> {
    generator(async |y| {
        let _ = y.give(1).await;
        Err(Error::new(ErrorKind::Value, "in the clean-up"))
    })
}

#[test]
fn nobody_hears_of_one_that_is_left_half_way_or_dropped_and_ends_well() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let held = two();
    let left = held.clone();
    let main = async move {
        left.anext().await?;
        two().anext().await
    };
    assert_eq!(run_on(&event_loop, main).unwrap(), 1);
    assert!(reports.messages().is_empty());
    assert_eq!(format!("{held:?}"), "<async_generator finished>");
}

#[test]
fn an_error_of_one_that_is_left_half_way_is_reported_with_it() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let held = fails_in_the_clean_up();
    let left = held.clone();
    run_on(&event_loop, async move { left.anext().await }).unwrap();
    let [report] = &reports.take()[..] else { panic!("one report") };
    let message = "an error occurred during closing of asynchronous generator ";
    assert!(report.message.starts_with(message), "{}", report.message);
    assert_eq!(report.exception.as_ref().unwrap().message(), "in the clean-up");
    assert_eq!(report.asyncgen.as_deref(), Some("<async_generator finished>"));
}

/// The task that closes it is among those that are left, and fails.
#[test]
fn an_error_of_one_that_main_drops_is_reported_as_that_of_a_task_that_is_left() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    run_on(&event_loop, async { fails_in_the_clean_up().anext().await }).unwrap();
    let [report] = &reports.take()[..] else { panic!("one report") };
    assert_eq!(report.message, "unhandled exception during run() shutdown");
    assert_eq!(report.exception.as_ref().unwrap().message(), "in the clean-up");
    assert!(report.asyncgen.is_none());
}

#[test]
fn tasks_that_are_cancelled_inside_of_one_have_it_finished_before_the_shutdown() {
    let event_loop = EventLoop::with_virtual_time();
    let trace = Trace::new();
    let waiter = |trace: &Trace| {
        let trace = trace.clone();
        generator(async move |y| {
            let outcome = match sleep(secs(1000)).await {
                Ok(()) => y.give(1).await.map(drop),
                cancelled => cancelled,
            };
            yield_now().await?;
            trace.push("finalized");
            outcome
        })
    };
    let tasks = [(); 2].map(|()| {
        let numbers = waiter(&trace);
        event_loop.create_task(async move { numbers.anext().await }).unwrap()
    });
    event_loop.run_until_complete(sleep(secs(1))).unwrap();
    for task in &tasks {
        assert!(task.cancel());
        assert!(event_loop.run_until_complete(task.clone()).unwrap_err().is_cancelled());
    }
    trace.expect(["finalized", "finalized"]);
    let on = event_loop.clone();
    event_loop.run_until_complete(async move { on.shutdown_asyncgens().await }).unwrap();
    trace.expect_nothing();
}

#[test]
fn a_main_that_fails_leaves_a_generator_finished_whose_task_fails_as_it_is_cancelled() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let spinner = generator(async |y| {
        loop {
            y.give(1).await?;
            sleep(secs(1)).await?;
        }
    });
    let spun = spinner.clone();
    let task = event_loop
        .create_task(async move {
            loop {
                if spun.next().await.is_err() {
                    return Err::<(), _>(Error::new(ErrorKind::Value, "in the cancel"));
                }
            }
        })
        .unwrap();
    let main = async {
        create_task(async { Ok(()) })?;
        yield_now().await?;
        Err::<(), _>(Error::new(ErrorKind::Value, "main's"))
    };
    assert_eq!(run_on(&event_loop, main).unwrap_err().message(), "main's");
    assert!(task.done() && !task.cancelled());
    assert_eq!(reports.messages(), ["unhandled exception during run() shutdown"]);
    assert_eq!(format!("{spinner:?}"), "<async_generator finished>");
    assert!(task.to_any().exception().unwrap().is_some());
}
