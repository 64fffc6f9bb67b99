//! `noncancelled_results_from_futs` and `find_and_apply_result`.

use callsoon::helpers as hp;
use callsoon::{AnyFuture, ErrorKind, FutureLike, LoopFuture, Result, create_task};

use crate::driver::run;
use crate::parts::{error, kind};

fn futures(count: usize) -> Vec<LoopFuture<i32>> {
    (0..count).map(|_| hp::create_future()).collect()
}

fn like(futures: &[LoopFuture<i32>]) -> Vec<&dyn FutureLike<i32>> {
    futures.iter().map(|future| future as &dyn FutureLike<i32>).collect()
}

fn states(futures: &[LoopFuture<i32>]) -> Vec<String> {
    let shown = |future: &LoopFuture<i32>| match future.result() {
        Ok(value) => value.to_string(),
        Err(error) if error.is_cancelled() => "cancelled".to_owned(),
        Err(error) if error.kind() == ErrorKind::InvalidState => "pending".to_owned(),
        Err(error) => error.message(),
    };
    futures.iter().map(shown).collect()
}

#[test]
fn results_are_in_order_without_pending_and_cancelled_futures() -> Result<()> {
    run(async {
        let futs = futures(5);
        futs[4].set_result(1)?;
        futs[1].set_result(2)?;
        futs[2].cancel();
        let (error, results) = hp::noncancelled_results_from_futs(&like(&futs));
        assert!(error.is_none());
        assert_eq!(results, [2, 1]);
        Ok(())
    })
}

#[test]
fn grandchild_of_a_failed_parent_is_asked_for_its_error_alone() -> Result<()> {
    run(async {
        let grandparent = hp::create_future::<i32>();
        let parent = hp::ChildOfFuture::<i32>::new(&grandparent);
        let child = hp::ChildOfFuture::<i32>::new(&parent);
        let bad = error("bad");
        parent.set_exception(bad.clone())?;
        for _ in 0..2 {
            let (found, _) = hp::noncancelled_results_from_futs::<i32>(&[&child]);
            assert!(found.unwrap().ptr_eq(&bad));
        }
        Ok(())
    })
}

#[test]
fn one_error_stands_for_itself_however_many_futures_have_it() -> Result<()> {
    run(async {
        let futs = futures(4);
        let bad = error("bad");
        futs[0].set_exception(bad.clone())?;
        futs[1].set_result(1)?;
        let (found, results) = hp::noncancelled_results_from_futs(&like(&futs));
        assert!(found.unwrap().ptr_eq(&bad));
        assert_eq!(results, [1]);
        futs[2].set_exception(bad.clone())?;
        let (found, results) = hp::noncancelled_results_from_futs(&like(&futs));
        assert!(found.unwrap().ptr_eq(&bad));
        assert_eq!(results, [1]);
        Ok(())
    })
}

#[test]
fn several_errors_come_in_a_group_in_the_order_of_their_futures() -> Result<()> {
    run(async {
        let futs = futures(4);
        let (one, two) = (error("one"), error("two"));
        futs[3].set_exception(one.clone())?;
        futs[0].set_exception(two.clone())?;
        futs[1].set_exception(two.clone())?;
        let (found, results) = hp::noncancelled_results_from_futs(&like(&futs));
        let found = found.unwrap();
        assert_eq!((found.kind(), results.len()), (ErrorKind::Group, 0));
        let same: Vec<bool> =
            found.group().iter().zip([&two, &one]).map(|(a, b)| a.ptr_eq(b)).collect();
        assert_eq!(same, [true, true]);
        Ok(())
    })
}

/// Gives the final future and five others their ends, finds and applies, and returns what was
/// said and the states, the final future's first.
fn applied(last: &'static str, available: [&'static str; 5]) -> (Result<bool>, Vec<String>) {
    run(async move {
        let all = futures(6);
        for (future, end) in all.iter().zip([last].into_iter().chain(available)) {
            match end {
                "pending" => {}
                "cancelled" => assert!(future.cancel()),
                end => match end.parse() {
                    Ok(value) => future.set_result(value)?,
                    Err(_) => future.set_exception(error(end))?,
                },
            }
        }
        let said = hp::find_and_apply_result(&all[0], &like(&all[1..]));
        Ok((said, states(&all)))
    })
    .unwrap()
}

#[track_caller]
fn applies(last: &'static str, available: [&'static str; 5], said: bool, states: [&str; 6]) {
    let (ours, seen) = applied(last, available);
    assert_eq!((ours.unwrap(), seen), (said, states.map(str::to_owned).to_vec()));
}

#[test]
fn nothing_happens_while_nothing_is_done() {
    applies("pending", ["pending"; 5], false, ["pending"; 6]);
}

#[test]
fn a_final_future_that_is_cancelled_cancels_all() {
    let available = ["pending", "1", "bad", "cancelled", "pending"];
    let after = ["cancelled", "cancelled", "1", "bad", "cancelled", "cancelled"];
    applies("cancelled", available, false, after);
}

#[test]
fn exception_of_the_final_future_goes_to_pending_futures() {
    let available = ["pending", "1", "bad", "cancelled", "pending"];
    applies("worse", available, false, ["worse", "worse", "1", "bad", "cancelled", "worse"]);
}

#[test]
fn first_error_goes_to_pending_futures_and_the_final_future() {
    let available = ["pending", "1", "bad", "cancelled", "pending"];
    applies("pending", available, true, ["bad", "bad", "1", "bad", "cancelled", "bad"]);
    applies("7", available, false, ["7", "bad", "1", "bad", "cancelled", "bad"]);
}

#[test]
fn several_errors_go_on_as_a_group() {
    let available = ["one", "pending", "two", "pending", "1"];
    let (said, states) = applied("pending", available);
    assert!(said.unwrap());
    let group = "several futures failed";
    assert_eq!(states, [group, "one", group, "two", group, "1"]);
}

#[test]
fn first_result_goes_to_pending_futures_and_the_final_future() {
    let available = ["pending", "cancelled", "2", "1", "pending"];
    applies("pending", available, true, ["2", "2", "cancelled", "2", "1", "2"]);
    applies("7", available, false, ["7", "2", "cancelled", "2", "1", "2"]);
}

#[test]
fn cancelled_future_cancels_the_final_future_alone() {
    let available = ["pending", "cancelled", "pending", "pending", "pending"];
    let after = ["cancelled", "pending", "cancelled", "pending", "pending", "pending"];
    applies("pending", available, true, after);
}

#[test]
fn a_task_among_them_that_is_pending_refuses_a_result() -> Result<()> {
    run(async {
        let (last, done) = (hp::create_future::<i32>(), hp::create_future::<i32>());
        let task = create_task(std::future::pending::<Result<i32>>());
        done.set_result(1)?;
        let found = hp::find_and_apply_result(&last, &[&done, &task]);
        assert_eq!((kind(found), last.done()), (Some(ErrorKind::Runtime), false));
        assert!(!AnyFuture::done(&task));
        Ok(())
    })
}
