//! Memory that is held, for each of `n`.

use std::{
    cell::Cell,
    future::poll_fn,
    hint::black_box,
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use super::{
    settled::{count_up, settled},
    timers::times,
};
use crate::{
    measure::{Figures, resident},
    rt::{Rt, wake_self},
};

fn since(before: u64, n: u64) -> Figures {
    let more = resident().saturating_sub(before);
    vec![("resident bytes", more as f64 / n as f64)]
}

/// Further away than the measurement takes.
fn far_times(n: u64) -> impl Iterator<Item = Instant> {
    times(n, Instant::now() + Duration::from_secs(100), Duration::from_secs(10))
}

/// A parked task without handle. Its future holds a number, an `Rc` and, as whatever it awaits
/// would, its own waker: 40 bytes with its state.
pub(super) async fn parked_task<R: Rt>(h: R::H, n: u64) -> Figures {
    let before = resident();
    let started = Rc::new(Cell::new(0));
    for i in 0..n {
        let started = started.clone();
        R::detach(R::spawn(h, async move {
            count_up(&started);
            let mut own: Option<Waker> = None;
            poll_fn(move |cx| {
                own.replace(cx.waker().clone());
                black_box(&own);
                Poll::<()>::Pending
            })
            .await;
            black_box(i);
            drop(started);
        }));
    }
    settled::<R>(h, &started, n).await;
    since(before, n)
}

/// A pending timer in no task, and its handle.
pub(super) async fn pending_timer<R: Rt>(h: R::H, n: u64) -> Figures {
    let before = resident();
    let timers = R::start_timers(h, n, far_times(n)).await;
    wake_self().await;
    let figures = since(before, n);
    drop(timers);
    figures
}

/// A task without handle, asleep.
pub(super) async fn sleeping_task<R: Rt>(h: R::H, n: u64) -> Figures {
    let before = resident();
    let started = Rc::new(Cell::new(0));
    for at in far_times(n) {
        R::detach(R::spawn_asleep(h, started.clone(), at, ()));
    }
    settled::<R>(h, &started, n).await;
    since(before, n)
}
