//! `FusedFuture`: what a `select!` in a loop asks before it polls again.

use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use callsoon::helpers::create_future;
use callsoon::{Await, Result, create_task, sleep, yield_now};
use futures_core::future::FusedFuture;

use crate::run::{run, settle};

async fn poll_once<T: Clone + 'static>(wait: &mut Await<T>) -> Poll<Result<T>> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *wait).poll(cx))).await
}

#[test]
fn sleep_is_terminated_once_it_has_returned() {
    use futures_core::future::FusedFuture;
    run(async {
        for delay in [Duration::ZERO, Duration::from_secs(1)] {
            let mut slept = sleep(delay);
            assert!(!slept.is_terminated());
            (&mut slept).await?;
            assert!(slept.is_terminated());
        }
        Ok(())
    });
}

#[test]
fn await_is_terminated_once_it_has_returned() {
    run(async {
        let done = create_task(async { Ok(1) });
        settle().await?;
        let mut of_done = (&done).into_future();
        assert!(done.done() && !of_done.is_terminated());
        assert_eq!((&mut of_done).await?, 1);
        assert!(of_done.is_terminated());

        let pending = create_future::<u8>();
        let mut waits = (&pending).into_future();
        assert!(poll_once(&mut waits).await.is_pending());
        pending.set_result(2)?;
        assert!(!waits.is_terminated());
        assert_eq!((&mut waits).await?, 2);
        assert!(waits.is_terminated());
        Ok(())
    });
}

#[test]
fn terminated_await_that_is_polled_returns_the_same() {
    run(async {
        let future = create_future::<u8>();
        future.set_result(1)?;
        let mut waits = future.into_future();
        for _ in 0..2 {
            assert_eq!((&mut waits).await?, 1);
            assert!(waits.is_terminated());
        }
        Ok(())
    });
}

#[test]
fn await_is_terminated_by_a_cancellation() {
    run(async {
        let task = create_task(async {
            let mut waits = create_future::<()>().into_future();
            let outcome = (&mut waits).await;
            assert!(waits.is_terminated());
            yield_now().await?;
            outcome
        });
        yield_now().await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

#[test]
fn await_behind_a_foreign_waker_is_terminated() {
    run(async {
        let future = create_future::<u8>();
        let (first, second) = (future.wait(), future.wait());
        let task = create_task(async move {
            let (mut first, mut second) = (first, second);
            poll_fn(|cx| {
                let outcomes = [&mut first, &mut second].map(|wait| Pin::new(wait).poll(cx));
                if outcomes.iter().all(Poll::is_ready) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            Ok((first.is_terminated(), second.is_terminated()))
        });
        yield_now().await?;
        future.set_result(1)?;
        assert_eq!(task.await?, (true, true));
        Ok(())
    });
}
