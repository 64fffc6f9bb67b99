//! Tasks, timers, futures, generators and the rest, that came and went.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use callsoon::{
    AnyFuture, AsyncGenerator, Error, ErrorKind, EventLoop, LoopRef, TimerHandle, generator, sleep,
    wrap_future, yield_now,
};

use crate::support::sockets::local_pair;
use crate::{in_use, leaves_nothing, run_dry};

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
fn million_timers_leave_nothing_after_their_run_or_cancel() {
    let event_loop = EventLoop::with_virtual_time();
    // Each level of the wheel is allocated for its first timer, and stays.
    for bit in 0..62 {
        event_loop.call_later(Duration::from_nanos(1 << bit), || ()).unwrap().cancel();
    }
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
            let callback =
                fut.add_done_callback(move |_: &dyn AnyFuture| count.set(count.get() + 1));
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
fn hundred_thousand_generators_leave_nothing_ended_or_left() {
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
fn generators_resumed_after_their_end_leave_nothing() {
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
fn errors_sleeps_and_foreign_wakers_leave_nothing() {
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

/// Calls from outside go through the inbox, which makes blocks and frees them.
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
    // The table of descriptors is as long as the highest number, and other tests take numbers too.
    let taken: Vec<_> = (0..100).map(|_| local_pair().unwrap()).collect();
    let highest = Rc::new(taken.into_iter().next_back().expect("a pair").0);
    event_loop.add_reader(highest.clone(), || ()).unwrap();
    assert!(event_loop.remove_reader(&highest).unwrap());
    drop(highest);
    leaves_nothing(50, || {
        for _ in 0..20 {
            let (ours, theirs) = local_pair().unwrap();
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
fn burst_gives_its_memory_back() {
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
    let before = (in_use(), event_loop.memory());
    burst(20_000);
    let after = (in_use(), event_loop.memory());
    // A few pages are kept for the next tasks; nothing else is.
    assert!(after.1 <= 512 * 1024, "{} bytes in pages", after.1);
    let besides = |((bytes, _), pages): ((isize, isize), usize)| bytes - pages as isize;
    assert!(besides(after) <= besides(before), "{after:?} after {before:?}");
}
