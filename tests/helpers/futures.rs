//! Futures that may go unread, tasks in the background, reporters, and what is asked of futures.

use callsoon::helpers as hp;
use callsoon::{AnyFuture, Error, EventLoop, LoopFuture, Result, running_loop, sleep};

use crate::driver::{Reports, run, secs, settle};
use crate::parts::{error, rest, work};
use crate::support::log_lines::log_lines_of;
use crate::support::on_drop::on_drop;
use crate::support::panics::assert_needs_a_loop;
use crate::support::trace::Trace;

#[test]
fn create_future_needs_a_loop_but_not_a_running_one() {
    let event_loop = EventLoop::with_virtual_time();
    let future = hp::create_future_on::<i32>(&event_loop);
    assert!(!future.done());
    assert_needs_a_loop(|| hp::create_future::<i32>());
    assert_needs_a_loop(|| hp::ResettableFuture::<i32>::new());
    assert_needs_a_loop(|| hp::ChildOfFuture::<i32>::new(&future));
    assert_needs_a_loop(|| hp::Queue::<i32>::new(&future));
    assert_needs_a_loop(|| hp::TaskHolder::new(&future));
    assert_needs_a_loop(|| hp::ResultStreamer::<i32>::new(&future));
    assert_needs_a_loop(|| hp::ATicker::new(secs(1), hp::TickerOptions::default()));
}

#[test]
fn unread_exception_of_create_future_is_not_reported() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let future = hp::create_future_on::<i32>(&event_loop);
    future.set_exception(error("unread")).unwrap();
    settle(&event_loop);
    drop(future);
    assert_eq!(reports.messages(), [""; 0]);
    let plain = event_loop.create_future::<i32>();
    plain.set_exception(error("unread")).unwrap();
    drop(plain);
    assert_eq!(reports.messages().len(), 1);
}

#[test]
fn create_future_adds_the_silent_reporter_and_nothing_else() {
    let event_loop = EventLoop::with_virtual_time();
    let future = hp::create_future_on::<i32>(&event_loop);
    assert!(hp::fut_has_callback(&future, &hp::silent_reporter()));
    assert!(!hp::fut_has_callback(&future, &hp::reporter()));
    let plain = event_loop.create_future::<i32>();
    assert!(!hp::fut_has_callback(&plain, &hp::silent_reporter()));
}

#[test]
fn callback_is_found_until_it_is_removed_or_scheduled() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let captured = 3;
    let other = future.add_done_callback(|_: &dyn AnyFuture| ());
    let ours = future.add_done_callback(move |_: &dyn AnyFuture| _ = captured);
    assert!(hp::fut_has_callback(&future, &ours) && hp::fut_has_callback(&future, &other));
    future.remove_done_callback(&ours);
    assert!(!hp::fut_has_callback(&future, &ours) && hp::fut_has_callback(&future, &other));
    future.set_result(1).unwrap();
    assert!(!hp::fut_has_callback(&future, &other));
}

#[test]
fn a_future_is_shown_in_each_state_with_its_name_and_without() {
    let event_loop = EventLoop::with_virtual_time();
    let shown = |end: fn(&LoopFuture<i32>)| {
        let future = hp::create_future_on::<i32>(&event_loop);
        future.set_name("lamp");
        end(&future);
        (hp::fut_to_string(&future), hp::fut_state_to_string(&future))
    };
    let both = |with: &str, without: &str| (with.to_owned(), without.to_owned());
    assert_eq!(shown(|_| ()), both("<Future#lamp(pending)>", "(pending)"));
    assert_eq!(shown(|f| _ = f.cancel()), both("<Future#lamp(cancelled)>", "(cancelled)"));
    assert_eq!(shown(|f| f.set_result(1).unwrap()), both("<Future#lamp(result)>", "(result)"));
    assert_eq!(
        shown(|f| f.set_exception(error("dark")).unwrap()),
        both("<Future#lamp(exception:ValueError:dark)>", "(exception:ValueError:dark)"),
    );
}

#[test]
fn future_without_a_name_and_group_are_shown_as_python_does() -> Result<()> {
    run(async {
        let future = hp::create_future::<()>();
        let task = hp::async_as_background(async { Ok(()) });
        for unnamed in [&future as &dyn AnyFuture, &task] {
            assert_eq!(hp::fut_to_string(unnamed), "<Future#None(pending)>");
        }
        let group = |count| Error::from_group("several", vec![error("bad"); count]);
        for (count, text) in [(1, "1 sub-exception"), (2, "2 sub-exceptions")] {
            let future = hp::create_future::<()>();
            future.set_exception(group(count))?;
            let state = format!("(exception:ExceptionGroup:several ({text}))");
            assert_eq!(hp::fut_state_to_string(&future), state);
        }
        Ok(())
    })
}

