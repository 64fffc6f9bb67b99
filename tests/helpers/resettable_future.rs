//! `ResettableFuture`: a future that can be made new.

use std::rc::Rc;

use callsoon::helpers::{self as hp, ResettableFuture};
use callsoon::{AnyFuture, ErrorKind, EventLoop, FutureLike, Result, create_task};

use crate::driver::run;
use crate::parts::{error, kind, rest};
use crate::support::trace::Trace;

#[test]
fn it_is_asked_and_set_as_the_future_of_the_moment() -> Result<()> {
    run(async {
        let it = ResettableFuture::<i32>::new();
        assert_eq!((it.done(), it.cancelled()), (false, false));
        assert_eq!(kind(it.result()), Some(ErrorKind::InvalidState));
        assert_eq!(kind(it.exception()), Some(ErrorKind::InvalidState));
        it.set_result(1)?;
        assert_eq!((it.done(), it.result()?, it.exception()?.is_none()), (true, 1, true));
        it.reset();
        let bad = error("bad");
        it.set_exception(bad.clone())?;
        assert!(it.exception()?.unwrap().ptr_eq(&bad) && it.result().unwrap_err().ptr_eq(&bad));
        it.reset();
        assert!(it.cancel() && !it.cancel() && it.done() && it.cancelled());
        assert_eq!(kind(it.result()), Some(ErrorKind::Cancelled));
        Ok(())
    })
}

#[test]
fn what_is_done_refuses_another_end_until_it_is_reset() -> Result<()> {
    run(async {
        let it = ResettableFuture::<i32>::new();
        it.set_result(1)?;
        assert_eq!(kind(it.set_result(2)), Some(ErrorKind::InvalidState));
        assert_eq!(kind(it.set_exception(error("bad"))), Some(ErrorKind::InvalidState));
        assert_eq!(it.result()?, 1);
        it.reset();
        it.set_result(2)?;
        assert_eq!(it.result()?, 2);
        Ok(())
    })
}

#[test]
fn a_reset_while_it_is_pending_does_nothing() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let it = ResettableFuture::<i32>::new();
        let told = trace.clone();
        let callback = it.add_done_callback(move |_: &dyn AnyFuture| told.push("called"));
        let awaited = it.clone();
        let waiting = create_task(async move { awaited.await });
        rest().await?;
        it.reset();
        assert!(hp::fut_has_callback(&it, &callback));
        it.set_result(3)?;
        assert_eq!((&waiting).await?, 3);
        trace.expect(["called"]);
        Ok(())
    })
}

#[test]
fn reset_of_a_done_future_drops_its_callbacks() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let it = ResettableFuture::<i32>::new();
        let told = trace.clone();
        let callback = it.add_done_callback(move |done: &dyn AnyFuture| {
            told.push(hp::fut_state_to_string(done));
        });
        it.set_result(1)?;
        it.reset();
        assert!(!hp::fut_has_callback(&it, &callback));
        rest().await?;
        // It was on its way, and gets the future that is done, not the new one.
        trace.expect(["(result)"]);
        it.set_result(2)?;
        rest().await?;
        trace.expect_nothing();
        Ok(())
    })
}

#[test]
fn forced_reset_cancels_the_pending_future_of_its_waiters() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let it = ResettableFuture::<i32>::new();
        let told = trace.clone();
        it.add_done_callback(move |done: &dyn AnyFuture| told.push(hp::fut_state_to_string(done)));
        let awaited = it.clone();
        let waiting = create_task(async move { awaited.await });
        rest().await?;
        it.force_reset();
        assert!(!it.done());
        assert_eq!(kind((&waiting).await), Some(ErrorKind::Cancelled));
        trace.expect(["(cancelled)"]);
        it.set_result(1)?;
        it.force_reset();
        assert!(!it.done());
        Ok(())
    })
}

#[test]
fn awaiter_stays_with_the_future_from_before_a_reset() -> Result<()> {
    run(async {
        let it = ResettableFuture::<i32>::new();
        let awaited = it.clone();
        let waiting = create_task(async move { awaited.await });
        rest().await?;
        it.set_result(1)?;
        it.reset();
        it.set_result(2)?;
        assert_eq!((&waiting).await?, 1);
        assert_eq!((&it).await?, 2);
        Ok(())
    })
}

#[test]
fn clones_are_one_and_can_be_had_without_a_type() -> Result<()> {
    run(async {
        let it = ResettableFuture::<i32>::named("doors");
        let (clone, any) = (it.clone(), it.to_any());
        let typed: Rc<dyn FutureLike<i32>> = it.to_future_like();
        assert!(clone.id() == it.id() && any.id() == it.id() && typed.id() == it.id());
        clone.set_result(1)?;
        assert!(it.done() && any.done() && any.name() == "doors");
        any.cancel();
        it.reset();
        assert!(!clone.done() && !any.done() && !typed.done());
        typed.set_result(4)?;
        assert_eq!((&clone).await?, 4);
        Ok(())
    })
}

#[test]
fn it_can_be_made_on_a_loop_that_does_not_run() {
    let event_loop = EventLoop::with_virtual_time();
    let it = ResettableFuture::<i32>::new_on(&event_loop);
    it.set_result(1).unwrap();
    it.reset();
    it.set_result(2).unwrap();
    assert_eq!(event_loop.run_until_complete(async move { it.await }).unwrap(), 2);
}
