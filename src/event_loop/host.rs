//! The loop's interface to the machine: a clock, and a way to sleep until it is called.
//!
//! With std the machine's own is built in. A bare-metal program, or a host that has an event
//! loop of its own, supplies these two small traits instead.
//!
//! A host sleeps in [`Host::wait`], or between turns: see `between_turns`.

use core::time::Duration;

use crate::error::Result;
use crate::sync::PlainArc as Arc;

/// The machine below a loop: its clock and its sleep.
///
/// A host that sleeps outside of the loop runs it by [`run_once`](crate::EventLoop::run_once) with a
/// bound of zero, so that [`wait`](Host::wait) is not called. It runs the loop again when
/// [`Notify::notify`] was called, or after
/// [`time_until_turn`](crate::LoopRef::time_until_turn).
///
/// ```
/// use std::cell::Cell;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use callsoon::{EventLoop, Host, Notify, Result};
///
/// /// A board with a clock that only moves while it sleeps.
/// struct Board { ticks: Cell<u64> }
/// struct NoInterrupts;
///
/// impl Notify for NoInterrupts {
///     fn notify(&self) {}
/// }
///
/// impl Host for Board {
///     fn now(&self) -> Duration {
///         Duration::from_millis(self.ticks.get())
///     }
///     fn wait(&self, timeout: Option<Duration>) -> Result<()> {
///         let millis = timeout.map_or(0, |t| t.as_nanos().div_ceil(1_000_000) as u64);
///         self.ticks.set(self.ticks.get() + millis);
///         Ok(())
///     }
///     fn notifier(&self) -> Arc<dyn Notify> {
///         Arc::new(NoInterrupts)
///     }
/// }
///
/// let event_loop = EventLoop::with_host(Board { ticks: Cell::new(0) });
/// event_loop.run_until_complete(async { callsoon::sleep(Duration::from_secs(2)).await }).unwrap();
/// assert_eq!(event_loop.time(), Duration::from_secs(2));
/// ```
pub trait Host {
    /// The time since a start of the host's choosing. It never goes back.
    fn now(&self) -> Duration;

    /// Sleeps until `timeout` is over (`None`: without a limit), or [`Notify::notify`] is called,
    /// whichever is first. To return early is always allowed: the loop looks again. A `timeout` of
    /// zero doesn't sleep.
    ///
    /// # Errors
    ///
    /// Where waiting itself fails; the method that runs the loop returns the error.
    fn wait(&self, timeout: Option<Duration>) -> Result<()>;

    /// Returns the notifier that other threads (or interrupts) call to end a [`wait`](Host::wait).
    fn notifier(&self) -> Arc<dyn Notify>;
}

/// Ends a [`Host::wait`] from any thread, or requests the next turn of a loop that its host runs by
/// [`run_once`](crate::EventLoop::run_once).
pub trait Notify: Send + Sync {
    /// Ends the wait that is going on, or the next one if none is. A host that sleeps between turns
    /// has its own loop run the next turn, soon but not within this call.
    ///
    /// Called once at most for each wait and for each time between two turns: on the thread, or in the
    /// interrupt, that has work for the loop.
    fn notify(&self);
}
