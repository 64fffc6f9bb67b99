//! [`EventLoop::close`]. It is here and not in the layer below, so that what closes tasks is linked by programs
//! only that close a loop.

use super::core::TaskRegistry;
use crate::error::{Error, Result};
use crate::event_loop::{EventLoop, LoopRef, TaskScheduler, drop_quietly};
use crate::flat_drops::drop_on_thread;

impl EventLoop {
    /// Closes the loop: asyncio's `close`. Nothing that is scheduled runs any more. It is
    /// dropped: first what is ready, then the timers and sockets, then the tasks, oldest
    /// first; a task that was not done is reported to the exception handler. From now on
    /// whatever schedules returns an error, and wakes do nothing. Closing twice does nothing.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) while the loop runs.
    pub fn close(&self) -> Result<()> {
        if self.is_running() {
            return Err(Error::runtime("Cannot close a running event loop"));
        }
        shut(self);
        Ok(())
    }
}

fn shut(on: &LoopRef) {
    let close =
        |tasks: &dyn TaskScheduler| _ = TaskRegistry::behind(tasks).map(TaskRegistry::close);
    on.shut(close, |tasks| _ = TaskRegistry::behind(tasks).map(TaskRegistry::end));
}

impl Drop for EventLoop {
    /// Closes the loop. The things that it drops may hold another loop, and so on.
    fn drop(&mut self) {
        drop_on_thread(Shut(LoopRef::clone(self)));
    }
}

/// Closes its loop when it is dropped.
struct Shut(LoopRef);

impl Drop for Shut {
    fn drop(&mut self) {
        shut(&self.0);
        let handler = self.0.set_exception_handler(None);
        drop_quietly(&self.0, handler);
    }
}
