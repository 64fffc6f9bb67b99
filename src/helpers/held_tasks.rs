//! [`HeldTasks`]: which tasks a holder holds, in order, and which of them are done.
//!
//! The original keeps a list and goes through all of it whenever one task ends. Here each task
//! has a place, and a [`Watcher`](crate::Watcher) notes its end the moment it comes, so that
//! what is done can be taken out without looking at the rest. **Only** plain futures and tasks
//! can be watched; what stands on others has to be asked each time ([`HeldTasks::to_ask`]).
//!
//! A clean-up in the original is a list made before a wait and put in place after it. What the
//! wait saw come and go in between has to come out the same, so each [`Clean`] notes it.
//!
//! **Place Invariant**: the places are linked in the order of their numbers. One whose task was
//! taken out is given back at once, or, where clean-ups that are going on have noted it
//! (`noted_by`), hidden until the last of them ends.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::{iter, mem};

use slab::Slab;

use crate::{AnyFuture, FutureId};

/// A task's number in the order of adding.
pub(super) type Number = u64;

/// Tasks that were taken out, mostly one, to be dropped where nothing is borrowed.
#[derive(Default)]
pub(super) enum Removed {
    #[default]
    Nothing,
    One(Rc<dyn AnyFuture>),
    More(Vec<Rc<dyn AnyFuture>>),
}

impl Removed {
    fn push(&mut self, task: Rc<dyn AnyFuture>) {
        *self = match mem::take(self) {
            Removed::Nothing => Removed::One(task),
            Removed::One(first) => Removed::More([first, task].into()),
            Removed::More(mut tasks) => {
                tasks.push(task);
                Removed::More(tasks)
            }
        };
    }
}

/// Where a task is, and which one: its place, which may be used again, and its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    at: usize,
    number: Number,
}

impl Key {
    pub(super) fn comes_before(self, number: Number) -> bool {
        self.number < number
    }

    /// As a watcher's token, which has half a word for either: none of as many tasks as that is
    /// late enough to be taken for another.
    #[expect(clippy::cast_possible_truncation, reason = "half of the number is enough")]
    pub(super) fn token(self) -> u64 {
        ((self.at as u64) << 32) | u64::from(self.number as u32)
    }
}

struct Place {
    task: Rc<dyn AnyFuture>,
    /// Asked of the task once: `id` may be the program's own code.
    id: FutureId,
    number: Number,
    before: Option<usize>,
    behind: Option<usize>,
    /// It tells of its end.
    tells: bool,
    /// It has told.
    ended: bool,
    /// It may be in the list under another number too.
    again: bool,
    hidden: bool,
    noted_by: usize,
}

#[derive(Default)]
pub(super) struct HeldTasks {
    places: Slab<Place>,
    first: Option<usize>,
    last: Option<usize>,
    /// How many are not hidden, and how many of those have told of their end.
    held: usize,
    over: usize,
    /// Those that have told, and maybe some that were taken out since.
    ended: Vec<Key>,
    /// Those that can't tell.
    to_ask: BTreeMap<Number, usize>,
    next: Number,
    cleans: Vec<Clean>,
    cleans_begun: Number,
    /// One that is over, for the sake of its blocks.
    spare: Option<Clean>,
}

/// A spare clean-up has room for so many keys at most.
const KEPT: usize = 16;

/// A clean-up that is going on.
#[derive(Default)]
struct Clean {
    name: Number,
    /// The first number that came after it began.
    start: Number,
    /// In the order of their numbers.
    gone: Vec<Key>,
    /// What somebody else has taken out of the list since.
    taken: Vec<Key>,
}

impl HeldTasks {
    /// The key that the next task will have.
    pub(super) fn next_key(&self) -> Key {
        Key { at: self.places.vacant_key(), number: self.next }
    }

    /// The number that the next task will have.
    pub(super) fn next(&self) -> Number {
        self.next
    }

