//! [`HeldTasks`]: the tasks of a holder, in the order of adding, and which of them are done.
//!
//! The original keeps a list and goes through all of it whenever one task ends. Here each task
//! has a place, and a [`Watcher`](crate::Watcher) notes its end the moment it comes, so that
//! what is done can be taken out without looking at the rest. **Only** plain futures and tasks
//! can be watched; what stands on others has to be asked each time ([`HeldTasks::to_ask`]).
//!
//! A watched task that has ended moves from its place to the [`EndLog`]. A task that was taken out of
//! the list is hidden, and stays in its place or in the log for as long as anything needs it.
//!
//! A clean-up in the original is a list made before a wait and put in place after it. The tasks that
//! come and go during the wait must come out the same: a [`Clean`] takes out what was done when it
//! began; what was there by then and was taken out since otherwise is in the list again at its end.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;

use super::end_log::{Begin, End, EndLog, NEVER, Round, Rounds};
use super::held::Held;
use crate::collections::{Key, KeyedQueue};
use crate::{AnyFuture, FutureId};

/// A task that is pending, or has to be asked.
struct Place {
    task: Held,
    rounds: Rounds,
    /// It tells of its end.
    tells: bool,
    /// It may be in the list under another key too.
    again: bool,
    hidden: bool,
    /// How many clean-ups have noted its key.
    noted_by: u32,
}

#[derive(Default)]
pub(crate) struct HeldTasks {
    places: KeyedQueue<Place>,
    ends: EndLog,
    /// The number of places that are not hidden.
    placed: usize,
    /// The places that can't tell and are not hidden.
    to_ask: BTreeSet<Key>,
    /// How many places and ends have `again`.
    agains: usize,
    /// The last round that has begun.
    round: Round,
    /// Each is known by its place.
    cleans: Vec<Clean>,
    /// The tasks that were taken out, to be dropped where nothing is borrowed.
    removed: Vec<Held>,
}

/// A clean-up, or room for the next.
#[derive(Default)]
struct Clean {
    goes_on: bool,
    begin: Begin,
    /// The places that it takes out, in the order of their keys.
    gone: Vec<Key>,
    /// The other places that were hidden since.
    taken: Vec<Key>,
}

/// What a clean-up waits for.
#[derive(Clone, Copy)]
pub(crate) enum Gone {
    Nothing,
    /// Tasks and plain futures: whatever happens, they are done.
    ForGood,
    /// Some that stand on others may be pending again.
    Asked,
}

impl HeldTasks {
    /// Holds `task` as one that tells of its end, and returns its key.
    pub(crate) fn add(&mut self, task: Held) -> Key {
        let rounds = Rounds { added: self.round, joined: NEVER, ended: NEVER };
        let (tells, again, hidden, noted_by) = (true, false, false, 0);
        self.placed += 1;
        self.places.push(Place { task, rounds, tells, again, hidden, noted_by })
    }

    /// The task that was added with `key` may be there again.
    pub(crate) fn set_again(&mut self, key: Key) {
        if let Some(place) = self.places.get_mut(key) {
            self.agains += usize::from(!mem::replace(&mut place.again, true));
        }
    }

    /// The task that was added with `key` can't tell of its end, and may be there again.
    pub(crate) fn set_to_ask(&mut self, key: Key) {
        self.set_again(key);
        if let Some(place) = self.places.get_mut(key) {
            place.tells = false;
            self.to_ask.insert(key);
        }
    }

    /// Notes that a task has ended, which is called for that afterwards. A task that is hidden may
    /// come back.
    #[inline]
    pub(crate) fn note_end(&mut self, key: Key) {
        self.move_to_ends(key, false);
    }

    #[inline]
    fn move_to_ends(&mut self, key: Key, called: bool) {
        let Some(place) = self.places.remove(key) else { return };
        let Place { task, rounds, again, hidden, .. } = place;
        self.placed -= usize::from(!hidden);
        let hidden = if hidden { self.ends.now() } else { NEVER };
        let rounds = Rounds { ended: self.round, ..rounds };
        self.ends.push(End { key, task, rounds, again, called, hidden });
    }

