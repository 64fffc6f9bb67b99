//! [`ReusableSignal`]: a signal for a task that waits again and again.

use core::cell::Cell;
use core::mem;

use crate::asyncio::core::{Await, Signal, WaitReason, with_running};
use crate::collections::CellExt;
use crate::error::{Error, Result};

/// One signal after the other, each in the block of the one before, unless something still has that.
#[derive(Default)]
pub(crate) struct ReusableSignal(Cell<Option<Signal>>);

impl ReusableSignal {
    /// Begins the next wait, and forgets the one before. The current task awaits what is returned,
    /// at once or after it has arranged for its completion.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub(crate) fn begin(&self) -> Result<Await<()>> {
        self.begin_as(false)
    }

    /// Begins a wait that is completed when its turn comes in the ready queue.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    pub(crate) fn begin_completed(&self) -> Result<Await<()>> {
        self.begin_as(true)
    }

    #[inline(always)]
    fn begin_as(&self, completed: bool) -> Result<Await<()>> {
        let used = self.0.take();
        let signal = with_running(
            #[inline(always)]
            |registry| {
                let signal =
                    Signal::reuse(used, registry, WaitReason::Wait).ok_or_else(Error::no_memory)?;
                if completed {
                    registry.event_loop().schedule(signal.entry());
                }
                Ok(signal)
            },
        )?;
        let wait = signal.wait();
        mem::forget(self.0.replace(Some(signal)));
        Ok(wait)
    }

    /// Completes the wait that goes on, if one does.
    pub(crate) fn complete(&self) {
        self.0.with(|signal| signal.as_ref().is_some_and(Signal::complete));
    }

    /// Completes this wait, and none after it, when its turn comes in the ready queue.
    pub(crate) fn complete_soon(&self) {
        self.0.with(|signal| {
            if let Some(signal) = signal {
                signal.event_loop().schedule(signal.entry());
            }
        });
    }
}
