//! A loop that is dropped with everything pending.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
#[cfg(not(callsoon_plain))]
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::time::Duration;

#[cfg(not(callsoon_plain))]
use callsoon::ThreadPoolExecutor;
use callsoon::{
    AnyFuture, AsyncGenerator, EventLoop, Handle, LoopHandle, LoopRef, Result, Task, TimerHandle,
    create_task, gather, gather_outcomes, generator, shield, sleep, wrap_future, yield_now,
};

use crate::support::on_drop::on_drop;
use crate::support::sockets::local_pair;
use crate::{in_use, leaves_nothing};

/// Fills a loop that is then dropped, and asserts that nothing of it is left.
#[track_caller]
fn a_loop_goes_with(fill: impl Fn(&EventLoop)) {
    leaves_nothing(3, || {
        let event_loop = EventLoop::with_virtual_time();
        event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
        fill(&event_loop);
        drop(event_loop);
    });
}

fn spawn<T: 'static>(
    event_loop: &EventLoop,
    body: impl Future<Output = Result<T>> + 'static,
) -> Task<T> {
    event_loop.create_task(body).unwrap()
}

#[test]
fn a_loop_that_never_ran_goes_with_all_that_was_scheduled() {
    a_loop_goes_with(|event_loop| {
        let held = Rc::new([0; 100]);
        let (a, b, c) = (held.clone(), held.clone(), held.clone());
        event_loop.call_soon(move || drop(a)).unwrap();
        event_loop.call_later(Duration::from_secs(1), move || drop(b)).unwrap();
        event_loop.handle().call_soon_threadsafe(|| ()).unwrap();
        spawn(event_loop, async move {
            drop(c);
            Ok(())
        });
        let fut = event_loop.create_future::<()>();
        fut.add_done_callback(move |_: &dyn AnyFuture| _ = &held);
        fut.set_result(()).unwrap();
    });
}

#[test]
fn a_loop_goes_with_tasks_parked_on_futures_tasks_and_sleeps() {
    a_loop_goes_with(|event_loop| {
        let fut = event_loop.create_future::<i32>();
        let waits = fut.clone();
        let first = spawn(event_loop, async move { waits.await });
        let second = spawn(event_loop, {
            let first = first.clone();
            async move { first.await }
        });
        second.add_done_callback(move |_: &dyn AnyFuture| _ = &first);
        spawn(event_loop, sleep(Duration::from_secs(1)));
        spawn(event_loop, wrap_future(pending::<()>()));
        spawn(event_loop, pending::<Result<()>>());
        event_loop.run_once(None).unwrap();
    });
}

#[test]
fn loop_drops_tasks_that_hold_their_own_and_others_handles() {
    a_loop_goes_with(|event_loop| {
        let all: Rc<RefCell<Vec<Task<()>>>> = Rc::default();
        for _ in 0..3 {
            let (own, on) = (all.clone(), LoopRef::clone(event_loop));
            let task = spawn(event_loop, async move {
                let _own = own;
                let never = on.create_future::<()>();
                let waits = never.clone();
                let next = create_task(async move { waits.await });
                next.await?;
                never.await
            });
            all.borrow_mut().push(task);
        }
        event_loop.run_once(None).unwrap();
        event_loop.run_once(None).unwrap();
    });
}

#[test]
fn loop_drops_tasks_with_done_callbacks_that_hold_them() {
    a_loop_goes_with(|event_loop| {
        let task = spawn(event_loop, pending::<Result<()>>());
        let own = task.clone();
        task.add_done_callback(move |_: &dyn AnyFuture| _ = &own);
        event_loop.run_once(None).unwrap();
    });
}

#[test]
fn loop_drops_scheduled_callbacks_that_hold_done_futures() {
    a_loop_goes_with(|event_loop| {
        let fut = event_loop.create_future::<()>();
        let task = spawn(event_loop, async { Ok(()) });
        for _ in 0..2 {
            let own = (fut.clone(), task.clone());
            fut.add_done_callback(move |_: &dyn AnyFuture| _ = &own);
            let own = (fut.clone(), task.clone());
            task.add_done_callback(move |_: &dyn AnyFuture| _ = &own);
        }
        event_loop.run_once(None).unwrap();
        fut.set_result(()).unwrap();
        assert!(task.done() && fut.done());
    });
}

/// Each child keeps the gathering, and that each child: no other holder is needed for any of them.
#[test]
fn loop_drops_gathers_with_pending_children() {
    a_loop_goes_with(|event_loop| {
        let [first, second] = [(); 2].map(|()| event_loop.create_future::<Rc<i32>>());
        let held = Rc::new(1);
        let outer = gather([&first, &second, &first]);
        outer.add_done_callback(move |_: &dyn AnyFuture| _ = &held);
        let nested = gather_outcomes([&outer]);
        let shields = shield(&nested);
        spawn(event_loop, async move { shields.await });
        let tasks = [(); 2].map(|()| spawn(event_loop, pending::<Result<()>>()));
        drop(gather(&tasks));
        event_loop.run_once(None).unwrap();
        // The first error ends it; there is one more to wait for.
        first.set_exception(callsoon::Error::cancelled()).unwrap();
        event_loop.run_once(None).unwrap();
        assert!(outer.done() && !nested.done());
    });
}

