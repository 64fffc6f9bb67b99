//! [`LostWrites`]: the writes after a transport is lost.

use core::cell::Cell;

use crate::logging::say;

/// Writes after the loss of a transport of which no warning is given.
const SILENT: u32 = 5;

/// 0 until a transport is lost; then it counts the losses, and the writes after them.
#[derive(Default)]
pub(crate) struct LostWrites(Cell<u32>);

impl LostWrites {
    #[inline]
    pub(crate) fn is_lost(&self) -> bool {
        self.0.get() > 0
    }

    /// Notes a loss.
    pub(crate) fn lose(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// Counts a write that is lost, and logs `warning` for each that isn't silent.
    #[cold]
    pub(crate) fn count(&self, warning: &str) {
        if self.0.get() >= SILENT {
            say!(Warn, "{warning}");
        }
        self.0.set(self.0.get().saturating_add(1));
    }

    /// Returns whether a write is lost, and counts it then.
    #[inline]
    pub(crate) fn refuses(&self, warning: &str) -> bool {
        if self.is_lost() {
            self.count(warning);
        }
        self.is_lost()
    }
}
