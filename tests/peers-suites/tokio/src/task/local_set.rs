//! [`LocalSet`]: tasks of the loop, begun once the set is run.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{AbortHandle, JoinHandle};
use crate::runtime::{Handle, Runtime, current};

#[derive(Default)]
struct Local {
    /// Those that were spawned before there was a loop to run them.
    waiting: RefCell<VecDeque<Box<dyn FnOnce(&Handle)>>>,
    tasks: RefCell<Vec<AbortHandle>>,
    pending: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    runs_on: RefCell<Option<Handle>>,
}

thread_local! {
    static ENTERED: RefCell<Vec<Rc<Local>>> = const { RefCell::new(Vec::new()) };
}

pub struct LocalEnterGuard {
    of: std::marker::PhantomData<*const ()>,
}

impl Drop for LocalEnterGuard {
    fn drop(&mut self) {
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().pop());
    }
}

impl fmt::Debug for LocalEnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEnterGuard").finish()
    }
}

fn enter(local: &Rc<Local>) -> LocalEnterGuard {
    ENTERED.with(|entered| entered.borrow_mut().push(local.clone()));
    LocalEnterGuard { of: std::marker::PhantomData }
}

/// Polls a future in the context of a set.
struct Within<F> {
    future: Pin<Box<F>>,
    local: Rc<Local>,
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = enter(&self.local);
        self.future.as_mut().poll(cx)
    }
}

/// Counts a task while it exists.
struct Counted(Rc<Local>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.pending.set(self.0.pending.get() - 1);
        if self.0.pending.get() == 0 {
            if let Some(waker) = self.0.waker.take() {
                waker.wake();
            }
        }
    }
}

#[track_caller]
pub(super) fn spawn_in_current<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let local = ENTERED.with(|entered| entered.borrow().last().cloned());
    if let (None, Some(handle)) = (&local, current().filter(|handle| handle.0.is_local)) {
        assert!(
            handle.0.on.is_here(),
            "Local tasks can only be spawned on a LocalRuntime from the thread the runtime was created on"
        );
        return super::spawn_here(future, &handle);
    }
    let local = local.expect(
        "`spawn_local` called from outside of a `task::LocalSet` or `runtime::LocalRuntime`",
    );
    local.spawn(future)
}

impl Local {
    fn spawn<F>(self: &Rc<Local>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.pending.set(self.pending.get() + 1);
        let counted = Counted(self.clone());
        let body = Within {
            future: Box::pin(async move {
                let _counted = counted;
                future.await
            }),
            local: self.clone(),
        };
        let runs_on = self.runs_on.borrow().clone();
        let Some(handle) = runs_on else {
            return self.spawn_later(body);
        };
        let task = super::spawn_here(body, &handle);
        self.tasks.borrow_mut().push(task.abort_handle());
        task
    }

    fn spawn_later<F>(self: &Rc<Local>, body: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        use super::join_handle::{Control, Outcome};
        let outcome = Outcome::new(Control::new(super::Id::next()));
        let (to, local) = (Unbegun(Some(outcome.clone())), self.clone());
        self.waiting.borrow_mut().push_back(Box::new(move |handle| {
            let mut to = to;
            let outcome = to.0.take().expect("it begins once");
            super::spawn::start(body, outcome.clone(), handle);
            local.tasks.borrow_mut().push(JoinHandle::abort_of(&outcome));
        }));
        JoinHandle::new(outcome)
    }

    fn begin(&self, handle: &Handle) {
        *self.runs_on.borrow_mut() = Some(handle.clone());
        loop {
            let Some(begin) = self.waiting.borrow_mut().pop_front() else { return };
            begin(handle);
        }
    }
}

/// Ends a task that was dropped before it began.
struct Unbegun<T>(Option<Arc<super::join_handle::Outcome<T>>>);

impl<T> Drop for Unbegun<T> {
    fn drop(&mut self) {
        if let Some(outcome) = self.0.take() {
            outcome.complete(Err(super::JoinError::cancelled(outcome.control.id)));
        }
    }
}

#[derive(Default)]
pub struct LocalSet {
    local: Rc<Local>,
}

impl LocalSet {
    pub fn new() -> LocalSet {
        LocalSet::default()
    }

    pub fn enter(&self) -> LocalEnterGuard {
        enter(&self.local)
    }

    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.local.spawn(future)
    }

    #[track_caller]
    pub fn block_on<F: Future>(&self, runtime: &Runtime, future: F) -> F::Output {
        runtime.block_on(self.run_until(future))
    }

    pub async fn run_until<F: Future>(&self, future: F) -> F::Output {
        self.local.begin(&Handle::current());
        Within { future: Box::pin(future), local: self.local.clone() }.await
    }
}

impl Future for LocalSet {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.local.begin(&Handle::current());
        if self.local.pending.get() == 0 {
            return Poll::Ready(());
        }
        *self.local.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for LocalSet {
    fn drop(&mut self) {
        let _runtime = current();
        let waiting = self.local.waiting.take();
        drop(waiting);
        for task in self.local.tasks.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSet").finish()
    }
}
