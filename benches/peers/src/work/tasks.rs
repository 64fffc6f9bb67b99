//! Tasks, and how they hand over to each other.

use std::{cell::Cell, rc::Rc};

use futures_channel::oneshot;

use super::settled::{count_up, settled};
use crate::{
    measure::{Figures, Repeat, Repetitions, cpu_time, each_cpu},
    rt::{Rt, wake_self},
};

/// `n` tasks that return a value; each is awaited.
pub(super) async fn spawn_join<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let start = cpu_time();
        let tasks: Vec<_> = (0..n).map(|i| R::spawn(h, async move { i })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        all.push(each_cpu(start, n));
        assert_eq!(sum, n * (n - 1) / 2);
    }
    vec![("ns", all.median())]
}

/// `n` tasks in turns, of which each wakes itself: about a million turns in all.
pub(super) async fn self_wake<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    ring::<R, _>(h, n, repeat, wake_self).await
}

/// The same with what the runtime offers to yield.
pub(super) async fn yield_ring<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    ring::<R, _>(h, n, repeat, R::give_way).await
}

async fn ring<R: Rt, Y: Future<Output = ()> + 'static>(
    h: R::H,
    n: u64,
    repeat: Repeat,
    give_way: fn() -> Y,
) -> Figures {
    let turns = match repeat {
        Repeat::Once => 1000,
        Repeat::Enough => (1_000_000 / n).max(1),
    };
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let (started, open) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let ring = |_| {
            let (started, open) = (started.clone(), open.clone());
            R::spawn(h, async move {
                count_up(&started);
                while !open.get() {
                    wake_self().await
                }
                for _ in 0..turns {
                    give_way().await
                }
            })
        };
        let tasks: Vec<_> = (0..n).map(ring).collect();
        settled::<R>(h, &started, n).await;
        open.set(true);
        let start = cpu_time();
        for task in tasks {
            task.await
        }
        all.push(each_cpu(start, n * turns));
    }
    vec![("ns", all.median())]
}

/// Each of `n` tasks awaits the one before; from the first's end to the last's.
pub(super) async fn wake_chain<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let started = Rc::new(Cell::new(0));
        let (open, gate) = oneshot::channel::<u64>();
        let counter = started.clone();
        let mut last = R::spawn(h, async move {
            count_up(&counter);
            gate.await.unwrap()
        });
        for _ in 1..n {
            let (counter, before) = (started.clone(), last);
            last = R::spawn(h, async move {
                count_up(&counter);
                before.await + 1
            });
        }
        settled::<R>(h, &started, n).await;
        let start = cpu_time();
        open.send(1).unwrap();
        assert_eq!(last.await, n);
        all.push(each_cpu(start, n));
    }
    vec![("ns", all.median())]
}

/// `n` messages between two tasks, there and back over two channels.
pub(super) async fn ping_pong<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let (there, mut asked) = R::channel::<u64>();
        let (answer, mut back) = R::channel::<u64>();
        let start = cpu_time();
        let asks = R::spawn(h, async move {
            for i in 0..n / 2 {
                R::send(&there, i);
                R::recv(&mut back).await;
            }
        });
        let answers = R::spawn(h, async move {
            for _ in 0..n / 2 {
                let i = R::recv(&mut asked).await;
                R::send(&answer, i);
            }
        });
        asks.await;
        answers.await;
        all.push(each_cpu(start, n));
    }
    vec![("ns", all.median())]
}

/// `n` callbacks.
pub(super) async fn call_soon<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let start = cpu_time();
        R::call_soon(h, n).await;
        all.push(each_cpu(start, n));
    }
    vec![("ns", all.median())]
}

/// One after the other: a task that yields once, with a limit of ten seconds.
pub(super) async fn with_timeout<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let start = cpu_time();
        for i in 0..n {
            assert_eq!(R::with_timeout(h, i).await, i);
        }
        all.push(each_cpu(start, n));
    }
    vec![("ns", all.median())]
}

/// The results of `n` tasks that yield once, as they finish.
pub(super) async fn stream_results<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let start = cpu_time();
        assert_eq!(R::stream_results(h, n).await, n * (n - 1) / 2);
        all.push(each_cpu(start, n));
    }
    vec![("ns", all.median())]
}

/// `n` tasks held together, of which the i-th ends i turns later.
pub(super) async fn hold<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let start = cpu_time();
        R::hold(h, n).await;
        all.push(each_cpu(start, n));
    }
    vec![("ns", all.median())]
}
