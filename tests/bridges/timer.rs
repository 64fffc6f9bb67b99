//! hyper's timer on a loop's clock.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use callsoon::bridges::{LoopSleep, LoopTimer};
use callsoon::{EventLoop, create_task, run_on, running_loop, wrap_future};
use hyper::rt::{Sleep, Timer};

use crate::run::{run, settle};
use crate::support::panics::panic_of;
use crate::support::trace::Trace;

const SECOND: Duration = Duration::from_secs(1);

fn pending_timers() -> usize {
    running_loop().unwrap().pending_timers()
}

fn seconds() -> u64 {
    running_loop().unwrap().time().as_secs()
}

async fn poll_once(sleep: &mut Pin<Box<dyn Sleep>>) -> Poll<()> {
    poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await
}

#[test]
fn it_is_what_hyper_asks_for() {
    fn goes_anywhere<T: Send + Sync + 'static>() {}
    goes_anywhere::<LoopTimer>();
    goes_anywhere::<LoopSleep>();
}

#[test]
fn a_sleep_takes_its_time_on_the_loops_clock() {
    run(async {
        let timer = LoopTimer::new();
        let began = timer.now();
        timer.sleep(5 * SECOND).await;
        assert_eq!((seconds(), timer.now() - began), (5, 5 * SECOND));
        timer.sleep_until(began + 7 * SECOND).await;
        assert_eq!(seconds(), 7);
        // Before the timer was made, too.
        timer.sleep_until(began).await;
        timer.sleep_until(began - SECOND).await;
        timer.sleep(Duration::ZERO).await;
        assert_eq!((seconds(), pending_timers()), (7, 0));
        Ok(())
    });
}

#[test]
fn its_clock_is_the_machines_where_the_loops_is() {
    callsoon::run(async {
        let before = Instant::now();
        let timer = LoopTimer::new();
        assert!(before <= timer.now() && timer.now() <= Instant::now());
        Ok(())
    })
    .unwrap();
}

#[test]
fn sleeps_due_at_one_time_end_in_the_order_of_their_start() {
    run(async {
        let (timer, trace) = (LoopTimer::new(), Trace::new());
        let mut tasks = Vec::new();
        for (name, delay) in [("c", 2), ("a", 1), ("b", 1)] {
            let says = trace.clone();
            tasks.push(create_task(async move {
                timer.sleep(delay * SECOND).await;
                says.push(name);
                Ok(())
            }));
        }
        for task in tasks {
            task.await?;
        }
        trace.expect(["a", "b", "c"]);
        Ok(())
    });
}

#[test]
fn a_reset_moves_the_deadline_either_way_and_leaves_no_timer() {
    run(async {
        let timer = LoopTimer::new();
        let began = timer.now();
        let mut sleep = timer.sleep(5 * SECOND);
        assert!(poll_once(&mut sleep).await.is_pending());
        timer.reset(&mut sleep, began + 10 * SECOND);
        assert_eq!(pending_timers(), 0);
        assert!(poll_once(&mut sleep).await.is_pending());
        timer.reset(&mut sleep, began + 3 * SECOND);
        assert!(poll_once(&mut sleep).await.is_pending());
        assert_eq!(pending_timers(), 1);
        sleep.as_mut().await;
        assert_eq!((seconds(), pending_timers()), (3, 0));
        // One that is over may be used again.
        timer.reset(&mut sleep, began + 4 * SECOND);
        sleep.await;
        assert_eq!(seconds(), 4);
        Ok(())
    });
}

/// A sleep of another crate, which a reset has to replace.
struct Never;

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sleep for Never {}

#[test]
fn a_reset_of_a_foreign_sleep_puts_its_own_there() {
    run(async {
        let timer = LoopTimer::new();
        let mut sleep: Pin<Box<dyn Sleep>> = Box::pin(Never);
        timer.reset(&mut sleep, timer.now() + SECOND);
        sleep.await;
        assert_eq!(seconds(), 1);
        Ok(())
    });
}

#[test]
fn a_dropped_sleep_takes_its_timer_back() {
    run(async {
        let timer = LoopTimer::new();
        let mut sleep = timer.sleep(SECOND);
        assert_eq!(pending_timers(), 0);
        assert!(poll_once(&mut sleep).await.is_pending());
        assert_eq!(pending_timers(), 1);
        drop(sleep);
        assert_eq!(pending_timers(), 0);
        Ok(())
    });
}

