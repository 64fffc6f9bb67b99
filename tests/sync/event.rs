//! `Event`: a wake can't be taken back.

use callsoon::Event;

use crate::by_hand::{at_once, poll_once, run, says, turns};
use crate::support::trace::Trace;

// CPython: test_locks.EventTests.test_wait_on_set
// CPython: test_locks.EventTests.test_clear
#[test]
fn a_set_event_is_seen_without_giving_way() {
    run(async {
        let event = Event::new();
        assert!(!event.is_set());
        assert!(!at_once(event.wait()).await);
        event.set();
        assert!(event.is_set());
        assert!(at_once(event.wait()).await);
        event.clear();
        assert!(!at_once(event.wait()).await);
        Ok(())
    });
}

// CPython: test_locks.EventTests.test_repr
// CPython: test_locks.EventTests.test_clear_with_waiters
#[test]
fn set_wakes_waiters_in_order_and_clear_does_not_undo_it() {
    run(async {
        let (event, trace) = (Event::new(), Trace::new());
        for name in ["first", "second", "third"] {
            let event = event.clone();
            says(&trace, name, async move { event.wait().await });
        }
        turns(1).await?;
        assert_eq!(format!("{event:?}"), "<Event [unset, waiters:3]>");
        event.set();
        event.clear();
        assert!(!at_once(event.wait()).await);
        turns(1).await?;
        trace.expect(["first: Ok(())", "second: Ok(())", "third: Ok(())"]);
        assert_eq!(format!("{event:?}"), "<Event [unset]>");
        Ok(())
    });
}

/// The second of two sets wakes a waiter that came between them, though the first is still queued.
// CPython: test_locks.EventTests.test_repr
// CPython: test_locks.EventTests.test_clear_with_waiters
#[test]
fn each_set_wakes_the_waiters_of_that_time() {
    run(async {
        let (event, trace) = (Event::new(), Trace::new());
        let mut first = Box::pin(event.wait());
        assert!(poll_once(first.as_mut()).await.is_pending());
        event.set();
        event.clear();
        let mut second = Box::pin(event.wait());
        assert!(poll_once(second.as_mut()).await.is_pending());
        event.set();
        trace.push(format_args!("{:?} {:?}", first.await, second.await));
        trace.expect(["Ok(()) Ok(())"]);
        assert_eq!(format!("{event:?}"), "<Event [set]>");
        Ok(())
    });
}

#[test]
fn cancelled_or_dropped_wait_leaves_the_others_alone() {
    run(async {
        let (event, trace) = (Event::new(), Trace::new());
        let mut dropped = Box::pin(event.wait());
        assert!(poll_once(dropped.as_mut()).await.is_pending());
        let [first, second] = ["first", "second"].map(|name| {
            let event = event.clone();
            says(&trace, name, async move { event.wait().await })
        });
        turns(1).await?;
        drop(dropped);
        first.cancel();
        event.set();
        second.await?;
        trace.expect(["first: Err(CancelledError())", "second: Ok(())"]);
        Ok(())
    });
}

// CPython: test_locks.EventTests.test_wait
#[test]
fn wait_on_a_set_event_returns_before_woken_waits() {
    run(async {
        let (event, trace) = (Event::new(), Trace::new());
        let comes = |name| {
            let event = event.clone();
            says(&trace, name, async move { event.wait().await })
        };
        comes("first");
        comes("second");
        turns(1).await?;
        comes("third");
        event.set();
        turns(1).await?;
        trace.expect(["third: Ok(())", "first: Ok(())", "second: Ok(())"]);
        Ok(())
    });
}

// CPython: test_locks.EventTests.test_wait_cancel
#[test]
fn cancelled_wait_leaves_the_queue() {
    run(async {
        let (event, trace) = (Event::new(), Trace::new());
        let own = event.clone();
        let waiting = says(&trace, "waiting", async move { own.wait().await });
        turns(1).await?;
        waiting.cancel();
        turns(1).await?;
        trace.expect(["waiting: Err(CancelledError())"]);
        assert_eq!(format!("{event:?}"), "<Event [unset]>");
        Ok(())
    });
}
