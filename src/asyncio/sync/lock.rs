//! [`Lock`]: asyncio's `Lock`, which one task holds at a time, in the order of arrival.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use super::wait_queue::{LoopBinding, WaitQueue, show};
use crate::asyncio::core::{TaskRegistry, WaitReason};
use crate::asyncio::scope::await_body;
use crate::collections::RefCell;
use crate::error::{Error, Result};

/// A lock for tasks: asyncio's `Lock`. Clones are the same lock.
///
/// It belongs to no task: any may release it. A release hands it to no task, but wakes the first
/// waiter; a task that comes after that still queues behind.
///
/// It needs no loop until a task has to wait, and from then on only that task's loop will do.
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use callsoon::{Lock, create_task, run, yield_now};
///
/// run(async {
///     let lock = Lock::new();
///     let pages = Rc::new(RefCell::new(Vec::new()));
///     let mut printers = Vec::new();
///     for page in ["first", "second"] {
///         let (lock, pages) = (lock.clone(), pages.clone());
///         printers.push(create_task(async move {
///             let _guard = lock.lock().await?;
///             pages.borrow_mut().push(format!("{page}, top"));
///             yield_now().await?;
///             pages.borrow_mut().push(format!("{page}, bottom"));
///             Ok(())
///         }));
///     }
///     for printer in printers {
///         printer.await?;
///     }
///     let expected = ["first, top", "first, bottom", "second, top", "second, bottom"];
///     assert_eq!(*pages.borrow(), expected);
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Lock(Rc<LockState>);

#[derive(Default)]
struct LockState {
    holding: Cell<Option<Holding>>,
    /// The number of the next holding.
    next_holding: Cell<u64>,
    /// The holdings of guards that ended with a wait that was dropped half way, as long as the guard
    /// lives.
    lost: RefCell<Vec<Lost>>,
    waiters: WaitQueue,
    bound: LoopBinding,
}

/// Tells one holding of a lock from those before and after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holding {
    number: u64,
    /// True if there is a guard of it, be it a scope's.
    guarded: bool,
}

struct Lost {
    holding: Holding,
    /// The serial number of the task that dropped the wait, which may acquire the lock again.
    task: Option<u64>,
}

impl Lock {
    /// Returns a lock that is free.
    #[must_use]
    pub fn new() -> Lock {
        Lock::default()
    }