    /// Holds `task`, which `tells` of its end or has to be asked, and may be there `again`.
    pub(super) fn add(&mut self, task: (Rc<dyn AnyFuture>, FutureId), tells: bool, again: bool) {
        let (task, id) = task;
        let (number, before) = (self.next, self.last);
        self.next += 1;
        let (ended, hidden, noted_by) = (false, false, 0);
        let place =
            Place { task, id, number, before, behind: None, tells, ended, again, hidden, noted_by };
        let at = self.places.insert(place);
        match before {
            Some(before) => self.places[before].behind = Some(at),
            None => self.first = Some(at),
        }
        self.last = Some(at);
        self.held += 1;
        if !tells {
            self.to_ask.insert(number, at);
        }
    }

    /// The key of a task that is held, or hidden.
    #[expect(clippy::cast_possible_truncation, reason = "as the token was made")]
    pub(super) fn key(&self, token: u64) -> Option<Key> {
        let at = (token >> 32) as usize;
        let place = self.places.get(at)?;
        (place.number as u32 == token as u32).then_some(Key { at, number: place.number })
    }

    fn place(&self, key: Key) -> Option<&Place> {
        self.places.get(key.at).filter(|place| !place.hidden && place.number == key.number)
    }

    /// Notes that a task has ended. One that is not held any more is none of ours, but one that is
    /// hidden may come back.
    pub(super) fn note_end(&mut self, key: Key) {
        let Some(place) = self.places.get_mut(key.at) else { return };
        if place.number == key.number && !place.ended {
            place.ended = true;
            if !place.hidden {
                self.over += 1;
                self.ended.push(key);
            }
        }
    }

    pub(super) fn get(&self, key: Key) -> Option<&Rc<dyn AnyFuture>> {
        self.place(key).map(|place| &place.task)
    }

    /// Whether a task that is held may be there under another number too; one that isn't done is.
    pub(super) fn is_again(&self, key: Key) -> bool {
        self.place(key).is_some_and(|place| place.again)
    }

    /// Those that are held, in order.
    fn iter(&self) -> impl Iterator<Item = (usize, &Place)> {
        let next = |(_, place): &(usize, &Place)| place.behind;
        let first = self.first.map(|at| (at, &self.places[at]));
        let all = iter::successors(first, move |now| next(now).map(|at| (at, &self.places[at])));
        all.filter(|(_, place)| !place.hidden)
    }

    pub(super) fn all(&self) -> Vec<Rc<dyn AnyFuture>> {
        self.iter().map(|(_, place)| place.task.clone()).collect()
    }

    /// Those that tell of their end.
    pub(super) fn watched(&self) -> Vec<Key> {
        let watched = self.iter().filter(|(_, place)| place.tells || place.ended);
        watched.map(|(at, place)| Key { at, number: place.number }).collect()
    }

    pub(super) fn contains(&self, id: FutureId) -> bool {
        self.places.iter().any(|(_, place)| !place.hidden && place.id == id)
    }

    /// Those that have to be asked whether they are done.
    pub(super) fn to_ask(&self) -> Vec<(Key, Rc<dyn AnyFuture>)> {
        let to_ask = self.to_ask.iter();
        to_ask.map(|(&number, &at)| (Key { at, number }, self.places[at].task.clone())).collect()
    }

    /// Whether there are none of those.
    pub(super) fn nobody_to_ask(&self) -> bool {
        self.to_ask.is_empty()
    }

    /// How many are not done, if so many of those that were asked are.
    pub(super) fn pending(&self, asked_done: usize) -> usize {
        self.held - self.over - asked_done
    }

    /// Adds to `done` those that are done, in order: those that told, and those that were asked.
    fn list_done(&mut self, asked_done: &[Key], done: &mut Vec<Key>) {
        let places = &self.places;
        self.ended.retain(|key| {
            let place = places.get(key.at);
            place.is_some_and(|place| !place.hidden && place.number == key.number)
        });
        done.extend(self.ended.iter().chain(asked_done));
        done.sort_unstable_by_key(|key| key.number);
        done.dedup();
    }

