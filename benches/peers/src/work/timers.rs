//! Timers, in tasks and outside of any. The waits between cost only what is done in them.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use super::settled::{count_up, settled};
use crate::{
    measure::{Figures, Random, Repeat, Repetitions, cpu_time, each_cpu},
    rt::{Rt, Timers},
};

const TURN: Duration = Duration::from_millis(1);

/// `n` times from `start` on, spread over `span` without order.
pub(super) fn times(n: u64, start: Instant, span: Duration) -> impl Iterator<Item = Instant> {
    let mut random = Random::new();
    (0..n).map(move |_| start + Duration::from_nanos(random.next() % span.as_nanos() as u64))
}

/// Far enough away that none is due before all are cancelled.
fn far_times(n: u64) -> impl Iterator<Item = Instant> {
    times(n, Instant::now() + Duration::from_millis(500), Duration::from_secs(10))
}

/// When the first is due: when all have been started.
fn first_due(n: u64) -> Instant {
    Instant::now() + Duration::from_micros(n)
}

const WINDOW: Duration = Duration::from_millis(50);

/// Lets the reactor turn, so that it takes in what it was told.
async fn turn<R: Rt>(h: R::H) {
    R::sleep_until(h, Instant::now() + TURN).await
}

/// `n` timers are started and, a turn later, cancelled.
pub(super) async fn cancel<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let (mut starts, mut cancels) = (Repetitions::new(repeat), Repetitions::new(repeat));
    let mut all = Repetitions::new(repeat);
    while all.more() {
        let start = cpu_time();
        let timers = R::start_timers(h, n, far_times(n)).await;
        turn::<R>(h).await;
        starts.push(each_cpu(start, n));
        let started = cpu_time();
        drop(timers);
        turn::<R>(h).await;
        cancels.push(each_cpu(started, n));
        all.push(each_cpu(start, n));
    }
    vec![("ns", all.median()), ("start", starts.median()), ("cancel", cancels.median())]
}

/// `n` timers that fire within 50 ms.
pub(super) async fn fire<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let (mut all, mut late) = (Repetitions::new(repeat), Repetitions::new(repeat));
    while all.more() {
        let start = cpu_time();
        let first = first_due(n);
        R::start_timers(h, n, times(n, first, WINDOW)).await.fired().await;
        all.push(each_cpu(start, n));
        late.push(lateness(first));
    }
    vec![("ns", all.median()), ("late ms", late.median())]
}

/// Lateness of the last, in milliseconds after it was due.
fn lateness(first: Instant) -> f64 {
    Instant::now().saturating_duration_since(first + WINDOW).as_secs_f64() * 1e3
}

struct OnDrop(Rc<Cell<u64>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        count_up(&self.0)
    }
}

/// `n` tasks are asleep, and all are cancelled.
pub(super) async fn sleep_cancel<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let (mut cancels, mut all) = (Repetitions::new(repeat), Repetitions::new(repeat));
    while all.more() {
        let start = cpu_time();
        let (started, gone) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let tasks: Vec<_> = far_times(n)
            .map(|at| R::spawn_asleep(h, started.clone(), at, OnDrop(gone.clone())))
            .collect();
        settled::<R>(h, &started, n).await;
        turn::<R>(h).await;
        let asleep = cpu_time();
        for task in tasks {
            R::cancel(task)
        }
        settled::<R>(h, &gone, n).await;
        turn::<R>(h).await;
        cancels.push(each_cpu(asleep, n));
        all.push(each_cpu(start, n));
    }
    vec![("ns", all.median()), ("cancel", cancels.median())]
}

/// `n` tasks sleep for up to 50 ms, and each is awaited.
pub(super) async fn sleep_fire<R: Rt>(h: R::H, n: u64, repeat: Repeat) -> Figures {
    let (mut all, mut late) = (Repetitions::new(repeat), Repetitions::new(repeat));
    while all.more() {
        let start = cpu_time();
        let (first, started) = (first_due(n), Rc::new(Cell::new(0)));
        let tasks: Vec<_> =
            times(n, first, WINDOW).map(|at| R::spawn_asleep(h, started.clone(), at, ())).collect();
        for task in tasks {
            task.await
        }
        all.push(each_cpu(start, n));
        late.push(lateness(first));
    }
    vec![("ns", all.median()), ("late ms", late.median())]
}
