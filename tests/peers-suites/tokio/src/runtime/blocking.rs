//! [`Blocking`]: threads for what blocks, made when they are needed.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    is_shut: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct Blocking {
    shared: Arc<Shared>,
    max_threads: usize,
}

impl Blocking {
    pub(super) fn new(max_threads: usize) -> Blocking {
        Blocking { shared: Arc::default(), max_threads }
    }

    /// Runs `job` on a thread, or drops it if the runtime is gone.
    pub(crate) fn run(&self, job: Job) {
        let mut state = self.shared.state.lock().unwrap();
        if state.is_shut {
            drop(state);
            return drop(job);
        }
        state.queue.push_back(job);
        if state.idle >= state.queue.len() || state.threads == self.max_threads {
            self.shared.changed.notify_all();
            return;
        }
        state.threads += 1;
        let shared = self.shared.clone();
        thread::spawn(move || work(&shared));
    }

    /// Drops what has not begun, and waits for the rest.
    pub(super) fn shut_down(&self, wait: Option<Duration>) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_shut = true;
        let queued = std::mem::take(&mut state.queue);
        drop(state);
        drop(queued);
        self.shared.changed.notify_all();
        let until = wait.map(|wait| Instant::now().checked_add(wait));
        let mut state = self.shared.state.lock().unwrap();
        while state.threads > 0 {
            state = match until {
                None | Some(None) => self.shared.changed.wait(state).unwrap(),
                Some(Some(until)) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.shared.changed.wait_timeout(state, left).unwrap().0
                }
            };
        }
    }
}

fn work(shared: &Shared) {
    let mut state = shared.state.lock().unwrap();
    loop {
        if let Some(job) = state.queue.pop_front() {
            drop(state);
            job();
            state = shared.state.lock().unwrap();
        } else if state.is_shut {
            state.threads -= 1;
            shared.changed.notify_all();
            return;
        } else {
            state.idle += 1;
            state = shared.changed.wait(state).unwrap();
            state.idle -= 1;
        }
    }
}
