//! Several futures awaited at once in one task: joins and selects as other crates have them,
//! which know nothing of cancellation.

use callsoon::{
    Error, ErrorKind, EventLoop, LoopFuture, Result, Task, create_task, running_loop, sleep,
    wrap_future, yield_now,
};

use crate::combinators::{Boxed, OneShot, Unordered, boxed, join, select};
use crate::driver::{run, secs, settle, turn, turns_of};
use crate::support::trace::Trace;

type Outcomes = Vec<Result<i32>>;

/// Awaits all of several futures.
type All = fn(Vec<Boxed<Result<i32>>>) -> Boxed<Outcomes>;

const ALL: [All; 2] = [|futures| boxed(join(futures)), |futures| boxed(Unordered::new(futures))];

fn waits(futures: &[LoopFuture<i32>]) -> Vec<Boxed<Result<i32>>> {
    futures.iter().map(|future| boxed(future.into_future())).collect()
}

fn futures(event_loop: &EventLoop, count: usize) -> Vec<LoopFuture<i32>> {
    (0..count).map(|_| event_loop.create_future()).collect()
}

fn unchanged(futures: &[LoopFuture<i32>]) -> bool {
    futures.iter().all(|future| format!("{future:?}") == "<Future pending>")
}

#[test]
fn all_results_arrive() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let futures = futures(&event_loop, 4);
        let both = all(waits(&futures));
        let task = event_loop
            .create_task(async move { both.await.into_iter().sum::<Result<i32>>() })
            .unwrap();
        settle(&event_loop);
        for (index, future) in futures.iter().enumerate().rev() {
            assert!(!task.done());
            future.set_result(1 << index).unwrap();
            settle(&event_loop);
        }
        assert_eq!(task.result().unwrap(), 0b1111);
    }
}

#[test]
fn a_cancel_reaches_what_is_left_when_one_of_several_is_done() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let futures = futures(&event_loop, 3);
        let both = all(waits(&futures));
        let trace = Trace::new();
        let own = trace.clone();
        let task = event_loop
            .create_task(async move {
                own.push(format!("{:?}", both.await));
                Ok(())
            })
            .unwrap();
        settle(&event_loop);
        futures[0].set_result(1).unwrap();
        settle(&event_loop);
        futures[1].set_result(2).unwrap();
        settle(&event_loop);
        assert!(task.cancel());
        settle(&event_loop);
        assert!(futures[2].cancelled());
        assert!(task.done() && !task.cancelled(), "its body was told, and has ended by itself");
        trace.expect(["[Ok(1), Ok(2), Err(CancelledError())]"]);
    }
}

#[test]
fn a_cancel_reaches_each_of_several_futures() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let futures = futures(&event_loop, 3);
        let both = all(waits(&futures));
        let trace = Trace::new();
        let own = trace.clone();
        let task = event_loop
            .create_task(async move {
                let outcomes = both.await;
                own.push(format!("{outcomes:?}"));
                outcomes.into_iter().sum::<Result<i32>>()
            })
            .unwrap();
        settle(&event_loop);
        assert!(task.cancel_with("all of it"));
        assert!(futures.iter().all(LoopFuture::cancelled));
        assert_eq!(task.cancelling(), 1);
        settle(&event_loop);
        let error = r#"Err(CancelledError("all of it"))"#;
        trace.expect([format!("[{error}, {error}, {error}]")]);
        assert!(task.cancelled());
    }
}

#[test]
fn a_cancel_reaches_each_of_several_tasks_and_sleeps() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let trace = Trace::new();
        let outer = trace.clone();
        let main = async move {
            let inner = outer.clone();
            let child: Task<i32> = create_task(async move {
                let outcome = sleep(secs(100)).await;
                sleep(secs(1)).await?;
                inner.push("the child has cleaned up");
                outcome.map(|()| 1)
            });
            let both = vec![
                boxed((&child).into_future()),
                boxed(async { sleep(secs(200)).await.map(|()| 2) }),
                boxed(async {
                    let _ = sleep(secs(300)).await;
                    Ok(3)
                }),
            ];
            let outcomes = all(both).await;
            outer
                .push(format!("{} of 3 cancelled", outcomes.iter().filter(|o| o.is_err()).count()));
            Ok(())
        };
        let task = event_loop.create_task(main).unwrap();
        turn(&event_loop, 3);
        assert!(task.cancel());
        event_loop.run_until_complete(task).unwrap();
        trace.expect(["the child has cleaned up", "2 of 3 cancelled"]);
        assert_eq!((event_loop.time(), event_loop.pending_timers()), (secs(1), 0));
    }
}

#[test]
fn done_futures_do_not_keep_a_cancel_from_the_others() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let futures = futures(&event_loop, 3);
        let both = all(waits(&futures));
        let task = event_loop.create_task(async move { Ok(both.await) }).unwrap();
        settle(&event_loop);
        futures[1].set_result(5).unwrap();
        assert!(task.cancel(), "in the turn of the result");
        settle(&event_loop);
        let mut outcomes = task.result().unwrap();
        outcomes.sort_by_key(Result::is_err);
        assert_eq!(outcomes[0].as_ref().unwrap(), &5);
        assert!(outcomes[1..].iter().all(Result::is_err));
    }
}

