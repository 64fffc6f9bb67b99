//! Wakers, for foreign futures: ours need none.
//!
//! A task that awaits only this crate's futures is never given a waker of its own. It is
//! polled with one that all tasks of the loop share, the [`Scratch`] waker; whoever keeps a
//! copy of that gives itself away by its count, and then the task is polled again, at once,
//! with a waker that is its own.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::sync::atomic::{AtomicBool, Ordering, fence};
use core::task::Waker;

use waker_fn::waker_fn;

use crate::event_loop::{LoopRef, SerialKey, wake};

/// A waker good for one poll.
pub(crate) struct Scratch {
    flag: Arc<Flag>,
    waker: Waker,
}

struct Flag {
    woken: AtomicBool,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
    }
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        let flag = Arc::new(Flag { woken: AtomicBool::new(false) });
        let waker = Waker::from(flag.clone());
        Scratch { flag, waker }
    }

    #[inline]
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// What the poll has done with it, which it was then made for. A copy that was made and
    /// dropped again can't wake anybody any more and wasn't kept.
    #[inline]
    pub(crate) fn wipe(&self) -> Trace {
        // One count is `flag`, one `waker`.
        let kept = Arc::strong_count(&self.flag) > 2;
        // Whoever let go of a copy on another thread may have woken it before.
        fence(Ordering::Acquire);
        let woken = self.flag.woken.load(Ordering::Relaxed);
        if woken {
            // No exchange: who has no copy can't wake, and one that somebody kept is left to them.
            self.flag.woken.store(false, Ordering::Relaxed);
        }
        Trace { kept, woken }
    }
}

/// What a poll has done with the scratch waker.
pub(crate) struct Trace {
    /// Somebody has a copy of it still.
    pub(crate) kept: bool,
    pub(crate) woken: bool,
}

/// A task's own waker. It may outlive the task, and the loop: then it does nothing. It holds
/// nothing that belongs to the loop's thread.
pub(crate) fn task_waker(on: &LoopRef, key: SerialKey) -> Waker {
    let inbox = on.inbox().clone();
    waker_fn(move || wake(&inbox, key))
}
