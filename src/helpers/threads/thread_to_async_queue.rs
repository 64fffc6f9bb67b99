//! [`ThreadToAsyncQueue`]: requests to threads, answered by futures.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::time::Duration;

use super::thread_hooks::ThreadHooks;
use crate::collections::RefCell;
use crate::helpers::futures::ChildOfFuture;
use crate::helpers::futures::create_future_on;
use crate::helpers::futures::wait_for_all_futures;
use crate::helpers::queue::SyncQueue;
use crate::logging::say;
use crate::threads::{WorkItem, WorkerGroup, caught, logged, shown};
use crate::{
    Answer, AnyFuture, Error, LoopFuture, LoopRef, Result, await_body, running_loop, sleep,
};

/// A request on its way to a thread: it is run with what `create_args` returned, or, where that
/// failed, answers with the error.
trait Request<H: ThreadHooks>: Send {
    fn serve(self: Box<Self>, listener: &Listener<H>, args: Result<&mut H::Args>);
}

impl<H, F, R> Request<H> for WorkItem<F, R>
where
    H: ThreadHooks,
    F: FnOnce(&mut H::Args) -> Result<R> + Send + 'static,
    R: Send + 'static,
{
    fn serve(self: Box<Self>, listener: &Listener<H>, args: Result<&mut H::Args>) {
        let given = self.run(|func| {
            let args = args?;
            let outcome = caught(|| listener.hooks.wrap_request(func, args)).and_then(|done| done);
            outcome.inspect_err(|error| listener.tell(error))
        });
        log_if_closed(given);
    }
}

/// A request that came when there was no thread to send it to: it is called with the queue once it
/// may be sent, or with `None` when no thread will come. A thread would owe its answer by now
/// otherwise, and a virtual clock wait for it.
type Early<H> = Box<dyn FnOnce(Option<&ThreadToAsyncQueue<H>>)>;

/// The function that is called with each error.
type OnError = dyn Fn(&Error) + Send + Sync;

/// Runs functions on threads, each of which has arguments of its own, and returns futures for their
/// results: `hp.ThreadToAsyncQueue`.
///
/// While its `stop_fut` is pending, [`request`](ThreadToAsyncQueue::request) takes requests;
/// later ones are cancelled futures. What was taken before is still run and answered. The
/// threads leave when nothing is left; [`finish`](ThreadToAsyncQueue::finish) waits for that.
/// [`scope`](ThreadToAsyncQueue::scope) starts and finishes it around a body.
///
/// Dropped without `finish` it takes no more requests, and its threads leave in the same way, but
/// nothing waits for them; of a queue that was never started the requests are cancelled. If the
/// loop closes first, what threads still answer is logged as an error and lost.
///
/// A loop on virtual time stands still while a request is at a thread.
///
/// ```
/// use callsoon::{helpers as hp, run};
///
/// run(async {
///     let stop = hp::create_future::<()>();
///     let queue = hp::ThreadToAsyncQueue::builder(()).num_threads(2).build(&stop)?;
///     let sum = queue.scope(async |queue| {
///         let low = queue.request(|()| Ok((0..500u32).sum::<u32>()));
///         let high = queue.request(|()| Ok((500..1000u32).sum::<u32>()));
///         Ok(low.await? + high.await?)
///     }).await?;
///     assert_eq!(sum, 499_500);
///     Ok(())
/// }).unwrap();
/// ```
pub struct ThreadToAsyncQueue<H: ThreadHooks> {
    on: LoopRef,
    name: String,
    num_threads: usize,
    stop_fut: ChildOfFuture<()>,
    early: RefCell<Vec<Early<H>>>,
    requests: SyncQueue<Box<dyn Request<H>>>,
    hooks: Arc<H>,
    onerror: Arc<OnError>,
    workers: WorkerGroup,
    started: Cell<bool>,
}

/// The settings of a new [`ThreadToAsyncQueue`]: see [`ThreadToAsyncQueue::builder`].
pub struct ThreadToAsyncQueueBuilder<H> {
    hooks: H,
    num_threads: usize,
    name: String,
    onerror: Arc<OnError>,
}

impl<H: ThreadHooks> ThreadToAsyncQueueBuilder<H> {
    /// Sets the number of threads; one, if this isn't called.
    #[must_use]
    pub fn num_threads(mut self, num_threads: usize) -> Self {
        self.num_threads = num_threads;
        self
    }

    /// Sets the name of the queue; its threads are called that and their number.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Has `onerror` called on the thread with each error of a request or of
    /// [`create_args`](ThreadHooks::create_args) before one. A panic in it is logged.
    #[must_use]
    pub fn onerror(mut self, onerror: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.onerror = Arc::new(onerror);
        self
    }