    /// Notes that a waiter was added to a task behind its watch.
    pub(crate) fn note_joined(&mut self, key: Key) {
        if let Some(place) = self.places.get_mut(key) {
            place.rounds.joined = place.rounds.joined.min(self.round);
        }
    }

    /// Notes that a task that has ended was called. Returns the rounds of one that is not there
    /// `again`.
    #[inline]
    pub(crate) fn note_called(&mut self, key: Key) -> Option<Rounds> {
        let rounds = self.ends.note_called(key);
        self.give_back();
        rounds
    }

    /// Takes the ends out that nothing needs any more.
    #[inline(always)]
    fn give_back(&mut self) {
        if self.ends.is_first_over() {
            self.give_back_first();
        }
    }

    fn give_back_first(&mut self) {
        while self.ends.is_first_over() {
            let going_on = self.cleans.iter().filter(|clean| clean.goes_on);
            let Some(end) = self.ends.pop_unneeded(going_on.map(|clean| clean.begin)) else {
                return;
            };
            self.agains -= usize::from(end.again);
            self.removed.push(end.task);
        }
    }

    /// The tasks that were taken out, to be dropped where nothing is borrowed.
    #[inline]
    pub(super) fn removed(&mut self) -> &mut Vec<Held> {
        &mut self.removed
    }

    /// Begins a round.
    pub(crate) fn begin_round(&mut self) -> Round {
        self.round += 1;
        self.round
    }

    /// A task that is held, not known to be done, and not there `again`: where a `finish` puts its
    /// callback behind other waiters.
    pub(crate) fn to_follow(&self, key: Key) -> Option<Held> {
        let place = self.places.get(key).filter(|place| !place.hidden && !place.again)?;
        Some(place.task.clone())
    }

    /// The tasks that are pending and to which waiters were added behind their watches.
    pub(crate) fn joined(&self) -> Vec<Key> {
        let joined = self.places.iter_from(0).filter(|(_, place)| place.rounds.joined != NEVER);
        joined.map(|(key, _)| key).collect()
    }

    /// The tasks of `places` and `ends`, in the order of adding.
    fn in_order<'a>(
        places: impl Iterator<Item = (Key, &'a Place)>,
        ends: impl Iterator<Item = &'a End>,
    ) -> Vec<Rc<dyn AnyFuture>> {
        let places = places.map(|(key, place)| (key, &place.task));
        let mut all: Vec<_> = places.chain(ends.map(|end| (end.key, &end.task))).collect();
        all.sort_by_key(|(key, _)| *key);
        all.into_iter().map(|(_, task)| task.to_any()).collect()
    }

    fn listed(&self) -> impl Iterator<Item = (Key, &Place)> {
        self.places.iter_from(0).filter(|(_, place)| !place.hidden)
    }

    pub(crate) fn all(&self) -> Vec<Rc<dyn AnyFuture>> {
        Self::in_order(self.listed(), self.ends.iter())
    }

    pub(crate) fn contains(&self, id: FutureId) -> bool {
        self.listed().any(|(_, place)| place.task.id() == id)
            || self.ends.iter().any(|end| end.task.id() == id)
    }

    /// Whether there are tasks that have to be asked.
    #[inline]
    pub(crate) fn asks(&self) -> bool {
        !self.to_ask.is_empty()
    }

    /// The tasks that have to be asked whether they are done.
    pub(crate) fn to_ask(&self) -> Vec<(Key, Rc<dyn AnyFuture>)> {
        let to_ask = self.to_ask.iter();
        let to_ask = to_ask.filter_map(|key| Some((*key, self.places.get(*key)?)));
        to_ask.map(|(key, place)| (key, place.task.to_any())).collect()
    }