#[test]
fn gatherings_on_a_closed_loop_go_with_their_handles() {
    leaves_nothing(3, || {
        let event_loop = EventLoop::with_virtual_time();
        let [before, after] = [(); 2].map(|()| event_loop.create_future::<i32>());
        let made_before = gather([&before]);
        event_loop.close().unwrap();
        let made_after = gather([&after, &before]);
        before.set_result(1).unwrap();
        assert!(made_after.cancel() && after.cancelled());
        assert!(!made_before.done() && !made_after.done());
    });
}

#[test]
fn a_loop_goes_with_callbacks_that_hold_their_own_handles() {
    a_loop_goes_with(|event_loop| {
        let own: Rc<RefCell<Option<Handle>>> = Rc::default();
        let held = own.clone();
        let handle = event_loop.call_soon(move || drop(held.take())).unwrap();
        *own.borrow_mut() = Some(handle);
    });
    a_loop_goes_with(|event_loop| {
        let own: Rc<RefCell<Option<TimerHandle>>> = Rc::default();
        let held = own.clone();
        let timer = event_loop.call_later(Duration::ZERO, move || drop(held.take())).unwrap();
        *own.borrow_mut() = Some(timer);
    });
}

#[test]
fn a_loop_goes_with_what_was_woken_and_not_run() {
    a_loop_goes_with(|event_loop| {
        let fut = event_loop.create_future::<Rc<[u8]>>();
        for _ in 0..3 {
            let waits = fut.clone();
            spawn(event_loop, async move { waits.await });
        }
        spawn(event_loop, sleep(Duration::from_nanos(1)));
        event_loop.run_once(None).unwrap();
        fut.set_result(Rc::from([1, 2, 3])).unwrap();
        spawn(event_loop, yield_now()).cancel();
    });
}

#[test]
fn wake_in_the_mail_leaves_nothing_of_a_closed_loop() {
    a_loop_goes_with(|event_loop| {
        let kept: Rc<Cell<Option<Waker>>> = Rc::default();
        let keeps = kept.clone();
        spawn::<()>(
            event_loop,
            poll_fn(move |cx| {
                keeps.set(Some(cx.waker().clone()));
                Poll::Pending
            }),
        );
        event_loop.run_once(None).unwrap();
        // The loop doesn't run: the wake is a message, with the last count of the block's memory but
        // for the task's own.
        kept.take().unwrap().wake();
    });
}

#[test]
fn a_loop_goes_with_its_readers_and_writers() {
    a_loop_goes_with(|event_loop| {
        let (ours, theirs) = local_pair().unwrap();
        let (ours, on) = (Rc::new(ours), LoopRef::clone(event_loop));
        let own = ours.clone();
        event_loop.add_reader(ours.clone(), move || _ = (&own, &on)).unwrap();
        let on = LoopRef::clone(event_loop);
        event_loop.add_writer(ours, move || on.stop()).unwrap();
        event_loop.add_writer(theirs, || ()).unwrap();
        event_loop.run_forever().unwrap();
    });
}

#[test]
fn loop_drops_unfinished_unstarted_and_forgotten_generators() {
    a_loop_goes_with(|event_loop| {
        let started = || {
            let numbers: AsyncGenerator<i32> = generator(async |y| {
                y.give(1).await?;
                sleep(Duration::from_secs(1)).await?;
                y.give(2).await?;
                Ok(())
            });
            numbers
        };
        let (gave, sleeps, dropped) = (started(), started(), started());
        drop(started());
        let kept = gave.clone();
        spawn(event_loop, async move {
            gave.anext().await?;
            dropped.anext().await?;
            drop(dropped);
            sleeps.anext().await?;
            sleeps.anext().await
        });
        event_loop.run_once(None).unwrap();
        drop(kept);
    });
}

#[test]
fn a_generator_that_outlives_its_loop_goes_later() {
    leaves_nothing(3, || {
        let event_loop = EventLoop::with_virtual_time();
        let numbers: AsyncGenerator<i32> = generator(async |y| y.give(1).await.map(drop));
        let own = numbers.clone();
        event_loop.run_until_complete(async move { own.anext().await }).unwrap();
        drop(event_loop);
        drop(numbers);
    });
}