    /// The queue, which takes requests until `stop_fut` is done. Its threads come with
    /// [`start`](ThreadToAsyncQueue::start).
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) for no threads at all,
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs, and what
    /// [`setup`](ThreadHooks::setup) says.
    pub fn build(self, stop_fut: &dyn AnyFuture) -> Result<ThreadToAsyncQueue<H>> {
        if self.num_threads == 0 {
            return Err(Error::new(crate::ErrorKind::Value, "num_threads must be 1 or more"));
        }
        let on = running_loop()?;
        let ThreadToAsyncQueueBuilder { mut hooks, num_threads, name, onerror } = self;
        caught(|| hooks.setup())??;
        let stop_fut = ChildOfFuture::named(stop_fut, &name);
        Ok(ThreadToAsyncQueue {
            on,
            num_threads,
            early: RefCell::default(),
            requests: SyncQueue::emptied_on_finished(&stop_fut),
            stop_fut,
            hooks: Arc::new(hooks),
            onerror,
            workers: WorkerGroup::default(),
            started: Cell::new(false),
            name,
        })
    }
}

impl<H> fmt::Debug for ThreadToAsyncQueueBuilder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadToAsyncQueueBuilder")
            .field("name", &self.name)
            .field("num_threads", &self.num_threads)
            .finish_non_exhaustive()
    }
}

impl<H: ThreadHooks> ThreadToAsyncQueue<H> {
    /// Begins a queue with threads that work by `hooks`; `()` gives them nothing to work with.
    #[must_use]
    pub fn builder(hooks: H) -> ThreadToAsyncQueueBuilder<H> {
        let name = "ThreadToAsyncQueue".to_owned();
        ThreadToAsyncQueueBuilder { hooks, num_threads: 1, name, onerror: Arc::new(|_| {}) }
    }

    /// Starts the threads, and returns when each has its arguments. What was requested before
    /// is run now.
    ///
    /// # Errors
    ///
    /// What a thread's first [`create_args`](ThreadHooks::create_args) fails with, or the
    /// machine if it has no room for another thread. The queue is then finished: the threads
    /// that did start have left. [`Runtime`](crate::ErrorKind::Runtime) if it was started before.
    ///
    /// # Cancellation
    ///
    /// The threads stay; [`finish`](ThreadToAsyncQueue::finish) ends them.
    pub async fn start(&self) -> Result<()> {
        if self.started.replace(true) {
            return Err(Error::new(crate::ErrorKind::Runtime, "the threads were started before"));
        }
        // Before the threads, which leave at once if the queue has stopped already.
        for early in self.early.take() {
            early(Some(self));
        }
        let mut ready = Vec::new();
        let mut outcome = Ok(());
        for number in 0..self.num_threads {
            let future = create_future_on(&self.on);
            outcome = self.start_thread(number, &future);
            if outcome.is_err() {
                break;
            }
            ready.push(future);
        }
        wait_for_all_futures(&ready).await?;
        let outcome = outcome.and_then(|()| ready.iter().try_for_each(LoopFuture::result));
        if outcome.is_err() {
            self.finish().await?;
        }
        outcome
    }

    fn start_thread(&self, number: usize, ready: &LoopFuture<()>) -> Result<()> {
        let ready = self.on.answer_to(ready)?;
        let listener = Listener {
            number,
            hooks: self.hooks.clone(),
            onerror: self.onerror.clone(),
            requests: self.requests.clone(),
        };
        self.workers.start(format!("{}-{number}", self.name), move || listener.listen(ready))
    }

