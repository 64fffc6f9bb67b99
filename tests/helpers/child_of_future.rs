//! `ChildOfFuture`: a future that ends with another, and never ends that one by its own end.

use callsoon::helpers::{self as hp, ChildOfFuture};
use callsoon::{AnyFuture, Error, ErrorKind, FutureLike, LoopFuture, Result, create_task};

use crate::driver::run;
use crate::parts::{callbacks, error, kind, poll_once_and_drop, rest};
use crate::support::trace::Trace;

/// The ends that a child and its parent may have come to, each in the order of the table.
const ENDS: [&str; 4] = ["pending", "cancelled", "exception", "result"];

fn end(future: &dyn FutureLike<i32>, how: &str, name: &str) -> Result<()> {
    match how {
        "cancelled" => {
            future.cancel();
            Ok(())
        }
        "exception" => future.set_exception(error(name)),
        "result" => future.set_result(name.len() as i32),
        _ => Ok(()),
    }
}

fn shown(outcome: Result<String>) -> String {
    outcome.unwrap_or_else(|error| match error.kind() {
        ErrorKind::Cancelled => "raises cancelled".to_owned(),
        ErrorKind::InvalidState => "raises invalid".to_owned(),
        _ => format!("raises {}", error.message()),
    })
}

fn exception(child: &ChildOfFuture<i32>) -> Result<String> {
    Ok(child.exception()?.map_or("none".to_owned(), |error| error.message()))
}

/// Returns a child's answers, for these ends of the child and of its parent: each question is asked
/// of a new pair, as some questions change it. With `settled`, after the callbacks have run.
async fn answers(child_end: &str, parent_end: &str, settled: bool) -> Result<[String; 5]> {
    let pair = async || {
        let parent = hp::create_future::<i32>();
        let child = ChildOfFuture::<i32>::new(&parent);
        end(&child, child_end, "F")?;
        end(&parent, parent_end, "E")?;
        if settled {
            rest().await?;
        }
        Ok::<_, Error>((child, parent))
    };
    let (done, cancelled) = (pair().await?, pair().await?);
    let (asked, read, awaited) = (pair().await?, pair().await?, pair().await?);
    let questions = [
        done.0.done().to_string(),
        cancelled.0.cancelled().to_string(),
        shown(exception(&asked.0)),
        shown(read.0.result().map(|value| value.to_string())),
    ];
    let nothing_ended = [child_end, parent_end] == ["pending"; 2];
    let value = if nothing_ended {
        "waits".to_owned()
    } else {
        shown((&awaited.0).await.map(|value| value.to_string()))
    };
    let [done, cancelled, asked, read] = questions;
    Ok([done, cancelled, asked, read, value])
}

/// Rows are the child's own ends, and in each the parent's: done, cancelled, exception, result,
/// and what awaiting the child returns.
const AT_ONCE: [[&str; 5]; 16] = [
    ["false", "false", "raises invalid", "raises invalid", "waits"],
    ["true", "true", "raises cancelled", "raises cancelled", "raises cancelled"],
    ["true", "false", "E", "raises cancelled", "raises E"],
    ["true", "true", "none", "raises cancelled", "raises cancelled"],
    // The child was cancelled.
    ["true", "true", "raises cancelled", "raises cancelled", "raises cancelled"],
    ["true", "true", "raises cancelled", "raises cancelled", "raises cancelled"],
    ["true", "true", "E", "raises cancelled", "raises cancelled"],
    ["true", "true", "raises cancelled", "raises cancelled", "raises cancelled"],
    // The child has an exception.
    ["true", "false", "F", "raises F", "raises F"],
    ["true", "true", "F", "raises cancelled", "raises F"],
    ["true", "false", "F", "raises F", "raises F"],
    ["true", "true", "F", "raises F", "raises F"],
    // The child has a result.
    ["true", "false", "none", "1", "1"],
    ["true", "true", "none", "raises cancelled", "1"],
    ["true", "false", "E", "1", "1"],
    ["true", "true", "none", "1", "1"],
];

#[test]
fn a_child_answers_by_its_own_end_and_its_parents_at_once() -> Result<()> {
    run(async {
        let pairs = ENDS.iter().flat_map(|own| ENDS.iter().map(move |parents| (own, parents)));
        for ((own, parents), expected) in pairs.zip(AT_ONCE) {
            let answered = answers(own, parents, false).await?;
            assert_eq!(answered, expected, "child {own}, parent {parents}");
        }
        Ok(())
    })
}

