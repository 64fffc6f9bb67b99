//! [`JoinHandle`] and [`AbortHandle`].

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

use callsoon::LoopHandle;

use super::{Id, JoinError};
use crate::here::Here;

/// The output of a task, which is taken once, and the waker of its `JoinHandle`.
pub(super) struct Outcome<T> {
    pub(super) state: Mutex<State<T>>,
    pub(super) control: Arc<Control>,
}

pub(super) enum State<T> {
    Pending(Option<Waker>),
    Done(Result<T, JoinError>),
    Taken,
    /// The output is dropped when it comes.
    Unwanted,
}

/// The part of a task's state that does not depend on the type of its output.
pub(crate) struct Control {
    pub(super) id: Id,
    pub(super) remote: OnceLock<LoopHandle>,
    pub(super) state: Mutex<Progress>,
}

pub(super) struct Progress {
    pub(super) is_finished: bool,
    pub(super) is_aborted: bool,
    pub(super) task: Option<Here<callsoon::Task<()>>>,
}

impl Control {
    pub(super) fn new(id: Id) -> Arc<Control> {
        let state = Progress { is_finished: false, is_aborted: false, task: None };
        Arc::new(Control { id, remote: OnceLock::new(), state: Mutex::new(state) })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.state.lock().unwrap().is_finished
    }

    pub(super) fn abort(self: &Arc<Control>) {
        let task = {
            let mut state = self.state.lock().unwrap();
            if state.is_finished {
                return;
            }
            state.is_aborted = true;
            match &state.task {
                Some(task) if task.is_here() => Some((**task).clone()),
                _ => None,
            }
        };
        if let Some(task) = task {
            task.cancel();
        } else if let Some(remote) = self.remote.get() {
            let control = self.clone();
            let _ = remote.call_soon_threadsafe(move || control.cancel_here());
        }
    }

    fn cancel_here(&self) {
        let task = self.state.lock().unwrap().task.as_ref().map(|task| (**task).clone());
        if let Some(task) = task {
            task.cancel();
        }
    }
}

impl<T> Outcome<T> {
    pub(super) fn new(control: Arc<Control>) -> Arc<Outcome<T>> {
        Arc::new(Outcome { state: Mutex::new(State::Pending(None)), control })
    }

    /// Ends the task, unless it has ended.
    pub(super) fn complete(&self, result: Result<T, JoinError>) {
        let task = {
            let mut progress = self.control.state.lock().unwrap();
            if progress.is_finished {
                return;
            }
            progress.is_finished = true;
            progress.task.take()
        };
        drop(task);
        let mut state = self.state.lock().unwrap();
        match std::mem::replace(&mut *state, State::Unwanted) {
            State::Pending(waker) => {
                *state = State::Done(result);
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            _ => {
                drop(state);
                drop_as(self.control.id, result);
            }
        }
    }
}

/// Drops what a task returned, as the task. A panic of that has nowhere to go.
fn drop_as<T>(id: Id, result: T) {
    let dropping = std::panic::AssertUnwindSafe(|| id.within(|| drop(result)));
    let _ = std::panic::catch_unwind(dropping);
}

pub struct JoinHandle<T> {
    outcome: Arc<Outcome<T>>,
}

// SAFETY: The output is reached by the handle's owner alone.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: As above: `&JoinHandle` gives no output.
unsafe impl<T: Send> Sync for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}
impl<T> std::panic::UnwindSafe for JoinHandle<T> {}
impl<T> std::panic::RefUnwindSafe for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    pub(super) fn new(outcome: Arc<Outcome<T>>) -> JoinHandle<T> {
        JoinHandle { outcome }
    }

    pub(super) fn abort_of(outcome: &Outcome<T>) -> AbortHandle {
        AbortHandle(outcome.control.clone())
    }

    pub fn abort(&self) {
        self.outcome.control.abort();
    }

    pub fn is_finished(&self) -> bool {
        self.outcome.control.is_finished()
    }

    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle(self.outcome.control.clone())
    }

    pub fn id(&self) -> Id {
        self.outcome.control.id
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.outcome.state.lock().unwrap();
        match &mut *state {
            State::Pending(Some(waker)) if waker.will_wake(cx.waker()) => Poll::Pending,
            State::Pending(waker) => {
                let before = waker.replace(cx.waker().clone());
                drop(state);
                drop(before);
                Poll::Pending
            }
            done => match std::mem::replace(done, State::Taken) {
                State::Done(result) => Poll::Ready(result),
                _ => panic!("JoinHandle polled after completion"),
            },
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let state = {
            let mut state = self.outcome.state.lock().unwrap();
            std::mem::replace(&mut *state, State::Unwanted)
        };
        let id = self.outcome.control.id;
        if let State::Done(result) = state {
            drop_as(id, result);
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("id", &self.id()).finish()
    }
}

#[derive(Clone)]
pub struct AbortHandle(Arc<Control>);

impl AbortHandle {
    pub fn abort(&self) {
        self.0.abort();
    }

    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    pub fn id(&self) -> Id {
        self.0.id
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").field("id", &self.id()).finish()
    }
}

impl std::panic::UnwindSafe for AbortHandle {}
impl std::panic::RefUnwindSafe for AbortHandle {}
