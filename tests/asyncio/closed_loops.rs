//! Awaits that outlive their loop: another executor that polls them is woken, and gets `Closed`.

#[cfg(unix)]
use std::cell::Cell;
use std::future::{IntoFuture, pending};
use std::pin::{Pin, pin};
#[cfg(unix)]
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

#[cfg(unix)]
use callsoon::io::UnixStream;
use callsoon::{ErrorKind, EventLoop, Result, sleep};

use crate::driver::{Reports, secs, settle};

/// Counts the wakes of another executor's task.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a future before and after its loop closes, as another executor does: it must be woken.
fn ends_closed<T>(event_loop: EventLoop, future: impl Future<Output = Result<T>>) {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut cx).is_pending());
    event_loop.close().unwrap();
    drop(event_loop);
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "wakes");
    let Poll::Ready(Err(error)) = future.poll(&mut cx) else { panic!("it is pending") };
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn await_of_a_task_ends_with_its_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(pending::<Result<()>>()).unwrap();
    settle(&event_loop);
    ends_closed(event_loop, task.into_future());
}

#[test]
fn await_of_a_task_that_never_began_ends_with_its_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(secs(1))).unwrap();
    ends_closed(event_loop, task.into_future());
}

#[test]
fn await_of_a_future_ends_with_its_loop() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<()>();
    ends_closed(event_loop, future.into_future());
}

#[test]
fn wake_in_the_ready_queue_is_done_at_the_close() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<u32>();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut awaited = pin!(future.clone().into_future());
    assert!(awaited.as_mut().poll(&mut cx).is_pending());
    future.set_result(7).unwrap();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    event_loop.close().unwrap();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert!(matches!(awaited.poll(&mut cx), Poll::Ready(Ok(7))));
}

/// Each of them is woken, although the wake of the first panics.
#[test]
fn panic_of_a_waker_is_reported_also_at_the_close() {
    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }

    for closes in [true, false] {
        let event_loop = EventLoop::with_virtual_time();
        let reports = Reports::of(&event_loop);
        let future = event_loop.create_future::<()>();
        let wakes = Arc::new(Wakes::default());
        let [panics, counts] = [Waker::from(Arc::new(Panics)), Waker::from(wakes.clone())];
        let mut awaits: Vec<_> = (0..6).map(|_| future.wait()).collect();
        for (at, wait) in awaits.iter_mut().enumerate() {
            let mut cx = Context::from_waker(if at == 0 { &panics } else { &counts });
            assert!(Pin::new(wait).poll(&mut cx).is_pending());
        }
        if closes {
            event_loop.close().unwrap();
        } else {
            future.set_result(()).unwrap();
            settle(&event_loop);
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), 5);
        let reports = reports.take();
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].exception.as_ref().unwrap().message(), "in a waker");
    }
}

#[cfg(unix)]
#[test]
fn wait_for_a_socket_ends_with_its_loop() {
    let event_loop = EventLoop::new();
    let made = Rc::new(Cell::new(None));
    let makes = made.clone();
    let making = async move {
        makes.set(Some(UnixStream::pair()?));
        Ok(())
    };
    event_loop.run_until_complete(making).unwrap();
    let (one, _two) = made.take().unwrap();
    let mut buffer = [0];
    ends_closed(event_loop, one.read(&mut buffer));
}
