//! [`Semaphore`] and [`BoundedSemaphore`]: asyncio's of the same names, with a number of permits.
//!
//! **Permit Invariant**: `value` counts the permits that are free. A waiter that is woken was given
//! one: it is taken off `value` then, and not when the waiter runs; a woken waiter that ends without
//! its permit puts it back.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;

use super::wait_queue::{LoopBinding, WaitQueue, show};
use crate::asyncio::core::WaitReason;
use crate::asyncio::scope::await_body;
use crate::error::{Error, ErrorKind, Result};

/// A number of permits for tasks to take: asyncio's `Semaphore`. Clones are the same
/// semaphore. Releases need no acquire before them: each is one permit more.
///
/// It needs no loop until a task has to wait, and from then on it belongs to that task's loop.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, Semaphore, create_task, running_loop, sleep};
///
/// let event_loop = EventLoop::with_virtual_time();
/// event_loop.run_until_complete(async {
///     let two_at_a_time = Semaphore::new(2);
///     let mut downloads = Vec::new();
///     for _ in 0..4 {
///         let limit = two_at_a_time.clone();
///         downloads.push(create_task(async move {
///             let _permit = limit.permit().await?;
///             sleep(Duration::from_secs(1)).await
///         }));
///     }
///     for download in downloads {
///         download.await?;
///     }
///     assert_eq!(running_loop()?.time(), Duration::from_secs(2));
///     Ok(())
/// })?;
/// # Ok::<(), callsoon::Error>(())
/// ```
#[derive(Clone)]
pub struct Semaphore(Rc<SemaphoreState>);

struct SemaphoreState {
    value: Cell<usize>,
    waiters: WaitQueue,
    bound: LoopBinding,
}

impl SemaphoreState {
    fn add_permit(&self) {
        // More than can be counted can't be used up.
        self.value.set(self.value.get().saturating_add(1));
    }

    fn take_permit(&self) {
        self.value.set(self.value.get() - 1);
    }

    /// Gives a free permit to the next waiter that has none. Returns false if there is no such waiter.
    fn give_next(&self) -> bool {
        let given = self.waiters.wake_next();
        if given {
            self.take_permit();
        }
        given
    }

    /// Gives the free permits to waiters, as long as there are both.
    fn give_all(&self) {
        while self.value.get() > 0 && self.give_next() {}
    }
}

impl Semaphore {
    /// A semaphore with `value` permits.
    #[must_use]
    pub fn new(value: usize) -> Semaphore {
        Semaphore(Rc::new(SemaphoreState {
            value: Cell::new(value),
            waiters: WaitQueue::default(),
            bound: LoopBinding::default(),
        }))
    }

    /// Returns true if an [`acquire`](Semaphore::acquire) would have to wait: no permit is left, or
    /// others wait already.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.0.value.get() == 0 || self.0.waiters.any_alive()
    }

    /// Returns the number of free permits. One on its way to a waiter that was woken doesn't count.
    #[must_use]
    pub fn value(&self) -> usize {
        self.0.value.get()
    }

    /// Waits for its turn and a permit, and takes that. A free permit that no task waits for is taken
    /// at once, without yielding.
    ///
    /// To have it released whatever happens, use [`permit`](Semaphore::permit) or
    /// [`scope`](Semaphore::scope).
    ///
    /// # Errors
    ///
    /// The cancellation; [`Runtime`](crate::ErrorKind::Runtime) if it has to wait where no loop
    /// runs, or on another loop than those before.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, it has no permit; one that was on its way to it is given to
    /// the next waiter.
    pub async fn acquire(&self) -> Result<()> {
        if self.try_acquire() {
            return Ok(());
        }
        let state = &*self.0;
        let home = state.bound.running("Semaphore")?;
        let gone = |woken| {
            if woken {
                state.add_permit();
            }
            state.give_all();
        };
        state.waiters.wait(home, WaitReason::Semaphore, gone).await?;
        // Permits that came while others stood in line are still there.
        state.give_all();
        Ok(())
    }

    /// Takes a permit if that needs no waiting, and returns true if it did.
    #[must_use]
    pub fn try_acquire(&self) -> bool {
        let free = !self.locked();
        if free {
            self.0.take_permit();
        }
        free
    }

    /// Adds a permit, and gives one to the next in line.
    pub fn release(&self) {
        self.0.add_permit();
        self.0.give_next();
    }

    /// Acquires a permit, to be released when it is dropped.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire).
    ///
    /// # Cancellation
    ///
    /// As [`acquire`](Semaphore::acquire).
    pub async fn permit(&self) -> Result<Permit> {
        self.acquire().await?;
        Ok(Permit { semaphore: self.clone(), at_most: usize::MAX })
    }

    /// Runs `body` with a permit, and releases it whatever comes of that: `async with`.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Semaphore::acquire); what `body` fails with.
    ///
    /// # Cancellation
    ///
    /// The cancellation reaches the await inside of `body`. Dropped, it releases the permit.
    pub async fn scope<R>(&self, body: impl AsyncFnOnce() -> Result<R>) -> Result<R> {
        let _permit = self.permit().await?;
        await_body!(body())
    }

    fn show(&self, what: &str) -> String {
        let state = match self.locked() {
            true => String::from("locked"),
            false => format!("unlocked, value:{}", self.value()),
        };
        show(what, &state, self.0.waiters.len())
    }
}

