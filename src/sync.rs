//! The types of state that threads share: the plain ones, or those of a checker that runs the same code
//! through other interleavings: loom's under `--cfg loom`, shuttle's under `--cfg shuttle`. No other
//! file refers to either.

#[cfg(not(any(all(loom, feature = "loom"), shuttle)))]
pub(crate) use plain::*;

#[cfg(not(any(all(loom, feature = "loom"), shuttle)))]
mod plain {
    pub(crate) use super::PlainArc as Arc;
    #[cfg(feature = "std")]
    pub(crate) use concurrent_queue::ConcurrentQueue;
    #[cfg(target_has_atomic = "ptr")]
    pub(crate) use core::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence,
    };
    #[cfg(feature = "std")]
    pub(crate) use crossbeam_utils::sync::{Parker, Unparker};
    #[cfg(not(target_has_atomic = "ptr"))]
    pub(crate) use portable_atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence,
    };

    #[cfg(feature = "std")]
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
    #[cfg(feature = "std")]
    pub(crate) use std::thread::{Builder, JoinHandle};
    #[cfg(feature = "trace")]
    pub(crate) use std::thread::{ThreadId, current as current_thread};

    /// A thread's own value, which costs nothing to make.
    #[cfg(feature = "std")]
    macro_rules! thread_own {
        (static $name:ident: $kind:ty = $value:expr;) => {
            std::thread_local! { static $name: $kind = const { $value }; }
        };
    }
    #[cfg(feature = "std")]
    pub(crate) use thread_own;
}

/// The plain counted pointer, also where a checker has one of its own. `alloc` has none for targets
/// without compare-and-swap.
#[cfg(target_has_atomic = "ptr")]
pub(crate) use alloc::sync::Arc as PlainArc;
#[cfg(not(target_has_atomic = "ptr"))]
pub use portable_atomic_util::Arc as PlainArc;

/// The plain mutex, also where a checker has one of its own: of values that are made outside of its models.
#[cfg(feature = "std")]
pub(crate) use std::sync::Mutex as PlainMutex;

/// A cell that loom checks in each use: two at a time are a fault where one writes.
#[cfg(not(all(loom, feature = "loom")))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(all(loom, feature = "loom")))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> UnsafeCell<T> {
        UnsafeCell(core::cell::UnsafeCell::new(value))
    }

    /// Calls `use_it` with a pointer to the value.
    #[inline]
    pub(crate) fn with_mut<Out>(&self, use_it: impl FnOnce(*mut T) -> Out) -> Out {
        use_it(self.0.get())
    }
}

#[cfg(any(all(loom, feature = "loom"), shuttle))]
pub(crate) use stood_in::*;

/// Types that a checker lacks, made of those that it has.
#[cfg(any(all(loom, feature = "loom"), shuttle))]
mod stood_in {
    use core::time::Duration;

    use super::{AtomicBool, Ordering, Thread, current_thread, park};

    /// Stands for std's, which a checker doesn't see: a write of the flag publishes the value.
    pub(crate) struct OnceLock<T> {
        is_set: AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> OnceLock<T> {
            OnceLock { is_set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.value.set(value)?;
            self.is_set.store(true, Ordering::Release);
            Ok(())
        }
    }

    /// Stands for crossbeam's, which a checker doesn't see. It parks the thread that made it.
    pub(crate) struct Parker(Unparker);

    #[derive(Clone)]
    pub(crate) struct Unparker(Thread);

    impl Parker {
        pub(crate) fn new() -> Parker {
            Parker(Unparker(current_thread()))
        }

        /// Parks until it is unparked. No time passes under a checker: with a limit it doesn't park.
        pub(crate) fn park_timeout(&self, timeout: Duration) {
            if timeout == Duration::MAX {
                park();
            }
        }

        pub(crate) fn unparker(&self) -> &Unparker {
            &self.0
        }
    }

    impl Unparker {
        pub(crate) fn unpark(&self) {
            self.0.unpark();
        }
    }
}

#[cfg(all(loom, feature = "loom"))]
pub(crate) use checked::*;

#[cfg(all(loom, feature = "loom"))]
mod checked {
    pub(crate) use concurrent_queue::ConcurrentQueue;
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence,
    };
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    #[cfg(feature = "trace")]
    pub(crate) use loom::thread::ThreadId;
    pub(crate) use loom::thread::{Builder, JoinHandle, Thread, current as current_thread, park};
    pub(crate) use std::sync::PoisonError;

    macro_rules! thread_own {
        (static $name:ident: $kind:ty = $value:expr;) => {
            loom::thread_local! { static $name: $kind = $value; }
        };
    }
    pub(crate) use thread_own;
}

#[cfg(shuttle)]
pub(crate) use shuffled::*;

#[cfg(shuttle)]
mod shuffled {
    pub(crate) use shuttle::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence,
    };
    pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
    pub(crate) use shuttle::thread::{
        Builder, JoinHandle, Thread, current as current_thread, park,
    };

    macro_rules! thread_own {
        (static $name:ident: $kind:ty = $value:expr;) => {
            shuttle::thread_local! { static $name: $kind = $value; }
        };
    }
    pub(crate) use thread_own;

    /// Stands for the real queue, which has atomics that are no switch points to shuttle: an unknown
    /// one would let a lost wake through.
    pub(crate) struct ConcurrentQueue<T>(Mutex<(alloc::collections::VecDeque<T>, bool)>);

    pub(crate) struct Refused<T>(T);

    impl<T> Refused<T> {
        pub(crate) fn into_inner(self) -> T {
            self.0
        }
    }

    impl<T> ConcurrentQueue<T> {
        pub(crate) fn unbounded() -> Self {
            ConcurrentQueue(Mutex::new((alloc::collections::VecDeque::new(), false)))
        }

        pub(crate) fn push(&self, value: T) -> Result<(), Refused<T>> {
            let mut state = self.0.lock().unwrap();
            if state.1 {
                return Err(Refused(value));
            }
            state.0.push_back(value);
            Ok(())
        }

        pub(crate) fn pop(&self) -> Result<T, ()> {
            self.0.lock().unwrap().0.pop_front().ok_or(())
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.len() == 0
        }

        pub(crate) fn len(&self) -> usize {
            self.0.lock().unwrap().0.len()
        }

        pub(crate) fn close(&self) {
            self.0.lock().unwrap().1 = true;
        }
    }
}
