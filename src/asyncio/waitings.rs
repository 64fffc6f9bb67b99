//! [`Waitings`]: those who wait for a node's end, in the order of their coming, and those who watch
//! it, who are told at once and are on nobody's way.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;
use core::task::Waker;

use super::callback::Callback;
use super::node::Node;
use super::watcher::Watcher;

/// Who waits for a node's end.
pub(crate) enum Waiting {
    /// A task, whose step is scheduled in this callback's place.
    Task(Rc<dyn Node>),
    /// A foreign future around ours.
    Waker(Waker),
    /// Somebody's callback.
    Callback(Callback),
}

/// A watcher and the token by which it knows the node.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(super) watcher: Rc<dyn Watcher>,
    pub(super) token: u64,
}

impl Waiting {
    pub(super) fn is_callback(&self, callback: &Callback) -> bool {
        matches!(self, Waiting::Callback(own) if own == callback)
    }
}

/// Most nodes have one who waits, and need no allocation for it; and most others have a few, and
/// need but one, which has room for a watcher too.
#[derive(Default)]
pub(super) enum Waitings {
    #[default]
    None,
    One(Waiting),
    Many(Box<Many>),
}

/// How many stand in one block.
const FEW: usize = 4;

/// **Few Invariant**: the first are in `few`, from `start` to `end`; `more` holds what came when
/// there was no room behind those.
#[derive(Default)]
pub(super) struct Many {
    few: [Option<Waiting>; FEW],
    start: usize,
    end: usize,
    more: VecDeque<Waiting>,
    watch: Option<Watch>,
    more_watches: Vec<Watch>,
}

impl Many {
    fn of(first: Waiting) -> Many {
        Many { few: [Some(first), None, None, None], end: 1, ..Many::default() }
    }

    fn push(&mut self, new: Waiting) {
        if self.end < FEW && self.more.is_empty() {
            self.few[self.end] = Some(new);
            self.end += 1;
        } else {
            self.more.push_back(new);
        }
    }

    fn few(&self) -> &[Option<Waiting>] {
        &self.few[self.start..self.end]
    }

    fn pop(&mut self) -> Option<Waiting> {
        if self.start == self.end {
            return self.more.pop_front();
        }
        self.start += 1;
        self.few[self.start - 1].take()
    }

    fn remove(&mut self, at: usize) -> Option<Waiting> {
        let few = &mut self.few[self.start..self.end];
        if at >= few.len() {
            return self.more.remove(at - few.len());
        }
        for next in at + 1..few.len() {
            few.swap(next - 1, next);
        }
        self.end -= 1;
        self.few[self.end].take()
    }

    fn sift(&mut self, sift: &mut dyn FnMut(Waiting) -> Option<Waiting>) {
        let few = self.start..self.end;
        self.end = self.start;
        for at in few {
            if let Some(kept) = self.few[at].take().and_then(&mut *sift) {
                self.few[self.end] = Some(kept);
                self.end += 1;
            }
        }
        for _ in 0..self.more.len() {
            let kept = self.more.pop_front().and_then(&mut *sift);
            self.more.extend(kept);
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end && self.more.is_empty() && self.watch.is_none()
    }
}

impl Waitings {
    #[inline]
    pub(super) fn push(&mut self, new: Waiting) {
        match self {
            Waitings::None => *self = Waitings::One(new),
            Waitings::One(_) => self.change_many(|all| all.push(new)),
            Waitings::Many(all) => all.push(new),
        }
    }

    /// Changes the block of many, which is made for it if there is none.
    #[inline(never)]
    fn change_many(&mut self, change: impl FnOnce(&mut Many)) {
        let mut all = match mem::take(self) {
            Waitings::None => Box::default(),
            Waitings::One(first) => Box::new(Many::of(first)),
            Waitings::Many(all) => all,
        };
        change(&mut all);
        *self = Waitings::Many(all);
    }

    /// Has somebody told of who comes to wait, and of the end.
    pub(super) fn watch(&mut self, watch: Watch) {
        self.change_many(|all| match all.watch {
            None => all.watch = Some(watch),
            Some(_) => all.more_watches.push(watch),
        });
    }

    /// The watchers of a node, to be called where nothing is borrowed.
    pub(super) fn watches(&self) -> impl Iterator<Item = Watch> + use<> {
        let watches = match self {
            Waitings::Many(all) => (all.watch.clone(), all.more_watches.clone()),
            Waitings::None | Waitings::One(_) => (None, Vec::new()),
        };
        watches.0.into_iter().chain(watches.1)
    }

    /// Those who are to be told of the end.
    pub(super) fn take_watches(&mut self) -> impl Iterator<Item = Watch> + use<> {
        let mut watches = (None, Vec::new());
        if let Waitings::Many(all) = self {
            watches = (all.watch.take(), mem::take(&mut all.more_watches));
            if all.is_empty() {
                *self = Waitings::None;
            }
        }
        watches.0.into_iter().chain(watches.1)
    }

