//! A loop between two turns of [`run_once`](crate::EventLoop::run_once), while its host sleeps.

use core::time::Duration;

use super::clock::duration;
use super::loop_ref::LoopRef;

impl LoopRef {
    /// Returns how long the host may wait until the next [`run_once`](crate::EventLoop::run_once):
    /// zero if something is ready, else the time until the first timer is due; `None` if the loop has
    /// no timer either, or is closed. By the loop's clock: virtual time passes in a turn only.
    ///
    /// Together with [`Notify`](crate::Notify) it is all that a host needs that sleeps between turns:
    /// after each turn, and after its own code has called into the loop, it sets its own timer to this;
    /// it runs a turn when that timer is due, and when it is notified. A timer that was cancelled may
    /// count for one turn more.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::EventLoop;
    ///
    /// let event_loop = EventLoop::with_virtual_time();
    /// assert_eq!(event_loop.time_until_turn(), None);
    /// event_loop.call_later(Duration::from_secs(2), || ())?;
    /// assert_eq!(event_loop.time_until_turn(), Some(Duration::from_secs(2)));
    /// event_loop.call_soon(|| ())?;
    /// assert_eq!(event_loop.time_until_turn(), Some(Duration::ZERO));
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    #[must_use]
    pub fn time_until_turn(&self) -> Option<Duration> {
        let shared = self.shared();
        if self.is_closed() {
            return None;
        }
        if !shared.ready.is_empty() || !shared.inbox.is_empty() || shared.stopping.get() {
            return Some(Duration::ZERO);
        }
        let due = shared.calls.timers.borrow().earliest_bound()?;
        // The host's clock is the program's code: nothing is borrowed while it is read.
        Some(duration(due.saturating_sub(self.now())))
    }

    /// Leaves the loop such that work for it notifies the host. The machine's own host has no program
    /// behind it that could be notified.
    pub(super) fn arm(&self) {
        #[cfg(feature = "std")]
        if self.shared().reactor.get().is_some() {
            return;
        }
        self.shared().inbox.arm();
    }
}
