//! `Queue`: the first task to run takes the item, wakes are never lost, and everything is counted.

use callsoon::{ErrorKind, Queue, Result, Task, create_task};

use crate::by_hand::{at_once, poll_once, run, says, turns};
use crate::support::trace::Trace;

fn getters<const N: usize>(queue: &Queue<i32>, trace: &Trace, names: [&str; N]) -> Vec<Task<()>> {
    let getting = names.map(|name| {
        let queue = queue.clone();
        says(trace, name, async move { queue.get().await })
    });
    getting.into()
}

fn putter(queue: &Queue<i32>, trace: &Trace, item: i32) -> Task<()> {
    let queue = queue.clone();
    says(trace, &format!("put {item}"), async move { queue.put(item).await })
}

fn kind<T>(outcome: Result<T>) -> ErrorKind {
    outcome.err().expect("an error").kind()
}

// CPython: test_queues.QueueBasicTests.test_empty
// CPython: test_queues.QueueBasicTests.test_full
// CPython: test_queues.QueueBasicTests.test_maxsize
// CPython: test_queues.QueueGetTests.test_blocking_get
// CPython: test_queues.QueueGetTests.test_nonblocking_get
// CPython: test_queues.QueueGetTests.test_nonblocking_get_exception
// CPython: test_queues.QueuePutTests.test_nonblocking_put_exception
// CPython: test_queues.QueuePutTests.test_put_cancelled
#[test]
fn get_and_put_that_need_not_wait_do_not_yield() {
    run(async {
        let queue = Queue::new(2);
        assert!(queue.empty() && !queue.full());
        assert!(at_once(queue.put(1)).await);
        assert!(at_once(queue.put(2)).await);
        assert_eq!((queue.qsize(), queue.maxsize()), (2, 2));
        assert!(!queue.empty() && queue.full());
        assert!(!at_once(queue.put(3)).await);
        assert_eq!(kind(queue.put_nowait(3)), ErrorKind::QueueFull);
        assert_eq!((queue.get().await?, queue.get_nowait()?), (1, 2));
        assert!(!at_once(async { queue.get().await.map(drop) }).await);
        assert_eq!(kind(queue.get_nowait()), ErrorKind::QueueEmpty);
        Ok(())
    });
}

// CPython: test_queues.QueueBasicTests.test_full
// CPython: test_queues.QueuePutTests.test_blocking_put
#[test]
fn a_queue_without_limit_is_never_full() {
    run(async {
        let queue = Queue::new(0);
        assert!(!queue.full());
        for item in 0..10_000 {
            queue.put_nowait(item)?;
        }
        assert!(!queue.full());
        assert!(at_once(queue.put(10_000)).await);
        assert_eq!(queue.qsize(), 10_001);
        assert_eq!((queue.get().await?, queue.get_nowait()?), (0, 1));
        Ok(())
    });
}

// CPython: test_queues.QueueBasicTests.test_repr
// CPython: test_queues.QueueBasicTests.test_maxsize
// CPython: test_queues.QueueGetTests.test_get_with_putters
// CPython: test_queues.QueueGetTests.test_blocking_get_wait
// CPython: test_queues.QueueGetTests.test_get_with_waiting_putters
// CPython: test_queues.QueuePutTests.test_blocking_put_wait
// CPython: test_queues.QueuePutTests.test_put_with_waiting_getters
#[test]
fn a_put_wakes_one_getter_and_a_get_one_putter() {
    run(async {
        let (queue, trace) = (Queue::new(1), Trace::new());
        getters(&queue, &trace, ["first", "second"]);
        turns(1).await?;
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 getters=2>");
        queue.put_nowait(1)?;
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 items=1 getters=1 tasks=1>");
        turns(2).await?;
        trace.expect(["first: Ok(1)"]);
        queue.put_nowait(2)?;
        turns(2).await?;
        trace.expect(["second: Ok(2)"]);

        queue.put_nowait(3)?;
        putter(&queue, &trace, 4);
        putter(&queue, &trace, 5);
        turns(1).await?;
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 items=1 putters=2 tasks=3>");
        assert_eq!(queue.get_nowait()?, 3);
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 putters=1 tasks=3>");
        turns(2).await?;
        trace.expect(["put 4: Ok(())"]);
        assert_eq!(queue.get().await?, 4);
        turns(2).await?;
        trace.expect(["put 5: Ok(())"]);
        Ok(())
    });
}

