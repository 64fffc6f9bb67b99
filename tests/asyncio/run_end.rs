//! The end of `run`: how many turns it has, with generators and threads and without, and what a
//! `stop` in one of them does.

use std::cell::Cell;
use std::rc::Rc;

use callsoon::{
    AsyncGenerator, Error, ErrorKind, EventLoop, LoopRef, Result, Runner, create_task, generator,
    run_on, running_loop, sleep, yield_now,
};

use crate::driver::{Reports, secs};
use crate::support::cancels::Cancels;
use crate::support::trace::Trace;

fn counting(on: &LoopRef, count: &Rc<Cell<usize>>) -> Result<()> {
    count.set(count.get() + 1);
    let (next, count) = (on.clone(), count.clone());
    on.call_soon(move || counting(&next, &count)).map(drop)
}

/// The number of turns that a `call_soon` chain of main's gets after main.
fn turns_after(main: impl AsyncFnOnce() -> Result<()> + 'static) -> usize {
    let count = Rc::<Cell<usize>>::default();
    let counts = count.clone();
    let main = async move {
        main().await?;
        let on = running_loop()?;
        on.call_soon(move || counting(&running_loop()?, &counts)).map(drop)
    };
    run_on(&EventLoop::with_virtual_time(), main).unwrap();
    count.get()
}

fn none() -> AsyncGenerator<i32> {
    generator(async |_| Ok(()))
}

/// CPython's numbers.
#[test]
fn run_end_has_as_many_turns_as_in_cpython() {
    assert_eq!(turns_after(async || Ok(())), 5);
    assert_eq!(turns_after(async || none().next().await.map(drop)), 5, "a dropped generator");
    let kept = none();
    let held = kept.clone();
    assert_eq!(turns_after(async move || held.next().await.map(drop)), 8, "a finished one");
    let held = kept.clone();
    assert_eq!(turns_after(async move || held.aclose().await), 5, "one of an earlier loop");
}

#[test]
fn run_end_has_time_for_a_clean_up_of_five_turns() {
    for (turns, saved) in [(0, true), (4, true), (5, true), (6, false)] {
        let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
        let (reports, says) = (Reports::of(&event_loop), trace.clone());
        let main = async move {
            create_task(async move {
                let slept = sleep(secs(9)).await;
                create_task(async move {
                    for _ in 0..turns {
                        yield_now().await?;
                    }
                    says.push("saved");
                    Ok(())
                });
                slept
            });
            yield_now().await
        };
        run_on(&event_loop, main).unwrap();
        if saved {
            trace.expect(["saved"]);
        } else {
            trace.expect_nothing();
            assert_eq!(reports.messages(), ["Task was destroyed but it is pending!"]);
        }
    }
}

/// A generator is first iterated in the turn in which the loop looks for generators to close.
#[test]
fn run_end_closes_a_generator_begun_in_its_first_turn() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let numbers = generator(async |y| y.give(1).await.map(drop));
    let (held, says) = (numbers.clone(), trace.clone());
    let main = async move {
        create_task(async move {
            let slept = sleep(secs(9)).await;
            create_task(async move {
                for _ in 0..2 {
                    yield_now().await?;
                }
                says.push(format!("{:?}", held.next().await));
                Ok(())
            });
            slept
        });
        yield_now().await
    };
    run_on(&event_loop, main).unwrap();
    trace.expect(["Ok(Some(1))"]);
    assert_eq!(format!("{numbers:?}"), "<async_generator finished>");
}

#[test]
fn run_end_refuses_the_pool_from_the_fourth_turn_on() {
    let refused = Rc::<Cell<usize>>::default();
    let seen = refused.clone();
    let count = turns_after(async move || {
        fn ask(turn: usize, seen: Rc<Cell<usize>>) -> Result<()> {
            let on = running_loop()?;
            if turn > 4 && on.run_in_executor(None, || Ok(())).is_err() {
                seen.set(turn);
            }
            on.call_soon(move || ask(turn + 1, seen)).map(drop)
        }
        running_loop()?.call_soon(move || ask(1, seen)).map(drop)
    });
    assert_eq!((count, refused.get()), (5, 5));
}