    /// Whether a task that is held has told of its end.
    pub(crate) fn any_ended(&self) -> bool {
        self.ends.listed() > 0
    }

    /// How many are not done, if so many of those that were asked are.
    pub(crate) fn pending(&self, asked_done: usize) -> usize {
        self.placed - asked_done
    }

    /// Takes those that are done out.
    #[inline]
    pub(crate) fn remove_done(&mut self, asked_done: &[Key]) {
        self.ends.hide_all();
        self.give_back();
        asked_done.iter().for_each(|key| self.hide(*key));
    }

    /// Takes the task of a place out, and has the clean-ups that are going on know of it.
    #[cold]
    fn hide(&mut self, key: Key) {
        let Some(place) = self.places.get_mut(key) else { return };
        if !mem::replace(&mut place.hidden, true) {
            self.placed -= 1;
            self.to_ask.remove(&key);
            let was_there = |clean: &&mut Clean| clean.goes_on && key < clean.begin.key;
            for clean in self.cleans.iter_mut().filter(was_there) {
                if clean.gone.binary_search(&key).is_err() {
                    clean.taken.push(key);
                    place.noted_by += 1;
                }
            }
        }
        self.give_place_back(key);
    }

    /// Takes a hidden place out, unless a clean-up has noted it.
    fn give_place_back(&mut self, key: Key) {
        if self.places.get(key).is_some_and(|place| place.hidden && place.noted_by == 0) {
            if let Some(place) = self.places.remove(key) {
                self.agains -= usize::from(place.again);
                self.removed.push(place.task);
            }
        }
    }

    /// Begins a clean-up of those that are done. Returns its number, and what it waits for.
    #[inline]
    pub(crate) fn begin_clean(&mut self, asked_done: &[Key]) -> (usize, Gone) {
        let free = self.cleans.iter().position(|clean| !clean.goes_on);
        let number = free.unwrap_or_else(|| {
            self.cleans.push(Clean::default());
            self.cleans.len() - 1
        });
        let clean = &mut self.cleans[number];
        clean.goes_on = true;
        clean.begin = self.ends.begin_clean(self.places.next_key());
        for key in asked_done {
            if let Some(place) = self.places.get_mut(*key) {
                place.noted_by += 1;
                clean.gone.push(*key);
            }
        }
        let waits_for = match (self.ends.listed(), clean.gone.len()) {
            (0, 0) => Gone::Nothing,
            (_, 0) => Gone::ForGood,
            _ => Gone::Asked,
        };
        (number, waits_for)
    }

    /// The tasks that the clean-up `number`, which has just begun, takes out.
    pub(crate) fn cleaned(&self, number: usize) -> Vec<Rc<dyn AnyFuture>> {
        let gone = self.cleans[number].gone.iter();
        let places = gone.filter_map(|key| Some((*key, self.places.get(*key)?)));
        Self::in_order(places, self.ends.iter())
    }

    /// The clean-up `number` ends. If it was `finished`, the list is what it was when it began, less
    /// what was done then, and with what is new since. A task that was taken out meanwhile otherwise is
    /// there again; mostly it is done, and goes with the next clean-up.
    #[inline]
    pub(crate) fn end_clean(&mut self, number: usize, finished: bool) {
        let clean = &mut self.cleans[number];
        clean.goes_on = false;
        let begin = clean.begin;
        if finished {
            if self.agains > 0 {
                self.remove_again(number);
            }
            self.ends.finish_clean(begin);
        }
        self.give_back();
        let clean = &mut self.cleans[number];
        if !clean.gone.is_empty() || !clean.taken.is_empty() {
            let (gone, taken) = (mem::take(&mut clean.gone), mem::take(&mut clean.taken));
            self.end_noted(gone, taken, finished);
        }
    }

