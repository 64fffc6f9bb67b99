//! `TaskHolder`: tasks that are let end, or ended, before their holder goes.

use std::pin::Pin;

use callsoon::helpers::{self as hp, TaskHolder};
use callsoon::{AnyFuture, ErrorKind, Result, create_task, running_loop, sleep};

use crate::driver::{Reports, run, secs};
use crate::parts::{callbacks, endless, ends, error, kind, rest, say, work};
use crate::support::log_lines::log_lines_of;
use crate::support::trace::Trace;

#[test]
fn a_scope_is_not_over_before_its_tasks_are() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let holder = TaskHolder::new(&stop);
        let answer = holder
            .scope(async |holder| {
                holder.add(work(trace.clone(), "two", 2));
                holder.add(work(trace.clone(), "one", 1));
                say(&trace, "body over")?;
                Ok(7)
            })
            .await?;
        say(&trace, format_args!("left with {answer}"))?;
        trace.expect(["0 body over", "1000 one done", "2000 two done", "2000 left with 7"]);
        assert!(!stop.done());
        Ok(())
    })
}

#[test]
fn scope_without_running_tasks_is_left_at_once() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        TaskHolder::new(&stop)
            .scope(async |holder| {
                let task = holder.add(work(trace.clone(), "it", 1));
                assert_eq!((&task).await?, 1);
                assert_eq!(holder.pending(), 0);
                Ok(())
            })
            .await?;
        TaskHolder::new(&stop).scope(async |_| Ok(())).await?;
        assert_eq!(running_loop()?.time(), secs(1));
        Ok(())
    })
}

#[test]
fn tasks_that_are_added_while_the_scope_is_left_are_waited_for() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let holder = TaskHolder::new(&stop);
        let (adds, told) = (holder.clone(), trace.clone());
        holder
            .scope(async move |holder| {
                holder.add(async move {
                    sleep(secs(1)).await?;
                    let (again, last) = (adds.clone(), told.clone());
                    adds.add(async move {
                        sleep(secs(1)).await?;
                        again.add(work(last, "third", 1));
                        Ok(())
                    });
                    Ok(())
                });
                Ok(())
            })
            .await?;
        say(&trace, "left")?;
        trace.expect(["3000 third done", "3000 left"]);
        Ok(())
    })
}

/// New tasks may well be where old ones were in memory.
#[test]
fn finish_waits_for_a_long_line_of_tasks_that_add_the_next() -> Result<()> {
    /// Boxed, for it adds itself.
    fn line(holder: TaskHolder, left: u64) -> Pin<Box<dyn Future<Output = Result<()>>>> {
        Box::pin(async move {
            sleep(secs(1)).await?;
            if left > 1 {
                holder.add(line(holder.clone(), left - 1));
            }
            Ok(())
        })
    }
    run(async {
        let stop = hp::create_future::<()>();
        TaskHolder::new(&stop)
            .scope(async |holder| {
                let _: () = drop(holder.add(line(holder.clone(), 200)));
                Ok(())
            })
            .await?;
        assert_eq!(running_loop()?.time(), secs(200));
        Ok(())
    })
}

/// The original had to mend this.
#[test]
fn task_added_during_the_cleaning_of_another_is_not_lost() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let holder = TaskHolder::new(&stop);
        holder
            .scope(async |holder| {
                for _ in 0..3 {
                    holder.add(sleep(secs(1)));
                }
                sleep(secs(1)).await?;
                for turn in 0..12 {
                    let task = holder.add(work(trace.clone(), "late", 2));
                    callsoon::yield_now().await?;
                    assert!(holder.contains(&task), "after {turn} turns");
                }
                assert_eq!(holder.pending(), 12);
                Ok(())
            })
            .await?;
        say(&trace, "left")?;
        let lates = vec!["3000 late done"; 12];
        trace.expect(lates.into_iter().chain(["3000 left"]));
        Ok(())
    })
}

