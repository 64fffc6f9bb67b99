//! [`TaskRegistry`]: what a loop knows of its futures and tasks.
//!
//! **Owner Invariant**: a registry is made in its `Rc`, whose place never changes, and its pages name
//! it as their owner. Once its loop has closed, the pages hold the `Rc` until their last block is
//! freed; before, the loop does.

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::alloc::Layout;
use core::any::Any;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::Waker;

use super::cancel::CancelWalk;
use super::node::ErasedFuture;
use super::step::{self, StepState};
use super::{pending_tasks, task_block, waker};
use crate::blocks::Pages;
use crate::error::{Error, Result};
use crate::event_loop::{Inbox, LoopRef, Mail, Upstairs, drop_quietly, running_loop, thread_own};
use crate::sync::Arc;

// The registry that was last looked for on this thread, until a loop closes here.
thread_own! {
    static CACHED: RefCell<Option<Rc<TaskRegistry>>> = RefCell::new(None);
}

/// The cached registry, if `is_it` says that it is the one meant. `None` while the thread's locals
/// are being taken down.
#[inline]
fn cached(is_it: impl FnOnce(&TaskRegistry) -> bool) -> Option<Rc<TaskRegistry>> {
    let of_cached = |cached: &RefCell<Option<Rc<TaskRegistry>>>| {
        cached.borrow().as_ref().filter(|registry| is_it(registry)).cloned()
    };
    CACHED.try_with(of_cached).ok().flatten()
}

fn set_cached(registry: Option<Rc<TaskRegistry>>) {
    let before = CACHED.try_with(|cached| cached.replace(registry));
    drop(before);
}

/// A stage of a loop's end, after its tasks have ended. Each runs in a task of its own, as in
/// asyncio, so that a loop without generators and threads runs as many turns as any other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Stage {
    /// Closes the generators.
    Generators,
    /// Waits for the threads of the loop's own pool.
    Executor,
    /// Waits for the generators that were dropped and are still being closed. Asyncio has no such
    /// stage, and loses what they do to end.
    DroppedGenerators,
}

/// What a stage waits for.
pub(crate) type Ending = Pin<Box<dyn Future<Output = Result<()>>>>;

/// Something besides tasks that a loop has, once for each loop. A program that has none does without
/// the code that ends it.
pub(crate) trait LoopExtension: Any {
    /// What `stage` has to wait for; `None` if that is not this extension's stage.
    fn end(self: Rc<Self>, _event_loop: &LoopRef, _stage: Stage) -> Option<Ending> {
        None
    }

    /// Whether anything of it is left for `stage`, one that is not run without need.
    fn needs(&self, _stage: Stage) -> bool {
        false
    }

    /// The loop has closed: drops what is still held.
    fn close(&self, event_loop: &LoopRef);

    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

pub(crate) struct TaskRegistry {
    me: Weak<TaskRegistry>,
    event_loop: LoopRef,
    pages: Pages<TaskRegistry, Arc<Inbox<Mail>>>,
    pub(super) step: StepState,
    pub(super) cancel_walk: CancelWalk,
    /// The number of the task that was made last: they are counted from one.
    serial: Cell<u64>,
    extensions: RefCell<Vec<Rc<dyn LoopExtension>>>,
    /// The stage of the loop's end that was begun last.
    stage: Cell<Option<Stage>>,
}

impl TaskRegistry {
    /// The registry of `event_loop`; of a loop that has closed, an empty one for what is made too
    /// late.
    #[inline]
    pub(crate) fn of(event_loop: &LoopRef) -> Rc<TaskRegistry> {
        cached(|registry| registry.event_loop.ptr_eq(event_loop))
            .unwrap_or_else(|| TaskRegistry::find(event_loop))
    }

    /// The registry of the loop that runs on this thread.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) where no loop runs.
    #[inline]
    pub(crate) fn running() -> Result<Rc<TaskRegistry>> {
        match step::in_step(|registry| registry.me.upgrade()).flatten() {
            Some(registry) => Ok(registry),
            None => running_loop().map(|event_loop| TaskRegistry::of(&event_loop)),
        }
    }

    /// The task whose step goes on on this thread.
    pub(crate) fn current_here() -> Option<ErasedFuture> {
        step::in_step(TaskRegistry::current_task).flatten()
    }

    fn find(event_loop: &LoopRef) -> Rc<TaskRegistry> {
        let found = event_loop.with_upstairs(|up| TaskRegistry::behind(up)?.me.upgrade()).flatten();
        let registry = found.unwrap_or_else(|| TaskRegistry::new(event_loop));
        if !event_loop.is_closed() {
            set_cached(Some(registry.clone()));
        }
        registry
    }

