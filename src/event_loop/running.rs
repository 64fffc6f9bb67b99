//! Which loop runs here: one a thread, or, without std, one in all.

use super::loop_ref::LoopRef;
use crate::error::{Error, Result};

#[cfg(feature = "std")]
mod place {
    use core::cell::RefCell;

    use super::LoopRef;

    crate::sync::thread_own! {
        static RUNNING: RefCell<Option<LoopRef>> = RefCell::new(None);
    }

    /// `None` also while the thread's locals are being taken down.
    pub(super) fn with<R>(look: impl FnOnce(&RefCell<Option<LoopRef>>) -> R) -> Option<R> {
        RUNNING.try_with(look).ok()
    }
}

#[cfg(not(feature = "std"))]
#[allow(unsafe_code)]
mod place {
    use core::cell::RefCell;

    use super::LoopRef;

    struct OneThread(RefCell<Option<LoopRef>>);

    // SAFETY: Without std this crate has no threads to tell apart, and its documentation asks
    // that one thread alone uses loops. Interrupts may call wakers and `LoopHandle`s only, and
    // neither of them comes here in such a build (see `is_running_loop`).
    unsafe impl Sync for OneThread {}

    static RUNNING: OneThread = OneThread(RefCell::new(None));

    pub(super) fn with<R>(look: impl FnOnce(&RefCell<Option<LoopRef>>) -> R) -> Option<R> {
        Some(look(&RUNNING.0))
    }
}

/// The loop that runs on this thread: asyncio's `get_running_loop`.
///
/// # Errors
///
/// A [`Runtime`](crate::ErrorKind::Runtime) error where none does.
///
/// ```
/// assert!(callsoon::running_loop().is_err());
/// callsoon::run(async {
///     assert!(callsoon::running_loop()?.is_running());
///     Ok(())
/// }).unwrap();
/// ```
pub fn running_loop() -> Result<LoopRef> {
    current().ok_or_else(|| Error::runtime("no running event loop"))
}

pub(crate) fn current() -> Option<LoopRef> {
    place::with(|running| running.borrow().clone()).flatten()
}

/// The loop that runs on this thread, if `is_it` says that it is the one meant. A question of
/// wakers, which must not read what belongs to another thread: without std, where threads and
/// interrupts can't be told apart, the answer is always no.
pub(crate) fn current_if(is_it: impl FnOnce(&LoopRef) -> bool) -> Option<LoopRef> {
    if cfg!(not(feature = "std")) {
        return None;
    }
    place::with(|running| running.borrow().as_ref().filter(|on| is_it(on)).cloned()).flatten()
}

impl LoopRef {
    /// Whether this thread is free to run the loop.
    pub(crate) fn check_not_running(&self) -> Result<()> {
        if self.is_running() {
            return Err(Error::runtime("This event loop is already running"));
        }
        if place::with(|running| running.borrow().is_none()) == Some(true) {
            return Ok(());
        }
        Err(Error::runtime("Cannot run the event loop while another loop is running"))
    }
}

/// While it lives, its loop runs on this thread.
pub(crate) struct Running(LoopRef);

impl Running {
    pub(crate) fn enter(on: &LoopRef) -> Result<Running> {
        on.check_not_running()?;
        place::with(|running| *running.borrow_mut() = Some(on.clone()));
        on.set_running(true);
        Ok(Running(on.clone()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set_running(false);
        // Taken out first: what it drops in the end may ask which loop runs.
        let left = place::with(|running| running.take());
        drop(left);
    }
}
