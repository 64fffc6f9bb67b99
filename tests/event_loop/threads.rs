//! Other threads: nothing they send is lost, each keeps its order, and no wake is missed.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use callsoon::{ErrorKind, EventLoop, Host, LoopHandle, Notify, Result};

use crate::support::on_drop::on_drop;
use crate::support::sockets::local_pair;

/// Beyond any pause that a machine makes, so that what waits as long waits for ever.
const FOR_EVER: Duration = Duration::from_secs(60);

#[test]
fn a_loop_handle_may_be_sent_and_shared() {
    fn is_send_and_sync<T: Send + Sync + 'static>() {}
    is_send_and_sync::<LoopHandle>();
    is_send_and_sync::<Waker>();
    is_send_and_sync::<Arc<dyn Notify>>();
}

/// The state that a thread shares with its task: it counts up and wakes, and sends numbers.
#[derive(Default)]
struct Line {
    counted: AtomicUsize,
    received: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

#[test]
fn million_calls_and_wakes_of_eight_threads_arrive_in_order() {
    const THREADS: usize = 3;
    const EACH: usize = 1_000_000 / 2 / THREADS;
    let event_loop = EventLoop::new();
    let mut tasks = Vec::new();
    let mut threads = Vec::new();
    for _ in 0..THREADS {
        let line = Arc::new(Line::default());
        let own = line.clone();
        let task = poll_fn(move |cx| {
            let mut kept = own.waker.lock().unwrap();
            if own.counted.load(SeqCst) == EACH && own.received.load(SeqCst) == EACH {
                return Poll::Ready(Ok(()));
            }
            *kept = Some(cx.waker().clone());
            Poll::Pending
        });
        tasks.push(event_loop.create_task(task).unwrap());
        let handle = event_loop.handle();
        threads.push(thread::spawn(move || sends_and_wakes(&handle, &line, EACH)));
    }
    event_loop
        .run_until_complete(async move {
            for task in tasks {
                task.await?;
            }
            Ok(())
        })
        .unwrap();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn sends_and_wakes(handle: &LoopHandle, line: &Arc<Line>, each: usize) {
    let wake = |line: &Line| {
        let waker = line.waker.lock().unwrap().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    };
    for n in 0..each {
        let own = line.clone();
        let receives = move || {
            let received = own.received.fetch_add(1, SeqCst);
            assert_eq!(received, n, "a call was overtaken or lost");
            if n + 1 == each {
                wake(&own);
            }
        };
        handle.call_soon_threadsafe(receives).unwrap();
        line.counted.fetch_add(1, SeqCst);
        wake(line);
    }
}

#[test]
fn calls_during_close_run_are_dropped_or_return_an_error() {
    const THREADS: usize = 4;
    #[derive(Default)]
    struct Counts {
        made: AtomicUsize,
        accepted: AtomicUsize,
        ran: AtomicUsize,
        dropped_on_the_loops_thread: AtomicUsize,
        dropped_elsewhere: AtomicUsize,
        closing: AtomicBool,
    }
    impl Counts {
        /// Waits while the threads are too far ahead of the loop, unless that closes.
        fn wait_for_loop(&self) {
            let ahead = || self.made.load(SeqCst).saturating_sub(self.ran.load(SeqCst)) > 1000;
            while ahead() && !self.closing.load(SeqCst) {
                thread::yield_now();
            }
        }
    }
    let home: ThreadId = thread::current().id();
    let dropped_unrun = Cell::new(0);
    for round in 0..200 {
        let event_loop = EventLoop::new();
        let counts = Arc::new(Counts::default());
        let begin = Arc::new(Barrier::new(THREADS + 1));
        let threads = [(); THREADS].map(|()| {
            let (handle, counts, begin) = (event_loop.handle(), counts.clone(), begin.clone());
            thread::spawn(move || {
                begin.wait();
                loop {
                    counts.wait_for_loop();
                    let (runs, drops) = (counts.clone(), counts.clone());
                    let captured = on_drop(move || {
                        let count = match thread::current().id() == home {
                            true => &drops.dropped_on_the_loops_thread,
                            false => &drops.dropped_elsewhere,
                        };
                        count.fetch_add(1, SeqCst);
                    });
                    counts.made.fetch_add(1, SeqCst);
                    let call = move || {
                        let _captured = captured;
                        runs.ran.fetch_add(1, SeqCst);
                    };
                    match handle.call_soon_threadsafe(call) {
                        Ok(()) => counts.accepted.fetch_add(1, SeqCst),
                        Err(error) => return assert_eq!(error.kind(), ErrorKind::Closed),
                    };
                }
            })
        });
        begin.wait();
        for _ in 0..round % 20 {
            event_loop.run_once(Some(FOR_EVER)).unwrap();
        }
        counts.closing.store(true, SeqCst);
        event_loop.close().unwrap();
        let ran = counts.ran.load(SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let accepted = counts.accepted.load(SeqCst);
        assert_eq!(counts.ran.load(SeqCst), ran, "one ran after the loop had closed");
        assert_eq!(counts.dropped_on_the_loops_thread.load(SeqCst), accepted);
        assert_eq!(counts.dropped_elsewhere.load(SeqCst), THREADS);
        assert_eq!(counts.made.load(SeqCst), accepted + THREADS);
        dropped_unrun.set(dropped_unrun.get() + accepted - ran);
    }
    assert!(dropped_unrun.get() > 0, "no call was on its way when a loop closed");
}

/// A turn takes what has been sent when it looks: it would never begin to run anything if it took
/// all that comes while it takes.
#[test]
fn threads_that_never_pause_keep_no_turn_from_its_end() {
    // By chance a loop may find nothing for a moment, and its turn end all the same.
    for _ in 0..4 {
        one_turn_among_threads_that_never_pause();
    }
}

/// They send until the turn has begun to run what it took. One that took what came meanwhile
/// would never begin.
fn one_turn_among_threads_that_never_pause() {
    const THREADS: usize = 3;
    const AT_FULL_SPEED: usize = 1000;
    let event_loop = EventLoop::new();
    let going = Arc::new(Barrier::new(THREADS + 1));
    let begun = Arc::new(AtomicBool::new(false));
    let begins = begun.clone();
    event_loop.handle().call_soon_threadsafe(move || begins.store(true, SeqCst)).unwrap();
    let threads = [(); THREADS].map(|()| {
        let (handle, going, begun) = (event_loop.handle(), going.clone(), begun.clone());
        thread::spawn(move || {
            let send = || handle.call_soon_threadsafe(|| ()).unwrap();
            (0..AT_FULL_SPEED).for_each(|_| send());
            going.wait();
            while !begun.load(SeqCst) {
                send();
            }
        })
    });
    going.wait();
    let ran = event_loop.run_once(None).unwrap();
    assert!(ran > THREADS * AT_FULL_SPEED, "{ran}");
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// In a parker, and once a socket is watched in the poller.
#[test]
fn a_sleeping_loop_misses_no_call() {
    for with_a_socket in [false, true] {
        let event_loop = EventLoop::new();
        let (ours, _theirs) = local_pair().unwrap();
        if with_a_socket {
            event_loop.add_reader(ours, || ()).unwrap();
        }
        let (ask, asked) = mpsc::channel::<()>();
        let handle = event_loop.handle();
        let answers = thread::spawn(move || {
            for () in asked {
                handle.call_soon_threadsafe(|| ()).unwrap();
            }
        });
        for round in 0..5000 {
            ask.send(()).unwrap();
            // A sleep may end for no reason; one that lasts for `FOR_EVER` has missed a call.
            let slept_from = event_loop.time();
            while event_loop.run_once(Some(FOR_EVER)).unwrap() == 0 {
                assert!(event_loop.time() - slept_from < FOR_EVER, "missed in round {round}");
            }
        }
        drop(ask);
        answers.join().unwrap();
    }
}

#[test]
fn dropping_the_last_handle_ends_a_sleep_with_an_error() {
    for with_others in [false, true] {
        let event_loop = EventLoop::new();
        let handle = event_loop.handle();
        let other = with_others.then(|| handle.clone());
        let (began, begin) = mpsc::channel();
        event_loop.call_soon(move || began.send(()).unwrap()).unwrap();
        let drops = thread::spawn(move || {
            begin.recv().unwrap();
            drop(other);
            drop(handle);
        });
        assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
        drops.join().unwrap();
    }
}

/// A machine that notes whether a sleep of its own has lasted 20 seconds without a notification.
#[derive(Clone, Default)]
struct Bed(Arc<(Mutex<bool>, Condvar)>, Arc<AtomicBool>);

impl Host for Bed {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, _: Option<Duration>) -> Result<()> {
        let (rung, bell) = &*self.0;
        let rung = rung.lock().unwrap();
        let a_while = Duration::from_secs(20);
        let (mut rung, timeout) = bell.wait_timeout_while(rung, a_while, |rung| !*rung).unwrap();
        self.1.fetch_or(timeout.timed_out(), SeqCst);
        *rung = false;
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(self.clone())
    }
}

impl Notify for Bed {
    fn notify(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// The handle goes at the very moment at which the loop falls asleep because of it.
#[test]
fn the_last_handle_may_go_just_when_the_loop_falls_asleep() {
    const ROUNDS: usize = 100_000;
    let next: Arc<Mutex<Option<LoopHandle>>> = Arc::default();
    let (round, given) = (Arc::new(AtomicUsize::new(0)), next.clone());
    let current = round.clone();
    let drops = thread::spawn(move || {
        for n in 1..=ROUNDS {
            while current.load(SeqCst) < n {
                // On one processor the other thread gets no further while this one spins.
                thread::yield_now();
            }
            if current.load(SeqCst) > n {
                return;
            }
            let handle = given.lock().unwrap().take();
            for _ in 0..n % 8 {
                std::hint::spin_loop();
            }
            drop(handle);
        }
    });
    let bed = Bed::default();
    let event_loop = EventLoop::with_host(bed.clone());
    let mut missed = None;
    for n in 1..=ROUNDS {
        *next.lock().unwrap() = Some(event_loop.handle());
        round.store(n, SeqCst);
        while event_loop.run_once(None).is_ok() {}
        if bed.1.load(SeqCst) {
            missed = Some(n);
            round.store(usize::MAX, SeqCst);
            break;
        }
    }
    drops.join().unwrap();
    assert_eq!(missed, None, "asleep with no caller left");
}

/// A program may have a protocol of its own that unparks the loop's thread before that parks.
#[test]
fn sleep_leaves_the_token_of_the_loops_thread_to_the_program() {
    let event_loop = EventLoop::new();
    thread::current().unpark();
    assert_eq!(event_loop.run_once(Some(Duration::from_nanos(1))).unwrap(), 0);
    let parked = Instant::now();
    thread::park_timeout(FOR_EVER);
    assert!(parked.elapsed() < FOR_EVER, "the loop has taken the token");
}