    fn new(event_loop: &LoopRef) -> Rc<TaskRegistry> {
        let registry = Rc::new_cyclic(|me| TaskRegistry {
            me: me.clone(),
            event_loop: event_loop.clone(),
            pages: Pages::new(event_loop.inbox().clone()),
            step: StepState::default(),
            cancel_walk: CancelWalk::default(),
            serial: Cell::new(0),
            extensions: RefCell::default(),
            stage: Cell::new(None),
        });
        registry.pages.set_owner(NonNull::from(&*registry));
        if !event_loop.is_closed() {
            event_loop.set_upstairs(registry.clone());
        }
        registry
    }

    fn behind(upstairs: &dyn Upstairs) -> Option<&TaskRegistry> {
        upstairs.as_any().downcast_ref()
    }

    #[inline(always)]
    pub(crate) fn event_loop(&self) -> &LoopRef {
        &self.event_loop
    }

    /// Whether both are the registry of one loop.
    pub(super) fn is(&self, other: &TaskRegistry) -> bool {
        ptr::eq(self, other) || self.event_loop.ptr_eq(&other.event_loop)
    }

    // -- blocks

    /// Memory for a block; `None` where the limit is reached or the allocator has none.
    #[inline(always)]
    pub(super) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.pages.alloc(layout)
    }

    /// After a block was made: where the loop has closed, the block alone keeps this registry.
    #[inline(always)]
    pub(super) fn keep_for_late_block(&self) {
        if self.event_loop.is_closed() {
            self.hold();
        }
    }

    #[cold]
    fn hold(&self) {
        if let Some(me) = self.me.upgrade() {
            self.pages.hold_while_used(Box::new(me));
        }
    }

    pub(crate) fn pages(&self) -> &Pages<TaskRegistry, Arc<Inbox<Mail>>> {
        &self.pages
    }

    /// The number of the next task.
    #[inline(always)]
    pub(super) fn next_serial(&self) -> u64 {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        serial
    }

    /// The tasks that are not done, oldest first.
    pub(crate) fn all(&self) -> Vec<ErasedFuture> {
        let mut tasks = pending_tasks::all_pending(&self.pages);
        tasks.sort_unstable_by_key(|task| task.task().map(|task| task.serial()));
        tasks
    }

    pub(crate) fn has_tasks(&self) -> bool {
        !pending_tasks::all_pending(&self.pages).is_empty()
    }

    // -- what a loop has besides tasks

    /// The loop's own `E`, which is made when it is first asked for.
    pub(crate) fn extension<E: LoopExtension + Default>(&self) -> Rc<E> {
        let find = |extension: &Rc<dyn LoopExtension>| extension.clone().into_any().downcast().ok();
        if let Some(found) = self.extensions.borrow().iter().find_map(find) {
            return found;
        }
        let new = Rc::<E>::default();
        if !self.event_loop.is_closed() {
            self.extensions.borrow_mut().push(new.clone());
        }
        new
    }

    /// Begins a stage of the loop's end, and returns what it has to wait for.
    pub(crate) fn begin_stage(&self, stage: Stage) -> Option<Ending> {
        self.stage.set(Some(stage));
        let extensions = self.extensions.borrow().clone();
        extensions.into_iter().find_map(|extension| extension.end(&self.event_loop, stage))
    }

    /// Whether the loop's end has come to `stage`.
    #[cfg(feature = "std")]
    pub(crate) fn has_begun(&self, stage: Stage) -> bool {
        self.stage.get() >= Some(stage)
    }

    /// Whether anything is left for `stage`.
    pub(crate) fn needs(&self, stage: Stage) -> bool {
        self.extensions.borrow().iter().any(|extension| extension.needs(stage))
    }
}

impl Upstairs for TaskRegistry {
    fn wake(&self, waker: Waker) {
        waker::wake_task_of(&waker);
    }

    fn idle(&self) {
        self.pages.collect_remote();
        self.pages.release_idle();
    }

    fn take_panic(&self, panic: Error) -> Option<Error> {
        task_block::fail_current(self, panic)
    }

    fn could_be_woken(&self) -> bool {
        pending_tasks::has_waker(&self.pages)
    }

    fn close(&self) {
        set_cached(None);
        for task in self.all() {
            pending_tasks::abandon(task);
        }
        let extensions = self.extensions.take();
        for extension in extensions {
            extension.close(&self.event_loop);
            drop_quietly(&self.event_loop, extension);
        }
        self.hold();
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
