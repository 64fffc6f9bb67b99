//! Tasks that swallow every cancellation: the end comes all the same, and says so.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{ErrorKind, EventLoop, LoopFuture, Result, Runner, create_task, run_on, sleep};

use crate::support::trace::Trace;

/// Awaits a future that is never set, and makes another when it is cancelled: for ever.
async fn swallows(count: Rc<Cell<usize>>) -> Result<()> {
    loop {
        let never: LoopFuture<()> = callsoon::running_loop()?.create_future();
        if never.await.is_err() {
            count.set(count.get() + 1);
        }
    }
}

fn tells(event_loop: &EventLoop) -> Trace {
    let trace = Trace::new();
    let own = trace.clone();
    event_loop.set_exception_handler(Some(Rc::new(move |_, context| {
        own.push(&context.message);
    })));
    trace
}

#[test]
fn wind_down_of_a_task_that_swallows_cancels_reports_and_closes() {
    let event_loop = EventLoop::with_virtual_time();
    let (trace, count) = (tells(&event_loop), Rc::new(Cell::new(0)));
    let task = event_loop.create_task(swallows(count.clone())).unwrap();
    event_loop.run_once(None).unwrap();
    assert_eq!(event_loop.wind_down().unwrap_err().kind(), ErrorKind::Stalled);
    assert!(event_loop.is_closed() && !task.done());
    assert_eq!(count.get(), 1, "each is asked once");
    trace.expect(["Task was destroyed but it is pending!"]);
    drop((task, event_loop));
    assert_eq!(Rc::strong_count(&count), 1);
}

#[test]
fn run_reports_it_and_a_runner_says_so() {
    let event_loop = EventLoop::with_virtual_time();
    let (trace, count) = (tells(&event_loop), Rc::new(Cell::new(0)));
    let own = count.clone();
    let main = async move {
        drop(create_task(swallows(own)));
        sleep(Duration::from_secs(1)).await
    };
    // The result of main takes precedence. The stall at the end shows in the report of the task.
    run_on(&event_loop, main).unwrap();
    assert!(event_loop.is_closed());
    trace.expect(["Task was destroyed but it is pending!"]);

    let runner = Runner::with_loop_factory(EventLoop::with_virtual_time);
    let own = count.clone();
    runner
        .run(async {
            let _: () = drop(create_task(swallows(own)));
            Ok(())
        })
        .unwrap();
    runner.run(async { sleep(Duration::from_secs(1)).await }).unwrap();
    let trace = Trace::new();
    let says = trace.clone();
    runner.get_loop().unwrap().set_exception_handler(Some(Rc::new(move |_, context| {
        says.push(&context.message);
    })));
    assert_eq!(runner.close().unwrap_err().kind(), ErrorKind::Stalled);
    trace.expect(["Task was destroyed but it is pending!"]);
    assert_eq!(count.get(), 2);
}

/// A task that sleeps again and again is never stalled: `wind_down` waits as long as it takes.
#[test]
fn one_that_swallows_some_and_cleans_up_is_waited_for() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(async {
        for _ in 0..1000 {
            let _ = sleep(Duration::from_secs(3600)).await;
        }
        Ok(())
    });
    event_loop.run_once(None).unwrap();
    event_loop.wind_down().unwrap();
    assert!(task.unwrap().done());
    assert_eq!(event_loop.time(), Duration::from_secs(999 * 3600));
}
