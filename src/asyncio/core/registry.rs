//! [`TaskRegistry`]: the futures and tasks of a loop.
//!
//! **Owner Invariant**: a registry is made in its `Rc`, where it stays in place, and its pages name
//! it as their owner. Once its loop has closed, the pages hold the `Rc` until their last block is
//! freed; before, the loop does.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::alloc::Layout;
use core::any::Any;
use core::cell::{Cell, OnceCell};
use core::future::Future;
use core::mem;
use core::ops::Deref;
use core::pin::Pin;
use core::ptr::{self, NonNull};

use super::header::{ErasedFuture, Header, Waiters, flag};
use crate::blocks::{Lasting, Pages};
use crate::collections::{CellExt, GivenBack, Key, RefCell};
use crate::error::{Error, Result};
#[cfg(feature = "events")]
use crate::event_loop::LoopEvent;
use crate::event_loop::{Inbox, LoopRef, Mail, TaskScheduler, thread_own};
use crate::sync::Arc;

// The registry that was last looked for on this thread, until a loop closes here.
thread_own! {
    static CACHED: RefCell<Option<RegistryHandle>> = RefCell::new(None);
}

/// The cached registry, if `is_it` says that it is the one meant. `None` while the thread's locals
/// are being taken down.
#[inline]
fn cached(is_it: impl FnOnce(&TaskRegistry) -> bool) -> Option<RegistryHandle> {
    let of_cached = |cached: &RefCell<Option<RegistryHandle>>| {
        cached.borrow().as_ref().filter(|registry| is_it(registry)).cloned()
    };
    CACHED.try_with(of_cached).ok().flatten()
}

pub(super) fn set_cached(registry: Option<RegistryHandle>) {
    let before = CACHED.try_with(|cached| cached.replace(registry));
    drop(before);
}

/// The step that goes on.
#[derive(Default)]
pub(super) struct StepState {
    /// The task that is polled.
    pub(super) current: Cell<Option<NonNull<Header>>>,
    pub(super) flags: Cell<u8>,
    /// The task that has its future dropped, after its last step.
    pub(super) ending: Cell<Option<NonNull<Header>>>,
    /// The steps of the loop are counted from one.
    pub(super) number: Cell<u64>,
    /// The number of steps that were begun inside of others.
    pub(super) eager: Cell<u64>,
    /// The error that the first of our futures that is polled in this step returns: Python's
    /// `coro.throw(error)`. It is there if its flag is set.
    pub(super) thrown: Cell<Option<Error>>,
    /// The futures with the awaits that return it; none for the first await that is polled.
    pub(super) throw_at: Cell<Vec<NonNull<Header>>>,
}

/// So many futures and tasks are entered as often as asyncio would, which may be exponentially often
/// where many await the same. The others are entered once.
pub(super) const EXACT: u32 = 10_000;

/// The cancellations of a loop that go on.
#[derive(Default)]
pub(crate) struct CancelWalk {
    /// Delivers the cancellation of a task that was asked for while it ran. It is here before a task is to be
    /// cancelled: a program that cancels nothing is spared all that is behind it.
    pub(super) cancel_parked: Cell<Option<fn(&ErasedFuture)>>,
    /// The number of those that go on inside of each other.
    pub(super) depth: Cell<u32>,
    /// The number of futures and tasks that were entered.
    pub(super) entered: Cell<u32>,
    /// Those that were entered when there were many: they have the flag `VISITED`.
    pub(super) visited: RefCell<Vec<ErasedFuture>>,
    /// The futures to be entered when the others are through; each counts as asked.
    pub(super) deferred: RefCell<VecDeque<(ErasedFuture, Error)>>,
}

impl CancelWalk {
    /// Returns true if a future is to be entered, again or for the first time.
    pub(super) fn may_enter(&self, future: &ErasedFuture) -> bool {
        let entered = self.entered.get();
        if entered < EXACT {
            self.entered.set(entered + 1);
            return true;
        }
        let is_new = !future.header().has(flag::VISITED);
        if is_new {
            future.header().set(flag::VISITED);
            self.visited.borrow_mut().push(future.clone());
        }
        is_new
    }
}

/// Why watchers are called.
#[derive(Clone, Copy)]
pub(super) enum Occasion {
    Ended,
    Joined,
}

/// The type of `completion::call_watchers`.
pub(super) type CallWatchers = fn(&LoopRef, &Waiters, (usize, Key), Occasion);

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

