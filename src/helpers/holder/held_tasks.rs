//! [`HeldTasks`]: the tasks of a holder, in the order of adding, and which of them are done.
//!
//! The original keeps a list and goes through all of it whenever one task ends. Here each task
//! has a place, and a [`Watcher`](crate::Watcher) notes its end the moment it comes, so that
//! what is done can be taken out without looking at the rest. **Only** plain futures and tasks
//! can be watched; what stands on others has to be asked each time ([`HeldTasks::to_ask`]).
//!
//! A clean-up in the original is a list made before a wait and put in place after it. The tasks that
//! come and go during the wait must come out the same, so each [`Clean`] notes them.
//!
//! **Place Invariant**: a task that was taken out leaves its place at once, or, while something has
//! noted the place (`noted_by`), is hidden until the last of these has let it go: clean-ups that are
//! going on, and the call that follows the end of a watched task.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;

use super::held::{Held, Other, Removed};
use crate::collections::{Key, KeyedQueue};
use crate::{AnyFuture, ErasedFuture, FutureId};

/// A round of a `finish`: a holder counts them from one.
pub(crate) type Round = u64;

/// A round that never comes.
const NEVER: Round = Round::MAX;

/// The end of a watched task that is called for it.
#[derive(Clone, Copy)]
pub(crate) struct End {
    key: Key,
    /// The last round that had begun when the task ended.
    pub(crate) round: Round,
    /// The last one for which its watch is called right before the callback of a `finish` would be.
    last: Round,
}

impl End {
    /// Returns whether a callback that was added to the task at the beginning of `round`, when the next key was
    /// `next_key`, would be called right behind the watch.
    pub(crate) fn count_for(&self, round: Round, next_key: Key) -> bool {
        self.key < next_key && round <= self.last
    }
}

struct Place {
    /// `None` of one of the `others`.
    task: Option<ErasedFuture>,
    /// The last round that had begun when it ended.
    ended: Round,
    noted_by: u32,
    /// It has an entry in `joined`.
    joined: bool,
    /// It may be in the list under another key too.
    again: bool,
    hidden: bool,
    /// It was hidden, and a clean-up has put it back.
    was_back: bool,
}

impl Place {
    /// Returns whether it has told of its end.
    fn ended(&self) -> bool {
        self.ended != NEVER
    }

    /// Returns whether nothing needs it any more.
    fn is_over(&self) -> bool {
        self.hidden && self.noted_by == 0
    }
}

/// The tasks that can't tell of their end. Few are, and a place for one would make all larger.
type Others = BTreeMap<Key, Rc<Other>>;

/// Returns the task of `place`, which is that of `key`.
fn held(others: &Others, key: Key, place: &Place) -> Option<Held> {
    match &place.task {
        Some(own) => Some(Held::Own(own.clone())),
        None => others.get(&key).cloned().map(Held::Other),
    }
}

/// The tasks that are not hidden.
#[derive(Default)]
struct Listed {
    /// Their number, and the number of those that have told of their end.
    count: usize,
    over: usize,
    /// Those that have told, and maybe some that were taken out since.
    ended: Vec<Key>,
}

impl Listed {
    fn note_end(&mut self, key: Key) {
        self.over += 1;
        self.ended.push(key);
    }

    /// Hides the task of `place`, and has the clean-ups that are going on know of it.
    fn hide(&mut self, key: Key, place: &mut Place, cleans: &mut [Option<Box<Clean>>]) {
        if mem::replace(&mut place.hidden, true) {
            return;
        }
        self.count -= 1;
        if place.ended() {
            self.over -= 1;
            if self.over == 0 {
                self.ended.clear();
            }
        }
        for clean in cleans.iter_mut().flatten().filter(|clean| clean.keeps(key)) {
            // One that another clean-up has put back in between may be known already.
            if !place.was_back || !clean.taken.contains(&key) {
                clean.taken.push(key);
                place.noted_by += 1;
            }
        }
    }