#[test]
fn child_has_its_parents_end_once_the_callbacks_have_run() -> Result<()> {
    run(async {
        let pairs = ENDS.iter().flat_map(|own| ENDS.iter().map(move |parents| (own, parents)));
        for ((own, parents), mut expected) in pairs.zip(AT_ONCE) {
            match (*own, *parents) {
                ("pending", "exception") => expected[3] = "raises E",
                ("pending", "result") => expected[2] = "raises cancelled",
                _ => {}
            }
            let answered = answers(own, parents, true).await?;
            assert_eq!(answered, expected, "child {own}, parent {parents}");
        }
        Ok(())
    })
}

#[test]
fn a_child_of_a_parent_that_is_done_is_done_from_the_start() -> Result<()> {
    run(async {
        for how in &ENDS[1..] {
            let parent = hp::create_future::<i32>();
            end(&parent, how, "E")?;
            let child = ChildOfFuture::<i32>::new(&parent);
            assert!(child.done());
            let awaited = kind(child.clone().await);
            let expected =
                if *how == "exception" { ErrorKind::Value } else { ErrorKind::Cancelled };
            assert_eq!(awaited, Some(expected), "parent {how}");
        }
        Ok(())
    })
}

#[test]
fn neither_end_of_a_child_is_its_parents() -> Result<()> {
    run(async {
        for how in &ENDS[1..] {
            let parent = hp::create_future::<i32>();
            let child = ChildOfFuture::<i32>::new(&parent);
            end(&child, how, "F")?;
            rest().await?;
            assert!(child.done() && !parent.done(), "child {how}");
        }
        Ok(())
    })
}

#[test]
fn a_result_after_the_end_of_the_child_or_its_parent_is_refused() -> Result<()> {
    run(async {
        for how in &ENDS[1..] {
            let (parent, other) = (hp::create_future::<i32>(), hp::create_future::<i32>());
            let (orphan, done) = (ChildOfFuture::new(&parent), ChildOfFuture::new(&other));
            end(&parent, how, "E")?;
            end(&done, how, "F")?;
            for child in [&orphan, &done] {
                let refused = [kind(child.set_result(1)), kind(child.set_exception(error("late")))];
                assert_eq!(refused, [Some(ErrorKind::InvalidState); 2], "after {how}");
            }
        }
        Ok(())
    })
}

#[test]
fn callbacks_get_the_childs_own_future_when_either_has_ended() -> Result<()> {
    run(async {
        for (own, parents) in [("result", ""), ("exception", ""), ("", "exception"), ("", "result")]
        {
            let trace = Trace::new();
            let parent = hp::create_future::<i32>();
            let child = ChildOfFuture::<i32>::new(&parent);
            let told = [trace.clone(), trace.clone()];
            let kept = child.add_done_callback({
                let told = told[0].clone();
                move |done: &dyn AnyFuture| told.push(hp::fut_state_to_string(done))
            });
            let removed = child.add_done_callback({
                let told = told[1].clone();
                move |_: &dyn AnyFuture| told.push("never")
            });
            assert!(hp::fut_has_callback(&child, &kept));
            assert_eq!(child.remove_done_callback(&removed), 1);
            end(&child, own, "F")?;
            end(&parent, parents, "E")?;
            rest().await?;
            let expected = match (own, parents) {
                ("result", _) => "(result)",
                ("exception", _) => "(exception:ValueError:F)",
                (_, "exception") => "(exception:ValueError:E)",
                _ => "(cancelled)",
            };
            trace.expect([expected]);
        }
        Ok(())
    })
}

#[test]
fn a_child_that_has_ended_leaves_no_callback_at_its_parent() -> Result<()> {
    run(async {
        let parent = hp::create_future::<i32>();
        let before = callbacks(&parent);
        for how in &ENDS[1..] {
            let child = ChildOfFuture::<i32>::new(&parent);
            assert_eq!(callbacks(&parent), before + 1);
            end(&child, how, "F")?;
            rest().await?;
            assert_eq!(callbacks(&parent), before, "child {how}");
        }
        Ok(())
    })
}