/// The work that a stage waits for.
pub(crate) type Ending = Pin<Box<dyn Future<Output = Result<()>>>>;

/// Something besides tasks that a loop has, once for each loop. A program that has none does without
/// the code that ends it.
pub(crate) trait LoopExtension: Any {
    /// Returns the work that `stage` has to wait for; `None` if that is not this extension's stage.
    fn end(self: Rc<Self>, _event_loop: &LoopRef, _stage: Stage) -> Option<Ending> {
        None
    }

    /// Returns true if anything of it is left for `stage`, one that is not run without need.
    fn needs(&self, _stage: Stage) -> bool {
        false
    }

    /// The loop has closed: drops what is still held.
    fn close(&self, event_loop: &LoopRef);

    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}

/// A counted handle of a registry.
pub(crate) type RegistryHandle = Rc<Lasting<TaskRegistry>>;

pub(crate) struct TaskRegistry {
    pub(super) me: Weak<Lasting<TaskRegistry>>,
    pub(super) event_loop: LoopRef,
    pub(super) pages: Pages<TaskRegistry, Arc<Inbox<Mail>>>,
    /// The memory of the waiters of futures that have several, and of callbacks, made when first used.
    waiter_pages: OnceCell<Box<Pages<TaskRegistry, Arc<Inbox<Mail>>>>>,
    pub(super) step: StepState,
    pub(super) cancel_walk: CancelWalk,
    pub(super) call_watchers: Cell<Option<CallWatchers>>,
    /// The futures that entries of earlier own waits of tasks complete, by the blocks of these.
    pub(super) moved_waits: RefCell<Vec<(NonNull<Header>, ErasedFuture)>>,
    /// The own waits of tasks that have begun, counted.
    own_waits: Cell<usize>,
    /// The number of the task that was made last: they are counted from one.
    serial: Cell<u64>,
    /// Those of the tasks that were named as they were made.
    named: Cell<Option<Box<GivenBack>>>,
    pub(super) extensions: RefCell<Vec<Rc<dyn LoopExtension>>>,
    /// The stage of the loop's end that was begun last.
    stage: Cell<Option<Stage>>,
}

impl TaskRegistry {
    /// The registry of `event_loop`; of a loop that has closed, an empty one for what is made too
    /// late.
    #[inline]
    pub(crate) fn of(event_loop: &LoopRef) -> RegistryHandle {
        cached(|registry| registry.event_loop.ptr_eq(event_loop))
            .unwrap_or_else(|| TaskRegistry::find(event_loop))
    }

    fn find(event_loop: &LoopRef) -> RegistryHandle {
        let found = event_loop.with_tasks(|up| TaskRegistry::behind(up)?.me.upgrade()).flatten();
        let registry = found.unwrap_or_else(|| TaskRegistry::new(event_loop));
        if !event_loop.is_closed() {
            set_cached(Some(registry.clone()));
        }
        registry
    }

    fn new(event_loop: &LoopRef) -> RegistryHandle {
        let registry = Rc::new_cyclic(|me| {
            Lasting::new(TaskRegistry {
                me: me.clone(),
                event_loop: event_loop.clone(),
                pages: Pages::new(event_loop.inbox().clone()),
                waiter_pages: OnceCell::new(),
                step: StepState::default(),
                cancel_walk: CancelWalk::default(),
                call_watchers: Cell::new(None),
                moved_waits: RefCell::default(),
                own_waits: Cell::new(0),
                serial: Cell::new(0),
                named: Cell::default(),
                extensions: RefCell::default(),
                stage: Cell::new(None),
            })
        });
        registry.pages.set_owner(NonNull::from(&**registry));
        if event_loop.is_closed() {
            event_loop.end_late(&*registry);
        } else {
            event_loop.set_tasks(registry.clone());
        }
        registry
    }

    /// Has the registry dropped with its last handle, or its last block: its loop closes, or has closed.
    pub(crate) fn end(&self) {
        if let Some(me) = self.me.upgrade() {
            me.end();
            self.hold();
        }
    }

    pub(crate) fn behind(tasks: &dyn TaskScheduler) -> Option<&TaskRegistry> {
        tasks.as_any().downcast_ref::<Lasting<TaskRegistry>>().map(Deref::deref)
    }

    #[inline(always)]
    pub(crate) fn event_loop(&self) -> &LoopRef {
        &self.event_loop
    }

    /// Returns true if both are the registry of one loop.
    pub(super) fn is(&self, other: &TaskRegistry) -> bool {
        ptr::eq(self, other) || self.event_loop.ptr_eq(&other.event_loop)
    }

