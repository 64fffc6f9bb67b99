//! Nothing leaks: what came and went is gone to the last byte, and so is a loop that is dropped
//! with everything pending.
//!
//! Counted is what each thread allocates and frees, so that the tests may run side by side.
#![allow(unsafe_code)] // an allocator that counts can't be made without
#![cfg(unix)]

#[path = "support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use callsoon::{
    AnyFuture, AsyncGenerator, Error, ErrorKind, EventLoop, Handle, LoopHandle, LoopRef, Result, Task,
    TimerHandle, create_task, generator, sleep, wrap_future, yield_now,
};
use support::on_drop::on_drop;

struct Counting;

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
    static BLOCKS: Cell<isize> = const { Cell::new(0) };
}

/// A thread that ends frees what it has, and then has no count any more.
fn count(bytes: isize, blocks: isize) {
    let _ = BYTES.try_with(|count| count.set(count.get() + bytes));
    let _ = BLOCKS.try_with(|count| count.set(count.get() + blocks));
}

// SAFETY: Everything is the system allocator's; counting touches two cells of the thread, which
// need no allocation and no drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize, 1);
        // SAFETY: The caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize), -1);
        // SAFETY: The caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes and blocks that this thread has allocated and not freed.
fn in_use() -> (isize, isize) {
    (BYTES.get(), BLOCKS.get())
}

/// Runs `body` twice to let it fill what is kept on purpose, and asserts that further runs leave
/// nothing.
#[track_caller]
fn leaves_nothing(times: usize, mut body: impl FnMut()) {
    body();
    body();
    let before = in_use();
    for _ in 0..times {
        body();
    }
    assert_eq!(in_use(), before, "(bytes, blocks) in use");
}

/// Runs until nothing is left to do, so that the loop gives back what a burst has left behind.
fn run_dry(event_loop: &EventLoop) {
    match event_loop.run_forever() {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Stalled),
        Ok(()) => panic!("nobody stops it"),
    }
}

// -- what comes and goes

const BATCH: usize = 10_000;

#[test]
fn a_million_tasks_leave_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    leaves_nothing(98, || {
        for n in 0..BATCH {
            let task = event_loop.create_task(async move {
                if n % 2 == 0 {
                    yield_now().await?;
                }
                Ok(n)
            });
            let task = task.unwrap();
            if n % 5 == 0 {
                task.cancel();
            }
        }
        run_dry(&event_loop);
    });
}

#[test]
fn a_million_timers_leave_nothing_whether_they_ran_or_were_cancelled() {
    let event_loop = EventLoop::with_virtual_time();
    let mut timers: Vec<TimerHandle> = Vec::with_capacity(BATCH);
    leaves_nothing(98, || {
        for n in 0..BATCH {
            let captured = [n; 4];
            let delay = Duration::from_micros(n as u64 * 7919 % 1_000_003);
            let callback = move || _ = captured;
            timers.push(event_loop.call_later(delay, callback).unwrap());
        }
        for timer in timers.drain(..).step_by(2) {
            timer.cancel();
        }
        run_dry(&event_loop);
    });
    assert_eq!(event_loop.pending_timers(), 0);
}

#[test]
fn a_million_futures_and_calls_leave_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    let calls = Rc::new(Cell::new(0));
    leaves_nothing(98, || {
        for n in 0..BATCH {
            let fut = event_loop.create_future::<Box<usize>>();
            let count = calls.clone();
            let callback = fut.add_done_callback(move |_: &dyn AnyFuture| count.set(count.get() + 1));
            fut.add_done_callback(&callback);
            match n % 4 {
                0 => fut.set_result(Box::new(n)).unwrap(),
                1 => assert!(fut.cancel_with("so long")),
                2 => assert_eq!(fut.remove_done_callback(&callback), 2),
                _ => {}
            }
            let handle = event_loop.call_soon(|| ()).unwrap();
            if n % 3 == 0 {
                handle.cancel();
            }
        }
        run_dry(&event_loop);
    });
    assert_eq!(calls.get(), 100 * BATCH);
}

#[test]
fn a_hundred_thousand_generators_leave_nothing_whether_they_ended_or_were_left() {
    let event_loop = EventLoop::with_virtual_time();
    leaves_nothing(98, || {
        for n in 0..BATCH / 10 {
            let numbers = generator(async move |y| {
                for m in 0..n % 4 {
                    y.give(m).await?;
                    yield_now().await?;
                }
                Ok(())
            });
            let body = async move {
                for _ in 0..n % 6 {
                    if numbers.next().await?.is_none() {
                        break;
                    }
                }
                Ok(())
            };
            event_loop.create_task(body).unwrap();
        }
        run_dry(&event_loop);
    });
}

#[test]
fn generators_that_are_asked_again_after_their_end_leave_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    leaves_nothing(50, || {
        let empty: AsyncGenerator<i32> = generator(async |_| Ok(()));
        let asks = async move {
            assert_eq!(empty.next().await?, None);
            assert_eq!(empty.next().await?, None);
            Ok(())
        };
        event_loop.run_until_complete(asks).unwrap();
        run_dry(&event_loop);
    });
}

