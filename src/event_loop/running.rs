//! Which loop runs here: one a thread; without std, one in all, on the thread that
//! [`set_loop_thread`] names.

#[cfg(feature = "events")]
use super::events::LoopEvent;
use super::events::note_event;
use super::loop_ref::LoopRef;
use crate::collections::RefCell;
#[cfg(feature = "contextvars")]
use crate::context::{Entered, is_used_here};
use crate::error::{Error, Result};

#[cfg(feature = "std")]
pub(crate) use crate::sync::thread_own;

/// Without std there is no thread-local storage: a static, which the loop thread alone reaches.
#[cfg(not(feature = "std"))]
macro_rules! thread_own {
    (static $name:ident: $kind:ty = $value:expr;) => {
        static $name: $crate::event_loop::LoopThreadOwn<$kind> =
            $crate::event_loop::LoopThreadOwn::new($value, || $value);
    };
}
#[cfg(not(feature = "std"))]
pub(crate) use thread_own;

#[cfg(not(feature = "std"))]
pub(crate) use loop_thread::LoopThreadOwn;

/// Names the thread of the running loop in a program without `std`: the crate has no thread-local
/// storage there, and can't distinguish threads by itself.
///
/// `is_here` returns whether the code that calls it runs on that thread. Until this function is
/// called, and wherever `is_here` returns false, no loop counts as running:
/// [`running_loop`](crate::running_loop) and what looks it up (`sleep`, `create_task` and so on)
/// return a [`Runtime`](crate::ErrorKind::Runtime) error. What needs no look-up works all the same:
/// the methods of [`LoopRef`], among them those that run the loop, [`LoopHandle`](crate::LoopHandle)
/// and wakers.
///
/// With the feature `std` each thread finds its own loop, and this function does nothing.
///
/// # Safety
///
/// The functions of all calls together must return true on at most one thread of the program. An
/// interrupt handler and a signal handler count as threads of their own, unless no code of this
/// crate but wakers and [`LoopHandle`](crate::LoopHandle)s is called in them. `is_here` may be called
/// on any thread and in any handler. While a loop runs on a thread, what `is_here` returns there,
/// outside of handlers, must not change, and this function must not be called.
///
/// ```
/// // SAFETY: The program has one thread, and its interrupt handlers call wakers only.
/// unsafe { callsoon::set_loop_thread(|| true) };
/// ```
#[allow(unsafe_code)]
pub unsafe fn set_loop_thread(is_here: fn() -> bool) {
    // SAFETY: The contract is the same.
    #[cfg(not(feature = "std"))]
    unsafe {
        loop_thread::set(is_here);
    }
    #[cfg(feature = "std")]
    let _ = is_here;
}

#[cfg(not(feature = "std"))]
#[allow(unsafe_code)]
mod loop_thread {
    //! **Loop Thread Invariant**: the value of a [`LoopThreadOwn`] is reached only while `is_here`
    //! returns true, hence, by the contract of `set_loop_thread`, on one thread only.

    use core::convert::Infallible;
    use core::mem;
    use core::ptr;
    use core::sync::atomic::{AtomicPtr, Ordering};

    /// The function that `set_loop_thread` was given last, or null.
    static IS_HERE: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

    /// # Safety
    ///
    /// As [`set_loop_thread`](super::set_loop_thread).
    pub(super) unsafe fn set(is_here: fn() -> bool) {
        IS_HERE.store(is_here as *mut (), Ordering::Release);
    }

    #[inline]
    pub(super) fn is_here() -> bool {
        let is_here = IS_HERE.load(Ordering::Acquire);
        if is_here.is_null() {
            return false;
        }
        // SAFETY: Only `set` stores a pointer that isn't null, and makes it of such a function.
        let is_here = unsafe { mem::transmute::<*mut (), fn() -> bool>(is_here) };
        is_here()
    }

    /// A value that belongs to the loop thread.
    pub(crate) struct LoopThreadOwn<T> {
        value: T,
        /// Makes the value as it is at first.
        make: fn() -> T,
    }

    // SAFETY: By the Loop Thread Invariant only one thread reaches the value.
    unsafe impl<T> Sync for LoopThreadOwn<T> {}

