//! Errors on their way through tasks: which error arrives, from which task, and its message.

use std::{fmt, io};

use callsoon::{
    Catch, Error, ErrorKind, EventLoop, Result, Task, create_task, running_loop, yield_now,
};

use crate::driver::{Reports, run, settle, turn};

#[derive(Debug)]
struct Lost {
    parcels: u32,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} parcels lost", self.parcels)
    }
}

impl std::error::Error for Lost {}

/// One with a cause.
#[derive(Debug)]
struct Late(Lost);

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("late")
    }
}

impl std::error::Error for Late {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn lose(parcels: u32) -> std::result::Result<(), Lost> {
    Err(Lost { parcels })
}

#[test]
fn a_programs_own_error_comes_back_as_what_it_was() {
    let error = run(async {
        let task = create_task(async {
            lose(3)?;
            Ok(())
        });
        task.await
    })
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(error.downcast_ref::<Lost>().unwrap().parcels, 3);
    assert!(error.downcast_ref::<fmt::Error>().is_none());
    assert_eq!((error.message(), error.to_string()), ("3 parcels lost".into(), error.message()));
}

#[test]
fn as_a_standard_error_it_has_the_cause_of_the_programs_own() {
    let late: Box<dyn std::error::Error> = Error::other(Late(Lost { parcels: 2 })).into();
    assert_eq!(late.source().map(|cause| cause.to_string()).as_deref(), Some("2 parcels lost"));
    let cancelled: Box<dyn std::error::Error> = Error::cancelled().into();
    assert!(cancelled.source().is_none());
}

#[test]
fn as_ref_lends_an_error_as_a_standard_one() {
    let late = Error::other(Late(Lost { parcels: 2 }));
    let standard: &(dyn std::error::Error + 'static) = late.as_ref();
    assert_eq!(standard.to_string(), late.to_string());
    assert_eq!(format!("{standard:?}"), format!("{late:?}"));
    assert_eq!(standard.source().map(ToString::to_string).as_deref(), Some("2 parcels lost"));
    assert!(Error::find_in(standard).is_some_and(|own| own.ptr_eq(&late)));
    let sendable: &(dyn std::error::Error + Send + Sync) = late.as_ref();
    assert!(sendable.source().is_some());
    let several = Error::from_group("two", vec![late, Error::cancelled()]);
    let standard: &(dyn std::error::Error + 'static) = several.as_ref();
    assert_eq!(standard.to_string(), several.to_string());
}

#[test]
fn one_error_reaches_all_awaiters_and_their_awaiters() {
    run(async {
        let failing: Task<()> = create_task(async {
            yield_now().await?;
            lose(1)?;
            Ok(())
        });
        let pass_on = |task: &Task<()>| {
            let task = task.clone();
            create_task(async move { task.await })
        };
        let (first, second) = (pass_on(&failing), pass_on(&failing));
        let last = pass_on(&second);
        let error = (&failing).await.unwrap_err();
        for task in [first, second, last] {
            assert!((&task).await.unwrap_err().ptr_eq(&error));
            assert!(task.exception()?.unwrap().ptr_eq(&error));
            assert!(task.result().unwrap_err().ptr_eq(&error));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn errors_that_say_the_same_are_not_the_same() {
    let (one, two) = (Error::new(ErrorKind::Value, "x"), Error::new(ErrorKind::Value, "x"));
    assert!(!one.ptr_eq(&two));
    assert!(one.ptr_eq(&one.clone()));
    assert!(Error::cancelled().ptr_eq(&Error::cancelled()), "there is nothing to tell them by");
    assert!(!Error::cancelled_with("").ptr_eq(&Error::cancelled()));
    assert!(!Error::cancelled().ptr_eq(&one));
}

#[test]
fn a_panic_is_the_tasks_exception_with_its_message() {
    run(async {
        let text: Task<()> = create_task(async { panic!("plain text") });
        let number = 7;
        let formatted: Task<()> = create_task(async move { panic!("formatted {number}") });
        let odd: Task<()> = create_task(async { std::panic::panic_any(7) });
        for (task, message) in
            [(text, "plain text"), (formatted, "formatted 7"), (odd, "a panic without a message")]
        {
            let error = (&task).await.unwrap_err();
            assert_eq!((error.kind(), &*error.message()), (ErrorKind::Panic, message));
            assert!(task.done() && !task.cancelled());
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn payload_of_a_panic_is_taken_once() {
    run(async {
        let task: Task<()> = create_task(async { std::panic::panic_any(7_u8) });
        let (error, again) = ((&task).await.unwrap_err(), (&task).await.unwrap_err());
        assert!(error.ptr_eq(&again));
        let payload = error.take_panic().unwrap();
        assert_eq!(payload.downcast_ref::<u8>(), Some(&7));
        assert!(again.take_panic().is_none());
        assert_eq!(again.message(), "a panic without a message");
        assert!(Error::cancelled().take_panic().is_none());
        assert!(Error::new(ErrorKind::Panic, "no payload").take_panic().is_none());
        Ok(())
    })
    .unwrap();
}

#[test]
fn panic_goes_on_in_the_code_that_runs_the_loop() {
    let outcome = std::panic::catch_unwind(|| {
        let error = run::<()>(async { panic!("in main") }).unwrap_err();
        std::panic::resume_unwind(error.take_panic().unwrap())
    });
    let payload: Box<dyn std::any::Any + Send> = outcome.map(|()| "unwound").unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"in main"));
}

#[test]
fn payload_that_panics_when_dropped_is_not_reported() {
    struct Odd;

    impl Drop for Odd {
        fn drop(&mut self) {
            panic!("in the drop of a payload");
        }
    }

    let error = run::<()>(async { std::panic::panic_any(Odd) }).unwrap_err();
    drop(error);
}

/// Errors in payloads of errors, deeper than a stack has room for.
#[test]
fn payloads_that_hold_errors_are_dropped_flat() {
    let event_loop = EventLoop::with_virtual_time();
    let mut error = Error::cancelled();
    for _ in 0..30_000 {
        let task =
            event_loop.create_task::<()>(async { std::panic::resume_unwind(Box::new(error)) });
        event_loop.run_once(None).unwrap();
        error = task.unwrap().exception().unwrap().unwrap();
    }
    std::thread::Builder::new().stack_size(64 << 10).spawn(|| drop(error)).unwrap().join().unwrap();
}

#[test]
fn panic_after_an_await_drops_the_body_and_the_loop_stays_sound() {
    run(async {
        let future = running_loop()?.create_future::<i32>();
        let (awaited, promise) = (future.clone(), future.clone());
        let task: Task<()> = create_task(async move {
            let _wait = std::pin::pin!((&awaited).into_future());
            yield_now().await?;
            panic!("with an await at hand")
        });
        assert_eq!((&task).await.unwrap_err().kind(), ErrorKind::Panic);
        running_loop()?.call_soon(move || promise.set_result(1))?;
        assert_eq!(future.await?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_in_main_is_what_run_returns() {
    let outcome: Result<()> = run(async {
        yield_now().await?;
        panic!("in main")
    });
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), &*error.message()), (ErrorKind::Panic, "in main"));
}

#[test]
fn generator_exit_is_an_ordinary_exception_of_a_future() {
    let event_loop = EventLoop::with_virtual_time();
    for kind in [ErrorKind::StopAsyncIteration, ErrorKind::GeneratorExit] {
        let future = event_loop.create_future::<()>();
        future.set_exception(Error::new(kind, "")).unwrap();
        assert_eq!(future.exception().unwrap().unwrap().kind(), kind);
    }
}

// CPython: test_tasks.BaseTaskTests.test_cancel_with_message_then_future_result
#[test]
fn cancellation_is_caught_by_its_kind_and_not_its_message() {
    run(async {
        let task = create_task(async { yield_now().await });
        yield_now().await?;
        task.cancel_with("closing time");
        let error = (&task).await.unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(error.to_string(), "CancelledError: closing time");
        assert_eq!(format!("{error:?}"), r#"CancelledError("closing time")"#);
        assert_eq!(Error::cancelled().to_string(), "CancelledError");
        assert_eq!(format!("{:?}", Error::cancelled()), "CancelledError()");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_group_holds_its_errors() {
    let (one, two) = (Error::cancelled(), Error::other(Lost { parcels: 2 }));
    let group = Error::from_group("both failed", vec![one, two.clone()]);
    assert_eq!((group.kind(), group.group().len()), (ErrorKind::Group, 2));
    assert!(group.group()[1].ptr_eq(&two));
    assert_eq!(
        group.to_string(),
        "BaseExceptionGroup: both failed [CancelledError, 2 parcels lost]"
    );
    assert!(two.group().is_empty());
    let event_loop = EventLoop::with_virtual_time();
    let raised = group.clone();
    let task = event_loop.create_task(async move { Err::<(), _>(raised) }).unwrap();
    settle(&event_loop);
    assert!(!task.cancelled(), "a cancellation in a group cancels no task");
    assert!(task.exception().unwrap().unwrap().ptr_eq(&group));
}

/// The parts are those of CPython's `split`.
#[test]
fn group_splits_into_what_matches_and_the_rest() {
    let (v, o) = (Error::new(ErrorKind::Value, "v"), Error::from(io::Error::other("o")));
    let inmost = Error::from_group("p", vec![v.clone(), o.clone()]);
    let inner = Error::from_group("n", vec![o.clone(), inmost]);
    let group = Error::from_group("m", vec![v.clone(), inner, Error::cancelled()]);
    let split = |matches: fn(&Error) -> bool| {
        let (matched, rest) = group.split(matches);
        [matched, rest].map(|part| part.map_or("None".to_owned(), |part| part.to_string()))
    };
    assert_eq!(
        split(Error::is_os_error),
        [
            "ExceptionGroup: m [ExceptionGroup: n [o, ExceptionGroup: p [o]]]",
            "BaseExceptionGroup: m [ValueError: v, ExceptionGroup: n [ExceptionGroup: p [ValueError: v]], \
             CancelledError]",
        ]
    );
    assert_eq!(split(|_| false), ["None".to_owned(), group.to_string()]);
    assert_eq!(
        split(|error| error.kind() == ErrorKind::Group && error.message() == "p"),
        [
            "ExceptionGroup: m [ExceptionGroup: n [ExceptionGroup: p [ValueError: v, o]]]",
            "BaseExceptionGroup: m [ValueError: v, ExceptionGroup: n [o], CancelledError]",
        ]
    );
    assert!(group.split(|_| true).0.is_some_and(|all| all.ptr_eq(&group)));
    assert_eq!(split(|error| error.group().is_empty()), [group.to_string(), "None".to_owned()]);
    assert!(v.split(Error::is_os_error).1.is_some_and(|rest| rest.ptr_eq(&v)));
    let deep = (0..100_000).fold(o, |error, _| Error::from_group("deep", vec![error, v.clone()]));
    let (matched, rest) = deep.split(Error::is_os_error);
    assert!(matched.is_some_and(|one| one.group().len() == 1));
    assert!(rest.is_some_and(|both| both.group().len() == 2));
}

#[test]
fn error_inside_the_systems_is_found() {
    let error = Error::from(io::Error::other(Lost { parcels: 2 }));
    assert_eq!(error.downcast_ref::<Lost>().unwrap().parcels, 2);
    assert!(error.io_error().is_some_and(|error| error.kind() == io::ErrorKind::Other));
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    assert_eq!(chain, ["2 parcels lost"; 2]);
    assert!(Error::from(io::Error::from_raw_os_error(2)).downcast_ref::<Lost>().is_none());
}

#[test]
fn panic_in_a_cancelled_bodys_drop_is_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let doomed = event_loop
        .create_task(async {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
            Ok(())
        })
        .unwrap();
    turn(&event_loop, 1);
    assert!(doomed.cancel());
    settle(&event_loop);
    assert!(doomed.cancelled());
    let reports = reports.take();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].exception.as_ref().unwrap().message(), "in a drop");
}

#[test]
fn question_mark_turns_only_system_errors_into_kind_io() {
    fn asked<E: std::error::Error + Send + Sync + 'static>(error: E) -> Error {
        (|| -> Result<()> { Err(error)? })().unwrap_err()
    }
    let refused = asked(std::io::Error::from(std::io::ErrorKind::AddrInUse));
    assert_eq!((refused.kind(), refused.kind().name()), (ErrorKind::Io, "OSError"));
    assert_eq!(refused.io_error().unwrap().kind(), std::io::ErrorKind::AddrInUse);
    let lost = asked(Lost { parcels: 1 });
    assert_eq!(lost.kind(), ErrorKind::Other);
    assert!(lost.io_error().is_none() && Error::cancelled().io_error().is_none());
    let by_hand = Error::other(std::io::Error::from(std::io::ErrorKind::AddrInUse));
    assert_eq!(by_hand.kind(), ErrorKind::Other);
}

/// A foreign error that names another as its source.
#[derive(Debug)]
struct Around(io::Error);

impl fmt::Display for Around {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("around")
    }
}

impl std::error::Error for Around {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_that_went_through_io_is_the_same_error_again() {
    let error = Error::cancelled_with("enough");
    let told = io::Error::from(error.clone());
    assert_eq!(
        (told.kind(), told.to_string().as_str()),
        (io::ErrorKind::Other, "CancelledError: enough")
    );
    assert!(Error::from(told).ptr_eq(&error));
    let late = io::Error::from(Error::new(ErrorKind::Timeout, "late"));
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    assert_eq!(Error::from(late).kind(), ErrorKind::Timeout);
}

#[test]
fn what_the_system_said_is_that_again() {
    let said = io::Error::from(Error::from(io::Error::from_raw_os_error(2)));
    assert_eq!(said.raw_os_error(), Some(2));
    let told = io::Error::new(io::ErrorKind::UnexpectedEof, "half");
    let said = io::Error::from(Error::from(told));
    assert_eq!((said.kind(), said.to_string().as_str()), (io::ErrorKind::UnexpectedEof, "half"));
    assert_eq!(Error::from(said).kind(), ErrorKind::Io);
}

#[test]
fn an_own_error_is_found_in_a_foreign_one_however_deep() {
    let error = Error::cancelled_with("enough");
    let around = Around(io::Error::from(error.clone()));
    assert!(Error::find_in(&around).unwrap().ptr_eq(&error));
    let deeper = Around(io::Error::other(around));
    assert!(Error::find_in(&deeper).is_some_and(|found| found.ptr_eq(&error)));
    assert!(Error::find_in(&Around(io::Error::from_raw_os_error(2))).is_none());
}

/// Python's `BaseExceptionGroup`, which is no `Exception`.
#[test]
fn group_with_an_exit_in_it_is_no_exception() {
    let of = |errors| Error::from_group("m", errors);
    let exit = Error::new(ErrorKind::GeneratorExit, "");
    let plain = of(vec![Error::new(ErrorKind::Value, "v")]);
    let base = of(vec![plain.clone(), of(vec![exit])]);
    assert!(plain.is_exception() && !base.is_exception());
    assert!(Err::<(), _>(plain.clone()).catch().is_ok());
    assert!(Err::<(), _>(base.clone()).catch().is_err_and(|error| error.ptr_eq(&base)));
    assert_eq!(plain.to_string(), "ExceptionGroup: m [ValueError: v]");
    let inner = "ExceptionGroup: m [ValueError: v], BaseExceptionGroup: m [GeneratorExit]";
    assert_eq!(base.to_string(), format!("BaseExceptionGroup: m [{inner}]"));
}
