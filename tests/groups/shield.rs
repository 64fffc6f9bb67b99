//! `shield`: what passes through it, and what doesn't.

use callsoon::{create_task, running_loop, shield, sleep, yield_now};

use crate::driver::{Reports, run, secs};
use crate::parts::{after, done, oops, pending, shown};

#[test]
fn it_ends_as_what_is_inside() {
    run(async {
        assert_eq!(shield(&create_task(after(1, 7))?)?.await?, 7);
        let (failing, cancelled) = (pending::<i32>()?, pending::<i32>()?);
        let shields = [shield(&failing)?, shield(&cancelled)?];
        failing.set_exception(oops("inside"))?;
        cancelled.cancel();
        let [failing, cancelled] = shields;
        assert_eq!(shown(failing.await), "ValueError: inside");
        assert_eq!(shown(cancelled.clone().await), "CancelledError");
        assert!(cancelled.cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_what_is_done_it_is_done_at_once() {
    run(async {
        assert_eq!(shield(&done(7)?)?.result()?, 7);
        let (failed, cancelled) = (pending::<i32>()?, pending::<i32>()?);
        failed.set_exception(oops("before"))?;
        cancelled.cancel();
        assert_eq!(shown(shield(&failed)?.result()), "ValueError: before");
        assert!(shield(&cancelled)?.cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn its_cancellation_stays_outside() {
    run(async {
        let task = create_task(after(5, "in the end"))?;
        let inner = task.clone();
        let waiter = create_task(async move { shield(&inner)?.await })?;
        sleep(secs(1)).await?;
        assert!(waiter.cancel());
        assert_eq!(shown(waiter.clone().await), "CancelledError");
        assert!(waiter.cancelled() && !task.done());
        assert_eq!(task.cancelling(), 0);
        assert_eq!(task.await?, "in the end");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_cancelled_shield_leaves_no_callback_behind() {
    run(async {
        let inner = pending::<i32>()?;
        let outer = shield(&inner)?;
        assert!(format!("{inner:?}").contains("callbacks=1"));
        outer.cancel();
        yield_now().await?;
        assert!(!format!("{inner:?}").contains("callbacks"), "{inner:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_exception_is_read_for_a_shield_and_not_for_one_that_was_cancelled() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let inner = pending::<i32>()?;
        let outer = shield(&inner)?;
        inner.set_exception(oops("seen"))?;
        assert!(outer.await.is_err());
        drop(inner);
        assert_eq!(reports.messages(), [""; 0]);

        let inner = pending::<i32>()?;
        let outer = shield(&inner)?;
        outer.cancel();
        yield_now().await?;
        inner.set_exception(oops("not seen"))?;
        yield_now().await?;
        drop(inner);
        assert_eq!(reports.messages(), ["Future exception was never retrieved"]);
        Ok(())
    })
    .unwrap();
}

/// The shield's own callback, which would take its part back, comes too late.
#[test]
fn an_exception_in_the_turn_of_the_cancellation_counts_as_read() {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let inner = pending::<i32>()?;
        let outer = shield(&inner)?;
        inner.set_exception(oops("both"))?;
        outer.cancel();
        yield_now().await?;
        drop(inner);
        assert_eq!(reports.messages(), [""; 0]);
        Ok(())
    })
    .unwrap();
}