    /// Takes those that are done out.
    pub(super) fn remove_done(&mut self, asked_done: &[Key]) -> Removed {
        let mut removed = Removed::default();
        if asked_done.is_empty() && self.ended.len() < 2 {
            if let Some(key) = self.ended.pop() {
                self.remove(key, &mut removed);
            }
        } else {
            let mut done = Vec::new();
            self.list_done(asked_done, &mut done);
            for key in done {
                self.remove(key, &mut removed);
            }
        }
        removed
    }

    /// Takes a task out, and has the clean-ups that are going on know of it.
    fn remove(&mut self, key: Key, removed: &mut Removed) {
        let Some(&Place { tells, ended, noted_by: before, .. }) = self.place(key) else { return };
        self.held -= 1;
        self.over -= usize::from(ended);
        if !tells {
            self.to_ask.remove(&key.number);
        }
        let mut noted_by = 0;
        for clean in self.cleans.iter_mut().filter(|clean| key.number < clean.start) {
            clean.taken.push(key);
            noted_by += 1;
        }
        if noted_by + before == 0 {
            removed.push(self.give_back(key.at));
        } else {
            let place = &mut self.places[key.at];
            place.hidden = true;
            place.noted_by += noted_by;
        }
    }

    /// Takes a place out of the list.
    fn give_back(&mut self, at: usize) -> Rc<dyn AnyFuture> {
        let Place { task, before, behind, .. } = self.places.remove(at);
        match before {
            Some(before) => self.places[before].behind = behind,
            None => self.first = behind,
        }
        match behind {
            Some(behind) => self.places[behind].before = before,
            None => self.last = before,
        }
        task
    }

    /// Whether none of those that are held under `keys` had to be asked.
    pub(super) fn all_tell(&self, keys: &[Key]) -> bool {
        keys.iter().all(|key| self.place(*key).is_some_and(|place| place.tells))
    }

    /// Begins a clean-up of those that are done, and returns its name.
    pub(super) fn begin_clean(&mut self, asked_done: &[Key]) -> Number {
        let mut clean = self.spare.take().unwrap_or_default();
        self.list_done(asked_done, &mut clean.gone);
        clean.name = self.cleans_begun;
        clean.start = self.next;
        self.cleans_begun += 1;
        self.cleans.push(clean);
        self.cleans_begun - 1
    }

    /// Whom the clean-up that was begun last takes out.
    pub(super) fn gone(&self) -> &[Key] {
        self.cleans.last().map_or(&[], |clean| &clean.gone)
    }

    /// A clean-up ends. If it was `finished`, the list is what it was when it began, less what
    /// was done then, and with what is new since. What somebody else took out meanwhile is
    /// there again; mostly it is done, and goes with the next clean-up.
    pub(super) fn end_clean(&mut self, name: Number, finished: bool) -> Removed {
        let at = self.cleans.iter().position(|clean| clean.name == name);
        let Some(mut clean) = at.map(|at| self.cleans.remove(at)) else { return Removed::Nothing };
        let mut removed = Removed::default();
        if finished {
            let again = self.come_again(&clean);
            for key in clean.gone.iter().copied().chain(again) {
                self.remove(key, &mut removed);
            }
        }
        clean.taken.sort_unstable_by_key(|key| key.number);
        for key in clean.taken.drain(..) {
            let place = &mut self.places[key.at];
            place.noted_by -= 1;
            if !place.hidden {
                continue;
            }
            let gone = clean.gone.binary_search_by_key(&key.number, |gone| gone.number).is_ok();
            if finished && !gone {
                place.hidden = false;
                self.held += 1;
                // One that was asked was done, and one that tells would have told.
                if mem::take(&mut place.ended) || !place.tells {
                    self.note_end(key);
                }
            } else if place.noted_by == 0 {
                removed.push(self.give_back(key.at));
            }
        }
        clean.gone.clear();
        if clean.gone.capacity().max(clean.taken.capacity()) <= KEPT {
            self.spare = Some(clean);
        }
        removed
    }

