//! Which loop runs here: one a thread, or, without std, one in all.

use core::cell::RefCell;

use super::loop_ref::LoopRef;
use crate::error::{Error, Result};

#[cfg(feature = "std")]
pub(crate) use crate::sync::thread_own;

/// Without std there is one thread, and what is a thread's own is the program's.
#[cfg(not(feature = "std"))]
macro_rules! thread_own {
    (static $name:ident: $kind:ty = $value:expr;) => {
        static $name: $crate::event_loop::OneThread<$kind> =
            $crate::event_loop::OneThread::new($value);
    };
}
#[cfg(not(feature = "std"))]
pub(crate) use thread_own;

#[cfg(not(feature = "std"))]
pub(crate) use one_thread::OneThread;

#[cfg(not(feature = "std"))]
#[allow(unsafe_code)]
mod one_thread {
    use core::convert::Infallible;

    /// What the one thread has that uses loops.
    pub(crate) struct OneThread<T>(T);

    // SAFETY: Without std this crate has no threads to tell apart, and its documentation asks
    // that one thread alone uses loops. Interrupts may call wakers and `LoopHandle`s only, and
    // neither of them comes here in such a build (see `current_if`).
    unsafe impl<T> Sync for OneThread<T> {}

    impl<T> OneThread<T> {
        pub(crate) const fn new(value: T) -> OneThread<T> {
            OneThread(value)
        }

        pub(crate) fn try_with<R>(
            &'static self,
            look: impl FnOnce(&T) -> R,
        ) -> Result<R, Infallible> {
            Ok(look(&self.0))
        }
    }
}

thread_own! {
    static RUNNING: RefCell<Option<LoopRef>> = RefCell::new(None);
}

/// `None` also while the thread's locals are being taken down.
fn with_place<R>(look: impl FnOnce(&RefCell<Option<LoopRef>>) -> R) -> Option<R> {
    RUNNING.try_with(look).ok()
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
    let running = with_place(|running| running.borrow().clone()).flatten();
    running.ok_or_else(|| Error::runtime("no running event loop"))
}

/// The loop that runs on this thread, if `is_it` says that it is the one meant. A question of
/// wakers, which must not read what belongs to another thread: without std, where threads and
/// interrupts can't be told apart, the answer is always no.
pub(crate) fn current_if(is_it: impl FnOnce(&LoopRef) -> bool) -> Option<LoopRef> {
    if cfg!(not(feature = "std")) {
        return None;
    }
    with_place(|running| running.borrow().as_ref().filter(|on| is_it(on)).cloned()).flatten()
}

impl LoopRef {
    /// Whether this thread is free to run the loop.
    pub(crate) fn check_not_running(&self) -> Result<()> {
        if self.is_running() {
            return Err(Error::runtime("This event loop is already running"));
        }
        if with_place(|running| running.borrow().is_none()) == Some(true) {
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
        with_place(|running| *running.borrow_mut() = Some(on.clone()));
        on.set_running(true);
        Ok(Running(on.clone()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set_running(false);
        // Taken out first: what it drops in the end may ask which loop runs.
        let left = with_place(|running| running.take());
        drop(left);
    }
}
