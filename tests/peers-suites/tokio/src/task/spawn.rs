//! Making tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use callsoon::AnyFuture;

use super::body::Body;
use super::join_handle::{Control, Outcome};
use super::{Id, JoinError, JoinHandle};
use crate::runtime::{Handle, Inner, RuntimeFlavor};

#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_on(future, &Handle::current())
}

#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    super::local_set::spawn_in_current(future)
}

pub(crate) fn spawn_on<F>(future: F, handle: &Handle) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if handle.0.on.is_here() {
        return spawn_here(future, handle);
    }
    let outcome = Outcome::new(Control::new(Id::next()));
    let _ = outcome.control.remote.set(handle.0.remote.clone());
    let body = Body::new(future, outcome.clone(), handle.0.clone());
    let to = SendOutcome(outcome.clone());
    let runtime = handle.0.clone();
    let _ = handle.0.remote.call_soon_threadsafe(move || {
        let to = to;
        start_body(body, &to.0, &runtime);
    });
    JoinHandle::new(outcome)
}

struct SendOutcome<T>(Arc<Outcome<T>>);
// SAFETY: The output is `Send` where this is made.
unsafe impl<T> Send for SendOutcome<T> {}

/// Makes a task on the thread of its loop.
pub(crate) fn spawn_here<F>(future: F, handle: &Handle) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let outcome = Outcome::new(Control::new(Id::next()));
    start(future, outcome.clone(), handle);
    JoinHandle::new(outcome)
}

/// Begins a task, on the thread of its loop, that has a handle already.
pub(super) fn start<F>(future: F, outcome: Arc<Outcome<F::Output>>, handle: &Handle)
where
    F: Future + 'static,
    F::Output: 'static,
{
    start_body(Body::new(future, outcome.clone(), handle.0.clone()), &outcome, &handle.0);
}

fn start_body<F>(body: Body<F>, outcome: &Arc<Outcome<F::Output>>, runtime: &Arc<Inner>)
where
    F: Future + 'static,
    F::Output: 'static,
{
    let _ = outcome.control.remote.set(runtime.remote.clone());
    if outcome.control.state.lock().unwrap().is_aborted {
        return drop(body);
    }
    let Ok(task) = runtime.on.create_task(body) else { return };
    let id = outcome.control.id;
    let to = outcome.clone();
    task.add_done_callback(move |done: &dyn AnyFuture| {
        let Err(error) = done.outcome() else { return };
        to.complete(Err(match error.take_panic() {
            Some(payload) => JoinError::panicked(id, payload),
            None => JoinError::cancelled(id),
        }));
    });
    let mut progress = outcome.control.state.lock().unwrap();
    if !progress.is_finished {
        progress.task = Some(crate::here::Here::new(task));
    }
}

#[track_caller]
pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    spawn_blocking_on(work, &Handle::current())
}

pub(crate) fn spawn_blocking_on<F, R>(work: F, handle: &Handle) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    /// Ends the task if it never ran.
    struct Unrun<R>(SendOutcome<R>);
    impl<R> Drop for Unrun<R> {
        fn drop(&mut self) {
            let id = self.0.0.control.id;
            self.0.0.complete(Err(JoinError::cancelled(id)));
        }
    }
    let outcome = Outcome::new(Control::new(Id::next()));
    let unrun = Unrun(SendOutcome(outcome.clone()));
    let within = handle.clone();
    let stopped = StoppedClock::new(handle);
    handle.0.blocking.run(Box::new(move || {
        let outcome = &unrun.0.0;
        let id = outcome.control.id;
        if outcome.control.state.lock().unwrap().is_aborted {
            return;
        }
        let _entered = within.enter();
        let result = id.within(|| catch_unwind(AssertUnwindSafe(work)));
        outcome.complete(result.map_err(|payload| JoinError::panicked(id, payload)));
        drop(stopped);
    }));
    JoinHandle::new(outcome)
}

/// Has a clock that is paused wait for a thread, instead of moving on to the next timer.
struct StoppedClock(Option<Handle>);

impl StoppedClock {
    fn new(handle: &Handle) -> StoppedClock {
        let is_stopped = handle.0.is_virtual && handle.0.on.is_here();
        if is_stopped && handle.0.working.fetch_add(1, Ordering::SeqCst) == 0 {
            handle.0.on.pause_time().expect("the time is virtual");
        }
        StoppedClock(is_stopped.then(|| handle.clone()))
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        let Some(handle) = self.0.take() else { return };
        let remote = handle.0.remote.clone();
        let _ = remote.call_soon_threadsafe(move || {
            if handle.0.working.fetch_sub(1, Ordering::SeqCst) == 1 {
                let _ = handle.0.on.resume_time();
            }
        });
    }
}

/// Runs `work` on this thread: there is no other for the tasks.
#[track_caller]
pub fn block_in_place<R>(work: impl FnOnce() -> R) -> R {
    let is_alone =
        Handle::try_current().is_ok_and(|handle| handle.0.flavor == RuntimeFlavor::CurrentThread);
    assert!(!is_alone, "can call blocking only when running on the multi-threaded runtime");
    work()
}