    /// What came since a clean-up began, though it was in the list by then.
    fn come_again(&self, clean: &Clean) -> Vec<Key> {
        let newest = iter::successors(self.last, |at| self.places[*at].before);
        let new = newest.map(|at| (at, &self.places[at]));
        let new = new.take_while(|(_, place)| place.number >= clean.start);
        let mut again: Vec<_> = new.filter(|(_, place)| place.again && !place.hidden).collect();
        if again.is_empty() {
            return Vec::new();
        }
        again.reverse();
        let old = self.iter().take_while(|(_, place)| place.number < clean.start);
        let mut ids: BTreeSet<FutureId> = old.map(|(_, place)| place.id).collect();
        let gone = clean.taken.iter().chain(&clean.gone);
        ids.extend(gone.map(|key| self.places[key.at].task.id()));
        again.retain(|(_, place)| ids.contains(&place.id));
        again.into_iter().map(|(at, place)| Key { at, number: place.number }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventLoop, LoopFuture};

    fn ids(tasks: &[Rc<dyn AnyFuture>]) -> Vec<FutureId> {
        tasks.iter().map(AnyFuture::id).collect()
    }

    /// The original's clean-up: what was pending when it began, and what came since.
    fn cleaned(
        list: &[LoopFuture<()>],
        gone: &[LoopFuture<()>],
        stays: &[LoopFuture<()>],
    ) -> Vec<LoopFuture<()>> {
        let among = |these: &[LoopFuture<()>], id| these.iter().any(|task| task.id() == id);
        let new = list.iter().filter(|task| !among(gone, task.id()) && !among(stays, task.id()));
        stays.iter().chain(new).cloned().collect()
    }

    #[test]
    fn it_is_the_list_of_the_original_whatever_comes_between() {
        let event_loop = EventLoop::with_virtual_time();
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..300 {
            let mut held = HeldTasks::default();
            let mut known: Vec<(Key, LoopFuture<()>)> = Vec::new();
            let mut list: Vec<LoopFuture<()>> = Vec::new();
            let mut clean = None;
            for _ in 0..60 {
                match random.u8(..8) {
                    0..=2 => {
                        let old = random.choice(&known).map(|(_, task)| task.clone());
                        let again = old.filter(|_| random.u8(..4) == 0);
                        let task = again.clone().unwrap_or_else(|| event_loop.create_future());
                        let key = held.next_key();
                        held.add((task.to_any(), task.id()), true, again.is_some());
                        if task.done() {
                            held.note_end(key);
                        }
                        known.push((key, task.clone()));
                        list.push(task);
                    }
                    3 | 4 => {
                        let Some((_, task)) = random.choice(&known) else { continue };
                        if task.set_result(()).is_ok() {
                            let same = known.iter().filter(|(_, other)| other.id() == task.id());
                            same.for_each(|(key, _)| held.note_end(*key));
                        }
                    }
                    5 => {
                        drop(held.remove_done(&[]));
                        list.retain(|task| !task.done());
                    }
                    6 if clean.is_none() => {
                        let (gone, stays): (Vec<_>, Vec<_>) =
                            list.iter().cloned().partition(LoopFuture::done);
                        clean = Some((held.begin_clean(&[]), gone, stays));
                    }
                    _ => {
                        let Some((name, gone, stays)) = clean.take() else { continue };
                        let finished = random.u8(..4) > 0;
                        drop(held.end_clean(name, finished));
                        if finished {
                            list = cleaned(&list, &gone, &stays);
                        }
                    }
                }
                let listed: Vec<_> = list.iter().map(LoopFuture::id).collect();
                assert_eq!(ids(&held.all()), listed);
                assert_eq!(held.pending(0), list.iter().filter(|task| !task.done()).count());
                let hidden = held.places.len() - listed.len();
                assert!(hidden == 0 || clean.is_some(), "nothing is kept for nobody");
            }
        }
    }
}
