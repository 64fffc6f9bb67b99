//! `executor::LocalPool` and `block_on` as loops; the rest is the crate futures itself.

pub use futures_own::*;

pub mod executor {
    use std::cell::{Cell, RefCell};
    use std::ops::{Deref, DerefMut};
    use std::panic::resume_unwind;
    use std::pin::pin;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::Duration;

    pub use futures_own::executor::ThreadPool;

    use callsoon::{AnyFuture, Error, EventLoop, LoopRef};
    use futures_own::future::{FutureObj, LocalFutureObj};
    use futures_own::stream::{Stream, StreamExt};
    use futures_own::task::{LocalSpawn, Spawn, SpawnError};

    #[derive(Default)]
    struct Tasks {
        pending: usize,
        ended: usize,
        failed: Option<Error>,
    }

    pub struct LocalPool {
        event_loop: EventLoop,
        tasks: Rc<RefCell<Tasks>>,
    }

    #[derive(Clone)]
    pub struct LocalSpawner {
        on: LoopRef,
        tasks: Rc<RefCell<Tasks>>,
    }

    /// The waker of the future that a pool runs.
    struct Woken {
        is_woken: AtomicBool,
        event_loop: Waker,
    }

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.is_woken.store(true, Ordering::Release);
            self.event_loop.wake_by_ref();
        }
    }

    impl LocalPool {
        #[expect(clippy::new_without_default, reason = "as the original's")]
        pub fn new() -> LocalPool {
            LocalPool { event_loop: EventLoop::new(), tasks: Rc::default() }
        }

        pub fn spawner(&self) -> LocalSpawner {
            LocalSpawner { on: (*self.event_loop).clone(), tasks: self.tasks.clone() }
        }

        /// Runs a turn. A panic of a task goes on here.
        fn turn(&self, max_wait: Option<Duration>) -> usize {
            let ran = self.event_loop.run_once(max_wait).unwrap();
            let failed = self.tasks.borrow_mut().failed.take();
            if let Some(payload) = failed.and_then(|error| error.take_panic()) {
                resume_unwind(payload);
            }
            ran
        }

        pub fn run(&mut self) {
            loop {
                if self.tasks.borrow().pending == 0 {
                    // It says so where another loop is running.
                    self.turn(Some(Duration::ZERO));
                    return;
                }
                self.turn(None);
            }
        }

        pub fn run_until<F: Future>(&mut self, future: F) -> F::Output {
            let event_loop = self.event_loop.handle().waker(|| ());
            let woken = Arc::new(Woken { is_woken: AtomicBool::new(true), event_loop });
            let (waker, mut future) = (Waker::from(woken.clone()), pin!(future));
            loop {
                if woken.is_woken.swap(false, Ordering::AcqRel) {
                    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                    if let Poll::Ready(output) = polled {
                        return output;
                    }
                }
                self.turn(None);
            }
        }

        pub fn try_run_one(&mut self) -> bool {
            let before = self.tasks.borrow().ended;
            while self.turn(Some(Duration::ZERO)) > 0 {
                if self.tasks.borrow().ended > before {
                    return true;
                }
            }
            false
        }

        pub fn run_until_stalled(&mut self) {
            while self.turn(Some(Duration::ZERO)) > 0 {}
        }
    }

    impl LocalSpawn for LocalSpawner {
        fn spawn_local_obj(&self, future: LocalFutureObj<'static, ()>) -> Result<(), SpawnError> {
            let tasks = self.tasks.clone();
            let body = async move {
                future.await;
                tasks.borrow_mut().ended += 1;
                Ok(())
            };
            let task = self.on.create_task(body).map_err(|_| SpawnError::shutdown())?;
            self.tasks.borrow_mut().pending += 1;
            let tasks = self.tasks.clone();
            task.add_done_callback(move |done: &dyn AnyFuture| {
                let mut tasks = tasks.borrow_mut();
                tasks.pending -= 1;
                tasks.failed = done.outcome().err();
            });
            Ok(())
        }
    }

    impl Spawn for LocalSpawner {
        fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
            self.spawn_local_obj(future.into())
        }
    }

    pub fn block_on<F: Future>(future: F) -> F::Output {
        thread_local! {
            static IDLE: Cell<Option<LocalPool>> = const { Cell::new(None) };
        }
        let mut pool = IDLE.take().unwrap_or_else(LocalPool::new);
        let output = pool.run_until(future);
        IDLE.set(Some(pool));
        output
    }

    pub struct BlockingStream<S>(S);

    pub fn block_on_stream<S: Stream + Unpin>(stream: S) -> BlockingStream<S> {
        BlockingStream(stream)
    }

    impl<S> BlockingStream<S> {
        pub fn into_inner(self) -> S {
            self.0
        }
    }

    impl<S> Deref for BlockingStream<S> {
        type Target = S;

        fn deref(&self) -> &S {
            &self.0
        }
    }

    impl<S> DerefMut for BlockingStream<S> {
        fn deref_mut(&mut self) -> &mut S {
            &mut self.0
        }
    }

    impl<S: Stream + Unpin> Iterator for BlockingStream<S> {
        type Item = S::Item;

        fn next(&mut self) -> Option<S::Item> {
            block_on(self.0.next())
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            self.0.size_hint()
        }
    }
}