fn stop_after(turns: usize) -> Result<()> {
    let on = running_loop()?;
    if turns == 0 {
        on.stop();
        return Ok(());
    }
    on.call_soon(move || stop_after(turns - 1)).map(drop)
}

#[test]
fn stop_in_any_turn_of_run_end_leaves_mains_result() {
    for turns in 0..8 {
        let main = async move { running_loop()?.call_soon(move || stop_after(turns)).map(|_| 1) };
        let outcome = run_on(&EventLoop::with_virtual_time(), main);
        assert_eq!(outcome.unwrap(), 1, "after {turns} turns");
    }
}

/// The turn of the stop is the turn in which main ends: what was to stop that run stops the next.
#[test]
fn stop_in_mains_last_step_makes_the_next_run_short() {
    let runner = Runner::with_loop_factory(EventLoop::with_virtual_time);
    let main = async {
        running_loop()?.stop();
        Ok(1)
    };
    assert_eq!(runner.run(main).unwrap(), 1);
    let error = runner.run(async { yield_now().await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    assert_eq!(error.message(), "Event loop stopped before Future completed.");
    assert_eq!(runner.run(async { yield_now().await.map(|()| 3) }).unwrap(), 3);
    runner.close().unwrap();
}

/// Stops the loop when it is cancelled, and takes longer than the run that this ends.
async fn stops_in_its_clean_up(on: LoopRef) -> Result<()> {
    let slept = sleep(secs(9)).await;
    on.stop();
    sleep(secs(1)).await?;
    slept
}

#[test]
fn stop_while_run_end_waits_for_tasks_is_an_error() {
    let event_loop = EventLoop::with_virtual_time();
    let on = event_loop.clone();
    let main = async {
        create_task(stops_in_its_clean_up(on));
        yield_now().await
    };
    let error = run_on(&event_loop, main).unwrap_err();
    assert_eq!(error.message(), "Event loop stopped before Future completed.");
    assert!(event_loop.is_closed());
}

#[test]
fn error_of_main_comes_before_that_of_its_run_end() {
    let event_loop = EventLoop::with_virtual_time();
    let on = event_loop.clone();
    let main = async {
        create_task(stops_in_its_clean_up(on));
        yield_now().await?;
        Err::<(), _>(Error::new(ErrorKind::Value, "main's"))
    };
    assert_eq!(run_on(&event_loop, main).unwrap_err().message(), "main's");
    assert!(event_loop.is_closed());
}

/// A future-like thing of the program's own, which a run takes as it is.
struct Own(Cancels);

impl callsoon::EnsureFuture<()> for Own {
    type Future = Cancels;

    fn ensure_future(self, _on: &callsoon::LoopRef) -> callsoon::Result<Self::Future> {
        Ok(self.0)
    }
}

#[test]
fn stopped_run_leaves_no_callback_on_a_future_like_thing() {
    use callsoon::{EventLoop, yield_now};
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(async { Ok(()) }).unwrap();
    let own = event_loop.create_future();
    let like = Cancels { own: own.clone(), task, panics: false };
    let on = event_loop.clone();
    event_loop.call_soon(move || on.stop()).unwrap();
    event_loop.run_until_complete(Own(like.clone())).unwrap_err();
    own.set_result(()).unwrap();
    let turns = async {
        for _ in 0..3 {
            yield_now().await?;
        }
        Ok(())
    };
    event_loop.run_until_complete(turns).unwrap();
    // One that is done already ends the run in a turn.
    event_loop.run_until_complete(Own(like)).unwrap();
}

#[test]
fn each_child_of_a_gather_is_cancelled_by_its_own_error() {
    use callsoon::{EventLoop, gather};
    let event_loop = EventLoop::with_virtual_time();
    let children = [(); 2].map(|()| event_loop.create_future::<()>());
    let gathered = gather(children.iter());
    let main = event_loop.create_task(async move { gathered.await.map(drop) }).unwrap();
    crate::driver::settle(&event_loop);
    main.cancel_with("why");
    let errors = children.map(|child| child.result().unwrap_err());
    assert!(!errors[0].ptr_eq(&errors[1]), "{errors:?}");
    crate::driver::settle(&event_loop);
}
