//! Eager tasks, which run their first step where they are made.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use callsoon::{
    AnyFuture, Error, ErrorKind, LoopFuture, Result, TaskGroup, all_tasks, create_eager_task,
    create_task, current_task, gather, running_loop, sleep, timeout, yield_now,
};

use crate::driver::{run, secs};
use crate::support::panics::assert_needs_a_loop;
use crate::support::trace::Trace;

fn name_of_current() -> String {
    current_task().map(|task| AnyFuture::name(&task)).unwrap_or_default()
}

async fn inner(trace: Trace, name: &'static str, turns: u32) -> Result<&'static str> {
    trace.push(format!("{name} begins in {}", name_of_current()));
    for n in 0..turns {
        if let Err(error) = yield_now().await {
            trace.push(format!("{name} cancelled"));
            return Err(error);
        }
        trace.push(format!("{name} turn {n}"));
    }
    Ok(name)
}

#[test]
fn yield_of_an_eager_step_ends_in_the_next_one() {
    run(async {
        let yields = Rc::new(RefCell::new(yield_now()));
        let is_pending = || {
            let yields = yields.clone();
            let polls = poll_fn(move |cx| {
                let polled = Pin::new(&mut *yields.borrow_mut()).poll(cx);
                Poll::Ready(Ok(polled.is_pending()))
            });
            create_eager_task(polls).result()
        };
        assert_eq!((is_pending()?, is_pending()?), (true, false));
        Ok(())
    })
    .unwrap();
}

/// CPython 3.13 leaves these lines for the same program with `Task(c, eager_start=True)`.
#[test]
fn eager_tasks_leave_the_order_of_cpython() {
    run(async {
        let trace = Trace::new();
        let done = |name: &'static str| {
            let trace = trace.clone();
            move |task: &dyn AnyFuture| {
                trace.push(format!("{name} done: {}", task.cancelled()));
            }
        };
        let lazy = create_task(inner(trace.clone(), "lazy", 1));
        lazy.add_done_callback(done("lazy"));
        let a = create_eager_task(inner(trace.clone(), "a", 0));
        a.add_done_callback(done("a"));
        trace.push(format!("a {} {}", a.done(), a.result()?));
        let b = create_eager_task(inner(trace.clone(), "b", 2));
        b.add_done_callback(done("b"));
        let own = trace.clone();
        let nested = create_eager_task(async move {
            own.push("nested begins");
            let deep = create_eager_task(inner(own.clone(), "deep", 1));
            own.push(format!("nested made deep, {}, in {}", deep.done(), name_of_current()));
            deep.await
        });
        nested.add_done_callback(done("nested"));
        trace.push(format!("current {}", name_of_current()));
        running_loop()?.call_soon(trace.says("soon"))?;
        let cancelled = create_eager_task(async {
            current_task().expect("it is in a task").cancel_with("by itself");
            Ok(())
        });
        trace.push(format!("own {} {}", cancelled.done(), cancelled.cancelled()));
        let c = create_eager_task(inner(trace.clone(), "c", 3));
        c.cancel();
        assert!(c.await.unwrap_err().is_cancelled());
        trace.push("c was cancelled");
        let results = gather(&[lazy, a, b, nested]).await?;
        trace.push(format!("{results:?}"));
        let on = running_loop()?;
        let (own, from_callback) = (trace.clone(), done("from callback"));
        on.call_soon(move || {
            let task = create_eager_task(inner(own.clone(), "from callback", 1));
            task.add_done_callback(from_callback);
            own.push(format!("callback {}", task.done()));
        })?;
        for _ in 0..4 {
            yield_now().await?;
            trace.push("tick");
        }
        trace.expect([
            "a begins in Task-3",
            "a true a",
            "b begins in Task-4",
            "nested begins",
            "deep begins in Task-6",
            "nested made deep, false, in Task-5",
            "current Task-1",
            "own true true",
            "c begins in Task-8",
            "lazy begins in Task-2",
            "a done: false",
            "b turn 0",
            "deep turn 0",
            "soon",
            "c cancelled",
            "lazy turn 0",
            "b turn 1",
            "c was cancelled",
            "[\"lazy\", \"a\", \"b\", \"deep\"]",
            "lazy done: false",
            "b done: false",
            "nested done: false",
            "from callback begins in Task-9",
            "callback false",
            "tick",
            "from callback turn 0",
            "tick",
            "from callback done: false",
            "tick",
            "tick",
        ]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_await_future_during_eager_step
#[test]
fn an_eager_task_sets_a_future_in_its_first_step() {
    run(async {
        let future: LoopFuture<&str> = running_loop()?.create_future();
        let setting = future.clone();
        let task = create_eager_task(async move { setting.set_result("my message") });
        assert!(task.done());
        assert_eq!(future.await?, "my message");
        Ok(())
    })
    .unwrap();
}

// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_eager_completion
// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_cancellation_after_eager_completion
#[test]
fn an_eager_task_that_is_done_refuses_a_cancel() {
    run(async {
        let task = create_eager_task(async { Ok("hello") });
        assert!(task.done() && !task.cancel());
        assert_eq!(task.await?, "hello");
        Ok(())
    })
    .unwrap();
}

// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_block_after_eager_step
#[test]
fn an_eager_task_that_waits_goes_on_as_any_other() {
    run(async {
        let task = create_eager_task(async { sleep(secs(1)).await.map(|()| "after blocking") });
        assert!(!task.done());
        assert_eq!(task.clone().await?, "after blocking");
        assert!(task.done() && running_loop()?.time() == secs(1));
        Ok(())
    })
    .unwrap();
}

// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_cancellation_after_eager_step_blocks
#[test]
fn an_eager_task_that_waits_is_cancelled_at_its_await() {
    run(async {
        let task = create_eager_task(async { sleep(secs(1)).await });
        assert!(task.cancel_with("cancellation message") && task.cancelling() > 0);
        assert_eq!(task.await.unwrap_err().message(), "cancellation message");
        Ok(())
    })
    .unwrap();
}

// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_current_task
// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_all_tasks_with_eager_completion
// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_all_tasks_with_blocking
#[test]
fn an_eager_task_is_the_current_one_among_all_tasks() {
    run(async {
        let all = || all_tasks().len();
        let task = create_eager_task(async move {
            let before = name_of_current();
            let counted = all();
            yield_now().await?;
            assert_eq!(before, name_of_current());
            Ok((before, counted))
        });
        assert_eq!(all(), 2);
        assert_eq!(task.clone().await?, (task.name(), 2));
        let done = create_eager_task(async move { Ok(all()) });
        assert_eq!((done.result()?, all()), (2, 1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_eager_task_needs_a_loop() {
    assert_needs_a_loop(|| drop(create_eager_task(async { Ok(()) })));
}

#[test]
fn a_panic_in_an_eager_step_is_the_new_tasks_own() {
    run(async {
        let task = create_eager_task(async {
            if current_task().is_some() {
                panic!("eager");
            }
            Ok(())
        });
        let error = task.exception()?.expect("it has failed");
        assert_eq!((error.kind(), error.message().as_str()), (ErrorKind::Panic, "eager"));
        assert_eq!(name_of_current(), "Task-1");
        let task = create_task(async { Ok(5) });
        assert_eq!(task.await?, 5);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_panic_in_an_eager_step_spares_the_callback_around_it() {
    run(async {
        let trace = Trace::new();
        let own = trace.clone();
        running_loop()?.call_soon(move || {
            let task = create_eager_task(async {
                if current_task().is_some() {
                    panic!("eager");
                }
                Ok(())
            });
            own.push(format!("after it, {:?}", task.exception().map(|error| error.is_some())));
            Err::<(), _>(Error::new(ErrorKind::Value, "of the callback"))
        })?;
        let reported = trace.clone();
        running_loop()?.set_exception_handler(Some(Rc::new(move |_, context| {
            reported.push(format!("{:?}", context.exception));
        })));
        yield_now().await?;
        trace.expect(["after it, Ok(true)", "Some(ValueError(\"of the callback\"))"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_eager_step_takes_nothing_that_its_maker_is_thrown() {
    run(async {
        let task = create_task(async {
            let slept = sleep(secs(9)).await;
            // The maker was thrown a cancellation in this step, and may ask for one more.
            current_task().expect("it is in a task").cancel();
            let eager = create_eager_task(async { yield_now().await });
            assert!(!eager.done());
            assert!(yield_now().await.is_err(), "the request is the maker's");
            eager.await?;
            slept
        });
        yield_now().await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_eager_task_may_await_and_cancel_its_maker() {
    run(async {
        let maker = create_task(async {
            let me = current_task().expect("it is in a task");
            let eager = create_eager_task(async move {
                me.cancel();
                Ok(())
            });
            assert!(eager.done());
            assert_eq!(current_task().expect("as before").cancelling(), 1);
            yield_now().await
        });
        assert!(maker.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_eager_task_inside_of_scopes_counts_none_of_its_waits() {
    run(async {
        let waited = timeout(secs(5), async |_| {
            TaskGroup::scope(async |group| {
                group.create_task(async { sleep(secs(1)).await })?;
                let eager = create_eager_task(async { sleep(secs(2)).await });
                let also = create_eager_task(async { std::future::pending::<Result<()>>().await });
                eager.await?;
                also.cancel();
                assert!(also.await.is_err());
                Ok(())
            })
            .await
        });
        waited.await?;
        assert_eq!(running_loop()?.time(), secs(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn eager_task_is_given_a_name_behind_its_first_step() {
    run(async {
        let task = create_eager_task(async {
            let first = name_of_current();
            yield_now().await?;
            Ok((first, name_of_current()))
        });
        let task = task.with_name("eager");
        assert_eq!(task.await?, ("Task-2".to_owned(), "eager".to_owned()));
        Ok(())
    })
    .unwrap();
}
