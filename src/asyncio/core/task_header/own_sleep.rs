//! [`OwnSleep`]: the sleep of a task that awaits nothing else: its [own wait](OwnWait), and a timer.

use core::task::{Poll, Waker};
use core::time::Duration;

use super::super::await_future::Await;
use super::super::future_block::signal::Signal;
use super::super::header::flag;
use super::super::registry::TaskRegistry;
use super::super::wait_reason::WaitReason;
use super::own_wait::OwnWait;
use crate::error::Result;
use crate::event_loop::{Entry, HeldEntry, TimerIndex};

/// A sleep of the task that polls it.
pub(crate) struct OwnSleep {
    wait: OwnWait,
    timer: TimerIndex,
}

impl OwnSleep {
    /// Begins a sleep of the task that polls with `waker`. `None` where there is no
    /// [own wait](OwnWait::begin).
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed;
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for the timer.
    #[inline]
    pub(crate) fn begin(
        registry: &TaskRegistry,
        waker: &Waker,
        delay: Duration,
    ) -> Option<Result<OwnSleep>> {
        let wait = OwnWait::begin(registry, waker, WaitReason::Sleep)?;
        Some(registry.event_loop().add_timer(delay, wait.entry()).map(|timer| {
            wait.note_entry();
            OwnSleep { wait, timer }
        }))
    }

    /// Polls it as [`OwnWait::poll`] does.
    #[inline]
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Poll<Result<()>>> {
        self.wait.poll(waker)
    }

    /// The same sleep as a wait for a future, which anything may poll, and its timer.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where there is no memory for the future.
    #[cold]
    pub(crate) fn into_wait(self) -> Result<(Await<()>, TimerIndex)> {
        let signal = self.wait.to_signal(|signal| self.move_timer(signal))?;
        Ok((signal.into_wait(), self.timer))
    }

    /// Has its timer complete `signal`. Returns false if the timer's entry is on the ready queue.
    fn move_timer(&self, signal: &Signal) -> bool {
        let task = self.wait.task();
        match task.event_loop().replace_timer(self.timer, task.own_wait_address(), signal.entry()) {
            Ok(own) => {
                self.use_up(own);
                true
            }
            Err(refused) => {
                drop(refused);
                false
            }
        }
    }

    /// It is given up before its timer's entry has come.
    #[cold]
    #[inline(never)]
    fn forget_timer(&self) {
        let task = self.wait.task();
        if let Some(entry) = task.event_loop().forget_timer(self.timer, task.own_wait_address()) {
            self.use_up(entry);
        }
    }

    /// Uses up its entry, which was among the timers.
    fn use_up(&self, entry: Entry) {
        HeldEntry::new(entry).into_head();
        self.wait.header().set(flag::NO_ENTRY);
    }
}

impl Drop for OwnSleep {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.wait.header().has(flag::OWN_DONE | flag::NO_ENTRY) {
            self.forget_timer();
        }
    }
}