    /// Returns true if the lock is held.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.0.holding.get().is_some()
    }

    /// Waits until the lock is free and the caller's turn has come, and takes it. A free lock without
    /// waiters is taken at once, without yielding.
    ///
    /// To have it released whatever happens, use [`lock`](Lock::lock) or [`scope`](Lock::scope).
    ///
    /// # Errors
    ///
    /// The cancellation; [`Runtime`](crate::ErrorKind::Runtime) if it has to wait where no loop
    /// runs, or on another loop than those before.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, it holds nothing, and if its turn had come, the next waiter is
    /// woken.
    pub async fn acquire(&self) -> Result<()> {
        self.wait_for_turn().await?;
        self.take_by_hand();
        Ok(())
    }

    /// Takes it if that needs no waiting, and returns true if it did.
    #[must_use]
    pub fn try_acquire(&self) -> bool {
        let free = self.is_free();
        if free {
            self.take_by_hand();
        }
        free
    }

    /// Frees the lock, whichever task holds it, and wakes the first waiter: see [`Lock`].
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) if the lock is not held.
    pub fn release(&self) -> Result<()> {
        if self.0.holding.take().is_none() {
            return Err(Error::runtime("Lock is not acquired."));
        }
        self.0.waiters.wake_head();
        Ok(())
    }

    /// Acquires it, to be released when the guard is dropped.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Lock::acquire).
    ///
    /// # Cancellation
    ///
    /// As [`acquire`](Lock::acquire).
    pub async fn lock(&self) -> Result<LockGuard> {
        self.wait_for_turn().await?;
        Ok(self.take_guarded())
    }

    /// Runs `body` with the lock held, and releases it whatever comes of that: `async with`.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Lock::acquire); what `body` fails with;
    /// [`Runtime`](crate::ErrorKind::Runtime), in place of that, if the lock was released by hand
    /// meanwhile and is free.
    ///
    /// # Cancellation
    ///
    /// The cancellation reaches the await inside of `body`. Dropped, it releases the lock. Where
    /// `body` drops a [`Condition::wait`](crate::Condition::wait) half way, the lock is not the
    /// scope's any longer: unless the same task acquires it again by hand, it is not released, and
    /// what `body` returns stays as it is.
    pub async fn scope<R>(&self, body: impl AsyncFnOnce() -> Result<R>) -> Result<R> {
        let guard = self.lock().await?;
        let outcome = await_body!(body());
        if !guard.has_lost() {
            // Released as in Python, whatever holds it. The guard has nothing left to release then.
            self.release()?;
        }
        outcome
    }

    fn is_free(&self) -> bool {
        !self.locked() && !self.0.waiters.any_alive()
    }

    fn take(&self, guarded: bool) -> Holding {
        let number = self.0.next_holding.get();
        self.0.next_holding.set(number + 1);
        let holding = Holding { number, guarded };
        self.0.holding.set(Some(holding));
        holding
    }

    fn take_guarded(&self) -> LockGuard {
        LockGuard { lock: self.clone(), holding: self.take(true) }
    }

    /// Takes it for a task that has no guard, or for one with a guard that has lost the lock, which is
    /// then that guard's again.
    fn take_by_hand(&self) {
        match self.find_own_lost() {
            Some(holding) => self.0.holding.set(Some(holding)),
            None => drop(self.take(false)),
        }
    }

    /// The holding that the current task has lost, which is lost no longer.
    fn find_own_lost(&self) -> Option<Holding> {
        let mut lost = self.0.lost.borrow_mut();
        if lost.is_empty() {
            return None;
        }
        let task = Some(current_serial()?);
        let place = lost.iter().rposition(|lost| lost.task == task)?;
        Some(lost.remove(place).holding)
    }

    /// Notes that a wait in `holding` was dropped, and can't resume it.
    pub(crate) fn lose(&self, holding: Option<Holding>) {
        if let Some(holding) = holding.filter(|holding| holding.guarded) {
            self.0.lost.borrow_mut().push(Lost { holding, task: current_serial() });
        }
    }

    async fn wait_for_turn(&self) -> Result<()> {
        if self.is_free() {
            return Ok(());
        }
        let home = self.0.bound.running("Lock")?;
        // A lock that is held will be released, which wakes the waiter that is first then.
        let gone = |_woken| {
            if !self.locked() {
                self.0.waiters.wake_head();
            }
        };
        self.0.waiters.wait(home, WaitReason::Lock, gone).await
    }

    /// Returns the holding of the moment, for [`resume`](Lock::resume).
    pub(crate) fn holding(&self) -> Option<Holding> {
        self.0.holding.get()
    }

    /// Acquires it again after a pause, as the `holding` that it was: its guard goes on.
    pub(crate) async fn resume(&self, holding: Option<Holding>) -> Result<()> {
        self.wait_for_turn().await?;
        self.0.holding.set(holding);
        Ok(())
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.locked() { "locked" } else { "unlocked" };
        f.write_str(&show("Lock", state, self.0.waiters.len()))
    }
}

fn current_serial() -> Option<u64> {
    let current = TaskRegistry::current_here()?;
    current.task().map(|task| task.serial())
}

/// Holds a [`Lock`], or the lock of a [`Condition`](crate::Condition), until it is dropped.
///
/// If the lock was released by hand meanwhile, dropping the guard does nothing, also where
/// another task holds the lock by then.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard {
    lock: Lock,
    holding: Holding,
}

impl LockGuard {
    /// Returns true if a wait that was dropped has left it without the lock.
    fn has_lost(&self) -> bool {
        self.lock.0.lost.borrow().iter().any(|lost| lost.holding == self.holding)
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.lock.0.lost.borrow_mut().retain(|lost| lost.holding != self.holding);
        if self.lock.holding() == Some(self.holding) {
            // Refused only where the lock is not held.
            let _ = self.lock.release();
        }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<LockGuard of {:?}>", self.lock)
    }
}
