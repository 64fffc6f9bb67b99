//! Stopping a queue: what was taken is answered, nothing more is taken, and the threads leave.

use std::rc::Rc;

use callsoon::helpers as hp;
use callsoon::{AnyFuture, Error, ErrorKind, LoopFuture, Result, create_task, yield_now};

use crate::driver::run;
use crate::parts::{counted, door};

fn ends() -> [fn(&LoopFuture<()>); 3] {
    [
        |stop| assert!(stop.cancel()),
        |stop| stop.set_result(()).unwrap(),
        |stop| stop.set_exception(Error::new(ErrorKind::Value, "stop")).unwrap(),
    ]
}

#[test]
fn stop_fut_lets_queued_requests_run_and_cancels_later_ones() -> Result<()> {
    for end in ends() {
        run(async move {
            let (queue, visitors, stop) = counted(1)?;
            queue.start().await?;
            let (at_it, keeper) = door();
            let begun = queue.request(move |requests| {
                at_it.pass();
                Ok(*requests)
            });
            let queued = [(); 3].map(|()| queue.request(|requests| Ok(*requests)));
            keeper.wait_for_arrival();
            end(&stop);
            assert!(queue.request(|_| Ok(())).cancelled(), "at once");
            yield_now().await?;
            assert!(queue.request(|_| Ok(())).cancelled(), "and later");
            keeper.open();
            hp::wait_for_all_futures(&queued).await?;
            assert_eq!(begun.result()?, 1);
            assert_eq!(queued.map(|future| future.result().ok()), [2, 3, 4].map(Some));
            // Without `finish`.
            visitors.wait_until_left(1);
            queue.finish().await
        })?;
    }
    Ok(())
}

#[test]
fn queue_with_a_done_stop_fut_takes_no_new_requests() -> Result<()> {
    run(async {
        let (queue, visitors, stop) = counted(2)?;
        let early = queue.request(|requests| Ok(*requests));
        stop.cancel();
        yield_now().await?;
        yield_now().await?;
        queue.start().await?;
        assert_eq!(early.await?, 1);
        visitors.wait_until_left(2);
        assert!(queue.request(|_| Ok(())).cancelled());
        queue.finish().await
    })
}

#[test]
fn a_finish_answers_everything_and_sees_the_threads_end() -> Result<()> {
    run(async {
        let (queue, visitors, stop) = counted(4)?;
        queue.start().await?;
        let requests: Vec<_> = (0..200).map(|_| queue.request(|_| Ok(()))).collect();
        queue.finish().await?;
        visitors.assert_all_have_left(4);
        assert!(requests.iter().all(|request| request.result().is_ok()));
        assert!(!stop.done(), "its end is its own");
        assert!(queue.request(|_| Ok(())).cancelled());
        // Once more, and for two at once.
        queue.finish().await?;
        queue.finish().await
    })
}

#[test]
fn two_may_wait_for_the_same_end() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(1)?;
        queue.start().await?;
        let (at_it, keeper) = door();
        let request = queue.request(move |_| {
            at_it.pass();
            Ok(())
        });
        keeper.wait_for_arrival();
        let queue = Rc::new(queue);
        let finishes = [(); 2].map(|()| {
            let queue = queue.clone();
            create_task(async move { queue.finish().await })
        });
        yield_now().await?;
        yield_now().await?;
        keeper.open();
        for finish in finishes {
            finish.await?;
            assert!(request.done());
            visitors.assert_all_have_left(1);
        }
        Ok(())
    })
}

#[test]
fn finish_waits_for_threads_that_start_during_it() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(1)?;
        let (at_it, keeper) = door();
        let request = queue.request(move |_| {
            at_it.pass();
            Ok(())
        });
        let queue = Rc::new(queue);
        let (finishes, starts) = (queue.clone(), queue.clone());
        // There is no thread to wait for yet; the turn after, there is one.
        let finish = create_task(async move { finishes.finish().await });
        let start = create_task(async move { starts.start().await });
        yield_now().await?;
        keeper.wait_for_arrival();
        for _ in 0..3 {
            yield_now().await?;
        }
        assert!(!finish.done());
        keeper.open();
        start.await?;
        finish.await?;
        visitors.assert_all_have_left(1);
        request.result()
    })
}

#[test]
fn finish_of_an_unstarted_queue_cancels_its_requests() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(2)?;
        let requests = [(); 3].map(|()| queue.request(|_| Ok(())));
        queue.finish().await?;
        assert!(requests.iter().all(AnyFuture::cancelled));
        visitors.assert_all_have_left(0);
        // Too late: its threads come, find the end, and leave.
        queue.start().await?;
        visitors.wait_until_left(2);
        queue.finish().await
    })
}

#[test]
fn cancelled_finish_has_stopped_the_queue_and_can_be_repeated() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(1)?;
        queue.start().await?;
        let (at_it, keeper) = door();
        let request = queue.request(move |_| {
            at_it.pass();
            Ok(7)
        });
        let queue = Rc::new(queue);
        let finishing = queue.clone();
        let finish = create_task(async move { finishing.finish().await });
        yield_now().await?;
        finish.cancel();
        assert!(finish.await.unwrap_err().is_cancelled());
        assert!(queue.request(|_| Ok(())).cancelled());
        keeper.open();
        assert_eq!(request.await?, 7);
        queue.finish().await?;
        visitors.assert_all_have_left(1);
        Ok(())
    })
}

#[test]
fn a_scope_is_finished_however_its_body_ends() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(2)?;
        let error = Error::new(ErrorKind::Value, "the body's");
        let outcome: Result<()> = queue.scope(async |_| Err(error.clone())).await;
        assert!(outcome.unwrap_err().ptr_eq(&error));
        visitors.assert_all_have_left(2);

        let (queue, visitors, _stop) = counted(2)?;
        let (at_it, keeper) = door();
        let scope = create_task(queue.scope(async move |queue| {
            queue
                .request(move |_| {
                    at_it.pass();
                    Ok(())
                })
                .await
        }));
        // Its threads come first: the door is not reached before they do.
        while keeper.no_arrival() {
            yield_now().await?;
        }
        scope.cancel();
        yield_now().await?;
        assert!(!scope.done(), "it waits for its threads");
        keeper.open();
        assert!(scope.await.unwrap_err().is_cancelled());
        visitors.assert_all_have_left(2);
        Ok(())
    })
}
