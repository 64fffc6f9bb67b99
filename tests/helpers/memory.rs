//! Nothing is left behind: values are counted while they live.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use callsoon::helpers::{
    self as hp, Adding, ChildOfFuture, Queue, ResettableFuture, ResultStreamer, TaskHolder,
};
use callsoon::{AnyFuture, EventLoop, LoopFuture, Result, generator, sleep};

use crate::driver::{run, secs, settle};
use crate::parts::{Counted, callbacks, rest};

#[test]
fn cancelled_children_leave_nothing_at_their_parent() -> Result<()> {
    run(async {
        let parent = hp::create_future::<()>();
        let (counted, alive) = Counted::new();
        let before = callbacks(&parent);
        for _ in 0..100 {
            let child = ChildOfFuture::<()>::new(&parent);
            let held = counted.clone();
            child.add_done_callback(move |_: &dyn AnyFuture| _ = &held);
            child.cancel();
        }
        rest().await?;
        assert_eq!((alive.get(), callbacks(&parent)), (1, before));
        Ok(())
    })
}

#[test]
fn reset_drops_the_former_result() -> Result<()> {
    run(async {
        let (counted, alive) = Counted::new();
        let it = ResettableFuture::<Counted>::new();
        it.set_result(counted)?;
        assert_eq!(alive.get(), 1);
        it.reset();
        rest().await?;
        assert_eq!(alive.get(), 0);
        Ok(())
    })
}

#[test]
fn queue_keeps_its_items_until_its_last_handle_is_dropped() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let (counted, alive) = Counted::new();
        let queue = Queue::<Counted>::new(&stop);
        for _ in 0..10 {
            queue.append(counted.clone());
        }
        let mut values = queue.iter();
        for left in (5..10).rev() {
            drop(values.next().await?);
            assert_eq!(alive.get(), left + 1);
        }
        drop((queue, values));
        rest().await?;
        assert_eq!(alive.get(), 1);
        Ok(())
    })
}

#[test]
fn holder_drops_a_task_and_its_result_when_it_is_done() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let (counted, alive) = Counted::new();
        TaskHolder::new(&stop)
            .scope(async |holder| {
                for seconds in 1..=10 {
                    let value = counted.clone();
                    holder.add(async move {
                        sleep(secs(seconds)).await?;
                        Ok(value)
                    });
                }
                for over in 1..=10 {
                    sleep(secs(1)).await?;
                    rest().await?;
                    assert_eq!((alive.get(), holder.iter().count()), (11 - over, 10 - over));
                }
                Ok(())
            })
            .await?;
        assert_eq!(alive.get(), 1);
        Ok(())
    })
}

#[test]
fn holder_dropped_without_running_tasks_leaves_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    let (counted, alive) = Counted::new();
    let made = event_loop.run_until_complete(async move {
        let stop = hp::create_future::<()>();
        let held = counted.clone();
        stop.add_done_callback(move |_: &dyn AnyFuture| _ = &held);
        drop(TaskHolder::new(&stop));
        TaskHolder::new(&stop)
            .scope(async |holder| {
                let _: () = drop(holder.add(sleep(secs(1))));
                Ok(())
            })
            .await
    });
    made.unwrap();
    settle(&event_loop);
    assert_eq!((alive.get(), event_loop.all_tasks().len()), (0, 0));
}

#[test]
fn a_streamer_that_is_read_slowly_holds_only_what_was_not_taken() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let (counted, alive) = Counted::new();
        ResultStreamer::<Counted>::new(&stop)
            .scope(async |streamer| {
                for _ in 0..10 {
                    streamer.add_value(counted.clone(), Adding::new()).await?;
                }
                let value = counted.clone();
                let many = generator(async move |y| {
                    for _ in 0..10 {
                        y.give(value.clone()).await?;
                    }
                    Ok(())
                });
                streamer.add_generator(many, Adding::new()).await?;
                streamer.no_more_work();
                rest().await?;
                let mut results = streamer.iter();
                for left in (0..20).rev() {
                    drop(results.next().await?.expect("there is one"));
                    sleep(secs(1)).await?;
                    assert_eq!(alive.get(), left + 1);
                }
                assert!(results.next().await?.is_none());
                Ok(())
            })
            .await?;
        rest().await?;
        assert_eq!(alive.get(), 1);
        Ok(())
    })
}

#[test]
fn streamer_keeps_results_until_its_last_handle_is_dropped() {
    let event_loop = EventLoop::with_virtual_time();
    let (counted, alive) = Counted::new();
    let made = event_loop.run_until_complete(async move {
        let stop = hp::create_future::<()>();
        ResultStreamer::<Counted, Counted>::new(&stop)
            .scope(async |streamer| {
                for _ in 0..10 {
                    let adding = Adding::new().context(counted.clone());
                    streamer.add_value(counted.clone(), adding).await?;
                }
                streamer.iter().next().await.map(drop)
            })
            .await
    });
    made.unwrap();
    settle(&event_loop);
    assert_eq!(alive.get(), 0);
}

#[test]
fn children_are_dropped_with_their_last_parent_handle() {
    let event_loop = EventLoop::with_virtual_time();
    let (counted, alive) = Counted::new();
    let made = event_loop.run_until_complete(async move {
        let parent = hp::create_future::<()>();
        let child = ChildOfFuture::<Counted>::new(&parent);
        let grandchild = ChildOfFuture::<()>::new(&child);
        let held = counted.clone();
        grandchild.add_done_callback(move |_: &dyn AnyFuture| _ = &held);
        Ok(())
    });
    made.unwrap();
    settle(&event_loop);
    assert_eq!(alive.get(), 0);
}

/// Stands on a future, as a program's own type does, with something that is counted.
#[derive(Clone)]
struct Standing {
    own: LoopFuture<()>,
    _counted: Counted,
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.own.fmt(f)
    }
}

impl AnyFuture for Standing {
    fn base(&self) -> &dyn AnyFuture {
        &self.own
    }
    fn to_any(&self) -> Rc<dyn AnyFuture> {
        Rc::new(self.clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn holder_lets_go_of_what_stands_on_a_future_that_is_done() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let (counted, alive) = Counted::new();
        let holder = TaskHolder::new(&stop);
        let future = hp::create_future::<()>();
        holder.add_task(&Standing { own: future.clone(), _counted: counted });
        assert_eq!(alive.get(), 1);
        future.set_result(())?;
        rest().await?;
        assert_eq!((holder.pending(), alive.get()), (0, 0));
        holder.finish(None).await
    })
}