#[test]
fn closed_loop_with_a_handle_left_holds_nothing_of_its_users() {
    leaves_nothing(3, || {
        let event_loop = EventLoop::with_virtual_time();
        let gone = Rc::new(Cell::new(0));
        let captured = || {
            let gone = gone.clone();
            on_drop(move || gone.set(gone.get() + 1))
        };
        event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
        let (ready, timer, task, sent) = (captured(), captured(), captured(), on_drop(|| ()));
        let ready = event_loop.call_soon(move || drop(ready)).unwrap();
        let timer = event_loop.call_later(Duration::ZERO, move || drop(timer)).unwrap();
        let task = spawn(&event_loop, async move {
            drop(task);
            Ok(())
        });
        let handle: LoopHandle = event_loop.handle();
        handle.call_soon_threadsafe(move || drop(sent)).unwrap();
        let on = LoopRef::clone(&event_loop);
        drop(event_loop);
        assert_eq!(gone.get(), 3);
        let late = on.create_future::<i32>();
        late.add_done_callback(|_: &dyn AnyFuture| ());
        late.set_result(1).unwrap();
        drop((on, handle, ready, timer, task, late));
    });
}

/// The natural way to write one: it stops the loop, or schedules on it.
#[test]
fn a_loop_goes_with_an_exception_handler_that_holds_it() {
    leaves_nothing(3, || {
        let event_loop = EventLoop::with_virtual_time();
        let on = LoopRef::clone(&event_loop);
        event_loop.set_exception_handler(Some(Rc::new(move |_, _| on.stop())));
        drop(event_loop);
    });
}

#[test]
fn generator_that_holds_its_own_handle_is_dropped_with_the_loop() {
    a_loop_goes_with(|event_loop| {
        let own: Rc<RefCell<Option<AsyncGenerator<i32>>>> = Rc::default();
        let held = own.clone();
        let numbers = generator(async move |y| {
            y.give(1).await?;
            drop(held);
            Ok(())
        });
        *own.borrow_mut() = Some(numbers.clone());
        event_loop.run_until_complete(async move { numbers.anext().await }).unwrap();
    });
}

#[test]
fn future_that_ends_after_its_loop_drops_its_callbacks() {
    leaves_nothing(3, || {
        for callbacks in [1, 2] {
            let event_loop = EventLoop::with_virtual_time();
            let future = event_loop.create_future::<()>();
            for _ in 0..callbacks {
                let own = future.clone();
                future.add_done_callback(move |_: &dyn AnyFuture| _ = &own);
            }
            event_loop.close().unwrap();
            future.set_result(()).unwrap();
            let own = future.clone();
            future.add_done_callback(move |_: &dyn AnyFuture| _ = &own);
        }
    });
}

/// A page of its loop, with whatever the page belongs to.
#[test]
fn kept_waker_keeps_memory_beyond_its_loop() {
    const SIZE: usize = 4000;
    let waker = || {
        let event_loop = EventLoop::with_virtual_time();
        let (kept, room) = (Rc::new(Cell::new(None)), [0_u8; SIZE]);
        let keeps = kept.clone();
        let foreign = poll_fn(move |cx| {
            keeps.set(Some(cx.waker().clone()));
            if room[0] == 0 { Poll::Pending::<Result<()>> } else { Poll::Ready(Ok(())) }
        });
        event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
        drop(spawn(&event_loop, foreign));
        event_loop.run_once(Some(Duration::ZERO)).unwrap();
        kept.take().expect("the future keeps it")
    };
    // It fills what the thread keeps.
    drop(waker());
    let before = in_use();
    let waker: Waker = waker();
    assert!(in_use().0 - before.0 >= SIZE as isize, "{} bytes", in_use().0 - before.0);
    drop(waker);
    assert_eq!(in_use(), before);
}

/// A function that no thread has begun and a waker hold the memory of blocks of a loop that is gone: that
/// and the memory near it, and not what the loop had besides.
#[cfg(not(callsoon_plain))]
#[test]
fn what_outlives_a_loop_holds_little_of_its_memory() {
    const FUTURES: usize = 20_000;
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let (open, door) = mpsc::channel::<()>();
    let (before, _) = in_use();
    let event_loop = EventLoop::with_virtual_time();
    let waits = move || Ok(door.recv().is_err());
    drop(event_loop.run_in_executor(Some(&pool), waits).unwrap());
    let futures: Vec<_> = (0..FUTURES).map(|_| event_loop.create_future::<[u64; 8]>()).collect();
    drop(event_loop.run_in_executor(Some(&pool), || Ok(())).unwrap());
    let waker = Rc::new(RefCell::new(None));
    let kept = waker.clone();
    spawn(
        &event_loop,
        poll_fn(move |context| {
            kept.replace(Some(context.waker().clone()));
            Poll::<Result<()>>::Pending
        }),
    );
    event_loop.run_once(None).unwrap();
    let (most, _) = in_use();
    drop(futures);
    drop(event_loop);
    let (held, _) = in_use();
    assert!(most - before > 2_000_000);
    assert!(held - before < 1_200_000, "{} of {} bytes", held - before, most - before);
    drop((waker, open));
}

#[test]
fn runs_leave_nothing() {
    leaves_nothing(10, || {
        let event_loop = EventLoop::with_virtual_time();
        callsoon::run_on(&event_loop, async { callsoon::yield_now().await }).unwrap();
    });
}