#[test]
fn failed_task_leaves_others_alone_and_is_logged_unless_silent() {
    let logged = log_lines_of(|| {
        run(async {
            let stop = hp::create_future::<()>();
            let trace = Trace::new();
            TaskHolder::new(&stop)
                .scope(async |holder| {
                    holder.add(async { Err::<(), _>(error("heard")) });
                    holder.add_silent(async { Err::<(), _>(error("unheard")) });
                    holder.add(work(trace.clone(), "it", 1));
                    Ok(())
                })
                .await?;
            trace.expect(["1000 it done"]);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(logged, ["ERROR: ValueError: heard"]);
}

#[test]
fn final_future_cancels_the_tasks_and_awaits_their_clean_up() -> Result<()> {
    for end in ends() {
        let trace = Trace::new();
        run(async move {
            let stop = hp::create_future::<()>();
            let later = stop.clone();
            running_loop()?.call_later(secs(5), move || end(&later))?;
            TaskHolder::new(&stop)
                .scope(async |holder| {
                    holder.add(endless(trace.clone(), "a"));
                    holder.add(endless(trace.clone(), "b"));
                    holder.add(work(trace.clone(), "c", 1));
                    Ok(())
                })
                .await?;
            say(&trace, "left")?;
            let ends =
                ["5000 a cleans up", "5000 b cleans up", "6000 a is clean", "6000 b is clean"];
            trace.expect(["1000 c done"].into_iter().chain(ends).chain(["6000 left"]));
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn error_of_the_body_cancels_the_tasks_and_is_returned_after() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let ours = error("bad");
        let outcome: Result<()> = TaskHolder::new(&stop)
            .scope(async |holder| {
                holder.add(endless(trace.clone(), "a"));
                rest().await?;
                Err(ours.clone())
            })
            .await;
        assert!(outcome.unwrap_err().ptr_eq(&ours));
        say(&trace, "left")?;
        trace.expect(["0 a cleans up", "1000 a is clean", "1000 left"]);
        assert!(!stop.done());
        Ok(())
    })
}

#[test]
fn cancel_of_the_bodys_task_cancels_and_awaits_the_tasks() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let told = trace.clone();
        let outer = create_task(async move {
            let stop = hp::create_future::<()>();
            TaskHolder::new(&stop)
                .scope(async |holder| {
                    holder.add(endless(told.clone(), "a"));
                    sleep(secs(100)).await
                })
                .await
        });
        sleep(secs(5)).await?;
        outer.cancel();
        assert_eq!(kind((&outer).await), Some(ErrorKind::Cancelled));
        say(&trace, "left")?;
        trace.expect(["5000 a cleans up", "6000 a is clean", "6000 left"]);
        Ok(())
    })
}

#[test]
fn by_hand_finish_waits_or_with_an_error_cancels_and_waits() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let holder = TaskHolder::new(&stop);
        holder.add(work(trace.clone(), "it", 2));
        holder.finish(None).await?;
        say(&trace, "finished")?;
        trace.expect(["2000 it done", "2000 finished"]);
        let holder = TaskHolder::new(&stop);
        holder.add(endless(trace.clone(), "it"));
        rest().await?;
        holder.finish(Some(error("enough"))).await?;
        say(&trace, "finished")?;
        trace.expect(["2000 it cleans up", "3000 it is clean", "3000 finished"]);
        holder.finish(None).await
    })
}

/// In Photons an error of `__aexit__` replaces that of the body, too.
#[test]
fn error_of_finish_replaces_that_of_the_body() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let held = trace.clone();
        let scope = create_task(async move {
            let stop = hp::create_future::<()>();
            TaskHolder::new(&stop)
                .scope(async |holder| {
                    holder.add(endless(held, "it"));
                    rest().await?;
                    Err::<(), _>(error("of the body"))
                })
                .await
        });
        rest().await?;
        rest().await?;
        assert!(!scope.done());
        scope.cancel();
        assert_eq!(kind(scope.await), Some(ErrorKind::Cancelled));
        Ok(())
    })
}

