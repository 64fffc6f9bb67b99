//! The workloads, each written once over [`Rt`]. Each returns named figures (ns per operation
//! unless its name says otherwise).

use crate::{
    measure::{Reps, Rng, allocated, cpu_ns, rss},
    rt::{Rt, Timers, generic_yield},
};
use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

pub type Figures = Vec<(&'static str, f64)>;

pub const NAMES: &[&str] = &[
    "spawn_join",
    "yield_ring",
    "yield_native",
    "wake_chain",
    "ping_pong",
    "timer_raw_cancel",
    "timer_raw_fire",
    "timer_task_cancel",
    "timer_task_fire",
    "offload_latency",
    "offload_pipelined",
    "stream_results",
    "with_timeout",
    "hold",
    "call_soon",
    "mem_tasks",
    "mem_timers",
    "mem_sleeping_tasks",
];

pub fn run<R: Rt>(workload: &str, n: u64, once: bool) -> Option<Figures> {
    Some(match workload {
        "spawn_join" => R::run(move |h| spawn_join::<R>(h, n, once)),
        "yield_ring" if R::FAIR_YIELD => R::run(move |h| yield_ring::<R>(h, n, once, false)),
        "yield_native" if R::FAIR_YIELD => R::run(move |h| yield_ring::<R>(h, n, once, true)),
        "wake_chain" => R::run(move |h| wake_chain::<R>(h, n, once)),
        "ping_pong" if R::HAS_CHANNEL => R::run(move |h| ping_pong::<R>(h, n, once)),
        "timer_raw_cancel" if R::HAS_TIMERS => R::run(move |h| timer_raw_cancel::<R>(h, n, once)),
        "timer_raw_fire" if R::HAS_TIMERS => R::run(move |h| timer_raw_fire::<R>(h, n)),
        "timer_task_cancel" if R::HAS_TIMERS && R::CAN_CANCEL => {
            R::run(move |h| timer_task_cancel::<R>(h, n, once))
        }
        "timer_task_fire" if R::HAS_TIMERS => R::run(move |h| timer_task_fire::<R>(h, n)),
        "offload_latency" if R::HAS_OFFLOAD => R::run(move |h| offload_latency::<R>(h, n, once)),
        "offload_pipelined" if R::HAS_OFFLOAD => {
            R::run(move |h| offload_pipelined::<R>(h, n, once))
        }
        "stream_results" => R::run(move |h| stream_results::<R>(h, n, once)),
        "with_timeout" if R::HAS_TIMERS => R::run(move |h| with_timeout::<R>(h, n, once)),
        "hold" => R::run(move |h| hold::<R>(h, n, once)),
        "call_soon" if R::HAS_CALL_SOON => R::run(move |h| call_soon::<R>(h, n, once)),
        "mem_tasks" => R::run(move |h| mem_tasks::<R>(h, n)),
        "mem_timers" if R::HAS_TIMERS => R::run(move |h| mem_timers::<R>(h, n)),
        "mem_sleeping_tasks" if R::HAS_TIMERS => R::run(move |h| mem_sleeping_tasks::<R>(h, n)),
        _ => return None,
    })
}

fn per(t: Instant, n: u64) -> f64 {
    t.elapsed().as_nanos() as f64 / n as f64
}

/// Yield until `count` says that every task has had its first poll.
async fn settled<R: Rt>(h: R::H, count: &Cell<u64>, n: u64) {
    while count.get() < n {
        if R::FAIR_YIELD { generic_yield().await } else { R::spawn(h, async {}).await }
    }
}

async fn spawn_join<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let mut reps = Reps::new(once);
    while reps.more() {
        let t = Instant::now();
        let handles: Vec<_> = (0..n).map(|i| R::spawn(h, async move { i })).collect();
        let mut acc = 0;
        for j in handles {
            acc += j.await;
        }
        reps.push(per(t, n));
        assert_eq!(acc, n * (n - 1) / 2);
    }
    vec![("ns", reps.median())]
}

