//! [`Step`]: the step of a task that goes on on this thread: what the task tells the futures that
//! it polls, and what they tell it. They find it without a look at any loop.

use core::cell::Cell;
use core::ptr;
use core::task::{RawWakerVTable, Waker};

use crate::event_loop::thread_own;

thread_own! {
    static STEP: Step = Step::none();
}

pub(super) struct Step {
    /// Counted by the loop from 1 on; 0 while no step goes on.
    number: Cell<u64>,
    /// The address of the loop's own tasks, to be compared and nothing else.
    home: Cell<*const ()>,
    /// The waker that the task is polled with, by its data and its functions.
    waker: Cell<Option<(*const (), &'static RawWakerVTable)>>,
    /// An error waits for the first of our futures that is polled: the loop's tasks have it.
    throws: Cell<bool>,
    /// The task gives way until the next turn.
    yields: Cell<bool>,
    /// A future of ours has returned `Pending` in this step without a new wait of the task: see
    /// [`Stop`](super::scope::Stop).
    holds: Cell<bool>,
}

impl Step {
    const fn none() -> Step {
        Step {
            number: Cell::new(0),
            home: Cell::new(ptr::null()),
            waker: Cell::new(None),
            throws: Cell::new(false),
            yields: Cell::new(false),
            holds: Cell::new(false),
        }
    }

    /// What `look` says of this thread's. `look` runs no code but the crate's own.
    #[inline]
    pub(super) fn with<R>(look: impl FnOnce(&Step) -> R) -> R {
        STEP.with(look)
    }

    /// Step `number` of `home` begins.
    pub(super) fn begin<H>(&self, home: &H, number: u64) {
        self.number.set(number);
        self.home.set(ptr::from_ref(home).cast());
        self.yields.set(false);
        self.throws.set(false);
    }

    /// The step is over. Says whether an error is still there to be thrown.
    pub(super) fn end(&self) -> bool {
        self.number.set(0);
        self.home.set(ptr::null());
        self.throws()
    }

    pub(super) fn number(&self) -> u64 {
        self.number.get()
    }

    /// Whether it is one of `home`.
    pub(super) fn is_of<H>(&self, home: &H) -> bool {
        ptr::eq(self.home.get(), ptr::from_ref(home).cast())
    }

    /// The task is polled with `waker` now.
    pub(super) fn polls_with(&self, waker: &Waker) {
        self.waker.set(Some((waker.data(), waker.vtable())));
    }

    /// Whether `waker` leads straight to the task whose step it is, which is polled with it.
    pub(super) fn is_direct(&self, waker: &Waker) -> bool {
        let own = self.waker.get();
        own.is_some_and(|(data, functions)| {
            data == waker.data() && ptr::eq(functions, waker.vtable())
        })
    }

    /// An error is there to be thrown.
    pub(super) fn set_throws(&self) {
        self.throws.set(true);
    }

    pub(super) fn throws(&self) -> bool {
        self.throws.get()
    }

    /// Whether it throws, which it doesn't again.
    pub(super) fn take_throws(&self) -> bool {
        self.throws.take()
    }

    /// The task that is polled asks for a step in the next turn.
    pub(super) fn give_way(&self) {
        self.yields.set(true);
        self.holds.set(true);
    }

    /// Notes whether a future of ours is pending that is not a new wait of the task. Returns what
    /// was noted before.
    pub(super) fn set_holds(&self, holds: bool) -> bool {
        self.holds.replace(holds)
    }

    /// As [`give_way`](Step::give_way), if the task itself polls, with `waker`. Says whether it does.
    pub(super) fn gives_way(&self, waker: &Waker) -> bool {
        let direct = self.number.get() != 0 && self.is_direct(waker);
        if direct {
            self.give_way();
        }
        direct
    }

    pub(super) fn yields(&self) -> bool {
        self.yields.get()
    }
}
