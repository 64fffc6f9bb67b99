//! [`Event`]: asyncio's `Event`, a flag that tasks wait for.

use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;

use super::wait_queue::{LoopBinding, WaitQueue, show};
use crate::asyncio::core::WaitReason;
use crate::error::Result;

/// A flag that tasks set, clear and wait for: asyncio's `Event`. Clones are the same event; a new one
/// is clear.
///
/// It needs no loop until a task has to wait, and from then on only that task's loop will do.
///
/// ```
/// use callsoon::{Event, create_task, run, yield_now};
///
/// run(async {
///     let ready = Event::new();
///     let waiting = create_task({
///         let ready = ready.clone();
///         async move { ready.wait().await }
///     });
///     yield_now().await?;
///     ready.set();
///     ready.clear(); // too late: the waiting task was woken
///     waiting.await
/// }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Event(Rc<EventState>);

#[derive(Default)]
struct EventState {
    set: Cell<bool>,
    waiters: WaitQueue,
    bound: LoopBinding,
}

impl Event {
    /// An event that is not set.
    #[must_use]
    pub fn new() -> Event {
        Event::default()
    }

    /// Returns true while it is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.set.get()
    }

    /// Sets it, and wakes all tasks that wait, in the order in which they came. If it is set
    /// already, nothing happens.
    pub fn set(&self) {
        if !self.0.set.replace(true) {
            self.0.waiters.wake_all();
        }
    }

    /// Clears it. A task that was woken by then stays so.
    pub fn clear(&self) {
        self.0.set.set(false);
    }

    /// Waits until it is set; if it is, it doesn't yield.
    ///
    /// # Errors
    ///
    /// The cancellation; [`Runtime`](crate::ErrorKind::Runtime) if it has to wait where no loop
    /// runs, or on another loop than those before.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, it waits no more; other waits are not affected.
    pub async fn wait(&self) -> Result<()> {
        if self.is_set() {
            return Ok(());
        }
        let home = self.0.bound.running("Event")?;
        self.0.waiters.wait(home, WaitReason::Event, |_woken| ()).await
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_set() { "set" } else { "unset" };
        f.write_str(&show("Event", state, self.0.waiters.len()))
    }
}
