//! [`Process`]: the identity of a process, which differs from that of its forked children.
//!
//! **Fork Invariant**: an epoll instance is shared with the children that a process forks, and what a
//! child changes there is changed for its parent; a kqueue is not inherited, and its number may be
//! another descriptor's in a child. So only the process that made the poller uses it, or closes it:
//! [`Process::is_current`] is asked first.
#![allow(unsafe_code)]

#[cfg(unix)]
pub(crate) use counted::Process;
#[cfg(not(unix))]
pub(crate) use only::Process;

#[cfg(unix)]
mod counted {
    use core::ffi::c_int;
    use std::sync::Once;
    use std::sync::atomic::{AtomicUsize, Ordering};

    unsafe extern "C" {
        fn pthread_atfork(
            before: Option<unsafe extern "C" fn()>,
            parent: Option<unsafe extern "C" fn()>,
            child: Option<unsafe extern "C" fn()>,
        ) -> c_int;
    }

    /// The number of forks between this process and the one that made the first poller.
    static FORKS: AtomicUsize = AtomicUsize::new(0);
    static COUNTS_FORKS: Once = Once::new();

    unsafe extern "C" fn count_fork() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    /// A process, known by the number of forks, as to ask the system for its number would be a call
    /// each time.
    #[derive(Clone, Copy)]
    pub(crate) struct Process(usize);

    impl Process {
        pub(crate) fn current() -> Process {
            // Where there is no room for it, children are taken for their parents.
            // SAFETY: The handler does what is allowed in a child: it adds to a number.
            COUNTS_FORKS.call_once(|| _ = unsafe { pthread_atfork(None, None, Some(count_fork)) });
            Process(FORKS.load(Ordering::Relaxed))
        }

        pub(crate) fn is_current(self) -> bool {
            self.0 == FORKS.load(Ordering::Relaxed)
        }
    }
}

/// Windows doesn't fork.
#[cfg(not(unix))]
mod only {
    #[derive(Clone, Copy)]
    pub(crate) struct Process;

    impl Process {
        pub(crate) fn current() -> Process {
            Process
        }

        pub(crate) fn is_current(self) -> bool {
            true
        }
    }
}