    /// Adds to `done` those that are done, in order: those that told, and those that were asked.
    fn list_done(&mut self, places: &KeyedQueue<Place>, asked_done: &[Key], done: &mut Vec<Key>) {
        if self.ended.len() > self.over {
            self.ended.retain(|key| places.get(*key).is_some_and(|place| !place.hidden));
        }
        if let ([one], []) = (&self.ended[..], asked_done) {
            // Mostly tasks end one by one.
            done.push(*one);
        } else {
            done.extend_from_slice(&self.ended);
            done.extend_from_slice(asked_done);
            done.sort_unstable();
            done.dedup();
        }
    }
}

#[derive(Default)]
pub(crate) struct HeldTasks {
    places: KeyedQueue<Place>,
    others: Others,
    listed: Listed,
    /// The number of places that have `again`.
    agains: usize,
    /// The tasks to which waiters were added behind their watches, and the round in which the first was.
    joined: BTreeMap<Key, Round>,
    /// The last round that has begun.
    round: Round,
    /// Each is known by its place, which is empty while it ends.
    cleans: Vec<Option<Box<Clean>>>,
}

impl Drop for HeldTasks {
    /// Tasks of both kinds go in the order of adding.
    fn drop(&mut self) {
        while let Some(key) = self.places.first_key().filter(|_| !self.others.is_empty()) {
            let gone = (self.places.pop_front(), self.others.remove(&key));
            drop(gone);
        }
    }
}

/// A clean-up that is over keeps room for so many keys at most.
const KEPT: usize = 16;

/// A clean-up, or room for the next.
#[derive(Default)]
struct Clean {
    goes_on: bool,
    /// The first key that came after it began.
    start: Key,
    /// The tasks that it takes out, in the order of their keys.
    gone: Vec<Key>,
    /// The other tasks that were taken out since.
    taken: Vec<Key>,
    /// Tasks from before that were not there when it began, and that another clean-up has put back.
    late: BTreeSet<Key>,
}

impl Clean {
    fn takes(&self, key: Key) -> bool {
        self.gone.binary_search(&key).is_ok()
    }

    /// Returns whether the task of `key`, which is listed, was so when it began, and is none that it
    /// takes out.
    fn keeps(&self, key: Key) -> bool {
        self.goes_on && key < self.start && !self.takes(key) && !self.late.contains(&key)
    }

    /// Another clean-up puts the task of `key` back. The keys of `taken` are sorted.
    fn note_back(&mut self, key: Key) {
        if self.keeps(key) && self.taken.binary_search(&key).is_err() {
            self.late.insert(key);
        }
    }
}

/// The tasks that a clean-up waits for, by their callbacks.
pub(crate) enum Gone {
    None,
    /// Tasks and plain futures: whatever happens, they are done.
    ForGood,
    /// Some that stand on others may be pending again.
    Asked(Vec<Rc<dyn AnyFuture>>),
}

impl HeldTasks {
    /// Holds `task`, and returns its key.
    pub(crate) fn add(&mut self, task: Held) -> Key {
        let (task, other) = match task {
            Held::Own(own) => (Some(own), None),
            Held::Other(other) => (None, Some(other)),
        };
        let (ended, noted_by, joined, hidden, was_back) = (NEVER, 0, false, false, false);
        self.listed.count += 1;
        let key = self.places.push(Place {
            task,
            ended,
            noted_by,
            joined,
            again: false,
            hidden,
            was_back,
        });
        if let Some(other) = other {
            self.others.insert(key, other);
            self.set_again(key);
        }
        key
    }

    /// The task that was added with `key` may be there again.
    pub(crate) fn set_again(&mut self, key: Key) {
        if let Some(place) = self.places.get_mut(key) {
            self.agains += usize::from(!mem::replace(&mut place.again, true));
        }
    }

    fn place(&self, key: Key) -> Option<&Place> {
        self.places.get(key).filter(|place| !place.hidden)
    }

    /// Notes that a task has ended, which is called for that afterwards. A task that is hidden may
    /// come back.
    pub(crate) fn note_end(&mut self, key: Key) {
        let Some(place) = self.places.get_mut(key) else { return };
        place.ended = self.round;
        place.noted_by += 1;
        if !place.hidden {
            self.listed.note_end(key);
        }
    }

    /// Notes that a waiter was added to a task behind its watch.
    pub(crate) fn note_joined(&mut self, key: Key) {
        if let Some(place) = self.places.get_mut(key) {
            place.joined = true;
            self.joined.entry(key).or_insert(self.round);
        }
    }