/// With one permit: Python's default.
impl Default for Semaphore {
    fn default() -> Semaphore {
        Semaphore::new(1)
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show("Semaphore"))
    }
}

/// A [`Semaphore`] that is never released above the number of permits that it began with:
/// asyncio's `BoundedSemaphore`. Clones are the same semaphore.
///
/// ```
/// use callsoon::{BoundedSemaphore, ErrorKind};
///
/// let only = BoundedSemaphore::new(1);
/// assert!(only.try_acquire());
/// only.release().unwrap();
/// assert_eq!(only.release().unwrap_err().kind(), ErrorKind::Value);
/// ```
#[derive(Clone)]
pub struct BoundedSemaphore {
    semaphore: Semaphore,
    bound: usize,
}

impl BoundedSemaphore {
    /// A semaphore with `value` permits, now and at most.
    #[must_use]
    pub fn new(value: usize) -> BoundedSemaphore {
        BoundedSemaphore { semaphore: Semaphore::new(value), bound: value }
    }

    /// Returns true if an `acquire` would have to wait: see [`Semaphore::locked`].
    #[must_use]
    pub fn locked(&self) -> bool {
        self.semaphore.locked()
    }

    /// Returns the number of free permits: see [`Semaphore::value`].
    #[must_use]
    pub fn value(&self) -> usize {
        self.semaphore.value()
    }

    /// Waits for a permit, and takes it: see [`Semaphore::acquire`].
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancellation
    ///
    /// As [`Semaphore::acquire`].
    pub async fn acquire(&self) -> Result<()> {
        self.semaphore.acquire().await
    }

    /// Takes a permit if that needs no waiting: see [`Semaphore::try_acquire`].
    #[must_use]
    pub fn try_acquire(&self) -> bool {
        self.semaphore.try_acquire()
    }

    /// Adds a permit, and gives one to the next in line.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) if there are as many as there may be.
    pub fn release(&self) -> Result<()> {
        if self.value() >= self.bound {
            let message = "BoundedSemaphore released too many times";
            return Err(Error::new(ErrorKind::Value, message));
        }
        self.semaphore.release();
        Ok(())
    }

    /// Acquires a permit, to be released when it is dropped.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancellation
    ///
    /// As [`Semaphore::acquire`].
    pub async fn permit(&self) -> Result<Permit> {
        self.acquire().await?;
        Ok(Permit { semaphore: self.semaphore.clone(), at_most: self.bound })
    }

    /// Runs `body` with a permit, and releases it whatever comes of that: `async with`.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`]; what `body` fails with; [`Value`](crate::ErrorKind::Value),
    /// in place of that, if the permit was released meanwhile.
    ///
    /// # Cancellation
    ///
    /// As [`Semaphore::scope`].
    pub async fn scope<R>(&self, body: impl AsyncFnOnce() -> Result<R>) -> Result<R> {
        let permit = self.permit().await?;
        let outcome = await_body!(body());
        // Released here, where it can be refused, and not by the drop.
        permit.forget();
        self.release()?;
        outcome
    }
}

/// With one permit: Python's default.
impl Default for BoundedSemaphore {
    fn default() -> BoundedSemaphore {
        BoundedSemaphore::new(1)
    }
}

impl fmt::Debug for BoundedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.semaphore.show("BoundedSemaphore"))
    }
}

/// A permit of a [`Semaphore`] or [`BoundedSemaphore`], which is released when this is dropped; a
/// bounded semaphore that has all of its permits takes no more.
#[must_use = "the permit is released when this is dropped"]
pub struct Permit {
    semaphore: Semaphore,
    /// The most permits that the semaphore may have.
    at_most: usize,
}

impl Permit {
    /// Keeps the semaphore from getting it back: that is the caller's affair from now on.
    pub fn forget(mut self) {
        self.at_most = 0;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.semaphore.value() < self.at_most {
            self.semaphore.release();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Permit of {:?}>", self.semaphore)
    }
}
