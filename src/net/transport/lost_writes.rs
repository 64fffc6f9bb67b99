//! [`LostWrites`]: the writes after a transport is lost.

use core::cell::Cell;

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

    /// Counts a write that is lost, and calls `warn` with the first that isn't silent.
    #[cold]
    pub(crate) fn count(&self, warn: impl FnOnce()) {
        if self.0.get() == SILENT {
            warn();
        }
        self.0.set(self.0.get().saturating_add(1));
    }

    /// Returns whether a write is lost, and counts it then.
    #[inline]
    pub(crate) fn refuses(&self, warn: impl FnOnce()) -> bool {
        if self.is_lost() {
            self.count(warn);
        }
        self.is_lost()
    }
}
