//! The number of turns of the loop that each of them takes.

use callsoon::{
    ReturnWhen, TaskGroup, create_task, gather, gather_outcomes, shield, timeout, wait, wait_for,
    yield_now,
};

use crate::driver::{run, secs, turns_of};
use crate::parts::{at_once, done, never_started, pending, shown};

// CPython: test_tasks.BaseTaskTests.test_wait
#[test]
fn what_is_done_already_takes_no_turn_but_in_a_wait() {
    run(async {
        let future = done(1)?;
        assert_eq!(turns_of(&future).await?.0, 0);
        assert_eq!(turns_of(gather([&future; 0])).await?.0, 0);
        assert_eq!(turns_of(gather([&future, &done(2)?])).await?.0, 0);
        assert_eq!(turns_of(gather_outcomes([&future, &done(2)?])).await?.0, 0);
        assert_eq!(turns_of(shield(&future)).await?.0, 0);
        assert_eq!(turns_of(wait_for(future.clone(), secs(1))).await?.0, 0);
        assert_eq!(turns_of(wait_for(future.clone(), secs(0))).await?.0, 0);
        assert_eq!(turns_of(wait([&future], None, ReturnWhen::AllCompleted)).await?.0, 2);
        Ok(())
    })
    .unwrap();
}

// CPython: test_tasks.BaseTaskTests.test_bare_create_task
// CPython: test_tasks.CoroutineGatherTests.test_constructor_use_running_loop
#[test]
fn a_coroutine_that_never_waits_takes_turns_only_as_a_task() {
    run(async {
        assert_eq!(turns_of(wait_for(at_once(1), secs(1))).await?.0, 0);
        assert_eq!(turns_of(wait_for(at_once(1), None)).await?.0, 0);
        assert_eq!(turns_of(create_task(at_once(1))).await?.0, 1);
        assert_eq!(turns_of(shield(&create_task(at_once(1)))).await?.0, 2);
        let children = [create_task(at_once(1)), create_task(at_once(2))];
        assert_eq!(turns_of(gather(&children)).await?.0, 2);
        Ok(())
    })
    .unwrap();
}

// CPython: test_waitfor.AsyncioWaitForTest.test_wait_for_timeout_less_then_0_or_0_coroutine_do_not_started
#[test]
fn wait_for_no_time_cancels_an_unstarted_task_in_three_turns() {
    run(async {
        let (turns, late) = turns_of(wait_for(never_started(), secs(0))).await?;
        assert_eq!((turns, shown(late)), (3, "TimeoutError".to_owned()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_group_takes_turns_only_if_there_are_tasks() {
    run(async {
        assert_eq!(turns_of(TaskGroup::scope(async |_| Ok(()))).await?.0, 0);
        let one = TaskGroup::scope(async |group| group.create_task(at_once(1)).map(drop));
        assert_eq!(turns_of(one).await?.0, 3);
        Ok(())
    })
    .unwrap();
}

#[test]
fn timeout_of_no_time_interrupts_a_wait_in_the_second_turn() {
    run(async {
        let waits = timeout(secs(0), async |_| pending::<i32>()?.await);
        let (turns, late) = turns_of(waits).await?;
        assert_eq!((turns, shown(late)), (2, "TimeoutError".to_owned()));
        let yields = timeout(secs(0), async |_| yield_now().await);
        let (turns, late) = turns_of(yields).await?;
        assert_eq!((turns, shown(late)), (1, "TimeoutError".to_owned()));
        let never_waits = timeout(secs(0), async |_| Ok(7));
        let (turns, outcome) = turns_of(never_waits).await?;
        assert_eq!((turns, outcome?), (0, 7));
        Ok(())
    })
    .unwrap();
}
