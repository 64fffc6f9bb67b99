//! A virtual clock stands still while a thread owes an answer, and only then.

use std::time::Duration;

use callsoon::helpers as hp;
use callsoon::{ErrorKind, EventLoop, Result, running_loop, sleep, timeout, to_thread};

use crate::driver::{run, secs};
use crate::parts::{SECOND, counted, door};

#[test]
fn the_clock_stands_still_while_a_request_is_at_a_thread() -> Result<()> {
    run(async {
        let on = running_loop()?;
        let (queue, _visitors, _stop) = counted(1)?;
        queue.start().await?;
        let (at_it, keeper) = door();
        let request = queue.request(move |_| {
            at_it.pass();
            Ok(())
        });
        // The thread goes on only when the loop has nothing left to do but to wait.
        let early = on.call_later(SECOND, || -> () { panic!("time went on") })?;
        on.call_soon(move || {
            keeper.wait_for_arrival();
            keeper.open();
        })?;
        request.await?;
        assert_eq!(on.time(), Duration::ZERO);
        early.cancel();
        // No thread owes an answer now, so idle threads hold nothing up.
        sleep(secs(3600)).await?;
        assert_eq!(on.time(), secs(3600));
        queue.finish().await?;
        assert_eq!(on.time(), secs(3600));
        Ok(())
    })
}

#[test]
fn a_limit_is_not_over_while_the_work_is_real() -> Result<()> {
    run(async {
        let (at_it, keeper) = door();
        running_loop()?.call_soon(move || {
            keeper.wait_for_arrival();
            keeper.open();
        })?;
        let within = timeout(Some(Duration::from_nanos(1)), async |_| {
            to_thread(move || {
                at_it.pass();
                Ok(1)
            })
            .await
        });
        assert_eq!(within.await?, 1);
        Ok(())
    })
}

/// No thread has been asked yet: else time would stand still for ever.
#[test]
fn requests_that_wait_for_a_start_hold_nothing_up() -> Result<()> {
    run(async {
        let (queue, _visitors, _stop) = counted(1)?;
        let early = queue.request(|requests| Ok(*requests));
        sleep(SECOND).await?;
        assert!(!early.done());
        queue.start().await?;
        assert_eq!(early.await?, 1);
        queue.finish().await
    })
}

#[test]
fn a_wait_for_a_request_that_no_thread_will_take_is_told_so() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let outcome = event_loop.run_until_complete(async {
        let (queue, _visitors, _stop) = counted(1)?;
        queue.request(|_| Ok(())).await
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stalled);
    Ok(())
}

#[test]
fn owed_answer_keeps_the_loop_from_stalling() -> Result<()> {
    for event_loop in [EventLoop::with_virtual_time(), EventLoop::new()] {
        let (at_it, keeper) = door();
        let task = event_loop.create_task(to_thread(move || {
            at_it.pass();
            Ok(5)
        }))?;
        event_loop.run_once(None)?;
        keeper.wait_for_arrival();
        event_loop.call_later(secs(3600), || ())?;
        for _ in 0..3 {
            assert_eq!(event_loop.run_once(Some(Duration::ZERO))?, 0);
        }
        assert!(event_loop.time() < secs(3600));
        keeper.open();
        // Waits for the thread, and for nothing else.
        while !task.done() {
            event_loop.run_once(None)?;
        }
        assert_eq!(task.result()?, 5);
        assert!(event_loop.time() < secs(3600));
        event_loop.wind_down()?;
    }
    Ok(())
}

#[test]
fn idle_threads_keep_no_loop_from_its_end() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let outcome = event_loop.run_until_complete(async {
        let (queue, ..) = counted(3)?;
        queue.start().await?;
        to_thread(|| Ok(())).await?;
        hp::create_future::<()>().await
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stalled);
    Ok(())
}
