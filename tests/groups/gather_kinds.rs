//! The kinds of arguments that `gather` takes, and `wait_for` of coroutines that borrow.

use std::rc::Rc;

use callsoon::{
    AnyFuture, Error, ErrorKind, FutureLike, LoopFuture, Queue, create_task, gather,
    gather_outcomes, running_loop, sleep, wait_for, yield_now,
};

use crate::driver::{run, secs, turns_of};
use crate::support::panics::assert_needs_a_loop;
use crate::support::trace::Trace;

async fn after<T>(seconds: u64, value: T) -> callsoon::Result<T> {
    sleep(secs(seconds)).await?;
    Ok(value)
}

#[test]
fn gather_takes_coroutines_of_one_type() {
    run(async {
        assert_eq!(gather((1..4).map(|n| after(4 - n, n))).await?, [1, 2, 3]);
        assert_eq!(running_loop()?.time(), secs(3), "they run at the same time");
        assert_eq!(gather(vec![after(1, "a"), after(2, "b")]).await?, ["a", "b"]);
        Ok(())
    })
    .unwrap();
    assert_needs_a_loop(|| gather([after(1, ())]));
}

#[test]
fn gather_takes_a_tuple_of_several_types() {
    run(async {
        let (task, future) = (create_task(after(2, 'c')), running_loop()?.create_future::<u8>());
        future.set_result(4)?;
        let all = (after(1, "one"), &task, future.clone(), async { Ok(2.5) }, &future);
        assert_eq!(gather(all).await?, ("one", 'c', 4, 2.5, 4));
        assert_eq!(gather((task,)).await?, ('c',));
        let twelve = (
            after(1, 1),
            after(1, 2),
            after(1, 3),
            after(1, 4),
            after(1, 5),
            after(1, 6),
            after(1, 7),
            after(1, 8),
            after(1, 9),
            after(1, 10),
            after(1, 11),
            after(1, "12"),
        );
        assert_eq!(gather(twelve).await?, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "12"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn gather_of_a_tuple_ends_with_the_first_error() {
    run(async {
        let trace = Trace::new();
        let goes_on = {
            let trace = trace.clone();
            async move {
                sleep(secs(5)).await?;
                trace.push("went on");
                Ok(())
            }
        };
        let fails = async {
            sleep(secs(1)).await?;
            Err::<u8, _>(Error::new(ErrorKind::Value, "first"))
        };
        let error = gather((goes_on, fails)).await.unwrap_err();
        assert_eq!((&*error.message(), running_loop()?.time()), ("first", secs(1)));
        sleep(secs(5)).await?;
        trace.expect(["went on"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn gather_outcomes_of_a_tuple_waits_for_all() {
    run(async {
        let cancelled = create_task(after(9, 1));
        cancelled.cancel();
        let fails = async { Err::<u8, _>(Error::new(ErrorKind::Value, "no")) };
        let (one, two, three) = gather_outcomes((&cancelled, fails, after(3, "yes"))).await?;
        assert!(one.unwrap_err().is_cancelled());
        assert_eq!(two.unwrap_err().message(), "no");
        assert_eq!((three?, running_loop()?.time()), ("yes", secs(3)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn gather_of_a_tuple_passes_a_cancellation_to_each() {
    run(async {
        let (one, two) = (create_task(after(9, 1)), create_task(after(9, "two")));
        let outer = gather((&one, &two));
        yield_now().await?;
        assert!(outer.cancel());
        assert!(outer.await.unwrap_err().is_cancelled());
        assert!(one.cancelled() && two.cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn gather_of_a_tuple_takes_the_turns_of_a_list() {
    run(async {
        let done = |value: u8| -> callsoon::Result<LoopFuture<u8>> {
            let future: LoopFuture<u8> = running_loop()?.create_future();
            future.set_result(value)?;
            Ok(future)
        };
        assert_eq!(turns_of(gather((&done(1)?, &done(2)?))).await?.0, 0);
        let tasks = [create_task(async { Ok(1) }), create_task(async { Ok(2) })];
        let list = turns_of(gather(&tasks)).await?.0;
        let tuple = gather((async { Ok(1) }, async { Ok("two") }));
        assert_eq!(turns_of(tuple).await?.0, list);
        Ok(())
    })
    .unwrap();
}

#[test]
fn gather_takes_future_like_things_in_an_rc() {
    run(async {
        let one: Rc<dyn FutureLike<u8>> = Rc::new(create_task(after(1, 1)));
        assert_eq!(gather([one.clone(), one]).await?, [1, 1]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn wait_for_takes_a_coroutine_that_borrows() {
    run(async {
        let queue = Queue::new(0);
        let empty = wait_for(queue.get(), secs(1)).await;
        assert_eq!(empty.unwrap_err().kind(), ErrorKind::Timeout);
        queue.put_nowait(String::from("not 'static"))?;
        let held = wait_for(queue.get(), secs(1)).await?;
        let length = wait_for(async { Ok(held.len()) }, None).await?;
        assert_eq!((length, running_loop()?.time()), (11, secs(1)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn wait_for_without_time_starts_no_coroutine_that_borrows() {
    run(async {
        let trace = Trace::new();
        let never = wait_for(
            async {
                trace.push("started");
                Ok(())
            },
            secs(0),
        );
        assert_eq!(never.await.unwrap_err().kind(), ErrorKind::Timeout);
        trace.expect([""; 0]);
        let task = create_task(after(5, 1));
        assert_eq!(wait_for(&task, secs(0)).await.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(task.cancelled());
        let done = create_task(async { Ok(7) });
        yield_now().await?;
        assert_eq!(wait_for(&done, secs(0)).await?, 7);
        assert_eq!(AnyFuture::name(&create_task(async { Ok(()) })), "Task-5");
        Ok(())
    })
    .unwrap();
}