#[test]
fn a_cancel_that_none_of_several_can_take_is_thrown_once() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let futures = futures(&event_loop, 2);
        let both = all(waits(&futures));
        let task = event_loop
            .create_task(async move {
                let outcomes = both.await;
                yield_now().await?;
                Ok(outcomes)
            })
            .unwrap();
        settle(&event_loop);
        futures[0].set_result(0).unwrap();
        futures[1].set_result(1).unwrap();
        assert!(task.cancel());
        settle(&event_loop);
        let outcomes = task.result();
        // One await returns the cancellation, or the next one after them does.
        match outcomes {
            Ok(outcomes) => assert_eq!(outcomes.iter().filter(|o| o.is_err()).count(), 1),
            Err(error) => assert!(error.is_cancelled()),
        }
    }
}

#[test]
fn a_task_that_cancels_itself_cancels_each_of_several() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let futures = futures(&event_loop, 3);
        let both = all(waits(&futures));
        let task = event_loop
            .create_task(async move {
                callsoon::current_task().map(|me| callsoon::AnyFuture::cancel(&me));
                Ok(both.await)
            })
            .unwrap();
        settle(&event_loop);
        assert!(task.result().unwrap().iter().all(Result::is_err));
        assert!(futures.iter().all(LoopFuture::cancelled));
    }
}