/// An item isn't kept for the getter that was woken for it.
#[test]
fn quicker_getter_takes_the_item_and_the_woken_one_waits_again() {
    run(async {
        let (queue, trace) = (Queue::new(0), Trace::new());
        getters(&queue, &trace, ["first", "second"]);
        turns(1).await?;
        queue.put_nowait(1)?;
        assert_eq!(queue.get_nowait()?, 1);
        turns(2).await?;
        trace.expect_nothing();
        queue.put_nowait(2)?;
        queue.put_nowait(3)?;
        turns(2).await?;
        trace.expect(["second: Ok(2)", "first: Ok(3)"]);
        Ok(())
    });
}

// CPython: test_queues.QueuePutTests.test_get_cancel_drop_one_pending_reader
// CPython: test_queues.QueuePutTests.test_get_cancel_drop_many_pending_readers
#[test]
fn a_woken_getter_that_is_cancelled_or_dropped_wakes_the_next() {
    run(async {
        let (queue, trace) = (Queue::new(0), Trace::new());
        let tasks = getters(&queue, &trace, ["first"]);
        turns(1).await?;
        let mut second = Box::pin(queue.get());
        assert!(poll_once(second.as_mut()).await.is_pending());
        getters(&queue, &trace, ["third"]);
        turns(1).await?;
        queue.put_nowait(1)?;
        tasks[0].cancel();
        turns(2).await?;
        trace.expect(["first: Err(CancelledError())"]);
        drop(second);
        turns(1).await?;
        trace.expect(["third: Ok(1)"]);

        let only = getters(&queue, &trace, ["only"]);
        turns(1).await?;
        queue.put_nowait(2)?;
        queue.put_nowait(3)?;
        only[0].cancel();
        turns(1).await?;
        trace.expect(["only: Err(CancelledError())"]);
        assert_eq!((queue.get().await?, queue.get().await?), (2, 3));

        let many = getters(&queue, &trace, ["a", "b", "c"]);
        turns(1).await?;
        queue.put_nowait(4)?;
        queue.put_nowait(5)?;
        many[0].cancel();
        turns(2).await?;
        trace.expect(["a: Err(CancelledError())", "b: Ok(4)", "c: Ok(5)"]);
        Ok(())
    });
}

// CPython: test_queues.QueuePutTests.test_put_cancel_drop
// CPython: test_queues.QueuePutTests.test_cancelled_put_silence_value_error_exception
#[test]
fn a_woken_putter_that_is_cancelled_or_dropped_wakes_the_next() {
    run(async {
        let (queue, trace) = (Queue::new(1), Trace::new());
        queue.put_nowait(0)?;
        let first = putter(&queue, &trace, 1);
        turns(1).await?;
        let mut second = Box::pin(queue.put(2));
        assert!(poll_once(second.as_mut()).await.is_pending());
        putter(&queue, &trace, 3);
        turns(1).await?;
        queue.get_nowait()?;
        first.cancel();
        turns(2).await?;
        trace.expect(["put 1: Err(CancelledError())"]);
        drop(second);
        turns(1).await?;
        trace.expect(["put 3: Ok(())"]);
        assert_eq!(queue.get_nowait()?, 3);
        Ok(())
    });
}

// CPython: test_queues._QueueJoinTestMixin.test_task_done_underflow
// CPython: test_queues._QueueJoinTestMixin.test_join_empty_queue
#[test]
fn join_waits_until_each_item_is_done_and_more_are_refused() {
    run(async {
        let (queue, trace) = (Queue::new(0), Trace::new());
        assert!(at_once(queue.join()).await);
        assert_eq!(kind(queue.task_done()), ErrorKind::Value);
        queue.put_nowait(1)?;
        queue.put_nowait(2)?;
        let joining = {
            let queue = queue.clone();
            says(&trace, "join", async move { queue.join().await })
        };
        queue.get_nowait()?;
        queue.get_nowait()?;
        queue.task_done()?;
        turns(2).await?;
        trace.expect_nothing();
        queue.task_done()?;
        joining.await?;
        trace.expect(["join: Ok(())"]);
        assert_eq!(queue.task_done().unwrap_err().message(), "task_done() called too many times");
        Ok(())
    });
}

