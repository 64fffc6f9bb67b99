//! [`WorkerGroup`]: the threads that one owner has started.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::logged;
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result, about};
use crate::event_loop::Answer;
use crate::sync::{Arc, Builder, JoinHandle, Mutex, MutexGuard, PoisonError};

/// The threads that one owner has started. They hold no more of it than the count of those alive.
#[derive(Default)]
pub(crate) struct WorkerGroup {
    liveness: Arc<Liveness>,
    threads: RefCell<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Liveness(Mutex<Alive>);

#[derive(Default)]
struct Alive {
    count: usize,
    /// Given when the count falls to zero.
    on_all_exited: Vec<Answer<()>>,
}

impl Liveness {
    /// No code of the program runs while the lock is held, so that a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, Alive> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts its thread as alive until it is dropped.
struct AliveGuard(Arc<Liveness>);

impl AliveGuard {
    fn new(liveness: &Arc<Liveness>) -> AliveGuard {
        liveness.lock().count += 1;
        AliveGuard(Arc::clone(liveness))
    }
}

impl Drop for AliveGuard {
    fn drop(&mut self) {
        let mut alive = self.0.lock();
        alive.count -= 1;
        if alive.count > 0 {
            return;
        }
        let answers = mem::take(&mut alive.on_all_exited);
        drop(alive);
        for answer in answers {
            // On a loop that has closed nothing waits any more.
            let _ = answer.give(Ok(()));
        }
    }
}

impl WorkerGroup {
    /// Returns how many threads were started and not [joined](WorkerGroup::join) since.
    pub(crate) fn len(&self) -> usize {
        self.threads.borrow().len()
    }

    /// Starts a thread that runs `work`. A panic of it ends the thread and nothing else.
    ///
    /// # Errors
    ///
    /// The system's error where it has no room for another thread;
    /// [`Value`](ErrorKind::Value) for a name that no thread can have.
    pub(crate) fn start(&self, name: String, work: impl FnOnce() + Send + 'static) -> Result<()> {
        if name.contains('\0') {
            return Err(Error::new(ErrorKind::Value, "a thread's name can't hold a NUL"));
        }
        let alive = AliveGuard::new(&self.liveness);
        let body = move || {
            let _alive = alive;
            logged("a thread has ended", work);
        };
        let number = self.len() + 1;
        let what = || format!("thread {number} ({name:?}) can't be started");
        let thread = about(Builder::new().name(name.clone()).spawn(body), what)?;
        self.threads.borrow_mut().push(thread);
        Ok(())
    }

    /// Has `answer` given once no thread is alive: by the last that exits, or at once.
    pub(crate) fn on_all_exited(&self, answer: Answer<()>) {
        let mut alive = self.liveness.lock();
        if alive.count > 0 {
            alive.on_all_exited.push(answer);
            return;
        }
        drop(alive);
        // On a loop that has closed nothing waits, as in `AliveGuard`.
        let _ = answer.give(Ok(()));
    }

    /// Returns whether no thread is alive.
    pub(crate) fn all_exited(&self) -> bool {
        self.liveness.lock().count == 0
    }

    /// Blocks until every thread has ended. After an answer of
    /// [`on_all_exited`](WorkerGroup::on_all_exited) only the drops of their thread locals are left.
    pub(crate) fn join(&self) {
        for thread in self.threads.take() {
            // Its panic was logged where it happened.
            let _ = thread.join();
        }
    }
}