#[test]
fn the_futures_that_stand_on_others_show_those_too() -> Result<()> {
    run(async {
        let house = hp::create_future::<()>();
        house.set_name("house");
        let room = hp::ChildOfFuture::<()>::named(&house, "room");
        let doors = hp::ResettableFuture::<()>::named("doors");
        let bed = hp::ChildOfFuture::<()>::new(&hp::ChildOfFuture::<()>::new(&doors));
        assert_eq!(format!("{doors:?}"), "<ResettableFuture#doors((pending))>");
        assert_eq!(format!("{room:?}"), "<ChildOfFuture#room((pending))<Future#house(pending)>>");
        room.cancel();
        house.set_result(())?;
        doors.set_result(())?;
        let room_shown = "<ChildOfFuture#room((cancelled))<Future#house(result)>>";
        let bed_shown = "<ChildOfFuture#None((pending))<ChildOfFuture#None((pending))\
                         <ResettableFuture#doors((result))>>>";
        assert_eq!([format!("{room:?}"), format!("{bed:?}")], [room_shown, bed_shown]);
        // Showing a child leaves it as it is.
        let as_text = [hp::fut_to_string(&bed), hp::fut_state_to_string(&bed)];
        assert_eq!(
            (as_text, format!("{bed:?}").as_str()),
            ([bed_shown; 2].map(String::from), bed_shown)
        );
        Ok(())
    })
}

#[test]
fn a_background_task_runs_on_its_own_and_can_be_awaited() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let task = hp::async_as_background(work(trace.clone(), "it", 2));
        trace.expect_nothing();
        sleep(secs(5)).await?;
        trace.expect(["2000 it done"]);
        assert_eq!((&task).await?, 2);
        assert!(!hp::fut_has_callback(&task, &hp::reporter()));
        Ok(())
    })
}

#[test]
fn a_background_task_has_the_reporter_or_the_silent_one() -> Result<()> {
    run(async {
        let loud = hp::async_as_background(sleep(secs(1)));
        let silent = hp::async_as_background_silent(sleep(secs(1)));
        let has = |task: &dyn AnyFuture| {
            [hp::reporter(), hp::silent_reporter()].map(|it| hp::fut_has_callback(task, &it))
        };
        assert_eq!((has(&loud), has(&silent)), ([true, false], [false, true]));
        Ok(())
    })
}

#[test]
fn background_task_logs_its_error_unless_silent() {
    let logged = log_lines_of(|| {
        run(async {
            let reports = Reports::of(&running_loop()?);
            hp::async_as_background(async { Err::<(), _>(error("heard")) });
            hp::async_as_background_silent(async { Err::<(), _>(error("unheard")) });
            hp::async_as_background(async { Ok(1) });
            hp::async_as_background(sleep(secs(3))).cancel();
            rest().await?;
            assert_eq!(reports.messages(), [""; 0]);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(logged, ["ERROR: ValueError: heard"]);
}

#[test]
fn reporters_read_errors_and_ignore_results_and_cancellations() {
    let logged = log_lines_of(|| {
        let event_loop = EventLoop::with_virtual_time();
        let reports = Reports::of(&event_loop);
        for reporter in [hp::reporter(), hp::silent_reporter()] {
            let ends: [fn(&LoopFuture<i32>); 3] = [
                |future| future.set_result(1).unwrap(),
                |future| assert!(future.cancel()),
                |future| future.set_exception(error("bad")).unwrap(),
            ];
            for end in ends {
                let future = event_loop.create_future::<i32>();
                future.add_done_callback(reporter.clone());
                end(&future);
                settle(&event_loop);
            }
        }
        assert_eq!(reports.messages(), [""; 0]);
    });
    assert_eq!(logged, ["ERROR: ValueError: bad"]);
}

#[test]
fn background_task_without_a_loop_drops_its_coroutine() {
    let trace = Trace::new();
    let dropped = on_drop(trace.says("dropped"));
    assert_needs_a_loop(|| {
        hp::async_as_background(async move {
            let _dropped = dropped;
            Ok(())
        })
    });
    trace.expect(["dropped"]);
}
