//! [`TaskCore`]: the part of a task that doesn't depend on its value.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::panic::Location;
use core::task::Waker;

use super::line::{Line, Place};
use super::look_into::look_into;
use super::node::Node;
use crate::error::Error;
use crate::event_loop::SerialKey;

/// Why a task doesn't run at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parked {
    /// Its first step is scheduled. Until then nothing of it has run.
    Unstarted,
    /// It doesn't: this is its step.
    Running,
    /// It gave way once, and its next step is scheduled.
    Yielding,
    /// It awaits futures of ours, which are in `waits`.
    Waiting,
    /// It awaits something that knows nothing of this loop but its waker.
    Foreign,
}

/// **Wait Invariant**: the first wait is one that came when there was no other, so that those of
/// [`Rare`] all came after it.
pub(crate) struct TaskCore {
    serial: u64,
    index: u32,
    /// How often `cancel` was asked, less the `uncancel`s.
    cancels: Cell<u32>,
    /// Its step is on the ready queue. The queue's next job of this task is that step.
    pub(crate) scheduled: Cell<bool>,
    pub(crate) parked: Cell<Parked>,
    /// The shared waker was woken during the step, so that another is to follow.
    pub(crate) woke_itself: Cell<bool>,
    /// A cancellation that nothing awaited has taken: the next step throws it.
    pub(crate) must_cancel: Cell<bool>,
    /// An error other than a cancellation is there for the next step to throw.
    throws: Cell<bool>,
    /// It awaits futures of ours.
    awaits: Cell<bool>,
    /// It is no loss if the loop closes before it is over.
    pub(crate) expendable: Cell<bool>,
    /// The level of the cancellation that it has passed on, while that is under way; 0 otherwise.
    pub(super) passed_on: Cell<u8>,
    /// What it awaits of ours: the first of it, mostly all of it.
    first_wait: Cell<Option<Rc<dyn Node>>>,
    /// What few tasks need.
    rare: OnceCell<Box<Rare>>,
    /// Its own waker, once a foreign future has asked for one.
    pub(crate) waker: OnceCell<Waker>,
    /// Where it was made.
    pub(crate) spawned_at: &'static Location<'static>,
}

impl TaskCore {
    pub(crate) fn new(key: SerialKey, spawned_at: &'static Location<'static>) -> TaskCore {
        TaskCore {
            serial: key.serial,
            index: key.index,
            cancels: Cell::new(0),
            scheduled: Cell::new(false),
            parked: Cell::new(Parked::Unstarted),
            woke_itself: Cell::new(false),
            must_cancel: Cell::new(false),
            throws: Cell::new(false),
            awaits: Cell::new(false),
            expendable: Cell::new(false),
            passed_on: Cell::new(0),
            first_wait: Cell::new(None),
            rare: OnceCell::new(),
            waker: OnceCell::new(),
            spawned_at,
        }
    }

    pub(crate) fn key(&self) -> SerialKey {
        SerialKey { index: self.index, serial: self.serial }
    }

    /// What few tasks need: this is one of them.
    fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// Whether the next step is to throw something.
    pub(crate) fn throws(&self) -> bool {
        self.must_cancel.get() || self.throws.get()
    }

    /// What the step that begins is to throw.
    pub(crate) fn take_thrown(&self) -> Option<Error> {
        let thrown = if self.throws.take() { self.rare.get()?.throw_next.take() } else { None };
        // A cancellation takes the place of another error.
        if self.must_cancel.take() { Some(self.cancellation()) } else { thrown }
    }

    /// Notes a cancellation for the next step to throw.
    pub(crate) fn must_cancel(&self, error: Error) {
        self.must_cancel.set(true);
        // The commonest says nothing, and needs no room.
        if error.ptr_eq(&Error::cancelled()) {
            let before = self.rare.get().map(|rare| rare.cancellation.take());
            drop(before);
        } else {
            self.rare().cancellation.replace(Some(error));
        }
    }

