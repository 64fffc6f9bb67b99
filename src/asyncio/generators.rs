//! [`Generators`]: the async generators of a loop, and their shutdown.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::{Rc, Weak};
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::Cell;
use core::future::Future;
use core::mem;
use core::pin::Pin;

use super::combine::gather_outcomes;
use super::core::{Ending, LoopExtension, Stage, TaskRegistry};
use super::future::{LoopFuture, release};
use crate::collections::RefCell;
use crate::error::Result;
use crate::event_loop::{ExceptionContext, Job, JobCell, JobKind, LoopRef};

/// A generator as its loop sees it, also while one that was dropped half way is being closed.
pub(super) trait Iterated {
    /// A handle of it, unless all were dropped.
    fn handle(&self) -> Option<Rc<dyn Closing>>;
    /// Drops the body, which may hold the generator itself, after the loop has closed.
    fn abandon(&self, on: &LoopRef);
}

/// A handle of a generator: it isn't dropped half way before this is.
pub(super) trait Closing {
    fn close(self: Rc<Self>) -> Pin<Box<dyn Future<Output = Result<()>>>>;
    fn show(&self) -> String;
}

/// The generators that were iterated on a loop and have not been dropped.
#[derive(Default)]
pub(crate) struct Generators {
    /// In the order of their first iteration.
    iterated: RefCell<BTreeMap<u64, Entry>>,
    count: Cell<u64>,
    /// The number of generators that were dropped half way and are not closed yet.
    closing: Cell<usize>,
    /// Completed when the last of those is closed, if a task waits for that.
    all_closed: Cell<Option<LoopFuture<()>>>,
}

struct Entry {
    generator: Weak<dyn Iterated>,
    /// `shutdown_asyncgens` has not taken it, and it was not dropped.
    open: bool,
}

impl Generators {
    pub(super) fn add(&self, generator: Weak<dyn Iterated>) -> u64 {
        let key = self.count.get();
        self.count.set(key + 1);
        self.iterated.borrow_mut().insert(key, Entry { generator, open: true });
        key
    }

    pub(super) fn remove(&self, key: u64) {
        let removed = self.iterated.borrow_mut().remove(&key);
        drop(removed);
    }

    /// Leaves a generator out of the next shutdown.
    pub(super) fn withdraw(&self, key: u64) {
        if let Some(iterated) = self.iterated.borrow_mut().get_mut(&key) {
            iterated.open = false;
        }
    }

    /// The generators that a shutdown has to close, oldest first. None is given twice. It holds them to its
    /// end: one that it can't close, as it is being iterated, may lose its other handles meanwhile.
    fn take_open(&self) -> Vec<Rc<dyn Closing>> {
        let mut iterated = self.iterated.borrow_mut();
        let open = iterated.values_mut().filter_map(|iterated| {
            mem::take(&mut iterated.open).then(|| iterated.generator.upgrade()?.handle()).flatten()
        });
        open.collect()
    }

    /// Returns true if generators that were dropped half way are still being closed.
    fn are_closing(&self) -> bool {
        self.closing.get() > 0
    }

    /// Counts a generator of `on` that was dropped half way, until what is returned is dropped.
    pub(super) fn half_way(self: Rc<Self>, on: &LoopRef) -> HalfWay {
        self.closing.set(self.closing.get() + 1);
        HalfWay(on.clone(), self)
    }

    /// Counts the end of such a closing.
    fn one_closed(&self) {
        self.closing.set(self.closing.get() - 1);
        if self.are_closing() {
            return;
        }
        if let Some(waiter) = self.all_closed.take() {
            // It is pending, or was cancelled.
            let _ = release(&waiter);
        }
    }

    /// Waits until the generators that were dropped half way are closed.
    async fn until_closed(&self, on: &LoopRef) -> Result<()> {
        while self.are_closing() {
            let waiter = on.create_future();
            self.all_closed.set(Some(waiter.clone()));
            waiter.await?;
        }
        Ok(())
    }
}

/// A generator that was dropped half way and is not closed yet.
pub(super) struct HalfWay(LoopRef, Rc<Generators>);

impl Drop for HalfWay {
    /// Counts the end in the next turn, as a done callback of the task that closes it would. That would
    /// keep the task until then, and hold back the report of its error.
    fn drop(&mut self) {
        self.0.schedule(JobCell::new(Closed(self.1.clone())));
    }
}

/// Counts the end of a closing.
struct Closed(Rc<Generators>);

impl Job for Closed {
    fn run(this: Rc<JobCell<Self>>, _on: &LoopRef) {
        this.0.one_closed();
    }

    fn kind(&self) -> JobKind {
        JobKind::FutureDone
    }

    fn describe(&self) -> String {
        "<end of a generator's closing>".into()
    }
}

impl LoopExtension for Generators {
    fn end(self: Rc<Self>, event_loop: &LoopRef, stage: Stage) -> Option<Ending> {
        let on = event_loop.clone();
        match stage {
            Stage::Generators => Some(Box::pin(async move { on.shutdown_asyncgens().await })),
            Stage::DroppedGenerators => Some(Box::pin(async move { self.until_closed(&on).await })),
            Stage::Executor => None,
        }
    }

    fn needs(&self, stage: Stage) -> bool {
        stage == Stage::DroppedGenerators && self.are_closing()
    }

    /// Drops the bodies of all.
    fn close(&self, event_loop: &LoopRef) {
        let all: Vec<_> = self.iterated.borrow().values().map(|it| it.generator.clone()).collect();
        for generator in all {
            if let Some(generator) = generator.upgrade() {
                generator.abandon(event_loop);
            }
        }
    }

    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl LoopRef {
    /// Closes the async generators that were iterated and not dropped since, all at once and
    /// oldest first, and waits for them: asyncio's `shutdown_asyncgens`. When all are closed, what
    /// went wrong with each goes to the exception handler. A generator that was dropped is closed
    /// by a task of its own, and is left to it.
    ///
    /// # Errors
    ///
    /// The cancellation of the task that waits;
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed.
    ///
    /// # Cancellation
    ///
    /// Cancels the closing of each generator: its body gets the cancellation where it awaits. The
    /// task that waits gets it when all have ended, and what went wrong with them is not reported.
    pub async fn shutdown_asyncgens(&self) -> Result<()> {
        let generators = TaskRegistry::of(self).extension::<Generators>().take_open();
        if generators.is_empty() {
            return Ok(());
        }
        let close =
            |generator: &Rc<dyn Closing>| self.create_started_task(generator.clone().close());
        let tasks = generators.iter().map(close).collect::<Result<Vec<_>>>()?;
        let outcomes = gather_outcomes(&tasks).await?;
        for (generator, outcome) in generators.iter().zip(outcomes) {
            let Err(error) = outcome else { continue };
            if !error.is_exception() {
                continue;
            }
            let shown = generator.show();
            let message = "an error occurred during closing of asynchronous generator ";
            let mut context = ExceptionContext::new(String::from(message) + &shown);
            context.exception = Some(error);
            context.asyncgen = Some(shown);
            self.call_exception_handler(&context);
        }
        Ok(())
    }
}