    /// Notes that a task that has ended was called. Returns the end of one that is not there `again`.
    #[inline]
    pub(crate) fn note_called(&mut self, key: Key, removed: &mut Removed) -> Option<End> {
        let place = self.places.get_mut(key)?;
        let round = place.ended;
        let joined = if place.joined { self.joined.get(&key).copied() } else { None };
        let last = joined.map_or(round, |joined| joined.min(round));
        let end = (!place.again).then_some(End { key, round, last });
        place.noted_by -= 1;
        if place.is_over() {
            self.give_back(key, removed);
        }
        end
    }

    /// Takes a place out.
    #[inline]
    fn give_back(&mut self, key: Key, removed: &mut Removed) {
        let Some(place) = self.places.remove(key) else { return };
        self.agains -= usize::from(place.again);
        if place.joined {
            self.joined.remove(&key);
        }
        let task = match place.task {
            Some(own) => Some(Held::Own(own)),
            None => self.others.remove(&key).map(Held::Other),
        };
        if let Some(task) = task {
            removed.push(task);
        }
    }

    /// Begins a round. Returns it, and the next key.
    pub(crate) fn begin_round(&mut self) -> (Round, Key) {
        self.round += 1;
        (self.round, self.places.next_key())
    }

    /// A task that is held, not known to be done, and not there `again`: where a `finish` puts its
    /// callback behind other waiters.
    pub(crate) fn to_follow(&self, key: Key) -> Option<Held> {
        let place = self.place(key).filter(|place| !place.ended() && !place.again)?;
        held(&self.others, key, place)
    }

    /// The tasks to which waiters were added behind their watches.
    pub(crate) fn joined(&self) -> BTreeSet<Key> {
        self.joined.keys().copied().collect()
    }

    pub(crate) fn all(&self) -> Vec<Rc<dyn AnyFuture>> {
        self.listed().map(|(_, task)| task.to_any()).collect()
    }

    pub(crate) fn contains(&self, id: FutureId) -> bool {
        self.listed().any(|(_, task)| task.id() == id)
    }

    fn listed(&self) -> impl Iterator<Item = (Key, Held)> {
        let listed = self.places.iter_from(0).filter(|(_, place)| !place.hidden);
        listed.filter_map(|(key, place)| Some((key, held(&self.others, key, place)?)))
    }

    /// The tasks that have to be asked whether they are done, if there are any.
    #[inline]
    pub(crate) fn to_ask(&self) -> Option<Vec<(Key, Rc<dyn AnyFuture>)>> {
        if self.others.is_empty() { None } else { self.list_to_ask() }
    }

    #[cold]
    fn list_to_ask(&self) -> Option<Vec<(Key, Rc<dyn AnyFuture>)>> {
        let listed = self.others.iter().filter(|(key, _)| self.place(**key).is_some());
        let to_ask: Vec<_> = listed.map(|(key, other)| (*key, other.to_any())).collect();
        (!to_ask.is_empty()).then_some(to_ask)
    }

    /// Returns whether a task that is held has told of its end.
    pub(crate) fn any_ended(&self) -> bool {
        self.listed.over > 0
    }

    /// Returns how many are not done, if so many of those that were asked are.
    pub(crate) fn pending(&self, asked_done: usize) -> usize {
        self.listed.count - self.listed.over - asked_done
    }

    /// Takes those that are done out.
    pub(crate) fn remove_done(&mut self, asked_done: &[Key]) -> Removed {
        let mut removed = Removed::default();
        if asked_done.is_empty() && self.listed.ended.len() < 2 {
            if let Some(key) = self.listed.ended.pop() {
                self.remove(key, &mut removed);
            }
        } else {
            let mut done = Vec::new();
            self.listed.list_done(&self.places, asked_done, &mut done);
            for key in done {
                self.remove(key, &mut removed);
            }
        }
        removed
    }

    /// Takes a task out.
    fn remove(&mut self, key: Key, removed: &mut Removed) {
        let Some(place) = self.places.get_mut(key) else { return };
        self.listed.hide(key, place, &mut self.cleans);
        if place.is_over() {
            self.give_back(key, removed);
        }
    }

