//! An error that panics when it is dropped on its way into a task: the task ends all the same.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::task::Poll;
use std::thread;

use callsoon::{AsyncGenerator, Error, EventLoop, generator};

use crate::driver::{Reports, settle};

/// An error that panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bomb")
    }
}

impl std::error::Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("dropped");
        }
    }
}

/// A generator that waits at a foreign future, and not at a `give`: its first step was dropped. The
/// second poll of that future panics.
fn half_way(event_loop: &EventLoop) -> AsyncGenerator<u8> {
    let own = generator(async move |_| {
        let mut polled = false;
        poll_fn(|_| {
            assert!(!mem::replace(&mut polled, true), "polled");
            Poll::<()>::Pending
        })
        .await;
        Ok(())
    });
    let left = own.clone();
    let leaves = event_loop.create_task(async move {
        let mut step = Box::pin(async move { left.anext().await });
        poll_fn(|cx| {
            assert!(step.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        Ok(())
    });
    settle(event_loop);
    assert!(leaves.unwrap().done());
    own
}

#[test]
fn panicking_step_ends_with_what_was_thrown_into_it() {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    let own = half_way(&event_loop);
    let throws = async move { own.athrow(Error::other(Bomb)).await.map(drop) };
    let task = event_loop.create_task(throws).unwrap();
    settle(&event_loop);
    assert!(task.done(), "the task has no step any more");
    assert_eq!(task.exception().unwrap().unwrap().message(), "polled");
    assert_eq!(reports.messages(), ["Exception in a drop after a callback"]);
}
