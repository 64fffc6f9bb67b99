//! An offload for runtimes that have none: a channel to threads, a oneshot back.

use std::{cell::OnceCell, env, future::Future, thread};

use crossbeam_channel::{Sender, unbounded};
use futures_channel::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Returns the number of threads to start.
pub(super) fn number() -> usize {
    env::var("PEERS_THREADS").map_or(1, |number| number.parse().unwrap())
}

fn start() -> Sender<Job> {
    let (sender, jobs) = unbounded::<Job>();
    for _ in 0..number() {
        let jobs = jobs.clone();
        thread::spawn(move || jobs.iter().for_each(|job| job()));
    }
    sender
}

pub(super) fn offload(
    job: impl FnOnce() -> u64 + Send + 'static,
) -> impl Future<Output = u64> + 'static {
    thread_local!(static JOBS: OnceCell<Sender<Job>> = const { OnceCell::new() });
    let (answer, answered) = oneshot::channel();
    let job = Box::new(move || answer.send(job()).unwrap());
    JOBS.with(|jobs| jobs.get_or_init(start).send(job).unwrap());
    async move { answered.await.unwrap() }
}