    /// Begins a clean-up of those that are done. Returns its number, and what it waits for.
    pub(crate) fn begin_clean(&mut self, asked_done: &[Key]) -> (usize, Gone) {
        let is_free = |clean: &Option<Box<Clean>>| clean.as_ref().is_none_or(|own| !own.goes_on);
        let number = self.cleans.iter().position(is_free).unwrap_or(self.cleans.len());
        if number == self.cleans.len() {
            self.cleans.push(None);
        }
        let clean = self.cleans[number].get_or_insert_default();
        clean.goes_on = true;
        clean.start = self.places.next_key();
        self.listed.list_done(&self.places, asked_done, &mut clean.gone);
        let mut all_tell = true;
        for key in &clean.gone {
            if let Some(place) = self.places.get_mut(*key) {
                place.noted_by += 1;
                all_tell &= place.task.is_some();
            }
        }
        let waits_for = match &clean.gone[..] {
            [] => Gone::None,
            _ if all_tell => Gone::ForGood,
            gone => {
                let places = gone.iter().filter_map(|key| Some((*key, self.places.get(*key)?)));
                let gone = places.filter_map(|(key, place)| held(&self.others, key, place));
                Gone::Asked(gone.map(|task| task.to_any()).collect())
            }
        };
        (number, waits_for)
    }

    /// The clean-up `number` ends. If it was `finished`, the list is what it was when it began, less
    /// what was done then, and with what is new since. A task that was taken out meanwhile otherwise is
    /// there again; mostly it is done, and goes with the next clean-up.
    pub(crate) fn end_clean(&mut self, number: usize, finished: bool) -> Removed {
        let mut removed = Removed::default();
        let Some(mut clean) = self.cleans[number].take() else { return removed };
        if finished && self.agains > 0 {
            for key in self.reinserted(&clean) {
                self.remove(key, &mut removed);
            }
        }
        for &key in &clean.gone {
            let Some(place) = self.places.get_mut(key) else { continue };
            place.noted_by -= 1;
            if finished && !place.hidden {
                self.listed.hide(key, place, &mut self.cleans);
            }
            if place.is_over() {
                self.give_back(key, &mut removed);
            }
        }
        if !clean.taken.is_empty() {
            self.end_taken(&mut clean.taken, finished, &mut removed);
        }
        if clean.gone.capacity().max(clean.taken.capacity()) <= KEPT && clean.late.is_empty() {
            clean.goes_on = false;
            clean.gone.clear();
            clean.taken.clear();
            self.cleans[number] = Some(clean);
        }
        removed
    }

    /// Puts the tasks that were `taken` out during a clean-up back, or lets them go with it.
    fn end_taken(&mut self, taken: &mut [Key], finished: bool, removed: &mut Removed) {
        taken.sort_unstable();
        self.cleans.iter_mut().flatten().for_each(|clean| clean.taken.sort_unstable());
        for &key in &*taken {
            let Some(place) = self.places.get_mut(key) else { continue };
            place.noted_by -= 1;
            if finished && place.hidden {
                (place.hidden, place.was_back) = (false, true);
                self.listed.count += 1;
                self.cleans.iter_mut().flatten().for_each(|clean| clean.note_back(key));
                if place.ended() {
                    self.listed.note_end(key);
                }
            } else if place.is_over() {
                self.give_back(key, removed);
            }
        }
    }

    /// Returns the tasks that came since `clean` began, though they were in the list by then.
    fn reinserted(&self, clean: &Clean) -> Vec<Key> {
        let start = clean.start;
        let new = self.places.iter_from(start);
        let mut again: Vec<_> = new.filter(|(_, place)| place.again && !place.hidden).collect();
        let old = self.places.iter_from(0).take_while(|(key, _)| *key < start);
        let old = old.filter(|(_, place)| !place.hidden);
        let gone = clean.taken.iter().chain(&clean.gone);
        let gone = gone.filter_map(|key| Some((*key, self.places.get(*key)?)));
        let id = |(key, place): (Key, &Place)| held(&self.others, key, place).map(|task| task.id());
        let ids: BTreeSet<FutureId> = old.chain(gone).filter_map(id).collect();
        again.retain(|place| id(*place).is_some_and(|id| ids.contains(&id)));
        again.into_iter().map(|(key, _)| key).collect()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
#[path = "held_tasks_model.rs"]
mod model;