#[test]
fn a_scope_cancels_the_child_that_its_body_has_not_ended() -> Result<()> {
    run(async {
        for (how, expected) in
            ENDS.iter().zip(["(cancelled)", "(cancelled)", "(exception:ValueError:F)", "(result)"])
        {
            let parent = hp::create_future::<i32>();
            let before = callbacks(&parent);
            let child = ChildOfFuture::<i32>::new(&parent);
            let seen = child.clone();
            let answer = child
                .scope(async |child| {
                    assert!(!child.done());
                    end(child, how, "F").map(|()| 7)
                })
                .await?;
            let expected = format!("<ChildOfFuture#None({expected})<Future#None(pending)>>");
            assert_eq!((answer, hp::fut_state_to_string(&seen)), (7, expected));
            rest().await?;
            assert_eq!((parent.done(), callbacks(&parent)), (false, before));
        }
        Ok(())
    })
}

#[test]
fn a_scope_that_fails_or_is_dropped_cancels_its_child() -> Result<()> {
    run(async {
        let parent = hp::create_future::<i32>();
        let child = ChildOfFuture::<i32>::new(&parent);
        let seen = child.clone();
        let outcome: Result<()> = child.scope(async |_| Err(error("bad"))).await;
        assert_eq!((kind(outcome), seen.cancelled()), (Some(ErrorKind::Value), true));
        let child = ChildOfFuture::<i32>::new(&parent);
        let seen = child.clone();
        assert!(!poll_once_and_drop(child.scope(async |child| child.await)).await);
        assert!(seen.cancelled() && !parent.done());
        Ok(())
    })
}

#[test]
fn cancelling_the_parent_goes_up_to_the_first_of_them() -> Result<()> {
    run(async {
        let parent = hp::create_future::<i32>();
        let child = ChildOfFuture::<()>::new(&parent);
        let grandchild = ChildOfFuture::<String>::new(&child);
        grandchild.cancel_parent();
        assert!(parent.cancelled() && child.cancelled() && grandchild.cancelled());
        Ok(())
    })
}

#[test]
fn a_parent_may_be_any_future_like_thing_of_any_type() -> Result<()> {
    run(async {
        let task = create_task(std::future::pending::<Result<String>>());
        let of_task = ChildOfFuture::<i32>::new(&task);
        rest().await?;
        task.cancel();
        rest().await?;
        assert!(of_task.cancelled());
        let resettable = hp::ResettableFuture::<u8>::new();
        let of_resettable = ChildOfFuture::<i32>::new(&resettable);
        resettable.set_exception(error("bad"))?;
        assert_eq!(kind((&of_resettable).await), Some(ErrorKind::Value));
        Ok(())
    })
}

#[test]
fn cancel_of_an_awaiting_task_cancels_the_child_alone() -> Result<()> {
    run(async {
        let parent: LoopFuture<i32> = hp::create_future();
        let child = ChildOfFuture::<i32>::new(&parent);
        let awaited = child.clone();
        let waiting = create_task(async move { awaited.await });
        rest().await?;
        waiting.cancel();
        assert_eq!(kind((&waiting).await), Some(ErrorKind::Cancelled));
        assert!(child.cancelled() && !parent.done());
        Ok(())
    })
}

/// Photons does the same: the parent is cancelled by the question, and has a value all the same.
#[test]
fn cancelled_parent_that_is_a_child_has_its_own_parents_value() -> Result<()> {
    run(async {
        let grandparent: LoopFuture<i32> = hp::create_future();
        let parent = ChildOfFuture::<i32>::new(&grandparent);
        let child = ChildOfFuture::<i32>::new(&parent);
        let of_another_type = ChildOfFuture::<u8>::new(&parent);
        parent.set_result(5)?;
        grandparent.set_result(1)?;
        assert!(child.cancelled() && child.done());
        assert_eq!(child.result()?, 5);
        assert_eq!(kind(of_another_type.result()), Some(ErrorKind::Cancelled));
        Ok(())
    })
}

#[test]
fn child_takes_the_cancellation_of_a_reset_or_child_parent() -> Result<()> {
    run(async {
        let resettable = hp::ResettableFuture::<i32>::new();
        let parent = ChildOfFuture::<i32>::new(&resettable);
        let child = ChildOfFuture::<i32>::new(&parent);
        resettable.cancel();
        assert_eq!(kind(parent.result()), Some(ErrorKind::Cancelled));
        assert_eq!(kind(child.result()), Some(ErrorKind::Cancelled));
        resettable.reset();
        let late = ChildOfFuture::<i32>::new(&resettable);
        assert_eq!(kind(late.result()), Some(ErrorKind::InvalidState));
        Ok(())
    })
}