/// `k` tasks, about a million yields in all.
async fn yield_ring<R: Rt>(h: R::H, k: u64, once: bool, native: bool) -> Figures {
    let m = if once { 1000 } else { (1_000_000 / k).max(1) };
    let mut reps = Reps::new(once);
    while reps.more() {
        let started = Rc::new(Cell::new(0));
        let gate = Rc::new(Cell::new(false));
        let handles: Vec<_> = (0..k)
            .map(|_| {
                let (started, gate) = (started.clone(), gate.clone());
                R::spawn(h, async move {
                    started.set(started.get() + 1);
                    while !gate.get() {
                        generic_yield().await
                    }
                    for _ in 0..m {
                        if native { R::native_yield().await } else { generic_yield().await }
                    }
                })
            })
            .collect();
        settled::<R>(h, &started, k).await;
        gate.set(true);
        let t = Instant::now();
        for j in handles {
            j.await
        }
        reps.push(per(t, k * m));
    }
    vec![("ns", reps.median())]
}

/// Task i awaits the handle of task i-1; timed from the opening of the gate to the last one.
async fn wake_chain<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let mut reps = Reps::new(once);
    while reps.more() {
        let started = Rc::new(Cell::new(0));
        let (tx, rx) = futures_channel::oneshot::channel::<u64>();
        let s = started.clone();
        let mut prev = R::spawn(h, async move {
            s.set(s.get() + 1);
            rx.await.unwrap()
        });
        for _ in 1..n {
            let s = started.clone();
            prev = R::spawn(h, async move {
                s.set(s.get() + 1);
                prev.await + 1
            });
        }
        settled::<R>(h, &started, n).await;
        let t = Instant::now();
        tx.send(1).unwrap();
        assert_eq!(prev.await, n);
        reps.push(per(t, n));
    }
    vec![("ns", reps.median())]
}

/// ns per message (two messages a round trip).
async fn ping_pong<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let mut reps = Reps::new(once);
    while reps.more() {
        let (atx, mut arx) = R::channel::<u64>();
        let (btx, mut brx) = R::channel::<u64>();
        let t = Instant::now();
        let a = R::spawn(h, async move {
            for i in 0..n / 2 {
                R::send(&atx, i);
                R::recv(&mut brx).await;
            }
        });
        let b = R::spawn(h, async move {
            for _ in 0..n / 2 {
                let v = R::recv(&mut arx).await;
                R::send(&btx, v);
            }
        });
        a.await;
        b.await;
        reps.push(per(t, n));
    }
    vec![("ns", reps.median())]
}

fn deadlines(n: u64, span: Duration) -> impl Iterator<Item = Duration> {
    let mut r = Rng(0x9e3779b97f4a7c15);
    let span = span.as_nanos() as u64;
    (0..n).map(move |_| Duration::from_nanos(r.next() % span))
}

/// Register n boxed timers (0.5..10.5 s), sleep 1 ms so that the reactor turns and takes them in,
/// drop them all, sleep 1 ms again. Process CPU time, so the sleeps cost only their own work.
async fn timer_raw_cancel<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let (mut ins, mut del, mut all) = (Reps::new(once), Reps::new(once), Reps::new(once));
    let ms = Duration::from_millis(1);
    while all.more() {
        let (t, c) = (Instant::now(), cpu_ns());
        let due = deadlines(n, Duration::from_secs(10)).map(|d| t + Duration::from_millis(500) + d);
        let v = R::start_timers(h, n, due).await;
        R::sleep_until(h, Instant::now() + ms).await;
        let c2 = cpu_ns();
        drop(v);
        R::sleep_until(h, Instant::now() + ms).await;
        let c3 = cpu_ns();
        ins.push((c2 - c) as f64 / n as f64);
        del.push((c3 - c2) as f64 / n as f64);
        all.push((c3 - c) as f64 / n as f64);
    }
    vec![("ns", all.median()), ("insert", ins.median()), ("cancel", del.median())]
}

