//! `Barrier`: filling, draining, resetting, broken; and tasks that arrive, stay or leave in each.

use std::cell::Cell;
use std::rc::Rc;

use callsoon::{Barrier, Error, ErrorKind, Result, create_task, gather_outcomes};

use crate::by_hand::{at_once, run, says, turns};
use crate::support::trace::Trace;

const PARTIES: usize = 5;

/// A counter that many tasks share.
#[derive(Clone, Default)]
struct Count(Rc<Cell<usize>>);

impl Count {
    /// Counts one more and returns the new count.
    fn one_more(&self) -> usize {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }

    fn get(&self) -> usize {
        self.0.get()
    }
}

/// Runs a body for each party as a task, and waits for all of them.
async fn parties<F: Future<Output = Result<()>> + 'static>(body: impl Fn() -> F) -> Result<()> {
    let tasks = (0..PARTIES).map(|_| create_task(body())).collect::<Vec<_>>();
    for outcome in gather_outcomes(&tasks).await? {
        outcome?;
    }
    Ok(())
}

fn is_broken<T>(outcome: &Result<T>) -> bool {
    outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenBarrier)
}

fn shown(barrier: &Barrier) -> String {
    format!("{barrier:?}")
}

const FILLING: &str = "<Barrier [filling, waiters:0/5]>";

