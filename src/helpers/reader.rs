//! [`Readers`]: those who read a queue, and wait to be called.
//!
//! In the original each wait is for the first of two futures, the queue's final one and one that
//! is done when there may be something to look at, and each leaves callbacks there and takes them
//! back. Here a reader stays from wait to wait, and three things make that come to the same:
//!
//! - A call goes by the ready queue, as a callback does, and counts only for the wait for which
//!   it was made.
//! - The reader whose wait began last stands last at the final future.
//! - Who begins to wait when the final future is done already is called for that, and not by what
//!   was on its way from an earlier wait.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};

use super::child_of_future::ChildOfFuture;
use crate::{AnyFuture, Callback, Result, ReusableSignal};

#[derive(Default)]
pub(super) struct Readers {
    /// There may be something to look at.
    called: Cell<bool>,
    /// Those who wait to be called; nobody, while they are.
    waiting: RefCell<VecDeque<Rc<Reader>>>,
    /// How many readers there were.
    made: Cell<u64>,
    /// Who stands last at the final future.
    last: Cell<u64>,
}

/// One who reads.
pub(super) struct Reader {
    number: u64,
    state: Rc<State>,
    /// At the final future.
    follow: Callback,
}

#[derive(Default)]
struct State {
    /// Its waits.
    waits: ReusableSignal,
    /// The final future was done before the wait began.
    too_late: Cell<bool>,
}

impl Readers {
    /// One more, who hasn't waited yet.
    pub(super) fn add(&self) -> Rc<Reader> {
        self.made.set(self.made.get() + 1);
        let state = Rc::<State>::default();
        let follows = state.clone();
        let follow = Callback::new(move |_: &dyn AnyFuture| {
            if !follows.too_late.get() {
                follows.waits.complete();
            }
        });
        Rc::new(Reader { number: self.made.get(), state, follow })
    }

    /// There may be something to look at: calls those who wait.
    pub(super) fn call(&self) {
        if self.called.replace(true) {
            return;
        }
        for reader in self.waiting.borrow_mut().drain(..) {
            reader.state.waits.complete_soon();
        }
    }

    /// There is nothing to look at before the next call.
    pub(super) fn reset(&self) {
        self.called.set(false);
    }

    /// Waits for a call or the end of `final_future`. Where either was before, it gives way all
    /// the same.
    pub(super) async fn wait(
        &self,
        reader: &Rc<Reader>,
        final_future: &ChildOfFuture<()>,
    ) -> Result<()> {
        let state = &*reader.state;
        let over = state.waits.begin()?;
        let is_final = final_future.own_is_done();
        if is_final {
            state.too_late.set(true);
        } else if self.last.replace(reader.number) != reader.number {
            final_future.remove_done_callback(&reader.follow);
            final_future.add_done_callback(&reader.follow);
        }
        if is_final || self.called.get() {
            state.waits.complete_soon();
            return over.await;
        }
        self.waiting.borrow_mut().push_back(reader.clone());
        let _in_line = InLine(self, reader);
        over.await
    }
}

/// A reader among those who wait to be called.
struct InLine<'a>(&'a Readers, &'a Rc<Reader>);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.borrow_mut();
        let at = waiting.iter().position(|reader| Rc::ptr_eq(reader, self.1));
        let gone = at.and_then(|at| waiting.remove(at));
        drop(waiting);
        drop(gone);
    }
}

impl Reader {
    /// Reads no more.
    pub(super) fn leave(&self, final_future: &ChildOfFuture<()>) {
        final_future.remove_done_callback(&self.follow);
    }
}
