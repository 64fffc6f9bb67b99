//! The events of a loop as lines. `tests/port-check` compares them with CPython's.

use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    AnyFuture, Error, ErrorKind, Event, EventLoop, Result, ReturnWhen, Task, create_eager_task,
    create_task, gather_outcomes, generator, run_on, running_loop, sleep, testing, wait, yield_now,
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The lines of `main` up to its end.
fn lines_of(main: impl Future<Output = Result<()>> + 'static) -> Vec<String> {
    let trace = testing::record(|| run_on(&EventLoop::with_virtual_time(), main).unwrap());
    let mut lines: Vec<String> = trace.lines().map(str::to_owned).collect();
    let end = lines.iter().position(|line| line == "end t1 result").expect("main ends");
    lines.truncate(end + 1);
    lines
}

#[test]
fn events_sleep_is_a_timer_and_a_wake() {
    let lines = lines_of(async { sleep(secs(2)).await });
    let expected = [
        "callsoon-trace 1 virtual",
        "outside",
        "make t1",
        "turn 1 at 0",
        "step t1",
        "make timer1 due 2",
        "wait t1 on sleep",
        "turn 2 at 2",
        "timer1",
        "wake t1",
        "turn 3 at 2",
        "step t1",
        "end t1 result",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn events_cancel_is_asked_delivered_and_ends_the_task() {
    let lines = lines_of(async {
        let task: Task<()> = create_task(async { sleep(secs(5)).await }).with_name("the worker");
        yield_now().await?;
        task.cancel();
        let outcome = task.await;
        testing::log(format!("cancelled: {}\n", outcome.is_err_and(|error| error.is_cancelled())));
        Ok(())
    });
    let expected = [
        "step t1",
        "make t2:the_worker",
        "yield t1",
        "turn 2 at 0",
        "step t2:the_worker",
        "make timer1 due 5",
        "wait t2:the_worker on sleep",
        "step t1",
        "cancel t2:the_worker",
        "wake t2:the_worker",
        "wait t1 on t2:the_worker",
        "turn 3 at 0",
        "step t2:the_worker throws cancelled",
        "cancel timer1",
        "end t2:the_worker cancelled",
        "wake t1",
        "turn 4 at 0",
        "step t1 throws cancelled",
        "log cancelled: true\\n",
        "end t1 result",
    ];
    assert_eq!(lines[4..], expected);
}

#[test]
fn events_step_names_the_end_of_an_awaited_future() {
    for (ends, expected) in [
        ("result", "step t1"),
        ("exception", "step t1 throws error ValueError"),
        ("cancelled", "step t1 throws cancelled"),
    ] {
        let lines = lines_of(async move {
            let future = running_loop()?.create_future::<()>();
            let set = future.clone();
            running_loop()?.call_soon(move || match ends {
                "result" => set.set_result(()),
                "exception" => set.set_exception(Error::new(ErrorKind::Value, "")),
                _ => {
                    set.cancel();
                    Ok(())
                }
            })?;
            assert_eq!(future.await.is_ok(), ends == "result");
            Ok(())
        });
        assert_eq!(lines[lines.len() - 2], expected, "{lines:?}");
    }
}

#[test]
fn events_step_names_what_it_throws() {
    let other = EventLoop::with_virtual_time();
    let stranger = other.create_future::<()>();
    let lines = lines_of(async {
        let task = create_task(async { yield_now().await });
        yield_now().await?;
        assert!(task.cancel() && task.await.is_err());
        assert!(stranger.await.is_err());
        Ok(())
    });
    let throws: Vec<&String> = lines.iter().filter(|line| line.contains(" throws ")).collect();
    let expected = [
        "step t2 throws cancelled",
        "step t1 throws cancelled",
        "step t1 throws error RuntimeError",
    ];
    assert_eq!(throws, expected);
}

#[test]
fn events_future_that_nothing_waits_for_any_more_ends_unseen() {
    let lines = lines_of(async {
        let future = running_loop()?.create_future::<()>();
        let callback = future.add_done_callback(|_: &dyn AnyFuture| ());
        future.add_done_callback(&callback);
        assert_eq!(future.remove_done_callback(&callback), 2);
        future.set_result(())
    });
    assert!(!lines.iter().any(|line| line.starts_with("set ")), "{lines:?}");
}

#[cfg(feature = "contextvars")]
#[test]
fn events_callbacks_in_a_context_are_those_of_the_program() {
    static VAR: callsoon::ContextVar<u8> = callsoon::ContextVar::new("var");
    let lines = lines_of(async {
        VAR.set(1);
        let on = running_loop()?;
        on.call_soon(|| ())?;
        on.call_later(secs(3), || ())?.cancel();
        yield_now().await
    });
    let expected = ["make call1", "make timer1 due 3", "cancel timer1"];
    assert_eq!(lines[5..8], expected);
}

#[test]
fn events_callbacks_timers_and_futures_have_numbers() {
    let lines = lines_of(async {
        let on = running_loop()?;
        on.call_soon(|| ())?;
        on.call_soon(|| ())?.cancel();
        on.call_later(secs(3), || ())?.cancel();
        let future = on.create_future::<()>();
        let set = future.clone();
        on.call_at(secs(1), move || set.set_result(()))?;
        future.add_done_callback(|_: &dyn AnyFuture| testing::log("done"));
        future.await
    });
    let expected = [
        "step t1",
        "make call1",
        "make call2",
        "cancel call2",
        "make timer1 due 3",
        "cancel timer1",
        "make timer2 due 1",
        "wait t1 on future1",
        "turn 2 at 0",
        "call1",
        "turn 3 at 1",
        "timer2",
        "set future1 result",
        "wake t1",
        "turn 4 at 1",
        "callback",
        "log done",
        "step t1",
        "end t1 result",
    ];
    assert_eq!(lines[4..], expected);
}

/// The tests of `callsoon_trace` have the same program.
#[test]
fn events_eager_tasks_step_inside_of_each_other() {
    async fn inner(event: Rc<Event>) -> Result<()> {
        testing::log("inner");
        event.wait().await
    }

    async fn outer(event: Rc<Event>) -> Result<()> {
        let task = create_eager_task(inner(event.clone())).with_name("inner");
        event.set();
        task.cancel();
        wait([&task], None, ReturnWhen::AllCompleted).await?;
        Err(Error::new(ErrorKind::Value, ""))
    }

    let lines = lines_of(async {
        let task = create_eager_task(outer(Rc::new(Event::new()))).with_name("outer");
        wait([&task], None, ReturnWhen::AllCompleted).await?;
        assert!(task.exception()?.is_some());
        Ok(())
    });
    let expected = [
        "step t1",
        "make t2:outer",
        "step t2:outer",
        "make t3:inner",
        "step t3:inner",
        "log inner",
        "wait t3:inner on Event.wait",
        "wake t3:inner",
        "cancel t3:inner",
        "wait t2:outer on wait",
        "wait t1 on wait",
        "turn 2 at 0",
        "step t3:inner throws cancelled",
        "end t3:inner cancelled",
        "turn 3 at 0",
        "callback",
        "wake t2:outer",
        "turn 4 at 0",
        "step t2:outer",
        "end t2:outer error ValueError",
        "turn 5 at 0",
        "callback",
        "wake t1",
        "turn 6 at 0",
        "step t1",
        "end t1 result",
    ];
    assert_eq!(lines[4..], expected);
}

/// The callback that closes a dropped generator is scheduled inside of `<Owner as Drop>::drop`.
#[test]
fn events_call_that_closes_a_generator_has_no_number() {
    let lines = lines_of(async {
        let values = generator(async |values| {
            let given = values.give(1).await.map(drop);
            yield_now().await?;
            given
        });
        values.next().await?;
        drop(values);
        yield_now().await?;
        yield_now().await?;
        yield_now().await
    });
    // CPython 3.13 writes the same.
    let expected = [
        "turn 1 at 0",
        "step t1",
        "yield t1",
        "turn 2 at 0",
        "callback",
        "make t2",
        "step t1",
        "yield t1",
        "turn 3 at 0",
        "step t2",
        "yield t2",
        "step t1",
        "yield t1",
        "turn 4 at 0",
        "step t2",
        "end t2 result",
        "step t1",
        "end t1 result",
    ];
    assert_eq!(lines[3..], expected);
}

/// A program may implement its own trait for a type of the crate.
#[test]
fn events_call_of_the_programs_trait_for_a_task_has_a_number() {
    trait Later {
        fn later(&self) -> Result<()>;
    }

    impl Later for Task<()> {
        fn later(&self) -> Result<()> {
            let task = self.clone();
            running_loop()?.call_soon(move || drop(task)).map(drop)
        }
    }

    let lines = lines_of(async {
        let task = create_task(async { Ok(()) });
        task.later()?;
        task.await
    });
    assert_eq!(lines[4..7], ["step t1", "make t2", "make call1"]);
}

#[test]
fn events_are_recorded_between_start_and_stop_only() {
    let event_loop = EventLoop::with_virtual_time();
    assert!(event_loop.stop_events().is_none());
    event_loop.run_until_complete(async { sleep(secs(1)).await }).unwrap();
    event_loop.start_events();
    let log = async |text: &str| {
        testing::log(text);
        Ok(())
    };
    event_loop.run_until_complete(log("here")).unwrap();
    let events = event_loop.stop_events().expect("it was started");
    event_loop.run_until_complete(log("not here")).unwrap();
    assert!(!events.is_empty());
    let text = events.to_string();
    assert!(text.contains("log here\n") && !text.contains("sleep"), "{text}");
    assert!(event_loop.stop_events().is_none());
}

#[test]
#[should_panic(
    expected = "the traces differ at line 2\n    both      a\n    expected  c\n    actual    b\n"
)]
fn events_assert_trace_names_the_first_difference() {
    testing::assert_trace("a\nb\n", "a\nc\nd\n");
}

#[test]
fn events_errors_have_the_names_of_their_types() {
    let errors = [
        Error::new(ErrorKind::Timeout, "late"),
        "x".parse::<i32>().unwrap_err().into(),
        std::io::Error::other("broken").into(),
        Error::new(ErrorKind::Other, "something"),
    ];
    let lines = lines_of(async {
        let fail = |error| create_task::<()>(async { Err(error) });
        gather_outcomes(&errors.map(fail)).await?;
        let task = create_task::<()>(async { Err(Error::new(ErrorKind::QueueEmpty, "")) });
        let _ = task.await;
        let _ = create_task::<()>(async { panic!("a panic") }).await;
        Ok(())
    });
    for line in [
        "end t2 error TimeoutError",
        "end t3 error ParseIntError",
        "end t4 error OSError",
        "end t5 error",
        "end t6 error QueueEmpty",
        "step t1 throws error QueueEmpty",
        "end t7 error",
    ] {
        assert!(lines.iter().any(|one| one == line), "{line}: {lines:#?}");
    }
}
