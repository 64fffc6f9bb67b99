//! A random mixture of everything, for a long time: memory, descriptors and threads stay as they are, and
//! no answer is lost. `ci/soak` runs it.
//!
//! ```text
//! soak real SECONDS SEED       sockets, threads, timers, cancels, loops made and dropped
//! soak virtual HOURS SEED      the same without sockets, in virtual time
//! ```
//!
//! It prints a line for each sample: time, resident kilobytes, descriptors, threads, answers so far.

mod machine;
mod network;
mod work;

use std::cell::RefCell;
use std::env::args;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use callsoon::{
    Error, ErrorKind, EventLoop, Result, ThreadPoolExecutor, create_task, gather, run_on,
    running_loop, sleep,
};

use machine::Sample;
use network::Network;

/// Jobs that run at a time.
const AT_A_TIME: usize = 16;
const SAMPLES: u32 = 100;

/// Shared by all jobs.
struct Soak {
    rng: RefCell<fastrand::Rng>,
    pool: ThreadPoolExecutor,
    /// None in virtual time, which doesn't wait for the network.
    network: Option<Network>,
}

/// One job of a kind that chance decides; returns how many answers it has had.
async fn job(soak: Rc<Soak>) -> Result<u64> {
    let mut rng = soak.rng.borrow_mut().fork();
    let kinds = if soak.network.is_some() { 8 } else { 5 };
    match (rng.u8(0..kinds), &soak.network) {
        (0, _) => work::timers(rng).await,
        (1, _) => work::cancels(rng).await,
        (2, _) => work::threads(rng, &soak.pool).await,
        (3, _) => work::other_loop(rng).await,
        (5, Some(network)) => network.slow_reader(rng).await,
        (6, Some(network)) => network.requests(rng).await,
        (7, Some(network)) => network.aborted(rng).await,
        _ => work::queue(rng).await,
    }
}

/// A pool with all its threads: they are started as they are needed.
async fn pool_with_threads(count: usize) -> Result<ThreadPoolExecutor> {
    let pool = ThreadPoolExecutor::new(count)?;
    let all = Arc::new(Barrier::new(count));
    let waits = (0..count).map(|_| {
        let all = all.clone();
        running_loop()?.run_in_executor(Some(&pool), move || Ok(_ = all.wait()))
    });
    gather(&waits.collect::<Result<Vec<_>>>()?).await?;
    Ok(pool)
}

async fn soak(length: Duration, seed: u64, in_virtual_time: bool) -> Result<()> {
    let on = running_loop()?;
    let other_loops = pool_with_threads(2).await?;
    on.set_default_executor(&other_loops);
    let soak = Rc::new(Soak {
        rng: RefCell::new(fastrand::Rng::with_seed(seed)),
        pool: pool_with_threads(4).await?,
        network: if in_virtual_time { None } else { Some(Network::start().await?) },
    });
    let (start, mut answers, mut samples) = (on.time(), 0, Vec::new());
    let mut next = Duration::ZERO;
    loop {
        let jobs: Vec<_> = (0..AT_A_TIME).map(|_| create_task(job(soak.clone()))).collect();
        answers += gather(&jobs).await?.into_iter().sum::<u64>();
        drop(jobs);
        if in_virtual_time {
            let pause = soak.rng.borrow_mut().u64(0..2000);
            sleep(Duration::from_millis(pause)).await?;
        }
        let passed = on.time() - start;
        if passed >= next {
            if let Some(network) = &soak.network {
                network.settle().await?;
            }
            let sample = Sample::now(passed, answers);
            println!("{sample}");
            samples.push(sample);
            next = passed + length / SAMPLES;
        }
        if passed >= length {
            break;
        }
    }
    if let Some(network) = &soak.network {
        network.stop().await?;
    }
    soak.pool.shutdown().await?;
    machine::assert_flat(&samples);
    Ok(())
}

fn main() -> Result<()> {
    let usage =
        || Error::new(ErrorKind::Value, "usage: soak real SECONDS SEED | virtual HOURS SEED");
    let words: Vec<String> = args().skip(1).collect();
    let [mode, length, seed] = &words[..] else { return Err(usage()) };
    let number = |word: &str| word.parse::<u64>().map_err(|_| usage());
    let (length, seed) = (number(length)?, number(seed)?);
    match &mode[..] {
        "real" => run_on(&EventLoop::new(), soak(Duration::from_secs(length), seed, false)),
        "virtual" => {
            let length = Duration::from_secs(length * 3600);
            run_on(&EventLoop::with_virtual_time(), soak(length, seed, true))
        }
        _ => Err(usage()),
    }
}
