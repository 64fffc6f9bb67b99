//! [`Builder`] and [`Runtime`].

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use callsoon::EventLoop;

use super::blocking::Blocking;
use super::enter::{Blocked, EnterGuard};
use super::handle::{Handle, Inner, RuntimeFlavor, RuntimeMetrics};
use crate::here::Here;
use crate::task::JoinHandle;

#[derive(Debug)]
pub struct Builder {
    flavor: RuntimeFlavor,
    has_io: bool,
    has_time: bool,
    starts_paused: bool,
    max_blocking: usize,
    name: Option<String>,
    parks: Option<Hook>,
}

/// A function that runs before each wait of the loop.
struct Hook(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl Builder {
    fn new(flavor: RuntimeFlavor) -> Builder {
        Builder {
            flavor,
            has_io: false,
            has_time: false,
            starts_paused: false,
            max_blocking: 512,
            name: None,
            parks: None,
        }
    }

    pub fn new_current_thread() -> Builder {
        Builder::new(RuntimeFlavor::CurrentThread)
    }

    pub fn new_multi_thread() -> Builder {
        Builder::new(RuntimeFlavor::MultiThread)
    }

    pub fn enable_all(&mut self) -> &mut Builder {
        self.enable_io().enable_time()
    }

    pub fn enable_io(&mut self) -> &mut Builder {
        self.has_io = true;
        self
    }

    pub fn enable_time(&mut self) -> &mut Builder {
        self.has_time = true;
        self
    }

    pub fn start_paused(&mut self, starts_paused: bool) -> &mut Builder {
        self.starts_paused = starts_paused;
        self
    }

    #[track_caller]
    pub fn worker_threads(&mut self, count: usize) -> &mut Builder {
        assert!(count > 0, "Worker threads cannot be set to 0");
        self
    }

    #[track_caller]
    pub fn max_blocking_threads(&mut self, count: usize) -> &mut Builder {
        assert!(count > 0, "Max blocking threads cannot be set to 0");
        self.max_blocking = count;
        self
    }

    #[track_caller]
    pub fn event_interval(&mut self, turns: u32) -> &mut Builder {
        assert!(turns > 0, "event_interval must be greater than 0");
        self
    }

    #[track_caller]
    pub fn global_queue_interval(&mut self, turns: u32) -> &mut Builder {
        assert!(turns > 0, "global_queue_interval must be greater than 0");
        self
    }

    pub fn max_io_events_per_tick(&mut self, _: usize) -> &mut Builder {
        self
    }

    pub fn thread_keep_alive(&mut self, _: Duration) -> &mut Builder {
        self
    }

    pub fn thread_stack_size(&mut self, _: usize) -> &mut Builder {
        self
    }

    pub fn thread_name(&mut self, _: impl Into<String>) -> &mut Builder {
        self
    }

    pub fn on_thread_park(&mut self, hook: impl Fn() + Send + Sync + 'static) -> &mut Builder {
        self.parks = Some(Hook(Arc::new(hook)));
        self
    }

    #[track_caller]
    pub fn name(&mut self, name: impl Into<String>) -> &mut Builder {
        let name = name.into();
        assert!(!name.trim().is_empty(), "runtime name shouldn't be empty");
        self.name = Some(name);
        self
    }

    pub fn build(&mut self) -> io::Result<Runtime> {
        self.build_as(false)
    }

    pub fn build_local(&mut self, _: LocalOptions) -> io::Result<LocalRuntime> {
        self.build_as(true).map(LocalRuntime)
    }

    fn build_as(&mut self, is_local: bool) -> io::Result<Runtime> {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        let is_virtual = self.starts_paused || std::env::var_os("LOOP_TIME").is_some();
        let event_loop = if is_virtual { EventLoop::with_virtual_time() } else { EventLoop::new() };
        let inner = Inner {
            on: Here::new((*event_loop).clone()),
            remote: event_loop.handle(),
            blocking: Blocking::new(self.max_blocking),
            is_local,
            is_virtual,
            is_frozen: AtomicBool::new(self.starts_paused),
            has_time: self.has_time,
            has_io: self.has_io,
            working: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            start: (Instant::now(), event_loop.time()),
            name: self.name.clone(),
            flavor: self.flavor,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        };
        Ok(Runtime {
            event_loop: Here::new(event_loop),
            handle: Handle(Arc::new(inner)),
            wait: None,
            parks: self.parks.as_ref().map(|hook| hook.0.clone()),
        })
    }
}

pub struct Runtime {
    event_loop: Here<EventLoop>,
    handle: Handle,
    /// The longest wait for threads at the end; without one it waits for all of them.
    wait: Option<Duration>,
    parks: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl std::panic::UnwindSafe for Runtime {}
impl std::panic::RefUnwindSafe for Runtime {}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

/// Ends the process where a loop would be left with a future that borrows from the caller.
struct Left;

impl Drop for Left {
    fn drop(&mut self) {
        eprintln!("the loop ended before the future that it ran");
        std::process::abort();
    }
}

impl Runtime {
    pub fn new() -> io::Result<Runtime> {
        Builder::new_multi_thread().enable_all().build()
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, work: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(work)
    }

    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _blocked = Blocked::new();
        let _entered = self.enter();
        match self.run(future) {
            Ok(output) => output,
            Err(payload) => std::panic::resume_unwind(payload),
        }
    }

    /// Runs `future` as a task of the loop, to its end.
    fn run<F: Future>(&self, future: F) -> Result<F::Output, Box<dyn Any + Send>> {
        let output = Rc::new(RefCell::new(None));
        let to = output.clone();
        let body: Pin<Box<dyn Future<Output = callsoon::Result<()>> + '_>> = Box::pin(async move {
            let value = future.await;
            *to.borrow_mut() = Some(value);
            Ok(())
        });
        // SAFETY: The task is done when this function returns, and has dropped the future; or the process
        // is ended by `Left`.
        let body: Pin<Box<dyn Future<Output = callsoon::Result<()>>>> =
            unsafe { std::mem::transmute(body) };
        let task = self.event_loop.create_task(body).expect("the loop is open");
        let left = Left;
        while !task.done() {
            if let Err(error) = self.turn() {
                eprintln!("the loop failed: {error}");
                drop(left);
                unreachable!("the process has ended");
            }
        }
        std::mem::forget(left);
        match task.exception() {
            Ok(Some(error)) => Err(error.take_panic().expect("it fails by a panic only")),
            _ => Ok(output.take().expect("the output, once")),
        }
    }

    fn turn(&self) -> callsoon::Result<()> {
        if let Some(parks) = &self.parks {
            if self.event_loop.run_once(Some(Duration::ZERO))? > 0 {
                return Ok(());
            }
            parks();
        }
        self.event_loop.run_once(None).map(drop)
    }

    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle.metrics()
    }

    pub fn shutdown_timeout(mut self, wait: Duration) {
        self.wait = Some(wait);
    }

    pub fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.event_loop.is_here() && !Blocked::is_on() || self.wait == Some(Duration::ZERO) {
            let _entered = self.handle.enter();
            drop(self.event_loop.close());
        } else if Blocked::is_on() && !std::thread::panicking() {
            panic!(
                "Cannot drop a runtime in a context where blocking is not allowed. This happens when a \
                 runtime is dropped from within an asynchronous context."
            );
        }
        self.handle.0.blocking.shut_down(self.wait);
    }
}

#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LocalOptions {}

/// A runtime for tasks that don't need to be `Send`, which a loop's never need to be.
#[derive(Debug)]
pub struct LocalRuntime(Runtime);

impl LocalRuntime {
    pub fn new() -> io::Result<LocalRuntime> {
        Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
    }

    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        crate::task::spawn_here(future, self.handle())
    }

    pub fn shutdown_timeout(self, wait: Duration) {
        self.0.shutdown_timeout(wait);
    }

    pub fn shutdown_background(self) {
        self.0.shutdown_background();
    }
}

impl std::ops::Deref for LocalRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.0
    }
}