// CPython: test_locks.BarrierTests.test_repr
#[test]
fn it_shows_whether_it_is_filling_draining_resetting_or_broken() {
    run(async {
        let (barrier, trace) = (Barrier::new(PARTIES)?, Trace::new());
        let comes = |count: usize| -> Result<()> {
            for _ in 0..count {
                let barrier = barrier.clone();
                says(&trace, "wait", async move { barrier.wait().await });
            }
            Ok(())
        };
        assert_eq!(shown(&barrier), FILLING);
        comes(2)?;
        turns(1).await?;
        assert_eq!(shown(&barrier), "<Barrier [filling, waiters:2/5]>");
        comes(barrier.parties() - barrier.n_waiting())?;
        turns(1).await?;
        assert_eq!(shown(&barrier), "<Barrier [draining, waiters:0/5]>");
        comes(2)?;
        turns(1).await?;
        barrier.reset().await?;
        assert_eq!(shown(&barrier), "<Barrier [resetting, waiters:0/5]>");
        comes(2)?;
        turns(1).await?;
        barrier.abort().await?;
        assert_eq!(shown(&barrier), "<Barrier [broken]>");
        assert!(barrier.broken());
        turns(20).await?;
        assert_eq!(barrier.n_waiting(), 0);
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_context_manager
// CPython: test_locks.BarrierTests.test_filling_task_by_task
#[test]
fn each_wait_is_counted_until_all_are_there() {
    run(async {
        let (barrier, trace) = (Barrier::new(3)?, Trace::new());
        let states = [("filling", 1), ("filling", 2), ("draining", 0)];
        for (name, (state, waiting)) in ["a", "b", "c"].into_iter().zip(states) {
            let own = barrier.clone();
            says(&trace, name, async move { own.wait().await });
            turns(1).await?;
            assert_eq!(barrier.n_waiting(), waiting);
            assert_eq!(shown(&barrier), format!("<Barrier [{state}, waiters:{waiting}/3]>"));
        }
        turns(5).await?;
        trace.expect(["c: Ok(2)", "a: Ok(0)", "b: Ok(1)"]);
        assert_eq!((barrier.n_waiting(), barrier.broken()), (0, false));
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_draining_state
#[test]
fn it_drains_until_the_last_has_left_and_then_fills_again() {
    run(async {
        let (barrier, trace) = (Barrier::new(PARTIES)?, Trace::new());
        parties(|| {
            let (barrier, trace) = (barrier.clone(), trace.clone());
            async move {
                barrier.wait().await?;
                let shown = shown(&barrier);
                trace.push(shown.contains("draining"));
                Ok(())
            }
        })
        .await?;
        trace.expect(["true", "true", "true", "true", "false"]);
        assert_eq!(shown(&barrier), FILLING);
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_filling_tasks_wait_twice
// CPython: test_locks.BarrierTests.test_filling_tasks_check_return_value
#[test]
fn all_meet_twice_and_are_numbered_each_time() {
    run(async {
        let (barrier, trace) = (Barrier::new(PARTIES)?, Trace::new());
        parties(|| {
            let (barrier, trace) = (barrier.clone(), trace.clone());
            async move {
                let first = barrier.wait().await?;
                let second = barrier.wait().await?;
                trace.push(format!("{first} then {second}"));
                Ok(())
            }
        })
        .await?;
        // The task that arrives last leaves first.
        trace.expect(["2 then 4", "3 then 0", "4 then 1", "0 then 2", "1 then 3"]);
        assert_eq!(shown(&barrier), FILLING);
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_blocking_tasks_while_draining
#[test]
fn wait_while_draining_waits_for_the_next_round() {
    run(async {
        let (barrier, others) = (Barrier::new(PARTIES)?, Barrier::new(PARTIES - 2)?);
        let (again, met) = (Count::default(), Count::default());
        parties(|| {
            let (barrier, others) = (barrier.clone(), others.clone());
            let (again, met) = (again.clone(), met.clone());
            async move {
                barrier.wait().await?;
                if again.one_more() > 2 {
                    // Exactly the tasks that didn't return to `barrier` at once meet here.
                    others.wait().await?;
                    met.one_more();
                }
                barrier.wait().await.map(drop)
            }
        })
        .await?;
        assert_eq!(met.get(), PARTIES - 2);
        assert_eq!((barrier.n_waiting(), others.n_waiting()), (0, 0));
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_reset_barrier
// CPython: test_locks.BarrierTests.test_abort_barrier
#[test]
fn empty_barrier_is_unchanged_by_reset_and_broken_by_abort() {
    run(async {
        let barrier = Barrier::new(1)?;
        barrier.reset().await?;
        assert_eq!((barrier.n_waiting(), barrier.broken()), (0, false));
        assert!(at_once(async { barrier.wait().await.map(drop) }).await);
        barrier.abort().await?;
        assert_eq!((barrier.n_waiting(), barrier.broken()), (0, true));
        assert!(is_broken(&barrier.wait().await));
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_reset_barrier_when_tasks_half_draining
#[test]
fn reset_while_draining_ends_the_waits_that_have_not_left() {
    run(async {
        let (barrier, broken) = (Barrier::new(PARTIES)?, Count::default());
        let left = Count::default();
        parties(|| {
            let (barrier, broken, left) = (barrier.clone(), broken.clone(), left.clone());
            async move {
                let outcome = barrier.wait().await;
                if is_broken(&outcome) {
                    broken.one_more();
                } else if left.one_more() == PARTIES - 2 {
                    barrier.reset().await?;
                }
                Ok(())
            }
        })
        .await?;
        assert_eq!((left.get(), broken.get()), (3, 2));
        assert_eq!(shown(&barrier), FILLING);
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_reset_barrier_when_tasks_half_draining_half_blocking
#[test]
fn reset_while_draining_leaves_waits_for_the_next_round() {
    run(async {
        let barrier = Barrier::new(PARTIES)?;
        let (left, broken) = (Count::default(), Count::default());
        parties(|| {
            let (barrier, left, broken) = (barrier.clone(), left.clone(), broken.clone());
            async move {
                if is_broken(&barrier.wait().await) {
                    broken.one_more();
                } else if left.one_more() == 3 {
                    barrier.reset().await?;
                }
                // All tasks meet here, those that left and those that the reset sent away.
                barrier.wait().await.map(drop)
            }
        })
        .await?;
        assert_eq!((left.get(), broken.get()), (3, 2));
        assert_eq!(shown(&barrier), FILLING);
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_reset_barrier_while_tasks_waiting_and_waiting_again
#[test]
fn waits_ended_by_a_reset_may_be_repeated() {
    run(async {
        let barrier = Barrier::new(PARTIES)?;
        let (broken, met) = (Count::default(), Count::default());
        for _ in 0..PARTIES - 1 {
            let (barrier, broken, met) = (barrier.clone(), broken.clone(), met.clone());
            create_task(async move {
                assert!(is_broken(&barrier.wait().await));
                broken.one_more();
                barrier.wait().await?;
                met.one_more();
                Ok(())
            });
        }
        turns(1).await?;
        barrier.reset().await?;
        turns(5).await?;
        assert_eq!((broken.get(), met.get(), barrier.n_waiting()), (4, 0, 4));
        assert_eq!(barrier.wait().await?, 4);
        turns(5).await?;
        assert_eq!(met.get(), 4);
        assert_eq!(shown(&barrier), FILLING);
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_reset_barrier_while_tasks_draining
#[test]
fn reset_by_the_last_to_leave_breaks_nothing() {
    run(async {
        let barrier = Barrier::new(PARTIES)?;
        let (left, met) = (Count::default(), Count::default());
        parties(|| {
            let (barrier, left, met) = (barrier.clone(), left.clone(), met.clone());
            async move {
                barrier.wait().await?;
                if left.one_more() == PARTIES {
                    barrier.reset().await?;
                }
                barrier.wait().await?;
                barrier.wait().await?;
                met.one_more();
                Ok(())
            }
        })
        .await?;
        assert_eq!((met.get(), &*shown(&barrier)), (PARTIES, FILLING));
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_abort_barrier_when_tasks_half_draining_half_blocking
#[test]
fn abort_while_draining_ends_waits_of_this_and_the_next_round() {
    run(async {
        let barrier = Barrier::new(PARTIES)?;
        let (left, draining, again) = (Count::default(), Count::default(), Count::default());
        parties(|| {
            let (barrier, left) = (barrier.clone(), left.clone());
            let (draining, again) = (draining.clone(), again.clone());
            async move {
                if is_broken(&barrier.wait().await) {
                    draining.one_more();
                } else if left.one_more() > PARTIES / 2 {
                    barrier.abort().await?;
                } else if is_broken(&barrier.wait().await) {
                    again.one_more();
                }
                Ok(())
            }
        })
        .await?;
        assert_eq!((draining.get(), again.get()), (2, 2));
        assert_eq!((&*shown(&barrier), barrier.n_waiting()), ("<Barrier [broken]>", 0));
        Ok(())
    });
}

/// One of them fails between two meetings and breaks the barrier; once all know, another resets
/// it, and they meet.
// CPython: test_locks.BarrierTests.test_abort_barrier_when_exception
// CPython: test_locks.BarrierTests.test_abort_barrier_when_exception_then_resetting
#[test]
fn failing_task_may_abort_for_all_and_a_reset_mends_it() {
    run(async {
        let (barrier, safe) = (Barrier::new(PARTIES)?, Barrier::new(PARTIES)?);
        let (broken, met) = (Count::default(), Count::default());
        let fails_in_the_middle = |index| match index {
            2 => Err(Error::new(ErrorKind::Value, "fails")),
            _ => Ok(()),
        };
        parties(|| {
            let (barrier, safe) = (barrier.clone(), safe.clone());
            let (broken, met) = (broken.clone(), met.clone());
            async move {
                let outcome = match barrier.wait().await.and_then(fails_in_the_middle) {
                    Ok(()) => barrier.wait().await.map(drop),
                    failed => failed,
                };
                match outcome.unwrap_err().kind() {
                    ErrorKind::BrokenBarrier => drop(broken.one_more()),
                    _ => barrier.abort().await?,
                }
                assert!(barrier.broken());
                if safe.wait().await? == 2 {
                    barrier.reset().await?;
                }
                safe.wait().await?;
                barrier.wait().await?;
                met.one_more();
                Ok(())
            }
        })
        .await?;
        assert_eq!((broken.get(), met.get()), (PARTIES - 1, PARTIES));
        assert_eq!(shown(&barrier), FILLING);
        Ok(())
    });
}

// CPython: test_locks.BarrierTests.test_filling_tasks_cancel_one
#[test]
fn wait_cancelled_while_filling_frees_its_place() {
    run(async {
        let (barrier, trace) = (Barrier::new(3)?, Trace::new());
        let comes = |name: &str| {
            let barrier = barrier.clone();
            says(&trace, name, async move { barrier.wait().await })
        };
        let first = comes("1");
        comes("2");
        turns(1).await?;
        assert_eq!(barrier.n_waiting(), 2);
        first.cancel();
        turns(1).await?;
        assert_eq!(barrier.n_waiting(), 1);
        comes("3");
        turns(1).await?;
        assert_eq!(barrier.n_waiting(), 2);
        comes("4");
        turns(5).await?;
        trace.expect(["1: Err(CancelledError())", "4: Ok(2)", "2: Ok(1)", "3: Ok(1)"]);
        assert_eq!((barrier.n_waiting(), barrier.broken()), (0, false));
        Ok(())
    });
}