    /// What the end of a clean-up does to the places that it has noted.
    #[cold]
    fn end_noted(&mut self, gone: Vec<Key>, mut taken: Vec<Key>, finished: bool) {
        for key in gone {
            let Some(place) = self.places.get_mut(key) else { continue };
            place.noted_by -= 1;
            if finished {
                self.hide(key);
            } else {
                self.give_place_back(key);
            }
        }
        taken.sort_unstable();
        for key in taken {
            let Some(place) = self.places.get_mut(key) else { continue };
            place.noted_by -= 1;
            if finished && mem::replace(&mut place.hidden, false) {
                self.placed += 1;
                // One that was asked was done, and one that tells would have told.
                if !place.tells {
                    self.move_to_ends(key, true);
                }
            } else {
                self.give_place_back(key);
            }
        }
    }

    /// Takes out what came since the clean-up `number` began, though it was in the list by then.
    #[cold]
    fn remove_again(&mut self, number: usize) {
        let Clean { begin, gone, taken, .. } = &self.cleans[number];
        let noted = taken.iter().chain(gone).filter_map(|key| self.places.get(*key));
        let old = self.listed().take_while(|(key, _)| *key < begin.key).map(|(_, place)| place);
        let old = old.chain(noted).map(|place| place.task.id());
        let ids: BTreeSet<_> = old.chain(self.ends.known_at(*begin).map(Held::id)).collect();
        let is_new = |key, task: &Held| key >= begin.key && ids.contains(&task.id());
        self.ends.hide(|end| end.again && is_new(end.key, &end.task));
        let new = self.places.iter_from(begin.key);
        let new = new.filter(|(key, place)| place.again && is_new(*key, &place.task));
        let new: Vec<Key> = new.map(|(key, _)| key).collect();
        new.into_iter().for_each(|key| self.hide(key));
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
            let mut to_call: Vec<Key> = Vec::new();
            let mut list: Vec<LoopFuture<()>> = Vec::new();
            let mut clean = None;
            for _ in 0..60 {
                match random.u8(..9) {
                    0..=2 => {
                        let old = random.choice(&known).map(|(_, task)| task.clone());
                        let again = old.filter(|_| random.u8(..4) == 0);
                        let task = again.clone().unwrap_or_else(|| event_loop.create_future());
                        let key = held.add(Held::new(&task));
                        if again.is_some() {
                            held.set_again(key);
                        }
                        if task.done() {
                            held.note_end(key);
                            to_call.push(key);
                        }
                        known.push((key, task.clone()));
                        list.push(task);
                    }
                    3 | 4 => {
                        let Some((_, task)) = random.choice(&known) else { continue };
                        if task.set_result(()).is_ok() {
                            let same = known.iter().filter(|(_, other)| other.id() == task.id());
                            let ended: Vec<Key> = same.map(|(key, _)| *key).collect();
                            ended.iter().for_each(|key| held.note_end(*key));
                            to_call.extend(ended);
                        }
                    }
                    8 => to_call.drain(..).for_each(|key| _ = held.note_called(key)),
                    5 => {
                        held.remove_done(&[]);
                        list.retain(|task| !task.done());
                    }
                    6 if clean.is_none() => {
                        let (gone, stays): (Vec<_>, Vec<_>) =
                            list.iter().cloned().partition(LoopFuture::done);
                        clean = Some((held.begin_clean(&[]).0, gone, stays));
                    }
                    _ => {
                        let Some((name, gone, stays)) = clean.take() else { continue };
                        let finished = random.u8(..4) > 0;
                        held.end_clean(name, finished);
                        if finished {
                            list = cleaned(&list, &gone, &stays);
                        }
                    }
                }
                let listed: Vec<_> = list.iter().map(LoopFuture::id).collect();
                assert_eq!(ids(&held.all()), listed);
                assert_eq!(held.pending(0), list.iter().filter(|task| !task.done()).count());
                let hidden = held.places.len() + held.ends.len() - listed.len();
                let is_needed = clean.is_some() || !to_call.is_empty() || held.any_ended();
                assert!(hidden == 0 || is_needed, "no place is lost");
            }
        }
    }
}