// CPython: test_queues._QueueShutdownTestMixin.test_shutdown_nonempty
#[test]
fn after_a_shutdown_nothing_comes_in_and_what_is_there_goes_out() {
    run(async {
        let (queue, trace) = (Queue::new(2), Trace::new());
        queue.put_nowait(1)?;
        queue.put_nowait(2)?;
        putter(&queue, &trace, 3);
        turns(1).await?;
        queue.shutdown();
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=2 items=2 tasks=2 shutdown>");
        turns(1).await?;
        trace.expect(["put 3: Err(QueueShutDown(\"\"))"]);
        assert_eq!(kind(queue.put_nowait(3)), ErrorKind::QueueShutDown);
        assert_eq!((queue.get().await?, queue.get_nowait()?), (1, 2));
        assert_eq!(kind(queue.get().await), ErrorKind::QueueShutDown);
        assert_eq!(kind(queue.get_nowait()), ErrorKind::QueueShutDown);
        assert_eq!(kind(queue.put(3).await), ErrorKind::QueueShutDown);
        let joining = {
            let queue = queue.clone();
            create_task(async move { queue.join().await })
        };
        turns(2).await?;
        queue.task_done()?;
        turns(2).await?;
        assert!(!joining.done());
        queue.task_done()?;
        joining.await?;
        assert_eq!(kind(queue.task_done()), ErrorKind::Value);
        Ok(())
    });
}

// CPython: test_queues._QueueShutdownTestMixin.test_shutdown_empty
#[test]
fn shutdown_wakes_all_getters_that_wait() {
    run(async {
        let (queue, trace) = (Queue::new(0), Trace::new());
        getters(&queue, &trace, ["first", "second"]);
        turns(1).await?;
        queue.shutdown();
        turns(1).await?;
        trace.expect(["first: Err(QueueShutDown(\"\"))", "second: Err(QueueShutDown(\"\"))"]);
        assert_eq!(queue.qsize(), 0);
        assert!(at_once(queue.join()).await);
        assert_eq!(kind(queue.put(1).await), ErrorKind::QueueShutDown);
        assert_eq!(kind(queue.put_nowait(1)), ErrorKind::QueueShutDown);
        assert_eq!(kind(queue.get().await), ErrorKind::QueueShutDown);
        assert_eq!(kind(queue.get_nowait()), ErrorKind::QueueShutDown);
        Ok(())
    });
}

// CPython: test_queues._QueueShutdownTestMixin.test_shutdown_immediate
// CPython: test_queues._QueueShutdownTestMixin.test_shutdown_immediate_with_unfinished
#[test]
fn an_immediate_shutdown_drops_what_is_there_as_done() {
    run(async {
        let (queue, trace) = (Queue::new(0), Trace::new());
        for item in 1..=3 {
            queue.put_nowait(item)?;
        }
        queue.get_nowait()?;
        let joining = {
            let queue = queue.clone();
            says(&trace, "join", async move { queue.join().await })
        };
        turns(1).await?;
        queue.shutdown_now();
        assert_eq!(queue.qsize(), 0);
        assert_eq!(kind(queue.get().await), ErrorKind::QueueShutDown);
        turns(2).await?;
        // One item was taken out before, and `task_done` is still due for it.
        trace.expect_nothing();
        queue.task_done()?;
        assert_eq!(kind(queue.task_done()), ErrorKind::Value);
        joining.await?;
        trace.expect(["join: Ok(())"]);

        let idle = Queue::new(0);
        idle.put_nowait(1)?;
        let joining = {
            let idle = idle.clone();
            create_task(async move { idle.join().await })
        };
        turns(1).await?;
        idle.shutdown_now();
        assert_eq!(kind(idle.task_done()), ErrorKind::Value);
        turns(1).await?;
        assert!(joining.done());
        joining.await
    });
}