/// Time enough to register them all before the first is due.
fn lead(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// Register n boxed timers, due in one window of 50 ms, wait for all. Process CPU time.
async fn timer_raw_fire<R: Rt>(h: R::H, n: u64) -> Figures {
    let mut reps = Reps::new(false);
    let mut late = vec![];
    let lead = lead(n);
    while reps.more() {
        let (c, t) = (cpu_ns(), Instant::now());
        let due = deadlines(n, Duration::from_millis(50)).map(|d| t + lead + d);
        R::start_timers(h, n, due).await.fired().await;
        reps.push((cpu_ns() - c) as f64 / n as f64);
        late.push((t.elapsed() - lead).as_secs_f64() * 1e3);
    }
    late.sort_by(|a, b| a.total_cmp(b));
    vec![("ns", reps.median()), ("wall_ms", late[late.len() / 2])]
}

/// n tasks asleep (0.5..10.5 s), cancel every one. Process CPU time.
async fn timer_task_cancel<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let (mut del, mut all) = (Reps::new(once), Reps::new(once));
    while all.more() {
        let (t, c) = (Instant::now(), cpu_ns());
        let gone = Rc::new(Cell::new(0));
        let started = Rc::new(Cell::new(0));
        struct OnDrop(Rc<Cell<u64>>);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1)
            }
        }
        let handles: Vec<_> = deadlines(n, Duration::from_secs(10))
            .map(|d| {
                let at = t + Duration::from_millis(500) + d;
                R::spawn_asleep(h, started.clone(), at, OnDrop(gone.clone()))
            })
            .collect();
        settled::<R>(h, &started, n).await;
        R::sleep_until(h, Instant::now() + Duration::from_millis(1)).await;
        let c2 = cpu_ns();
        for j in handles {
            R::cancel(j)
        }
        settled::<R>(h, &gone, n).await;
        R::sleep_until(h, Instant::now() + Duration::from_millis(1)).await;
        let c3 = cpu_ns();
        del.push((c3 - c2) as f64 / n as f64);
        all.push((c3 - c) as f64 / n as f64);
    }
    vec![("ns", all.median()), ("cancel", del.median())]
}

/// n tasks asleep within 50 ms, await every one. Process CPU time.
async fn timer_task_fire<R: Rt>(h: R::H, n: u64) -> Figures {
    let mut reps = Reps::new(false);
    let mut late = vec![];
    let lead = lead(n);
    while reps.more() {
        let (c, t) = (cpu_ns(), Instant::now());
        let handles: Vec<_> = deadlines(n, Duration::from_millis(50))
            .map(|d| R::spawn(h, R::sleep_until(h, t + lead + d)))
            .collect();
        for j in handles {
            j.await
        }
        reps.push((cpu_ns() - c) as f64 / n as f64);
        late.push((t.elapsed() - lead).as_secs_f64() * 1e3);
    }
    late.sort_by(|a, b| a.total_cmp(b));
    vec![("ns", reps.median()), ("wall_ms", late[late.len() / 2])]
}

/// PEERS_SPLIT=1: the loop stays on CPU 0 and the workers on CPU 1, whatever else is running.
fn pin(cpu: usize) {
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set);
    }
}
fn split() -> bool {
    static SPLIT: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *SPLIT.get_or_init(|| std::env::var_os("PEERS_SPLIT").is_some())
}
pub fn on_loop() {
    if split() {
        pin(0)
    }
}
pub fn on_worker<T>(v: T) -> T {
    thread_local!(static PINNED: Cell<bool> = const { Cell::new(false) });
    if split() && !PINNED.replace(true) {
        pin(1)
    }
    v
}

async fn offload_latency<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let (mut reps, mut cpu) = (Reps::new(once), Reps::new(once));
    on_loop();
    for i in 0..200 {
        R::offload(h, move || on_worker(i)).await;
    }
    while reps.more() {
        let (t, c) = (Instant::now(), cpu_ns());
        for i in 0..n {
            assert_eq!(R::offload(h, move || on_worker(i)).await, i);
        }
        reps.push(per(t, n));
        cpu.push((cpu_ns() - c) as f64 / n as f64);
    }
    vec![("ns", reps.median()), ("cpu", cpu.median())]
}

