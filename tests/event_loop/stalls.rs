//! `Stalled` comes back once no waker of a foreign future is left that could wake anything.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::mem;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use callsoon::{
    Error, ErrorKind, Event, EventLoop, Result, Task, create_task, timeout, wrap_future, yield_now,
};

use crate::machine::Machine;

const GONE: &str = "the loop sleeps though no waker is left";

/// Ready once it was opened. Keeps the waker of its last poll.
#[derive(Clone, Default)]
struct Gate(Rc<RefCell<(bool, Option<Waker>)>>);

impl Gate {
    fn open(&self) {
        self.0.borrow_mut().0 = true;
        if let Some(waker) = self.take_waker() {
            waker.wake();
        }
    }

    fn take_waker(&self) -> Option<Waker> {
        self.0.borrow_mut().1.take()
    }

    async fn passed(self) -> Result<()> {
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            if state.0 {
                return Poll::Ready(Ok(()));
            }
            let old = state.1.replace(cx.waker().clone());
            drop(state);
            drop(old);
            Poll::Pending
        })
        .await
    }
}

/// Runs `main` and then waits for what can't come. The machine panics where the loop would sleep for
/// ever.
fn stalls_after(main: impl Future<Output = Result<()>> + 'static) {
    let (_machine, event_loop) = Machine::with_loop();
    let ended = event_loop.run_until_complete(async move {
        main.await?;
        never().await
    });
    is_stalled(ended);
}

fn is_stalled<T: std::fmt::Debug>(ended: Result<T>) {
    let error: Error = ended.expect_err("nothing could end it");
    assert_eq!(error.kind(), ErrorKind::Stalled, "{GONE}: {error}");
}

/// A task of `event_loop` that waits at a foreign future.
fn parked(event_loop: &EventLoop, gate: &Gate) -> Task<()> {
    let gate = gate.clone();
    let task = event_loop.create_task(gate.passed()).unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    task
}

#[test]
fn stalled_comes_back_after_a_foreign_future_has_ended() {
    stalls_after(async {
        let gate = Gate::default();
        let opens = gate.clone();
        create_task(async move {
            yield_now().await?;
            opens.open();
            Ok(())
        });
        gate.passed().await
    });
}

#[test]
fn stalled_comes_back_after_a_scope_dropped_its_body() {
    stalls_after(async {
        let gate = Gate::default();
        let late = timeout(Duration::from_secs(1), async |_| gate.passed().await).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Timeout);
        Ok(())
    });
}

#[test]
fn stalled_comes_back_where_the_future_keeps_no_waker_any_more() {
    stalls_after(async {
        poll_fn(|cx| {
            drop(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
        let mut kept = None;
        poll_fn(|cx| match kept.replace(cx.waker().clone()) {
            Some(_) => Poll::Ready(()),
            None => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
        drop(kept.take());
        pending().await
    });
}

#[test]
fn stalled_comes_back_when_the_only_waker_is_dropped() {
    let (_machine, event_loop) = Machine::with_loop();
    let gate = Gate::default();
    let task = parked(&event_loop, &gate);
    drop(gate.take_waker().expect("the task has left one"));
    is_stalled(event_loop.run_until_complete(task.clone()));
    assert!(!task.done());
}

#[test]
fn stalled_comes_back_when_another_thread_drops_the_waker() {
    let (machine, event_loop) = Machine::with_loop();
    let gate = Gate::default();
    let task = parked(&event_loop, &gate);
    let waker = gate.take_waker().expect("the task has left one");
    // The loop sleeps meanwhile.
    machine.arrives(move || thread::spawn(move || drop(waker)).join().unwrap());
    is_stalled(event_loop.run_until_complete(task));
    assert_eq!(machine.take_waits().iter().filter(|wait| wait.is_none()).count(), 1);
}

#[test]
fn stalled_returns_when_the_last_of_several_wakers_is_dropped() {
    let (machine, event_loop) = Machine::with_loop();
    let gates = [(); 3].map(|()| Gate::default());
    let tasks = gates.each_ref().map(|gate| parked(&event_loop, gate));
    for gate in gates {
        let waker = gate.take_waker().unwrap();
        let clones = [waker.clone(), waker];
        for clone in clones {
            machine.arrives(move || drop(clone));
        }
    }
    is_stalled(event_loop.run_until_complete(never()));
    assert!(tasks.iter().all(|task| !task.done()));
    assert_eq!(machine.take_waits().iter().filter(|wait| wait.is_none()).count(), 6);
}

/// Waits for what can't come.
async fn never() -> Result<()> {
    Event::new().wait().await
}

#[test]
fn a_waker_that_is_kept_keeps_the_loop_asleep() {
    let (machine, event_loop) = Machine::with_loop();
    let gate = Gate::default();
    let task = parked(&event_loop, &gate);
    let opens = gate.clone();
    machine.arrives(move || opens.open());
    event_loop.run_until_complete(task).unwrap();
}

#[test]
fn a_wake_that_came_before_the_drop_of_the_waker_is_not_lost() {
    let (machine, event_loop) = Machine::with_loop();
    let gate = Gate::default();
    let task = parked(&event_loop, &gate);
    let waker = gate.take_waker().unwrap();
    let opens = gate.clone();
    machine.arrives(move || {
        opens.open();
        thread::spawn(move || waker.wake()).join().unwrap();
    });
    event_loop.run_until_complete(task).unwrap();
    is_stalled(event_loop.run_until_complete(never()));
}

/// On the machine's own poller, which the drop has to end a wait of.
#[test]
fn stalled_comes_back_when_a_thread_wakes_a_sleeper_by_a_drop() {
    let event_loop = EventLoop::new();
    for _ in 0..20 {
        let gate = Gate::default();
        let task = parked(&event_loop, &gate);
        let waker = gate.take_waker().expect("the task has left one");
        let thread = thread::spawn(move || drop(waker));
        is_stalled(event_loop.run_until_complete(task));
        thread.join().unwrap();
    }
}

#[test]
fn stalled_comes_back_behind_wrap_future() {
    let (machine, event_loop) = Machine::with_loop();
    let gate = Gate::default();
    let awaited = gate.clone();
    let task = event_loop.create_task(async { wrap_future(awaited.passed()).await? }).unwrap();
    machine.arrives(move || drop(gate.take_waker()));
    is_stalled(event_loop.run_until_complete(task));
}

/// A waker that was forgotten may be anywhere, as far as its task can know.
#[test]
fn forgotten_waker_keeps_the_loop_asleep_until_its_task_ends() {
    let (machine, event_loop) = Machine::with_loop();
    let gate = Gate::default();
    let task = parked(&event_loop, &gate);
    mem::forget(gate.take_waker());
    let cancelled = task.clone();
    machine.arrives(move || _ = cancelled.cancel());
    assert!(event_loop.run_until_complete(task).unwrap_err().is_cancelled());
    assert_eq!(machine.take_waits(), [None]);
    is_stalled(event_loop.run_until_complete(never()));
}