#[test]
fn errors_panics_sleeps_and_foreign_wakers_leave_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    leaves_nothing(20, || {
        for n in 0..100 {
            let fails = async { Err::<(), _>(Error::new(ErrorKind::Value, "unread")) };
            event_loop.create_task(fails).unwrap();
            let fut = event_loop.create_future::<()>();
            fut.set_exception(Error::cancelled_with("unread")).unwrap();
            let sleeper = event_loop.create_task(sleep(Duration::from_secs(n))).unwrap();
            let keeps = wakers.clone();
            let mut polled = false;
            let foreign = std::future::poll_fn(move |cx| {
                keeps.borrow_mut().push(cx.waker().clone());
                match std::mem::replace(&mut polled, true) {
                    false => Poll::Pending,
                    true => Poll::Ready(()),
                }
            });
            let waits = event_loop.create_task(wrap_future(foreign)).unwrap();
            let stuck = event_loop.create_task(wrap_future(pending::<()>())).unwrap();
            event_loop.run_once(None).unwrap();
            sleeper.cancel();
            stuck.cancel();
            wakers.borrow().iter().for_each(Waker::wake_by_ref);
            event_loop.run_once(None).unwrap();
            assert!(waits.done() && sleeper.done() && stuck.done());
            wakers.borrow_mut().clear();
        }
        run_dry(&event_loop);
        assert!(event_loop.all_tasks().is_empty());
    });
}

/// What is called from outside goes through the inbox, whose blocks come and go.
#[test]
fn a_hundred_thousand_calls_through_the_inbox_leave_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    let handle = event_loop.handle();
    // A multiple of the blocks that the inbox is made of.
    leaves_nothing(50, || {
        for n in 0..31 * 64 {
            let captured = Box::new(n);
            handle.call_soon_threadsafe(move || drop(captured)).unwrap();
        }
        while event_loop.run_once(Some(Duration::ZERO)).unwrap() > 0 {}
        assert_eq!(event_loop.run_once(Some(Duration::from_secs(1))).unwrap(), 0);
    });
}

#[test]
fn readers_that_come_and_go_leave_nothing() {
    let event_loop = EventLoop::with_virtual_time();
    leaves_nothing(50, || {
        for _ in 0..20 {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let (ours, theirs) = (Rc::new(ours), Rc::new(theirs));
            let on = LoopRef::clone(&event_loop);
            event_loop.add_writer(ours.clone(), move || _ = &on).unwrap();
            event_loop.add_reader(ours.clone(), || ()).unwrap();
            event_loop.add_writer(theirs.clone(), || ()).unwrap();
            assert_eq!(event_loop.run_once(None).unwrap(), 2);
            assert!(event_loop.remove_reader(&ours).unwrap());
            assert!(event_loop.remove_writer(&ours).unwrap());
            assert!(event_loop.remove_writer(&theirs).unwrap());
        }
    });
}

/// A burst makes room, and a loop that falls asleep after it gives the room back.
#[test]
fn a_burst_leaves_no_room_behind() {
    let event_loop = EventLoop::with_virtual_time();
    let burst = |calls: usize| {
        for n in 0..calls {
            event_loop.call_soon(|| ()).unwrap();
            event_loop.call_later(Duration::from_nanos(n as u64), || ()).unwrap();
            event_loop.create_task(yield_now()).unwrap();
        }
        run_dry(&event_loop);
    };
    burst(100);
    let before = in_use();
    burst(20_000);
    let (bytes, blocks) = in_use();
    assert!(blocks <= before.1, "{} blocks more than before", blocks - before.1);
    assert!(bytes <= before.0, "{} bytes more than before", bytes - before.0);
}

// -- a loop that goes

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
fn a_loop_goes_with_tasks_whose_bodies_hold_their_own_handles_and_each_others() {
    a_loop_goes_with(|event_loop| {
        let all: Rc<RefCell<Vec<Task<()>>>> = Rc::default();
        for _ in 0..3 {
            let (own, on) = (all.clone(), LoopRef::clone(event_loop));
            let task = spawn(event_loop, async move {
                let _own = own;
                let never = on.create_future::<()>();
                let waits = never.clone();
                let next = create_task(async move { waits.await })?;
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
fn a_loop_goes_with_tasks_whose_done_callbacks_hold_them() {
    a_loop_goes_with(|event_loop| {
        let task = spawn(event_loop, pending::<Result<()>>());
        let own = task.clone();
        task.add_done_callback(move |_: &dyn AnyFuture| _ = &own);
        event_loop.run_once(None).unwrap();
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
fn a_loop_goes_with_its_readers_and_writers() {
    a_loop_goes_with(|event_loop| {
        let (ours, theirs) = UnixStream::pair().unwrap();
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
fn a_loop_goes_with_generators_that_are_midway_unstarted_and_forgotten() {
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
fn a_closed_loop_that_somebody_still_holds_holds_nothing_of_theirs() {
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
fn a_generator_whose_body_holds_its_own_handle_goes_with_the_loop() {
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
