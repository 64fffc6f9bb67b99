//! `transfer_result`: the end of one future, passed on to another.

use std::rc::Rc;

use callsoon::helpers as hp;
use callsoon::{ErrorKind, FutureLike, Result, create_task, running_loop};

use crate::driver::{Reports, run};
use crate::parts::{ends, error, kind, rest};
use crate::support::trace::Trace;

/// The states of futures that each end was transferred to, with what `process` was told.
async fn transferred(errors_only: bool) -> Result<Vec<String>> {
    let mut states = Vec::new();
    for end in ends() {
        let (from, to) = (hp::create_future::<i32>(), hp::create_future::<i32>());
        let trace = Trace::new();
        let told = trace.clone();
        let process: hp::Process<i32> =
            Rc::new(move |from: &dyn FutureLike<i32>, to: &dyn FutureLike<i32>| {
                let state = hp::fut_state_to_string(&to.to_any());
                told.push(format!("{} {state}", from.result().expect("there is one")));
            });
        from.add_done_callback(hp::transfer_result_with(
            &to,
            hp::TransferOptions { errors_only, process: Some(process) },
        ));
        end(&from)?;
        assert!(!to.done(), "nothing is transferred at once");
        rest().await?;
        states.push(hp::fut_state_to_string(&to));
        match (states.len(), errors_only) {
            (1, false) => trace.expect(["0 (result)"]),
            (1, true) => trace.expect(["0 (pending)"]),
            _ => trace.expect_nothing(),
        }
    }
    Ok(states)
}

#[test]
fn results_errors_and_cancellations_are_transferred() -> Result<()> {
    run(async {
        let states = transferred(false).await?;
        assert_eq!(states, ["(result)", "(exception:ValueError:bad)", "(cancelled)"]);
        Ok(())
    })
}

#[test]
fn results_are_processed_but_not_transferred_with_errors_only() -> Result<()> {
    run(async {
        let states = transferred(true).await?;
        assert_eq!(states, ["(pending)", "(exception:ValueError:bad)", "(cancelled)"]);
        Ok(())
    })
}

#[test]
fn result_of_a_task_reaches_awaiters_of_the_other_future() -> Result<()> {
    run(async {
        let to = hp::create_future::<i32>();
        let task = hp::async_as_background(async { Ok(2) });
        task.add_done_callback(hp::transfer_result(&to));
        assert_eq!((&to).await?, 2);
        Ok(())
    })
}

#[test]
fn an_error_that_is_transferred_is_the_same_error() -> Result<()> {
    run(async {
        let (from, to) = (hp::create_future::<i32>(), hp::create_future::<i32>());
        from.add_done_callback(hp::transfer_result(&to));
        let ours = error("bad");
        from.set_exception(ours.clone())?;
        assert!((&to).await.unwrap_err().ptr_eq(&ours));
        Ok(())
    })
}

#[test]
fn done_target_stays_as_it_is_and_nothing_is_processed() -> Result<()> {
    run(async {
        for end in ends() {
            let (from, to) = (hp::create_future::<i32>(), hp::create_future::<i32>());
            let process: hp::Process<i32> = Rc::new(|_, _| panic!("processed"));
            let reports = Reports::of(&running_loop()?);
            from.add_done_callback(hp::transfer_result_with(
                &to,
                hp::TransferOptions { errors_only: false, process: Some(process) },
            ));
            to.set_result(9)?;
            end(&from)?;
            rest().await?;
            assert_eq!((to.result()?, reports.messages().len()), (9, 0));
        }
        Ok(())
    })
}

#[test]
fn any_future_like_thing_can_be_transferred_to_but_a_task() -> Result<()> {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let parent = hp::create_future::<()>();
        let child = hp::ChildOfFuture::<i32>::new(&parent);
        let resettable = hp::ResettableFuture::<i32>::new();
        let task = create_task(hp::async_with_timeout(rest(), Default::default()));
        let from = hp::create_future::<i32>();
        from.add_done_callback(hp::transfer_result(&child));
        from.add_done_callback(hp::transfer_result(&resettable));
        from.set_result(7)?;
        rest().await?;
        assert_eq!((child.result()?, resettable.result()?), (7, 7));
        let nothing = hp::create_future::<()>();
        let pending = create_task(std::future::pending::<Result<()>>());
        nothing.add_done_callback(hp::transfer_result(&pending));
        nothing.set_result(())?;
        rest().await?;
        let kinds: Vec<_> =
            reports.take().into_iter().map(|it| it.exception.unwrap().kind()).collect();
        assert_eq!(kinds, [ErrorKind::Runtime]);
        (&task).await
    })
}

#[test]
fn a_result_of_another_type_is_told_to_the_exception_handler() -> Result<()> {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let (from, to) = (hp::create_future::<&str>(), hp::create_future::<i32>());
        from.add_done_callback(hp::transfer_result(&to));
        from.set_result("not a number")?;
        rest().await?;
        let kinds: Vec<_> =
            reports.take().into_iter().map(|it| it.exception.unwrap().kind()).collect();
        assert_eq!((kinds, to.done()), (vec![ErrorKind::Type], false));
        assert_eq!(kind(to.result()), Some(ErrorKind::InvalidState));
        Ok(())
    })
}

#[test]
fn errors_only_ignores_the_type_of_a_result() -> Result<()> {
    run(async {
        let reports = Reports::of(&running_loop()?);
        let errors_only = || hp::TransferOptions { errors_only: true, process: None };
        let (good, bad) = (hp::create_future::<&str>(), hp::create_future::<&str>());
        let (from_good, from_bad) = (hp::create_future::<i32>(), hp::create_future::<i32>());
        good.add_done_callback(hp::transfer_result_with(&from_good, errors_only()));
        bad.add_done_callback(hp::transfer_result_with(&from_bad, errors_only()));
        good.set_result("not a number")?;
        bad.set_exception(error("bad"))?;
        rest().await?;
        assert_eq!((reports.messages().len(), from_good.done()), (0, false));
        assert_eq!(kind(from_bad.result()), Some(ErrorKind::Value));
        Ok(())
    })
}