    // -- blocks

    /// Memory for a block; `None` where the limit is reached or there is none.
    #[inline(always)]
    pub(super) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.pages.alloc(layout).or_else(|| {
            self.release_unused();
            self.pages.alloc(layout)
        })
    }

    /// Memory for waiters or a callback; as [`allocate`](TaskRegistry::allocate).
    #[inline(always)]
    pub(super) fn allocate_waiters(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.waiter_pages().alloc(layout).or_else(|| {
            self.release_unused();
            self.waiter_pages().alloc(layout)
        })
    }

    /// Gives all memory back that is not in use: it may be what another sort of blocks needs.
    #[cold]
    fn release_unused(&self) {
        self.release_pages();
        self.event_loop.release_callback_memory();
    }

    pub(super) fn release_pages(&self) {
        self.pages.release();
        if let Some(pages) = self.used_waiter_pages() {
            pages.release();
        }
    }

    /// After a block was made: where the loop has closed, the block alone keeps this registry.
    #[inline(always)]
    pub(super) fn keep_for_late_block(&self) {
        if self.event_loop.is_closed() {
            self.hold_late();
        }
    }

    #[cold]
    fn hold_late(&self) {
        if let Some(me) = self.me.upgrade() {
            self.event_loop.end_late(&*me);
        }
    }

    #[cold]
    fn hold(&self) {
        if let Some(me) = self.me.upgrade() {
            if let Some(pages) = self.used_waiter_pages() {
                pages.hold_while_used(Box::new(me.clone()));
            }
            self.pages.hold_while_used(Box::new(me));
        }
    }

    pub(crate) fn pages(&self) -> &Pages<TaskRegistry, Arc<Inbox<Mail>>> {
        &self.pages
    }

    #[inline(always)]
    pub(crate) fn waiter_pages(&self) -> &Pages<TaskRegistry, Arc<Inbox<Mail>>> {
        self.used_waiter_pages().unwrap_or_else(|| self.make_waiter_pages())
    }

    #[cold]
    #[inline(never)]
    fn make_waiter_pages(&self) -> &Pages<TaskRegistry, Arc<Inbox<Mail>>> {
        let pages = Box::new(Pages::new(self.event_loop().inbox().clone()));
        pages.set_owner(NonNull::from(self));
        // There were none, so that none come back: `forget` spares the code of their drop.
        mem::forget(self.waiter_pages.set(pages));
        self.used_waiter_pages().expect("they were just made")
    }

    /// The same, if they were ever used.
    pub(crate) fn used_waiter_pages(&self) -> Option<&Pages<TaskRegistry, Arc<Inbox<Mail>>>> {
        self.waiter_pages.get().map(|pages| &**pages)
    }

    /// The count of the next own wait of a task.
    #[inline(always)]
    pub(super) fn count_own_wait(&self) -> usize {
        let count = self.own_waits.get().wrapping_add(1);
        self.own_waits.set(count);
        count
    }

    /// The number of the next task.
    #[inline(always)]
    pub(super) fn next_serial(&self) -> u64 {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        serial
    }

    /// Has the task that was made last, if its number is `serial`, take none of the numbers in names.
    pub(super) fn give_number_back(&self, serial: u64) {
        if serial != self.serial.get() {
            return;
        }
        let is_time = self.named.with(|named| named.get_or_insert_default().add(serial));
        if is_time {
            let in_use = self.serials();
            self.named.with(|named| named.get_or_insert_default().forget(&in_use));
        }
    }

    /// The number that the name of task `serial` has: tasks that were named as they were made don't count.
    pub(super) fn number_in_name(&self, serial: u64) -> u64 {
        serial - self.named.with(|named| named.as_ref().map_or(0, |named| named.below(serial)))
    }

    /// Returns the event of the making of the last task.
    #[cfg(feature = "events")]
    pub(super) fn task_made_event(&self) -> LoopEvent {
        LoopEvent::TaskMade(self.serial.get())
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

    /// Returns true if the loop's end has come to `stage`.
    #[cfg(feature = "std")]
    pub(crate) fn has_begun(&self, stage: Stage) -> bool {
        self.stage.get() >= Some(stage)
    }

    /// Returns true if an extension has anything left for `stage`.
    pub(crate) fn needs(&self, stage: Stage) -> bool {
        self.extensions.borrow().iter().any(|extension| extension.needs(stage))
    }
}