// CPython: test_queues.QueueGetTests.test_get_cancelled_race
// CPython: test_queues.QueuePutTests.test_put_cancelled_race
// CPython: test_queues.QueuePutTests.test_cancelled_puts_not_being_held_in_self_putters
#[test]
fn waiter_cancelled_before_its_wake_has_left_the_queue() {
    run(async {
        let (queue, trace) = (Queue::new(1), Trace::new());
        let tasks = getters(&queue, &trace, ["first", "second"]);
        turns(1).await?;
        tasks[0].cancel();
        turns(1).await?;
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 getters=1>");
        queue.put(1).await?;
        turns(1).await?;
        trace.expect(["first: Err(CancelledError())", "second: Ok(1)"]);

        let putters: Vec<_> =
            [2, 3, 4].map(|item| putter(&queue, &trace, item)).into_iter().collect();
        turns(1).await?;
        trace.expect(["put 2: Ok(())"]);
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 items=1 putters=2 tasks=2>");
        putters[2].cancel();
        turns(1).await?;
        trace.expect(["put 4: Err(CancelledError())"]);
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=1 items=1 putters=1 tasks=2>");
        assert_eq!(queue.get_nowait()?, 2);
        turns(1).await?;
        trace.expect(["put 3: Ok(())"]);
        assert_eq!(queue.get_nowait()?, 3);
        Ok(())
    });
}

// CPython: test_queues.QueueGetTests.test_cancelled_getters_not_being_held_in_self_getters
#[test]
fn a_get_that_is_out_of_time_has_left_the_line() {
    run(async {
        let queue: Queue<i32> = Queue::new(5);
        let own = queue.clone();
        let late = async move { own.get().await };
        let late = callsoon::wait_for(late, std::time::Duration::from_secs(1)).await;
        assert_eq!(kind(late), ErrorKind::Timeout);
        assert_eq!(format!("{queue:?}"), "<Queue maxsize=5>");
        Ok(())
    });
}

// CPython: test_queues.QueuePutTests.test_why_are_putters_waiting
#[test]
fn taking_several_out_wakes_as_many_putters() {
    run(async {
        let (queue, trace) = (Queue::new(2), Trace::new());
        for item in 0..4 {
            putter(&queue, &trace, item);
        }
        turns(1).await?;
        trace.expect(["put 0: Ok(())", "put 1: Ok(())"]);
        assert_eq!((queue.get_nowait()?, queue.get_nowait()?), (0, 1));
        turns(1).await?;
        trace.expect(["put 2: Ok(())", "put 3: Ok(())"]);
        Ok(())
    });
}

// CPython: test_queues._QueueShutdownTestMixin.test_format
// CPython: test_queues._QueueShutdownTestMixin.test_shutdown_empty
// CPython: test_queues._QueueShutdownTestMixin.test_shutdown_immediate
#[test]
fn shutdown_of_an_empty_queue_ends_joins_and_refuses_the_rest() {
    run(async {
        for immediate in [false, true] {
            let queue = Queue::new(0);
            if immediate {
                queue.shutdown_now()
            } else {
                queue.shutdown()
            }
            assert_eq!(format!("{queue:?}"), "<Queue maxsize=0 shutdown>");
            assert!(at_once(queue.join()).await);
            let refused = [
                kind(queue.put(1).await),
                kind(queue.put_nowait(1)),
                kind(queue.get().await),
                kind(queue.get_nowait()),
            ];
            assert_eq!(refused, [ErrorKind::QueueShutDown; 4]);
            assert_eq!(kind(queue.task_done()), ErrorKind::Value);
        }
        Ok(())
    });
}

// CPython: test_queues._QueueJoinTestMixin.test_task_done
#[test]
fn two_workers_have_done_all_when_the_join_ends() {
    run(async {
        let (queue, sum) = (Queue::new(0), std::rc::Rc::new(std::cell::Cell::new(0)));
        for item in 0..100 {
            queue.put_nowait(item)?;
        }
        for _ in 0..2 {
            let (queue, sum) = (queue.clone(), sum.clone());
            let _: Task<()> = create_task(async move {
                loop {
                    sum.set(sum.get() + queue.get().await?);
                    callsoon::yield_now().await?;
                    queue.task_done()?;
                }
            });
        }
        queue.join().await?;
        assert_eq!(sum.get(), (0..100).sum::<i32>());
        Ok(())
    });
}
