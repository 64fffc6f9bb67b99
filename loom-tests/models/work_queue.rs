//! The queue that threads sleep on.

use super::check::{Search, check, size, thread};
use crate::sync::Arc;
use crate::threads::WorkQueue;

/// Returns a queue that has its first block already: a model learns nothing from the spin that makes
/// one.
fn queue<T: Default>() -> Arc<WorkQueue<T>> {
    let queue = WorkQueue::new(true);
    queue.push(T::default());
    assert!(queue.take().is_some());
    Arc::new(queue)
}

fn workers(queue: &Arc<WorkQueue<usize>>, count: usize) -> Vec<thread::JoinHandle<Vec<usize>>> {
    (0..count)
        .map(|_| {
            let queue = Arc::clone(queue);
            thread::spawn(move || core::iter::from_fn(|| queue.next()).collect())
        })
        .collect()
}

fn join(workers: Vec<thread::JoinHandle<Vec<usize>>>) -> Vec<usize> {
    workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
}

/// Pushes once for each worker that falls asleep. The end, which would wake them in any case, isn't
/// announced before the work is done.
fn pushes_against_sleeps(workers: usize) {
    let queue = queue();
    let take_one = |queue: Arc<WorkQueue<usize>>| thread::spawn(move || queue.next());
    let threads: Vec<_> = (0..workers).map(|_| take_one(Arc::clone(&queue))).collect();
    for work in 0..workers {
        queue.push(work);
    }
    let mut done: Vec<_> = threads.into_iter().map(|t| t.join().unwrap().unwrap()).collect();
    done.sort_unstable();
    assert!(done.into_iter().eq(0..workers));
}

/// A push between a worker's last look into the queue and its sleep: the worker sees the work,
/// or the push sees the sleeper.
#[test]
fn push_against_sleep() {
    check("push_against_sleep", Search::All, || pushes_against_sleeps(size(1, 4)));
}

/// Two pushes while two workers fall asleep: each wakes one, and not the same one twice.
#[test]
fn two_pushes_against_two_sleeps() {
    check("two_pushes_against_two_sleeps", Search::Preemptions(3), || {
        pushes_against_sleeps(size(2, 8));
    });
}

/// The end announced right after the last push, while workers look, take and fall asleep: all that
/// was pushed before it is taken by one of them, once.
#[test]
fn finish_against_the_last_push() {
    check("finish_against_the_last_push", Search::Preemptions(5), || {
        let queue = queue();
        let workers = workers(&queue, size(1, 4));
        for work in 0..size(2, 20) {
            queue.push(work);
        }
        queue.parker().close();
        let mut done = join(workers);
        done.sort_unstable();
        assert!(done.into_iter().eq(0..size(2, 20)));
    });
}

/// The end said while several workers fall asleep: it reaches each of them.
#[test]
fn finish_against_sleepers() {
    check("finish_against_sleepers", Search::All, || {
        let queue = queue();
        let workers = workers(&queue, size(2, 8));
        queue.parker().close();
        assert!(join(workers).is_empty());
    });
}

/// Work of one producer, taken by one worker, comes in the order in which it was pushed.
#[test]
fn order_of_one_producer() {
    check("order_of_one_producer", Search::Preemptions(5), || {
        let queue = queue();
        let workers = workers(&queue, 1);
        for work in 0..size(3, 40) {
            queue.push(work);
        }
        queue.parker().close();
        assert!(join(workers).into_iter().eq(0..size(3, 40)));
    });
}