async fn offload_pipelined<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    on_loop();
    let (mut reps, mut cpu) = (Reps::new(once), Reps::new(once));
    while reps.more() {
        let (t, c) = (Instant::now(), cpu_ns());
        let v: Vec<_> = (0..n).map(|i| R::offload(h, move || on_worker(i))).collect();
        let mut acc = 0;
        for f in v {
            acc += f.await;
        }
        assert_eq!(acc, n * (n - 1) / 2);
        reps.push(per(t, n));
        cpu.push((cpu_ns() - c) as f64 / n as f64);
    }
    vec![("ns", reps.median()), ("cpu", cpu.median())]
}

async fn stream_results<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let mut reps = Reps::new(once);
    while reps.more() {
        let t = Instant::now();
        assert_eq!(R::stream_results(h, n).await, n * (n - 1) / 2);
        reps.push(per(t, n));
    }
    vec![("ns", reps.median())]
}

/// One after the other: a task that yields once, with a limit of 10 s.
async fn with_timeout<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let mut reps = Reps::new(once);
    while reps.more() {
        let t = Instant::now();
        for i in 0..n {
            assert_eq!(R::with_timeout(h, i).await, i);
        }
        reps.push(per(t, n));
    }
    vec![("ns", reps.median())]
}

/// The i-th task ends i turns later; all are awaited together.
async fn hold<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let mut reps = Reps::new(once);
    while reps.more() {
        let t = Instant::now();
        R::hold(h, n).await;
        reps.push(per(t, n));
    }
    vec![("ns", reps.median())]
}

async fn call_soon<R: Rt>(h: R::H, n: u64, once: bool) -> Figures {
    let mut reps = Reps::new(once);
    while reps.more() {
        let t = Instant::now();
        R::call_soon(h, n).await;
        reps.push(per(t, n));
    }
    vec![("ns", reps.median())]
}

struct Mem(u64, i64);
fn mem() -> Mem {
    Mem(rss(), allocated())
}
impl Mem {
    fn since(&self, n: u64) -> Figures {
        let m = mem();
        vec![
            ("rss_bytes", (m.0 as f64 - self.0 as f64) / n as f64),
            ("heap_bytes", (m.1 - self.1) as f64 / n as f64),
        ]
    }
}

/// Bytes per parked task; its future holds a u64, an Rc and a clone of its own waker (40 bytes
/// with its state); handles detached.
async fn mem_tasks<R: Rt>(h: R::H, n: u64) -> Figures {
    let m = mem();
    let started = Rc::new(Cell::new(0));
    for i in 0..n {
        let s = started.clone();
        R::detach(R::spawn(h, async move {
            s.set(s.get() + 1);
            let mut own: Option<std::task::Waker> = None; // a real leaf keeps a waker; without one async-task frees the task
            std::future::poll_fn(move |cx| {
                own.replace(cx.waker().clone());
                std::hint::black_box(&own);
                std::task::Poll::<()>::Pending
            })
            .await;
            std::hint::black_box(i);
            drop(s);
        }));
    }
    settled::<R>(h, &started, n).await;
    m.since(n)
}

/// Bytes per pending timer, boxed, outside any task (8 bytes of Vec slot included).
async fn mem_timers<R: Rt>(h: R::H, n: u64) -> Figures {
    let m = mem();
    let t = Instant::now() + Duration::from_secs(100);
    let due = deadlines(n, Duration::from_secs(10)).map(|d| t + d);
    let v = R::start_timers(h, n, due).await;
    generic_yield().await;
    let f = m.since(n);
    drop(v);
    f
}

/// Bytes per task asleep on a timer.
async fn mem_sleeping_tasks<R: Rt>(h: R::H, n: u64) -> Figures {
    let m = mem();
    let t = Instant::now() + Duration::from_secs(100);
    let started = Rc::new(Cell::new(0));
    for d in deadlines(n, Duration::from_secs(10)) {
        R::detach(R::spawn_asleep(h, started.clone(), t + d, ()));
    }
    settled::<R>(h, &started, n).await;
    m.since(n)
}
