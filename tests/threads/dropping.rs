//! A queue that goes without `finish`, and a loop that goes before its threads.

use std::rc::Rc;

use callsoon::helpers::{self as hp, ThreadToAsyncQueue};
use callsoon::{AnyFuture, ErrorKind, EventLoop, Result, create_task, run_on, yield_now};

use crate::driver::{Reports, run, settle};
use crate::parts::{Counted, Visitors, counted, door};
use crate::support::log_lines::{keep_log, logged_by};

#[test]
fn a_queue_that_is_dropped_still_answers_and_its_threads_leave() -> Result<()> {
    run(async {
        let (queue, visitors, stop) = counted(2)?;
        queue.start().await?;
        let (at_it, keeper) = door();
        let begun = queue.request(move |_| {
            at_it.pass();
            Ok(1)
        });
        let queued: Vec<_> = (0..50).map(|_| queue.request(|_| Ok(2))).collect();
        drop(queue);
        keeper.open();
        assert_eq!(begun.await?, 1);
        for request in queued {
            assert_eq!(request.await?, 2);
        }
        visitors.wait_until_left(2);
        assert!(!stop.done());
        Ok(())
    })
}

#[test]
fn a_queue_that_is_dropped_before_its_start_cancels_what_it_has() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(1)?;
        let request = queue.request(|_| Ok(()));
        drop(queue);
        assert!(request.await.unwrap_err().is_cancelled());
        visitors.assert_all_have_left(0);
        Ok(())
    })
}

#[test]
fn queue_may_be_dropped_by_its_own_requests_done_callback() -> Result<()> {
    for starts in [true, false] {
        run(async move {
            let (queue, visitors, _stop) = counted(1)?;
            let queue = Rc::new(queue);
            if starts {
                queue.start().await?;
            }
            let first = queue.request(|_| Ok(()));
            let second = queue.request(|_| Ok(()));
            let owner = queue.clone();
            first.add_done_callback(move |_: &dyn AnyFuture| drop(owner.request(|_| Ok(()))));
            if starts {
                drop(queue);
                hp::wait_for_all_futures([&first, &second]).await?;
                assert!(second.result().is_ok());
                visitors.wait_until_left(1);
            } else {
                // Only the callback holds the queue now, and the queue the request.
                drop(queue);
                first.cancel();
                yield_now().await?;
                assert!(second.cancelled());
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_scope_that_is_dropped_half_way_lets_its_threads_leave() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let visitors = event_loop.run_until_complete(async {
        let (queue, visitors, _stop) = counted(2)?;
        let (at_it, keeper) = door();
        let body = async move |queue: &ThreadToAsyncQueue<Counted>| {
            queue
                .request(move |_| {
                    at_it.pass();
                    Ok(())
                })
                .await
        };
        create_task(queue.scope(body));
        while keeper.no_arrival() {
            yield_now().await?;
        }
        keeper.open();
        Ok(visitors)
    })?;
    // Its task goes with the loop.
    let reports = Reports::of(&event_loop);
    event_loop.close()?;
    assert_eq!(reports.messages(), ["Task was destroyed but it is pending!"]);
    visitors.wait_until_left(2);
    Ok(())
}

#[test]
fn answers_after_the_loop_has_closed_are_logged_and_dropped() -> Result<()> {
    keep_log();
    let event_loop = EventLoop::with_virtual_time();
    let visitors = Visitors::default();
    let (hooks, on) = (Counted(visitors.clone()), (*event_loop).clone());
    let (keeper, queue, requests) = event_loop
        .run_until_complete(async move {
            let stop = hp::create_future::<()>();
            let queue = ThreadToAsyncQueue::builder(hooks).name("orphan").build(&stop)?;
            queue.start().await?;
            let (at_it, keeper) = door();
            let begun = queue.request(move |_| {
                at_it.pass();
                Ok(())
            });
            let queued = queue.request(|_| Ok(()));
            keeper.wait_for_arrival();
            Ok(Rc::new((keeper, queue, [begun, queued])))
        })
        .map(|all| Rc::try_unwrap(all).ok().expect("the only handle"))?;
    event_loop.close()?;
    assert!(on.is_closed());
    let late = queue.request(|_| Ok(()));
    assert!(late.cancelled(), "a closed loop can't be answered");
    assert!(requests.iter().all(|request| !request.done()), "no loop is left for their ends");
    drop(queue);
    keeper.open();
    visitors.wait_until_left(1);
    let line = "ERROR: Failed to put result onto the loop because it was closed";
    assert_eq!(logged_by("orphan"), [line; 2]);
    Ok(())
}

#[test]
fn a_queue_outlives_its_loop() -> Result<()> {
    let event_loop = EventLoop::new();
    let (queue, visitors) = event_loop
        .run_until_complete(async {
            let (queue, visitors, _stop) = counted(2)?;
            queue.start().await?;
            queue.request(|_| Ok(())).await?;
            Ok(Rc::new((queue, visitors)))
        })
        .map(|all| Rc::try_unwrap(all).ok().expect("the only handle"))?;
    drop(event_loop);
    assert!(queue.request(|_| Ok(())).cancelled());
    // On another loop `finish` can only return an error.
    run(async move {
        assert_eq!(queue.finish().await.unwrap_err().kind(), ErrorKind::Closed);
        visitors.wait_until_left(2);
        Ok(())
    })
}

/// The loop is closed while a thread still makes its args.
#[test]
fn a_loop_may_close_while_its_threads_start() -> Result<()> {
    struct Slow(std::sync::Mutex<Option<crate::parts::Door>>, Visitors);
    impl hp::ThreadHooks for Slow {
        type Args = ();

        fn create_args(&self, _: usize, _: Option<()>) -> Result<()> {
            self.1.come();
            let door = self.0.lock().unwrap().take();
            door.expect("asked once").pass();
            Ok(())
        }
    }
    let visitors = Visitors::default();
    let (at_it, keeper) = door();
    let hooks = Slow(std::sync::Mutex::new(Some(at_it)), visitors.clone());
    let event_loop = EventLoop::new();
    let task = event_loop.create_task(async move {
        let stop = hp::create_future::<()>();
        ThreadToAsyncQueue::builder(hooks).build(&stop)?.scope(async |_| Ok(())).await
    })?;
    event_loop.run_once(None)?;
    keeper.wait_for_arrival();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    event_loop.close()?;
    assert!(!task.done());
    keeper.open();
    visitors.wait_until_left(1);
    Ok(())
}

/// A request is run though its future was dropped, and the loop doesn't keep it.
#[test]
fn a_future_that_is_dropped_doesnt_take_its_request_back() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), async {
        let (queue, _visitors, _stop) = counted(1)?;
        queue.start().await?;
        drop(queue.request(|_| Ok(())));
        assert_eq!(queue.request(|requests| Ok(*requests)).await?, 2);
        queue.finish().await
    })
}

#[test]
fn a_loop_that_never_ran_drops_a_queue_of_its_own() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(async {
        let (queue, ..) = counted(1)?;
        let request = queue.request(|_| Ok(()));
        yield_now().await?;
        drop(queue);
        Ok(request)
    })?;
    settle(&event_loop);
    assert!(task.result()?.cancelled());
    Ok(())
}
