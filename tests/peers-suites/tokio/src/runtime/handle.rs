//! [`Handle`], and what a runtime has.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use callsoon::{LoopHandle, LoopRef};

use super::blocking::Blocking;
use super::enter::{Blocked, EnterGuard, current, enter};
use crate::here::Here;
use crate::task::JoinHandle;

pub(crate) struct Inner {
    pub(crate) on: Here<LoopRef>,
    pub(crate) remote: LoopHandle,
    pub(crate) blocking: Blocking,
    pub(crate) is_local: bool,
    pub(crate) is_virtual: bool,
    pub(crate) is_frozen: AtomicBool,
    pub(crate) has_time: bool,
    pub(crate) has_io: bool,
    /// The number of threads that work while the clock stands still for them.
    pub(crate) working: AtomicUsize,
    pub(crate) alive: AtomicUsize,
    /// The same moment on the machine's clock and on the loop's.
    pub(crate) start: (Instant, Duration),
    pub(crate) name: Option<String>,
    pub(crate) flavor: RuntimeFlavor,
    pub(crate) id: u64,
}

impl Inner {
    pub(crate) fn now(&self) -> Instant {
        if self.on.is_here() {
            self.start.0 + (self.on.time() - self.start.1)
        } else {
            Instant::now()
        }
    }

    pub(crate) fn loop_time(&self, when: Instant) -> Duration {
        self.start.1 + when.saturating_duration_since(self.start.0)
    }
}

#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Inner>);

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum RuntimeFlavor {
    CurrentThread,
    MultiThread,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy, Hash)]
pub struct Id(u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub struct TryCurrentError(());

impl TryCurrentError {
    pub fn is_missing_context(&self) -> bool {
        true
    }

    pub fn is_thread_local_destroyed(&self) -> bool {
        false
    }
}

pub(crate) const NO_CONTEXT: &str =
    "there is no reactor running, must be called from the context of a Tokio 1.x runtime";

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NO_CONTEXT)
    }
}

impl fmt::Debug for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NO_CONTEXT)
    }
}

impl std::error::Error for TryCurrentError {}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Handle {
    #[track_caller]
    pub fn current() -> Handle {
        current().expect(NO_CONTEXT)
    }

    pub fn try_current() -> Result<Handle, TryCurrentError> {
        current().ok_or(TryCurrentError(()))
    }

    pub fn enter(&self) -> EnterGuard<'_> {
        enter(self.clone())
    }

    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        crate::task::spawn_on(future, self)
    }

    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, work: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        crate::task::spawn_blocking_on(work, self)
    }

    /// Runs `future` on this thread, with the runtime's context. It doesn't drive the loop.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _blocked = Blocked::new();
        let _entered = self.enter();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut future = std::pin::pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }

    pub fn runtime_flavor(&self) -> RuntimeFlavor {
        self.0.flavor
    }

    pub fn id(&self) -> Id {
        Id(self.0.id)
    }

    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    pub fn metrics(&self) -> RuntimeMetrics {
        RuntimeMetrics(self.clone())
    }
}

#[derive(Clone, Debug)]
pub struct RuntimeMetrics(Handle);

impl RuntimeMetrics {
    pub fn num_workers(&self) -> usize {
        1
    }

    pub fn num_alive_tasks(&self) -> usize {
        self.0.0.alive.load(Ordering::SeqCst)
    }
}