#[test]
fn what_it_holds_can_be_counted_iterated_and_looked_for() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        TaskHolder::new(&stop)
            .scope(async |holder| {
                let one = holder.add(work(trace.clone(), "one", 1));
                let two = holder.add(work(trace.clone(), "two", 2));
                let other = create_task(sleep(secs(1)));
                let held: Vec<_> = holder.iter().map(|task| task.id()).collect();
                assert_eq!(held, [one.id(), two.id()]);
                assert!(holder.contains(&one) && holder.contains(&two) && !holder.contains(&other));
                assert_eq!(holder.pending(), 2);
                (&one).await?;
                assert_eq!(holder.pending(), 1);
                rest().await?;
                assert!(!holder.contains(&one) && holder.contains(&two));
                assert_eq!(holder.iter().count(), 1);
                Ok(())
            })
            .await
    })
}

#[test]
fn anything_future_like_of_any_type_can_be_held() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let text = hp::create_future::<String>();
        let number = hp::ResettableFuture::<i32>::new();
        let child = hp::ChildOfFuture::<u8>::new(&stop);
        let task = create_task(work(trace.clone(), "task", 1));
        let (late, ends) = (text.clone(), (number.clone(), child.clone()));
        running_loop()?.call_later(secs(3), move || late.set_result("done".to_owned()))?;
        running_loop()?.call_later(secs(2), move || {
            ends.1.cancel();
            ends.0.set_result(1)
        })?;
        TaskHolder::new(&stop)
            .scope(async |holder| {
                let held: [&dyn AnyFuture; 4] = [&text, &number, &child, &task];
                for future in held {
                    holder.add_task(future);
                }
                assert_eq!(holder.pending(), 4);
                Ok(())
            })
            .await?;
        say(&trace, "left")?;
        trace.expect(["1000 task done", "3000 left"]);
        Ok(())
    })
}

#[test]
fn task_done_before_it_was_added_is_dropped_too() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let done = hp::create_future::<i32>();
        done.set_result(1)?;
        TaskHolder::new(&stop)
            .scope(async |holder| {
                holder.add_task(&done);
                assert_eq!((holder.pending(), holder.contains(&done)), (0, true));
                rest().await?;
                assert!(!holder.contains(&done));
                Ok(())
            })
            .await
    })
}

#[test]
fn panicking_task_is_done_and_does_not_block_the_scope() {
    let logged = log_lines_of(|| {
        run(async {
            let stop = hp::create_future::<()>();
            let reports = Reports::of(&running_loop()?);
            TaskHolder::new(&stop)
                .scope(async |holder| {
                    holder.add(async { if true { panic!("ouch") } else { Ok(()) } });
                    Ok(())
                })
                .await?;
            assert_eq!(reports.messages(), [""; 0]);
            Ok(())
        })
        .unwrap();
    });
    assert_eq!(logged.len(), 1);
    assert!(logged[0].contains("ouch"), "{logged:?}");
}

#[test]
fn finished_holder_leaves_no_callback_at_its_final_future() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let before = callbacks(&stop);
        TaskHolder::new(&stop)
            .scope(async |holder| {
                let _: () = drop(holder.add(sleep(secs(1))));
                Ok(())
            })
            .await?;
        rest().await?;
        assert_eq!((callbacks(&stop), stop.done()), (before, false));
        Ok(())
    })
}

#[test]
fn iteration_gives_the_tasks_that_were_held_at_its_beginning() -> Result<()> {
    run(async {
        let holder = TaskHolder::new(&hp::create_future::<()>());
        holder.add(sleep(secs(1)));
        holder.add(sleep(secs(1)));
        let given = holder.iter().inspect(|_| drop(holder.add(sleep(secs(1))))).count();
        assert_eq!((given, holder.pending()), (2, 4));
        holder.finish(None).await
    })
}

/// Each adds its callback behind that of the others, which is a reason for these to do it again: once for
/// each task, or the work doubles with every round.
#[test]
fn finishes_side_by_side_stay_cheap_where_tasks_have_waiters() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let holder = TaskHolder::new(&stop);
        for _ in 0..2 {
            holder.add(sleep(secs(1_000))).add_done_callback(|_: &dyn AnyFuture| ());
        }
        for seconds in 0..100 {
            holder.add(sleep(secs(seconds)));
        }
        let finishes = (0..4).map(|_| {
            let holder = holder.clone();
            create_task(async move { holder.finish(None).await })
        });
        for finish in finishes.collect::<Vec<_>>() {
            finish.await?;
        }
        Ok(())
    })
}