    /// Has `func` called on one of the threads, with what
    /// [`create_args`](ThreadHooks::create_args) returned there; the future is for what it
    /// returns. An error, or a panic, is the future's exception. Requests are begun in the
    /// order in which they were made.
    ///
    /// After the queue has stopped the future is cancelled. To cancel the future doesn't keep
    /// `func` from being called.
    pub fn request<R: Send + 'static>(
        &self,
        func: impl FnOnce(&mut H::Args) -> Result<R> + Send + 'static,
    ) -> LoopFuture<R> {
        let future = create_future_on(&self.on);
        if self.stop_fut.done() {
            future.cancel();
            return future;
        }
        if self.workers.len() > 0 {
            self.send(func, &future);
            return future;
        }
        let to_send = future.clone();
        self.early.borrow_mut().push(Box::new(move |queue| match queue {
            Some(queue) => queue.send(func, &to_send),
            None => drop(to_send.cancel()),
        }));
        future
    }

    fn send<R: Send + 'static>(
        &self,
        func: impl FnOnce(&mut H::Args) -> Result<R> + Send + 'static,
        future: &LoopFuture<R>,
    ) {
        #[cfg(feature = "trace")]
        let trace = self.on.trace_of(&func);
        #[cfg(feature = "trace")]
        let func = move |args: &mut H::Args| {
            let _span = trace.begin();
            func(args)
        };
        match self.on.answer_to(future) {
            Ok(answer) => self.requests.append(WorkItem::of(func, answer)),
            // The loop has closed.
            Err(_closed) => drop(future.cancel()),
        }
    }

    /// Stops the queue, and returns when all that was requested is answered and the threads
    /// have ended. What no thread was there for is cancelled. May be called again.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that waits, and [`Closed`](crate::ErrorKind::Closed) after
    /// the loop has closed.
    ///
    /// # Cancellation
    ///
    /// The queue is stopped all the same, and its threads leave without being waited for.
    pub async fn finish(&self) -> Result<()> {
        self.stop();
        loop {
            let gone = self.on.create_future();
            self.workers.on_all_exited(self.on.answer_to(&gone)?);
            gone.await?;
            // Those that were started meanwhile are at work: to join them would stop the loop.
            if self.workers.all_exited() {
                break;
            }
        }
        self.workers.join();
        self.cancel_unsent();
        let mut unanswered = self.requests.remaining().peekable();
        if unanswered.peek().is_some() {
            for request in unanswered {
                // That answers it.
                logged(DROPPED, || drop(request));
            }
            // Their futures are cancelled in this turn.
            sleep(Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Starts the queue, runs `body` with it, and [finishes](ThreadToAsyncQueue::finish) it:
    /// `async with hp.ThreadToAsyncQueue(...) as queue`.
    ///
    /// # Errors
    ///
    /// That of `finish`, where that fails; else that of [`start`](ThreadToAsyncQueue::start),
    /// without which there is no body, or the body's.
    ///
    /// # Cancellation
    ///
    /// The body is told at its await, and the queue is then finished and waited for.
    pub async fn scope<R>(self, body: impl AsyncFnOnce(&Self) -> Result<R>) -> Result<R> {
        let outcome = match self.start().await {
            Ok(()) => await_body!(body(&self)),
            Err(error) => Err(error),
        };
        self.finish().await?;
        outcome
    }

    fn stop(&self) {
        self.stop_fut.cancel();
        self.requests.finish();
    }

    fn cancel_unsent(&self) {
        for early in self.early.take() {
            logged(DROPPED, || early(None));
        }
    }
}

/// Before a panic in the log.
const DROPPED: &str = "a panic in a drop of a request";

impl<H: ThreadHooks> Drop for ThreadToAsyncQueue<H> {
    fn drop(&mut self) {
        // A request that no thread takes is dropped with the last hold on the queue, and dropping
        // it answers it.
        self.stop();
        self.cancel_unsent();
    }
}

impl<H: ThreadHooks> fmt::Debug for ThreadToAsyncQueue<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadToAsyncQueue")
            .field("name", &self.name)
            .field("threads", &self.workers.len())
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

/// A thread, as it sees itself. It knows nothing that belongs to the loop.
struct Listener<H: ThreadHooks> {
    number: usize,
    hooks: Arc<H>,
    onerror: Arc<OnError>,
    requests: SyncQueue<Box<dyn Request<H>>>,
}

impl<H: ThreadHooks> Listener<H> {
    fn listen(self, ready: Answer<()>) {
        let mut args = match self.create_args(None) {
            Ok(args) => Some(args),
            Err(error) => return log_if_closed(ready.give(Err(error))),
        };
        log_if_closed(ready.give(Ok(())));
        for request in self.requests.iter() {
            // The only thing left to panic is the drop of something that a request brought along.
            logged("a panic after a request", || self.serve(request, &mut args));
        }
    }

    fn serve(&self, request: Box<dyn Request<H>>, args: &mut Option<H::Args>) {
        match self.create_args(args.take()) {
            Ok(made) => request.serve(self, Ok(args.insert(made))),
            Err(error) => {
                say!(Error, "create_args failed: {}", shown(&error));
                self.tell(&error);
                request.serve(self, Err(error));
            }
        }
    }

    fn create_args(&self, existing: Option<H::Args>) -> Result<H::Args> {
        caught(|| self.hooks.create_args(self.number, existing))?
    }

    fn tell(&self, error: &Error) {
        if let Err(panic) = caught(|| (self.onerror)(error)) {
            say!(Error, "onerror failed: {}", shown(&panic));
        }
    }
}

fn log_if_closed(given: Result<()>) {
    if given.is_err() {
        say!(Error, "Failed to put result onto the loop because it was closed");
    }
}
