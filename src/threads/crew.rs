//! [`Crew`]: threads that came for one purpose, and who waits until the last has left.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;

use super::logged;
use crate::error::{Error, ErrorKind, Result, about};
use crate::event_loop::Answer;
use crate::sync::{Arc, Builder, JoinHandle, Mutex, MutexGuard, PoisonError};

/// The threads that one owner has started. It is the owner's; the threads know of it only
/// that they are [`present`](Roll::present).
#[derive(Default)]
pub(crate) struct Crew {
    roll: Arc<Roll>,
    threads: RefCell<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Roll(Mutex<Presence>);

#[derive(Default)]
struct Presence {
    present: usize,
    /// To be given when nobody is present.
    told: Vec<Answer<()>>,
}

impl Roll {
    /// Nothing of the program's runs while the lock is held, so that a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, Presence> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, its thread is present.
struct Present(Arc<Roll>);

impl Present {
    fn new(roll: &Arc<Roll>) -> Present {
        roll.lock().present += 1;
        Present(Arc::clone(roll))
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut presence = self.0.lock();
        presence.present -= 1;
        if presence.present > 0 {
            return;
        }
        let told = mem::take(&mut presence.told);
        drop(presence);
        for answer in told {
            // A loop that has closed has nobody left who waits.
            let _ = answer.give(Ok(()));
        }
    }
}

impl Crew {
    /// How many threads were started, and not [joined](Crew::join) since.
    pub(crate) fn len(&self) -> usize {
        self.threads.borrow().len()
    }

    /// Starts a thread that runs `work`. A panic of it ends the thread and nothing else.
    ///
    /// # Errors
    ///
    /// What the machine says where it has no room for another thread;
    /// [`Value`](ErrorKind::Value) for a name that no thread can have.
    pub(crate) fn start(&self, name: String, work: impl FnOnce() + Send + 'static) -> Result<()> {
        if name.contains('\0') {
            return Err(Error::new(ErrorKind::Value, "a thread's name can't hold a NUL"));
        }
        let present = Present::new(&self.roll);
        let body = move || {
            let _present = present;
            logged("a thread has ended", work);
        };
        let number = self.len() + 1;
        let what = || format!("thread {number} ({name:?}) can't be started");
        let thread = about(Builder::new().name(name.clone()).spawn(body), what)?;
        self.threads.borrow_mut().push(thread);
        Ok(())
    }

    /// Has `answer` given once no thread is present, by the last that leaves.
    pub(crate) fn when_gone(&self, answer: Answer<()>) {
        let mut presence = self.roll.lock();
        if presence.present > 0 {
            presence.told.push(answer);
            return;
        }
        drop(presence);
        // As in `Present`.
        let _ = answer.give(Ok(()));
    }

    /// Whether no thread is present.
    pub(crate) fn is_gone(&self) -> bool {
        self.roll.lock().present == 0
    }

    /// Waits, blocking, until every thread has ended. After [`when_gone`](Crew::when_gone)
    /// has answered, what is left of them is the drop of their thread locals.
    pub(crate) fn join(&self) {
        for thread in self.threads.take() {
            // What it panicked with was logged where it happened.
            let _ = thread.join();
        }
    }
}
