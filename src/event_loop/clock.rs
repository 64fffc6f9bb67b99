//! The loop's clock: the host's, or a virtual one that stands still until it is moved.
//!
//! Inside, time is a `u64` of nanoseconds since the clock's start: 584 years. What lies beyond is
//! [`NEVER`], which no virtual clock reaches. This file holds the only places where time is rounded,
//! and they round towards the longer wait.

use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use super::host::Host;

/// Nanoseconds since the clock's start.
pub(crate) type Nanos = u64;

/// The deadline of what is never due.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// A duration in nanoseconds; what doesn't fit lasts for ever.
pub(crate) fn nanos(duration: Duration) -> Nanos {
    let seconds = duration.as_secs().checked_mul(1_000_000_000);
    let all = seconds.and_then(|nanos| nanos.checked_add(duration.subsec_nanos().into()));
    all.unwrap_or(NEVER)
}

pub(crate) fn duration(nanos: Nanos) -> Duration {
    Duration::from_nanos(nanos)
}

/// Shown in seconds, to the nearest millisecond: by whole numbers, as floating ones would be a
/// tenth of what a small program takes from here.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nearest = self.0.saturating_add(Duration::from_nanos(499_999));
        write!(f, "{}.{:03}", nearest.as_secs(), nearest.subsec_millis())
    }
}

/// The next whole millisecond.
#[cfg(feature = "std")]
pub(crate) fn whole_millis(duration: Duration) -> Duration {
    let millis = duration.subsec_nanos().div_ceil(1_000_000);
    Duration::from_secs(duration.as_secs()).saturating_add(Duration::from_millis(millis.into()))
}

/// Where the loop's time comes from.
pub(crate) enum Clock {
    /// The host's clock.
    Host,
    Virtual(VirtualClock),
}

/// A clock that starts at zero, and that the loop moves to the next timer when nothing is ready, unless
/// it is paused.
#[derive(Default)]
pub(crate) struct VirtualClock {
    now: Cell<Nanos>,
    paused: Cell<bool>,
}

impl VirtualClock {
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        self.now.get()
    }

    /// Moves it to `when`; never back.
    pub(crate) fn move_to(&self, when: Nanos) {
        self.now.set(self.now().max(when));
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.get()
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.set(paused);
    }
}

impl Clock {
    #[inline]
    pub(crate) fn now(&self, host: &dyn Host) -> Nanos {
        match self {
            Clock::Host => nanos(host.now()),
            Clock::Virtual(clock) => clock.now(),
        }
    }
}