#[test]
fn cancel_replaces_the_end_of_the_first_of_several_tasks() {
    run(async {
        let future = running_loop()?.create_future();
        let first = create_task((&future).into_future());
        let second = create_task(async { sleep(secs(9)).await.map(|()| 2) });
        let either = select(vec![boxed((&first).into_future()), boxed((&second).into_future())]);
        let task = create_task(either);
        yield_now().await?;
        yield_now().await?;
        future.set_result(1)?;
        yield_now().await?;
        assert!(first.done() && task.cancel());
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        assert!(second.await.is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancel_reaches_each_though_one_of_them_only_yields() {
    let event_loop = EventLoop::with_virtual_time();
    let futures = futures(&event_loop, 2);
    let mut both = vec![boxed(async { yield_now().await.map(|()| 0) })];
    both.extend(waits(&futures));
    let task = event_loop.create_task(async move { Ok(join(both).await) }).unwrap();
    turn(&event_loop, 1);
    assert!(task.cancel());
    settle(&event_loop);
    assert!(task.done(), "{task:?}: {futures:?}");
    assert!(futures.iter().all(LoopFuture::cancelled));
}

#[test]
fn select_drops_the_awaits_that_lost() {
    let event_loop = EventLoop::with_virtual_time();
    let futures = futures(&event_loop, 3);
    let first = select(waits(&futures));
    let task = event_loop
        .create_task(async move {
            let first = first.await?;
            sleep(secs(1)).await?;
            Ok(first)
        })
        .unwrap();
    settle(&event_loop);
    futures[1].set_result(6).unwrap();
    turn(&event_loop, 1);
    assert!(unchanged(&[futures[0].clone(), futures[2].clone()]), "{futures:?}");
    assert!(task.cancel());
    settle(&event_loop);
    assert!(task.cancelled());
    assert!(unchanged(&[futures[0].clone(), futures[2].clone()]), "the cancel is not for them");
    assert_eq!(event_loop.pending_timers(), 0);
}

#[test]
fn a_select_of_a_sleep_is_a_timeout() {
    run(async {
        let never = running_loop()?.create_future::<i32>();
        let limited = select(vec![
            boxed((&never).into_future()),
            boxed(async {
                sleep(secs(3)).await?;
                Err(Error::new(ErrorKind::Timeout, "too long"))
            }),
        ]);
        assert_eq!(limited.await.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(running_loop()?.time(), secs(3));
        assert!(unchanged(&[never]));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_same_future_awaited_twice_in_one_task_is_told_twice() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let future = futures(&event_loop, 1).remove(0);
        let both = all(waits(&[future.clone(), future.clone()]));
        let task = event_loop
            .create_task(async move { both.await.into_iter().sum::<Result<i32>>() })
            .unwrap();
        settle(&event_loop);
        assert_eq!(format!("{future:?}"), "<Future pending callbacks=2>");
        future.set_result(2).unwrap();
        settle(&event_loop);
        assert_eq!(task.result().unwrap(), 4);
    }
}

#[test]
fn one_of_two_awaits_of_the_same_future_may_be_dropped() {
    let event_loop = EventLoop::with_virtual_time();
    let future = futures(&event_loop, 1).remove(0);
    let early = select(vec![
        boxed((&future).into_future()),
        boxed(async { yield_now().await.map(|()| 1) }),
    ]);
    let both = vec![boxed((&future).into_future()), boxed(early)];
    let task = event_loop
        .create_task(async move { join(both).await.into_iter().sum::<Result<i32>>() })
        .unwrap();
    turn(&event_loop, 1);
    assert_eq!(format!("{future:?}"), "<Future pending callbacks=2>");
    turn(&event_loop, 1);
    assert_eq!(format!("{future:?}"), "<Future pending callbacks=1>");
    future.set_result(10).unwrap();
    settle(&event_loop);
    assert_eq!(task.result().unwrap(), 11);
}

#[test]
fn yield_beside_a_foreign_future_takes_its_turn() {
    run(async {
        let foreign = OneShot::<Result<usize>>::new();
        let sender = foreign.clone();
        let both = vec![
            boxed(async move {
                let (turns, _) = turns_of(yield_now()).await?;
                sender.send(Ok(0));
                Ok(turns)
            }),
            boxed(foreign),
        ];
        let turns = join(both).await.remove(0)?;
        assert_eq!(turns, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ours_and_foreign_ones_are_awaited_side_by_side() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let future = futures(&event_loop, 1).remove(0);
        let foreign = OneShot::<i32>::new();
        let (sent, wrapped) = (foreign.clone(), OneShot::<i32>::new());
        let own = wrapped.clone();
        let both = all(vec![
            boxed((&future).into_future()),
            boxed(async move { Ok(foreign.await) }),
            boxed(wrap_future(own)),
        ]);
        let task = event_loop
            .create_task(async move { both.await.into_iter().sum::<Result<i32>>() })
            .unwrap();
        settle(&event_loop);
        sent.send(1);
        settle(&event_loop);
        future.set_result(10).unwrap();
        settle(&event_loop);
        assert!(!task.done());
        wrapped.send(100);
        settle(&event_loop);
        assert_eq!(task.result().unwrap(), 111);
    }
}

#[test]
fn cancel_beside_a_bare_foreign_future_reaches_ours_and_waits() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let future = futures(&event_loop, 1).remove(0);
        let foreign = OneShot::<i32>::new();
        let sent = foreign.clone();
        let both =
            all(vec![boxed((&future).into_future()), boxed(async move { Ok(foreign.await) })]);
        let task = event_loop.create_task(async move { Ok(both.await) }).unwrap();
        settle(&event_loop);
        assert!(task.cancel());
        settle(&event_loop);
        assert!(future.cancelled() && !task.done());
        sent.send(1);
        settle(&event_loop);
        assert_eq!(task.result().unwrap().iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
}

#[test]
fn a_mistake_among_several_is_told_and_the_others_go_on() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let other = EventLoop::with_virtual_time();
        let (future, stranger) = (futures(&event_loop, 1).remove(0), futures(&other, 1).remove(0));
        let both = all(vec![boxed((&stranger).into_future()), boxed((&future).into_future())]);
        let task = event_loop.create_task(async move { Ok(both.await) }).unwrap();
        settle(&event_loop);
        if !task.done() {
            future.set_result(1).unwrap();
            settle(&event_loop);
        }
        assert!(task.done(), "{task:?}");
        let outcomes = task.result().unwrap();
        let told = |outcome: &Result<i32>| {
            outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Runtime)
        };
        assert_eq!(outcomes.iter().filter(|outcome| told(outcome)).count(), 1, "{outcomes:?}");
    }
}

#[test]
fn a_hundred_awaited_at_once_are_cancelled_at_once() {
    for all in ALL {
        let event_loop = EventLoop::with_virtual_time();
        let futures = futures(&event_loop, 100);
        let both = all(waits(&futures));
        let task = event_loop
            .create_task(async move { both.await.into_iter().sum::<Result<i32>>() })
            .unwrap();
        settle(&event_loop);
        for future in &futures[..50] {
            future.set_result(1).unwrap();
        }
        settle(&event_loop);
        assert!(task.cancel());
        settle(&event_loop);
        assert!(task.cancelled());
        assert!(futures[50..].iter().all(LoopFuture::cancelled));
    }
}

#[test]
fn cancel_visits_awaits_in_order_after_some_were_dropped() {
    const MANY: usize = 1_000;
    let event_loop = EventLoop::with_virtual_time();
    let futures = futures(&event_loop, MANY);
    let trace = Trace::new();
    for (index, future) in futures.iter().enumerate() {
        let trace = trace.clone();
        future.add_done_callback(move |_: &dyn callsoon::AnyFuture| trace.push(index));
    }
    let awaits = waits(&futures);
    let task = event_loop
        .create_task(async move {
            let mut awaits: Vec<_> = awaits.into_iter().map(Some).collect();
            std::future::poll_fn(|cx| {
                for awaited in awaits.iter_mut().flatten() {
                    assert!(awaited.as_mut().poll(cx).is_pending());
                }
                // The first, and all but each tenth, aren't awaited any more.
                for index in (0..MANY).filter(|index| index % 10 != 5) {
                    awaits[index] = None;
                }
                std::task::Poll::Ready(())
            })
            .await;
            let left = awaits.into_iter().flatten().collect();
            join(left).await.into_iter().collect::<Result<Vec<i32>>>()
        })
        .unwrap();
    settle(&event_loop);
    assert!(task.cancel());
    settle(&event_loop);
    assert!(task.cancelled());
    trace.expect((0..MANY).filter(|index| index % 10 == 5).map(|index| index.to_string()));
    assert_eq!(futures.iter().filter(|future| !future.done()).count(), MANY - MANY / 10);
}