    /// What the cancellation says that is to be thrown, or was the last to be.
    pub(crate) fn cancellation(&self) -> Error {
        let error = self.rare.get().and_then(|rare| rare.cancellation.borrow().clone());
        error.unwrap_or(Error::cancelled())
    }

    /// Notes an error for the next step to throw.
    pub(crate) fn throw_next(&self, error: Error) {
        self.throws.set(true);
        self.rare().throw_next.set(Some(error));
    }

    pub(crate) fn count_cancel(&self) {
        self.cancels.set(self.cancels.get().saturating_add(1));
    }

    pub(crate) fn cancelling(&self) -> usize {
        self.cancels.get() as usize
    }

    /// asyncio's `uncancel`: a pending cancellation that nobody asks for any more is off.
    pub(crate) fn uncancel(&self) -> usize {
        let left = self.cancels.get().saturating_sub(1);
        if self.cancels.replace(left) == 1 {
            self.must_cancel.set(false);
        }
        left as usize
    }

    /// Whether it awaits futures of ours.
    pub(crate) fn awaits(&self) -> bool {
        self.awaits.get()
    }

    /// Notes that it awaits `node`.
    #[inline]
    pub(crate) fn add_wait(&self, node: Rc<dyn Node>) -> WaitPlace {
        if self.awaits.replace(true) {
            return self.add_another_wait(node);
        }
        self.first_wait.set(Some(node));
        WaitPlace::First
    }

    #[cold]
    fn add_another_wait(&self, node: Rc<dyn Node>) -> WaitPlace {
        WaitPlace::More(self.rare().waits.borrow_mut().push(node))
    }

    /// Takes out a wait, to be dropped where nothing is borrowed.
    #[inline]
    pub(crate) fn remove_wait(&self, place: WaitPlace) -> Option<Rc<dyn Node>> {
        match self.rare.get() {
            None => {
                self.awaits.set(false);
                self.first_wait.take()
            }
            Some(rare) => self.remove_one_wait(rare, place),
        }
    }

    /// The same where there may be others.
    #[cold]
    fn remove_one_wait(&self, rare: &Rare, place: WaitPlace) -> Option<Rc<dyn Node>> {
        let mut waits = rare.waits.borrow_mut();
        let wait = match place {
            WaitPlace::First => self.first_wait.take(),
            WaitPlace::More(place) => waits.remove(place),
        };
        let first = look_into(&self.first_wait, |first| first.is_some());
        self.awaits.set(first || !waits.is_empty());
        wait
    }

    /// The number of futures of ours that the task waits for.
    pub(super) fn wait_count(&self) -> usize {
        let first = look_into(&self.first_wait, |first| first.is_some());
        let more = self.rare.get().map_or(0, |rare| rare.waits.borrow().len());
        usize::from(first) + more
    }

    /// All that it awaits, in the order in which it came.
    pub(crate) fn waits(&self) -> (Option<Rc<dyn Node>>, Vec<Rc<dyn Node>>) {
        let first = look_into(&self.first_wait, |first| first.clone());
        let more = self.rare.get().map(|rare| rare.waits.borrow().iter().cloned().collect());
        (first, more.unwrap_or_default())
    }

    /// All that it awaits, to be dropped where nothing is borrowed.
    pub(crate) fn take_waits(&self) -> impl Sized + use<> {
        self.awaits.set(false);
        let more = self.rare.get().map(|rare| rare.waits.take());
        (self.first_wait.take(), more)
    }
}

/// What few tasks need.
#[derive(Default)]
struct Rare {
    /// What the last cancellation says that nothing awaited has taken, unless it says nothing. It
    /// stays when it was thrown: see `gather`.
    cancellation: RefCell<Option<Error>>,
    /// An error other than a cancellation that the next step throws.
    throw_next: Cell<Option<Error>>,
    /// What it awaits of ours besides, inside a join or a select.
    waits: RefCell<Line<Rc<dyn Node>>>,
}

/// Where a wait stands among the others of its task.
#[derive(Clone, Copy)]
pub(crate) enum WaitPlace {
    First,
    More(Place),
}
