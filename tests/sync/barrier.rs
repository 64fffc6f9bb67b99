//! `Barrier`: the traces are those of CPython 3.13.

use callsoon::{Barrier, ErrorKind, EventLoop, Task, create_task, gather, run_on, yield_now};

use crate::by_hand::{at_once, poll_once, run, says, turns};
use crate::support::trace::Trace;

fn arrive<const N: usize>(barrier: &Barrier, trace: &Trace, names: [&str; N]) -> Vec<Task<()>> {
    let arriving = names.map(|name| {
        let barrier = barrier.clone();
        says(trace, name, async move { barrier.wait().await })
    });
    arriving.into()
}

const BROKEN: &str = "Err(BrokenBarrierError(\"Abort or reset of barrier\"))";

// CPython: test_locks.BarrierTests.test_barrier_parties
#[test]
fn barrier_of_no_parties_is_refused() {
    assert_eq!(Barrier::new(0).unwrap_err().kind(), ErrorKind::Value);
    assert_eq!(Barrier::new(7).unwrap().parties(), 7);
}

// CPython: test_locks.BarrierTests.test_filling_one_task
// CPython: test_locks.BarrierTests.test_filling_one_task_twice
#[test]
fn one_alone_need_not_wait() {
    run(async {
        let barrier = Barrier::new(1)?;
        for _ in 0..2 {
            assert!(
                at_once(async { barrier.wait().await.map(|index| assert_eq!(index, 0)) }).await
            );
            assert_eq!((barrier.n_waiting(), barrier.broken()), (0, false));
        }
        Ok(())
    });
}

#[test]
fn wait_returns_a_position_and_the_next_round_begins_after_all() {
    run(async {
        let (barrier, trace) = (Barrier::new(2)?, Trace::new());
        arrive(&barrier, &trace, ["a", "b", "c", "d"]);
        turns(10).await?;
        trace.expect(["b: Ok(1)", "a: Ok(0)", "d: Ok(1)", "c: Ok(0)"]);
        assert_eq!(format!("{barrier:?}"), "<Barrier [filling, waiters:0/2]>");
        Ok(())
    });
}

#[test]
fn abort_ends_present_and_later_waits() {
    run(async {
        let (barrier, trace) = (Barrier::new(3)?, Trace::new());
        arrive(&barrier, &trace, ["a", "b"]);
        turns(1).await?;
        assert_eq!((barrier.n_waiting(), barrier.broken()), (2, false));
        barrier.abort().await?;
        assert_eq!((barrier.n_waiting(), barrier.broken()), (0, true));
        assert_eq!(format!("{barrier:?}"), "<Barrier [broken]>");
        let late = barrier.wait().await.unwrap_err();
        assert_eq!((late.kind(), &*late.message()), (ErrorKind::BrokenBarrier, "Barrier aborted"));
        turns(3).await?;
        trace.expect([format!("a: {BROKEN}"), format!("b: {BROKEN}")]);
        barrier.reset().await?;
        assert_eq!(format!("{barrier:?}"), "<Barrier [filling, waiters:0/3]>");
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_reset_barrier_while_tasks_waiting
#[test]
fn reset_ends_present_waits_and_no_later_ones() {
    run(async {
        let (barrier, trace) = (Barrier::new(3)?, Trace::new());
        arrive(&barrier, &trace, ["a", "b"]);
        turns(1).await?;
        barrier.reset().await?;
        assert_eq!((barrier.n_waiting(), barrier.broken()), (0, false));
        arrive(&barrier, &trace, ["c", "d", "e"]);
        turns(10).await?;
        let left = [format!("a: {BROKEN}"), format!("b: {BROKEN}")];
        let came = ["e: Ok(2)", "c: Ok(0)", "d: Ok(1)"].map(str::to_owned);
        trace.expect(left.into_iter().chain(came));
        Ok(())
    });
}

#[test]
fn cancelled_wait_is_not_counted() {
    run(async {
        let (barrier, trace) = (Barrier::new(2)?, Trace::new());
        let tasks = arrive(&barrier, &trace, ["a"]);
        turns(1).await?;
        tasks[0].cancel();
        turns(2).await?;
        assert_eq!(barrier.n_waiting(), 0);
        arrive(&barrier, &trace, ["b", "c"]);
        turns(3).await?;
        trace.expect(["a: Err(CancelledError())", "c: Ok(1)", "b: Ok(0)"]);
        Ok(())
    });
}

#[test]
fn dropped_wait_is_not_counted() {
    run(async {
        let (barrier, trace) = (Barrier::new(2)?, Trace::new());
        let mut dropped = Box::pin(barrier.wait());
        assert!(poll_once(dropped.as_mut()).await.is_pending());
        assert_eq!(barrier.n_waiting(), 1);
        drop(dropped);
        assert_eq!(barrier.n_waiting(), 0);
        arrive(&barrier, &trace, ["b", "c"]);
        turns(3).await?;
        trace.expect(["c: Ok(1)", "b: Ok(0)"]);
        Ok(())
    });
}

/// The last wait to leave opens the barrier for those that have come meanwhile, also when it is
/// dropped without having run again.
#[test]
fn wait_dropped_while_leaving_opens_the_next_round() {
    run(async {
        let (barrier, trace) = (Barrier::new(2)?, Trace::new());
        let mut dropped = Box::pin(barrier.wait());
        assert!(poll_once(dropped.as_mut()).await.is_pending());
        assert_eq!(barrier.wait().await?, 1);
        arrive(&barrier, &trace, ["c", "d"]);
        turns(3).await?;
        trace.expect_nothing();
        drop(dropped);
        turns(10).await?;
        trace.expect(["d: Ok(1)", "c: Ok(0)"]);
        Ok(())
    });
}

/// The numbers are CPython's: a cancelled wait leaves its own out, and one behind it comes twice.
#[test]
fn numbers_repeat_after_a_cancelled_wait() {
    run_on(&EventLoop::with_virtual_time(), async {
        let barrier = Barrier::new(3)?;
        let party = || {
            let barrier = barrier.clone();
            create_task(async move { barrier.wait().await })
        };
        let (first, second) = (party(), party());
        yield_now().await?;
        first.cancel();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(gather(&[second, party(), party()]).await?, [1, 1, 2]);
        Ok(())
    })
    .unwrap();
}
