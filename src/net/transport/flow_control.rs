//! [`FlowControl`]: the marks of a write buffer, between which its protocol is paused.

use alloc::format;
use core::cell::Cell;

use crate::error::{Error, ErrorKind, Result};
use crate::panics::caught;

/// asyncio's `_FlowControlMixin`.
pub(crate) struct FlowControl {
    low: Cell<usize>,
    high: Cell<usize>,
    paused: Cell<bool>,
}

/// The high-water mark, unless another is set: `FLOW_CONTROL_HIGH_WATER`.
pub(crate) const HIGH_WATER: usize = 64 * 1024;

impl Default for FlowControl {
    fn default() -> FlowControl {
        FlowControl::new(HIGH_WATER)
    }
}

impl FlowControl {
    /// Marks at `high` and a quarter of it.
    pub(crate) fn new(high: usize) -> FlowControl {
        FlowControl { low: Cell::new(high / 4), high: Cell::new(high), paused: Cell::new(false) }
    }

    /// Returns whether the protocol is paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.get()
    }

    /// The low-water and the high-water mark.
    pub(crate) fn limits(&self) -> (usize, usize) {
        (self.low.get(), self.high.get())
    }

    /// Sets the marks; without any of them, to `default` and a quarter of it.
    pub(crate) fn set_limits(
        &self,
        default: usize,
        high: Option<usize>,
        low: Option<usize>,
    ) -> Result<()> {
        let high = high.unwrap_or_else(|| low.map_or(default, |low| low.saturating_mul(4)));
        let low = low.unwrap_or(high / 4);
        if low > high {
            let message = format!("high ({high}) must be >= low ({low}) must be >= 0");
            return Err(Error::new(ErrorKind::Value, message));
        }
        self.high.set(high);
        self.low.set(low);
        Ok(())
    }

    /// Calls `pause` if the buffer of `size` bytes is above the
    /// high-water mark and the protocol is not paused.
    #[inline]
    pub(crate) fn maybe_pause(
        &self,
        size: usize,
        pause: impl FnOnce() -> Result<()>,
        report: impl FnOnce(&str, Option<Error>),
    ) {
        if size <= self.high.get() || self.paused.replace(true) {
            return;
        }
        if let Err(error) = caught(pause).and_then(|paused| paused) {
            report("protocol.pause_writing() failed", Some(error));
        }
    }

    /// Calls `resume` if the buffer of `size` bytes is at the low-water mark or below, and the
    /// protocol is paused.
    #[inline]
    pub(crate) fn maybe_resume(
        &self,
        size: usize,
        resume: impl FnOnce() -> Result<()>,
        report: impl FnOnce(&str, Option<Error>),
    ) {
        if !self.paused.get() || size > self.low.get() {
            return;
        }
        self.paused.set(false);
        if let Err(error) = caught(resume).and_then(|resumed| resumed) {
            report("protocol.resume_writing() failed", Some(error));
        }
    }
}