    impl<T> LoopThreadOwn<T> {
        pub(crate) const fn new(value: T, make: fn() -> T) -> LoopThreadOwn<T> {
            LoopThreadOwn { value, make }
        }

        pub(crate) fn try_with<R>(
            &'static self,
            look: impl FnOnce(&T) -> R,
        ) -> Result<R, Infallible> {
            Ok(if is_here() { look(&self.value) } else { look(&(self.make)()) })
        }
    }
}

thread_own! {
    static RUNNING: RefCell<Option<LoopRef>> = RefCell::new(None);
}

const NO_LOOP: &str = if cfg!(feature = "std") {
    "no running event loop"
} else {
    "no running event loop (without std there is one on the thread of `set_loop_thread` only)"
};

/// `None` also while the thread's locals are being taken down.
fn with_place<R>(look: impl FnOnce(&RefCell<Option<LoopRef>>) -> R) -> Option<R> {
    RUNNING.try_with(look).ok()
}

/// The loop that runs on this thread: asyncio's `get_running_loop`.
///
/// # Errors
///
/// A [`Runtime`](crate::ErrorKind::Runtime) error where none does, and, without std, on other threads
/// than the one that [`set_loop_thread`] names.
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
    running.ok_or_else(|| Error::runtime(NO_LOOP))
}

/// The loop that runs on this thread, if `is_it` says that it is the one meant. Without std always
/// none: wakers and handles ask this, which interrupt handlers may use.
pub(crate) fn current_if(is_it: impl FnOnce(&LoopRef) -> bool) -> Option<LoopRef> {
    if cfg!(not(feature = "std")) {
        return None;
    }
    with_place(|running| running.borrow().as_ref().filter(|on| is_it(on)).cloned()).flatten()
}

/// The loop that runs on this thread, for a function of the crate that is of no use without one.
///
/// # Panics
///
/// Where no loop runs.
#[track_caller]
pub(crate) fn expect_running_loop() -> LoopRef {
    expect_possible(running_loop())
}

/// Returns what a function of the running loop has made.
///
/// # Panics
///
/// Where it made nothing, mostly because no loop runs.
#[track_caller]
pub(crate) fn expect_possible<T>(made: Result<T>) -> T {
    match made {
        Ok(made) => made,
        Err(error) => refuse(&error),
    }
}

#[cold]
#[track_caller]
fn refuse(error: &Error) -> ! {
    panic!(
        "{error}: this is to be called in a task or a callback of a running loop \
         (`callsoon::run` runs one); the methods of `LoopRef` return such an error instead"
    )
}

impl LoopRef {
    /// Returns an error that says why this thread can't run the loop, if it can't.
    pub(crate) fn check_not_running(&self) -> Result<()> {
        if self.is_running() {
            return Err(Error::runtime("This event loop is already running"));
        }
        match with_place(|running| running.borrow().is_none()) {
            Some(true) => Ok(()),
            Some(false) => {
                Err(Error::runtime("Cannot run the event loop while another loop is running"))
            }
            None => Err(Error::runtime(
                "Cannot run an event loop on a thread that ends: its thread-local values are gone",
            )),
        }
    }
}

/// While it lives, its loop runs on this thread.
pub(crate) struct Running {
    on: LoopRef,
    /// None of the loop's entries runs in the context of the code that runs the loop.
    #[cfg(feature = "contextvars")]
    _entered: Entered,
}

impl Running {
    pub(crate) fn enter(on: &LoopRef) -> Result<Running> {
        on.check_not_running()?;
        with_place(|running| *running.borrow_mut() = Some(on.clone()));
        on.set_running(true);
        #[cfg(feature = "contextvars")]
        if is_used_here() {
            on.observe_contexts();
        }
        Ok(Running {
            on: on.clone(),
            #[cfg(feature = "contextvars")]
            _entered: Entered::new(None),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.on.set_running(false);
        note_event!(&self.on, LoopEvent::Outside);
        // Taken out first: what it drops in the end may ask which loop runs.
        let left = with_place(|running| running.take());
        drop(left);
    }
}
