//! [`Condition`]: asyncio's `Condition`, a lock with notifications.

use alloc::rc::Rc;
use core::fmt;

use super::lock::{Holding, Lock, LockGuard};
use super::wait_queue::{LoopBinding, WaitQueue, show};
use crate::asyncio::core::WaitReason;
use crate::error::{Error, Result};

/// A lock, and a queue of tasks that released it until they are notified: asyncio's
/// `Condition`. Clones are the same condition.
///
/// It needs no loop until a task has to wait, and from then on only that task's loop will do.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use callsoon::{Condition, create_task, run, yield_now};
///
/// run(async {
///     let changed = Condition::new();
///     let stock = Rc::new(Cell::new(0));
///     let customer = create_task({
///         let (changed, stock) = (changed.clone(), stock.clone());
///         async move {
///             let _guard = changed.lock().await?;
///             changed.wait_for(|| stock.get() >= 2).await?;
///             stock.set(stock.get() - 2);
///             Ok(())
///         }
///     });
///     for _ in 0..3 {
///         yield_now().await?;
///         let _guard = changed.lock().await?;
///         stock.set(stock.get() + 1);
///         changed.notify(1)?;
///     }
///     customer.await?;
///     assert_eq!(stock.get(), 1);
///     Ok(())
/// }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Condition(Rc<ConditionState>);

#[derive(Default)]
struct ConditionState {
    lock: Lock,
    waiters: WaitQueue,
    bound: LoopBinding,
}

impl Condition {
    /// A condition with a lock of its own.
    #[must_use]
    pub fn new() -> Condition {
        Condition::default()
    }

    /// A condition on `lock`, which others may be on, too.
    #[must_use]
    pub fn with_lock(lock: Lock) -> Condition {
        let (waiters, bound) = (WaitQueue::default(), LoopBinding::default());
        Condition(Rc::new(ConditionState { lock, waiters, bound }))
    }

    /// Returns true while the lock is held: [`Lock::locked`].
    #[must_use]
    pub fn locked(&self) -> bool {
        self.0.lock.locked()
    }

    /// Acquires the lock: [`Lock::acquire`].
    ///
    /// # Errors
    ///
    /// As [`Lock::acquire`].
    ///
    /// # Cancellation
    ///
    /// As [`Lock::acquire`].
    pub async fn acquire(&self) -> Result<()> {
        self.0.lock.acquire().await
    }

    /// Releases the lock: [`Lock::release`].
    ///
    /// # Errors
    ///
    /// As [`Lock::release`].
    pub fn release(&self) -> Result<()> {
        self.0.lock.release()
    }

    /// Acquires the lock, and returns its guard: [`Lock::lock`]. The guard stays good for as long as
    /// [`wait`](Condition::wait) returns with the lock; where that is dropped half way, dropping the
    /// guard does nothing.
    ///
    /// # Errors
    ///
    /// As [`Lock::acquire`].
    ///
    /// # Cancellation
    ///
    /// As [`Lock::acquire`].
    pub async fn lock(&self) -> Result<LockGuard> {
        self.0.lock.lock().await
    }

    /// Runs `body` with the lock held: [`Lock::scope`].
    ///
    /// # Errors
    ///
    /// As [`Lock::scope`].
    ///
    /// # Cancellation
    ///
    /// As [`Lock::scope`].
    pub async fn scope<R>(&self, body: impl AsyncFnOnce() -> Result<R>) -> Result<R> {
        self.0.lock.scope(body).await
    }

    /// Releases the lock, waits to be notified, and acquires the lock again. It may return
    /// though nothing has changed: check again, or use [`wait_for`](Condition::wait_for).
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) if the lock is not held, or on another loop than
    /// those before; the cancellation.
    ///
    /// # Cancellation
    ///
    /// Cancelled, it acquires the lock all the same, however often it is cancelled meanwhile,
    /// and then returns the last cancellation. Dropped, it doesn't have the lock: a scope or guard
    /// around it then releases nothing, unless the same task acquires the lock again by hand. Both
    /// ways another is notified in its place, because it may have been notified itself.
    pub async fn wait(&self) -> Result<()> {
        if !self.locked() {
            return Err(Error::runtime("cannot wait on un-acquired lock"));
        }
        let ConditionState { lock, waiters, bound } = &*self.0;
        let home = bound.running("Condition")?;
        let mut pause = Pause::begin(lock)?;
        let mut next = NotifyNextOnDrop(Some(waiters));
        let mut outcome = waiters.wait(home, WaitReason::Condition, |_woken| ()).await;
        loop {
            match pause.end().await {
                Ok(()) => break,
                Err(error) => {
                    let cancelled = error.is_cancelled();
                    outcome = Err(error);
                    if !cancelled {
                        break;
                    }
                }
            }
        }
        if outcome.is_ok() {
            next.0 = None;
        }
        outcome
    }

    /// Waits until `predicate` is true, which is asked at once, and after each notification,
    /// with the lock held.
    ///
    /// # Errors
    ///
    /// As [`wait`](Condition::wait).
    ///
    /// # Cancellation
    ///
    /// As [`wait`](Condition::wait).
    pub async fn wait_for(&self, mut predicate: impl FnMut() -> bool) -> Result<()> {
        while !predicate() {
            self.wait().await?;
        }
        Ok(())
    }

    /// Notifies `count` of the tasks that wait, or all if they are fewer, in the order in which
    /// they came. They go on when they get the lock, which this doesn't release.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) if the lock is not held.
    pub fn notify(&self, count: usize) -> Result<()> {
        self.check_notify()?;
        for _ in 0..count {
            if !self.0.waiters.wake_next() {
                break;
            }
        }
        Ok(())
    }

    /// Notifies all tasks that wait.
    ///
    /// # Errors
    ///
    /// As [`notify`](Condition::notify).
    pub fn notify_all(&self) -> Result<()> {
        self.check_notify()?;
        self.notify_all_unlocked();
        Ok(())
    }

    /// Does as [`notify_all`](Condition::notify_all), for callers that may no longer hold the lock.
    pub(crate) fn notify_all_unlocked(&self) {
        self.0.waiters.wake_all();
    }

    fn check_notify(&self) -> Result<()> {
        match self.locked() {
            true => Ok(()),
            false => Err(Error::runtime("cannot notify on un-acquired lock")),
        }
    }
}

/// A holding of the lock that is released for the time of a wait. Where the wait is dropped, the
/// scope or guard of the holding must not release the lock, which may be another task's by then.
struct Pause<'a> {
    lock: &'a Lock,
    holding: Option<Holding>,
}

impl Pause<'_> {
    fn begin(lock: &Lock) -> Result<Pause<'_>> {
        let holding = lock.holding();
        lock.release()?;
        Ok(Pause { lock, holding })
    }

    async fn end(&mut self) -> Result<()> {
        self.lock.resume(self.holding).await?;
        self.holding = None;
        Ok(())
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.lock.lose(self.holding);
    }
}

/// Notifies the next waiter when it is dropped: a wait that ends without a visible notification may
/// have consumed one.
struct NotifyNextOnDrop<'a>(Option<&'a WaitQueue>);

impl Drop for NotifyNextOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(waiters) = self.0 {
            waiters.wake_next();
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.locked() { "locked" } else { "unlocked" };
        f.write_str(&show("Condition", state, self.0.waiters.len()))
    }
}