/// It is not taken for one of those that the other thread has.
#[test]
fn sleep_dropped_on_another_thread_is_forgotten_when_due() {
    run(async {
        let timer = LoopTimer::new();
        let mut sleep = timer.sleep(SECOND);
        assert!(poll_once(&mut sleep).await.is_pending());
        let elsewhere = thread::spawn(move || {
            run(async move {
                let mut own = LoopTimer::new().sleep(SECOND);
                assert!(poll_once(&mut own).await.is_pending());
                drop(sleep);
                assert_eq!(pending_timers(), 1);
                own.await;
                Ok(seconds())
            })
        });
        assert_eq!(elsewhere.join().unwrap(), 1);
        assert_eq!(pending_timers(), 1);
        callsoon::sleep(2 * SECOND).await?;
        assert_eq!(pending_timers(), 0);
        Ok(())
    });
}

struct Says(Trace, &'static str);

impl Wake for Says {
    fn wake(self: Arc<Self>) {
        self.0.push(self.1);
    }
}

#[test]
fn sleep_wakes_the_waker_of_the_last_poll() {
    run(async {
        let (timer, trace) = (LoopTimer::new(), Trace::new());
        let mut sleep = timer.sleep(SECOND);
        for name in ["first", "last"] {
            let waker = Waker::from(Arc::new(Says(trace.clone(), name)));
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        callsoon::sleep(SECOND).await?;
        trace.expect(["last"]);
        assert!(poll_once(&mut sleep).await.is_ready());
        Ok(())
    });
}

/// The callback of its timer runs in the same turn, after the drop, and must wake no other sleep.
#[test]
fn sleep_dropped_when_due_wakes_no_waker() {
    run(async {
        let (timer, trace) = (LoopTimer::new(), Trace::new());
        let says = trace.clone();
        let start = move |name| {
            let mut sleep = timer.sleep(SECOND);
            let waker = Waker::from(Arc::new(Says(says.clone(), name)));
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            sleep
        };
        let kept = Rc::new(RefCell::new(None));
        let (keeps, starts) = (kept.clone(), start.clone());
        running_loop()?.call_later(SECOND, move || {
            drop(keeps.take());
            *keeps.borrow_mut() = Some(starts("second"));
        })?;
        *kept.borrow_mut() = Some(start("first"));
        callsoon::sleep(SECOND + SECOND / 2).await?;
        trace.expect_nothing();
        assert_eq!(pending_timers(), 1);
        callsoon::sleep(SECOND).await?;
        trace.expect(["second"]);
        Ok(())
    });
}

#[test]
fn a_cancel_reaches_a_wrapped_sleep_and_drops_a_bare_one() {
    run(async {
        let (timer, trace) = (LoopTimer::new(), Trace::new());
        let says = trace.clone();
        let wrapped = create_task(async move {
            let outcome = wrap_future(timer.sleep(SECOND)).await;
            says.push(format!("wrapped: {outcome:?}"));
            outcome
        });
        let says = trace.clone();
        let bare = create_task(async move {
            timer.sleep(SECOND).await;
            says.push("never seen");
            Ok(())
        });
        settle().await?;
        assert_eq!(pending_timers(), 2);
        assert!(wrapped.cancel() && bare.cancel());
        settle().await?;
        assert!(wrapped.cancelled() && bare.cancelled());
        trace.expect(["wrapped: Err(CancelledError())"]);
        assert_eq!(pending_timers(), 0);
        Ok(())
    });
}

#[test]
fn timer_without_a_running_loop_panics_with_a_reason() {
    let timer = LoopTimer::new();
    let message = "a LoopTimer is used where no loop runs";
    assert_eq!(panic_of(|| assert!(timer.now() < Instant::now())), message);
    assert_eq!(panic_of(|| drop(timer.sleep(SECOND))), message);
    assert_eq!(panic_of(|| drop(timer.sleep_until(Instant::now()))), message);
    let mut sleep = run_on(&EventLoop::with_virtual_time(), async move {
        Ok(Rc::new(RefCell::new(timer.sleep(SECOND))))
    })
    .unwrap();
    let polls = || {
        let mut context = Context::from_waker(Waker::noop());
        let _ = sleep.borrow_mut().as_mut().poll(&mut context);
    };
    assert_eq!(panic_of(polls), message);
    let sleep = Rc::get_mut(&mut sleep).unwrap().replace(Box::pin(Never));
    assert!(
        thread::spawn(move || run(async {
            let _: () = sleep.await;
            Ok(())
        }))
        .join()
        .is_err()
    );
}

#[test]
fn timer_made_before_the_loop_is_the_timer_of_each_loop() {
    let timer = LoopTimer::new();
    let measures = move || {
        run(async move {
            let before = timer.now();
            timer.sleep(5 * SECOND).await;
            assert_eq!((seconds(), timer.now() - before), (5, 5 * SECOND));
            LoopTimer::new().sleep_until(before + 6 * SECOND).await;
            assert_eq!(seconds(), 6);
            Ok(())
        });
    };
    measures();
    thread::spawn(measures).join().unwrap();
}
