//! Foreign futures that keep the waker of their first poll and no later one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use callsoon::{EventLoop, Result, Task, sleep, timeout, wrap_future, yield_now};

use crate::combinators::{Boxed, Unordered, boxed, join};
use crate::driver::{secs, settle};

/// Ready once it was opened. Wakes the waker of the first poll.
#[derive(Clone, Default)]
struct Gate(Rc<RefCell<GateState>>);

#[derive(Default)]
struct GateState {
    open: bool,
    first: Option<Waker>,
}

impl Gate {
    fn open(&self) -> Waker {
        self.0.borrow_mut().open = true;
        self.0.borrow_mut().first.take().expect("it was polled")
    }
}

impl Future for Gate {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.0.borrow_mut();
        if state.open {
            return Poll::Ready(Ok(()));
        }
        state.first.get_or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }
}

/// Where a gate is awaited.
type Place = fn(Gate) -> Boxed<Result<()>>;

const PLACES: [Place; 8] = [
    |gate| boxed(gate),
    |gate| boxed(async { wrap_future(gate).await? }),
    |gate| boxed(async { timeout(secs(900), async |_| gate.await).await }),
    |gate| {
        boxed(async {
            join(vec![boxed(sleep(secs(1))), boxed(gate)]).await;
            Ok(())
        })
    },
    |gate| {
        boxed(async {
            Unordered::new(vec![boxed(gate), boxed(sleep(secs(1)))]).await;
            Ok(())
        })
    },
    |gate| {
        boxed(async {
            yield_now().await?; // not in the task's first step
            gate.await
        })
    },
    |gate| {
        boxed(async {
            let other = Gate::default();
            other.0.borrow_mut().open = true;
            other.await?;
            // The task has a waker of its own already.
            crate::combinators::foreign_yield().await;
            gate.await
        })
    },
    |gate| {
        boxed(async {
            join(vec![boxed(gate.clone()), boxed(gate)]).await;
            Ok(())
        })
    },
];

/// A task in each place, parked, and its gate.
fn each(test: impl Fn(&EventLoop, Task<()>, Gate)) {
    for (index, place) in PLACES.into_iter().enumerate() {
        println!("place {index}");
        let event_loop = EventLoop::with_virtual_time();
        let gate = Gate::default();
        let task = event_loop.create_task(place(gate.clone())).unwrap();
        settle(&event_loop);
        event_loop.run_until_complete(sleep(secs(2))).unwrap();
        assert!(!task.done());
        test(&event_loop, task, gate);
    }
}

#[test]
fn a_wake_of_the_first_waker_polls_again() {
    each(|event_loop, task, gate| {
        gate.open().wake();
        settle(event_loop);
        task.result().unwrap();
    });
}

#[test]
fn a_wake_of_a_clone_of_the_first_waker_polls_again() {
    each(|event_loop, task, gate| {
        let clone = gate.open().clone();
        clone.wake_by_ref();
        drop(clone);
        settle(event_loop);
        task.result().unwrap();
    });
}

#[test]
fn a_wake_of_the_first_waker_from_another_thread_polls_again() {
    each(|event_loop, task, gate| {
        let waker = gate.open();
        thread::spawn(move || waker.wake()).join().unwrap();
        settle(event_loop);
        task.result().unwrap();
    });
}

#[test]
fn the_first_waker_of_one_task_never_wakes_another() {
    let event_loop = EventLoop::with_virtual_time();
    let gates = [(); 3].map(|()| Gate::default());
    let tasks = gates.clone().map(|gate| {
        let task = event_loop.create_task(gate);
        task.unwrap()
    });
    settle(&event_loop);
    for index in [1, 0, 2] {
        gates[index].open().wake();
        assert_eq!(event_loop.run_once(Some(secs(0))).unwrap(), 1, "one step");
        assert!(tasks[index].done());
    }
}

/// Its first waker is replaced by one that is counted, which takes no poll.
#[test]
fn foreign_future_is_polled_once_where_it_first_waits() {
    let event_loop = EventLoop::with_virtual_time();
    let (polls, mut kept) = (Rc::new(Cell::new(0)), None);
    let counted = polls.clone();
    let task = event_loop.create_task(poll_fn(move |cx| {
        counted.set(counted.get() + 1);
        kept.get_or_insert_with(|| cx.waker().clone());
        Poll::<Result<()>>::Pending
    }));
    settle(&event_loop);
    assert_eq!(polls.get(), 1);
    drop(task);
}