    /// Takes out the first. The block of many stays until nobody is left in it.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        if let Waitings::Many(all) = self {
            let first = all.pop();
            if all.is_empty() {
                *self = Waitings::None;
            }
            return first;
        }
        match mem::take(self) {
            Waitings::One(waiting) => Some(waiting),
            _ => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        let (one, few, more) = match self {
            Waitings::None => (None, Default::default(), Default::default()),
            Waitings::One(waiting) => (Some(waiting), Default::default(), Default::default()),
            Waitings::Many(all) => (None, all.few(), all.more.iter()),
        };
        one.into_iter().chain(few.iter().filter_map(Option::as_ref)).chain(more)
    }

    /// Takes out the first of which `is_it` holds, to be dropped elsewhere.
    pub(super) fn remove_first(&mut self, is_it: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        match self {
            Waitings::One(waiting) if is_it(waiting) => self.pop(),
            Waitings::Many(_) => self.remove_of_many(&is_it),
            _ => None,
        }
    }

    /// The same for a block of many, once for all questions.
    fn remove_of_many(&mut self, is_it: &dyn Fn(&Waiting) -> bool) -> Option<Waiting> {
        let Waitings::Many(all) = self else { return None };
        let few = all.few().iter().flatten();
        let at = few.chain(&all.more).position(is_it)?;
        let removed = all.remove(at);
        if all.is_empty() {
            *self = Waitings::None;
        }
        removed
    }

    /// Gives each to `sift`, in order, and keeps what it gives back.
    pub(super) fn sift(&mut self, mut sift: impl FnMut(Waiting) -> Option<Waiting>) {
        match mem::take(self) {
            Waitings::None => {}
            Waitings::One(waiting) => *self = sift(waiting).map_or(Waitings::None, Waitings::One),
            Waitings::Many(mut all) => {
                all.sift(&mut sift);
                if !all.is_empty() {
                    *self = Waitings::Many(all);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    fn waiting(number: usize) -> Waiting {
        Waiting::Callback(Callback::new(move |_: &dyn super::super::AnyFuture| {
            assert_ne!(number, usize::MAX, "it holds its number");
        }))
    }

    fn callback(waiting: &Waiting) -> Callback {
        match waiting {
            Waiting::Callback(callback) => callback.clone(),
            _ => unreachable!("the test has callbacks only"),
        }
    }

    /// How often somebody came, and how often it ended.
    #[derive(Default)]
    struct Told(Cell<usize>, Cell<usize>);

    impl Watcher for Told {
        fn ended(&self, token: u64) {
            assert_eq!(token, 7);
            self.1.set(self.1.get() + 1);
        }

        fn joined(&self, token: u64) {
            assert_eq!(token, 7);
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn those_who_watch_hear_of_each_who_comes_and_stay_until_the_end() {
        for before in 0..3 {
            let mut waitings = Waitings::default();
            (0..before).for_each(|number| waitings.push(waiting(number)));
            let told = Rc::<Told>::default();
            let push = |waitings: &mut Waitings| {
                waitings.push(waiting(9));
                waitings.watches().for_each(|watch| watch.watcher.joined(watch.token));
            };
            for _ in 0..3 {
                waitings.watch(Watch { watcher: told.clone(), token: 7 });
                push(&mut waitings);
            }
            assert_eq!(told.0.get(), 1 + 2 + 3);
            while waitings.remove_first(|_| true).is_some() {}
            push(&mut waitings);
            assert_eq!(told.0.get(), 1 + 2 + 3 + 3);
            waitings.take_watches().for_each(|watch| watch.watcher.ended(watch.token));
            assert_eq!(told.1.get(), 3);
            assert_eq!(waitings.take_watches().count(), 0);
            assert_eq!(waitings.iter().count(), 1);
        }
    }

    #[test]
    fn they_are_a_line_from_which_any_may_leave() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut waitings = Waitings::default();
        let mut model: Vec<Callback> = Vec::new();
        for step in 0..20_000 {
            match random.u8(..4) {
                0 | 1 if model.len() < 12 => {
                    let new = waiting(step);
                    model.push(callback(&new));
                    waitings.push(new);
                }
                2 if random.u8(..8) == 0 => {
                    let stays = |own: &Callback| model.iter().position(|it| it == own) < Some(2);
                    waitings.sift(|own| stays(&callback(&own)).then_some(own));
                    model.truncate(2);
                }
                2 if !model.is_empty() => {
                    let gone = model.remove(random.usize(..model.len()));
                    let removed = waitings.remove_first(|own| own.is_callback(&gone));
                    assert!(removed.is_some_and(|own| own.is_callback(&gone)));
                }
                _ => {
                    let first = (!model.is_empty()).then(|| model.remove(0));
                    assert_eq!(waitings.pop().as_ref().map(callback), first);
                }
            }
            assert_eq!(waitings.iter().map(callback).collect::<Vec<_>>(), model);
        }
    }
}
