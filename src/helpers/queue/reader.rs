//! [`Readers`]: the readers of a queue that wait for a value.
//!
//! In the original each wait is for the first of two futures, the queue's final one and one that
//! is done when there may be something to look at, and each leaves callbacks there and takes them
//! back. Here a reader stays from wait to wait, and three things make that come to the same:
//!
//! - A call goes by the ready queue, as a callback does, and counts only for the wait for which
//!   it was made.
//! - The reader that began its wait last is the last one at the final future.
//! - A reader that begins to wait when the final future is done already is called for that, and not
//!   by a call that was on its way from an earlier wait.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::Cell;

use crate::collections::RefCell;
use crate::helpers::futures::ChildOfFuture;
use crate::{AnyFuture, Callback, Result, ReusableSignal};

#[derive(Default)]
pub(crate) struct Readers {
    /// There may be something to look at.
    called: Cell<bool>,
    /// The readers that wait to be called; none, while they are.
    line: RefCell<VecDeque<Rc<State>>>,
    /// The number of readers that were made.
    made: Cell<u64>,
    /// The number of the reader whose callback stands last at the final future.
    last: Cell<u64>,
}

/// A reader of a queue.
pub(crate) struct Reader {
    state: Rc<State>,
    /// At the final future.
    follow: Callback,
}

struct State {
    number: u64,
    /// Its waits.
    waits: ReusableSignal,
    /// The final future was done before the wait began.
    too_late: Cell<bool>,
    in_line: Cell<bool>,
}

impl Readers {
    /// One more, which hasn't waited yet.
    pub(crate) fn add(&self) -> Reader {
        self.made.set(self.made.get() + 1);
        let state = Rc::new(State {
            number: self.made.get(),
            waits: ReusableSignal::default(),
            too_late: Cell::new(false),
            in_line: Cell::new(false),
        });
        let follows = state.clone();
        let follow = Callback::new(move |_: &dyn AnyFuture| {
            if !follows.too_late.get() {
                follows.waits.complete();
            }
        });
        Reader { state, follow }
    }

    /// Calls the readers that wait: there may be something to look at.
    pub(crate) fn call(&self) {
        if self.called.replace(true) {
            return;
        }
        let mut line = self.line.borrow_mut();
        while let Some(reader) = line.pop_front() {
            reader.in_line.set(false);
            reader.waits.complete_soon();
        }
    }

    /// There is nothing to look at before the next call.
    pub(crate) fn reset(&self) {
        self.called.set(false);
    }

    /// Waits for a call or the end of `final_future`. Where either was before, it takes two turns all the
    /// same.
    #[inline]
    pub(crate) async fn wait(
        &self,
        reader: &Reader,
        final_future: &ChildOfFuture<()>,
    ) -> Result<()> {
        let state = &*reader.state;
        let is_final = final_future.own_is_done();
        if is_final {
            state.too_late.set(true);
        } else if self.last.replace(state.number) != state.number {
            final_future.remove_done_callback(&reader.follow);
            final_future.add_done_callback(&reader.follow);
        }
        let _in_line = InLine(self, state);
        let wait = state.waits.wait_with(|| {
            if is_final || self.called.get() {
                state.waits.complete_soon();
            } else {
                state.in_line.set(true);
                self.line.borrow_mut().push_back(reader.state.clone());
            }
        });
        wait.await
    }
}

/// A reader that waits, and may stand in the line of those that are to be called.
pub(crate) struct InLine<'a>(&'a Readers, &'a State);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        if self.1.in_line.take() {
            self.0.leave(self.1);
        }
    }
}

impl Readers {
    #[cold]
    fn leave(&self, state: &State) {
        let mut line = self.line.borrow_mut();
        let at = line.iter().position(|reader| reader.number == state.number);
        let gone = at.and_then(|at| line.remove(at));
        drop(line);
        drop(gone);
    }
}

impl Reader {
    /// Reads no more.
    pub(crate) fn leave(&self, final_future: &ChildOfFuture<()>) {
        final_future.remove_done_callback(&self.follow);
    }
}
