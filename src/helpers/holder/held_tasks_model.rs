//! [`HeldTasks`] beside the original's list, under random calls.

use super::*;
use crate::helpers::ResettableFuture;
use crate::{Callback, EventLoop};
use core::cell::RefCell;

/// A future that tells of its end, or one that has to be asked and may be pending again.
type Task = Rc<dyn AnyFuture>;

fn ids(tasks: &[Task]) -> Vec<FutureId> {
    tasks.iter().map(|task| task.id()).collect()
}

fn among(these: &[Task], task: &Task) -> bool {
    these.iter().any(|other| other.id() == task.id())
}

/// The original's clean-up: what was pending when it began, and what came since.
fn cleaned(list: &[Task], gone: &[Task], stays: &[Task]) -> Vec<Task> {
    let new = list.iter().filter(|task| !among(gone, task) && !among(stays, task));
    stays.iter().chain(new).cloned().collect()
}

#[derive(Default)]
struct Model {
    held: HeldTasks,
    known: Vec<(Key, Task)>,
    to_call: Vec<Key>,
    list: Vec<Task>,
    /// The clean-ups that go on: their numbers, what they take out, and what stays.
    cleans: Vec<(usize, Vec<Task>, Vec<Task>)>,
    keeps_order: bool,
}

impl Model {
    fn add(&mut self, task: &Task, is_again: bool) {
        let key = self.held.add(Held::new(&**task));
        if !task.as_any().is::<ResettableFuture<()>>() {
            if is_again || task.done() {
                self.held.set_again(key);
            }
            if task.done() {
                self.held.note_end(key);
                self.to_call.push(key);
            }
        }
        self.known.push((key, task.clone()));
        self.list.push(task.clone());
    }

    fn end(&mut self, task: &Task) {
        if let Some(future) = task.as_any().downcast_ref::<ResettableFuture<()>>() {
            if future.done() {
                future.reset();
            } else {
                future.set_result(()).expect("it is pending");
            }
        } else if task.cancel() {
            let same = self.known.iter().filter(|(_, other)| other.id() == task.id());
            let ended: Vec<Key> = same.map(|(key, _)| *key).collect();
            ended.iter().for_each(|key| self.held.note_end(*key));
            self.to_call.extend(ended);
        }
    }

    fn asked_done(&self) -> Vec<Key> {
        let to_ask = self.held.to_ask().unwrap_or_default().into_iter();
        to_ask.filter(|(_, task)| task.done()).map(|(key, _)| key).collect()
    }

    fn begin_clean(&mut self, gone: Vec<Task>, stays: Vec<Task>) {
        let (number, waits_for) = self.held.begin_clean(&self.asked_done());
        let may_be_pending_again = |task: &Task| task.as_any().is::<ResettableFuture<()>>();
        match waits_for {
            Gone::None => assert!(gone.is_empty()),
            Gone::ForGood => assert!(!gone.is_empty() && !gone.iter().any(may_be_pending_again)),
            Gone::Asked(asked) => {
                assert!(gone.iter().any(may_be_pending_again));
                assert!(gone.iter().all(|task| among(&asked, task)));
            }
        }
        self.cleans.push((number, gone, stays));
    }

    fn end_clean(&mut self, at: usize, finished: bool) {
        let (number, gone, stays) = self.cleans.remove(at);
        drop(self.held.end_clean(number, finished));
        if finished {
            self.list = cleaned(&self.list, &gone, &stays);
        }
    }

    fn check(&self) {
        let (mut held, mut list) = (self.held.all(), self.list.clone());
        if self.keeps_order {
            assert_eq!(ids(&held), ids(&list));
        } else {
            held.sort_by_key(|task| task.id());
            list.sort_by_key(|task| task.id());
            assert_eq!(ids(&held), ids(&list));
        }
        let pending = self.list.iter().filter(|task| !task.done()).count();
        assert_eq!(self.held.pending(self.asked_done().len()), pending);
        let hidden = self.held.places.len() - self.list.len();
        let noted = !self.cleans.is_empty() || !self.to_call.is_empty();
        assert!(hidden == 0 || noted, "no place is lost");
        self.check_to_follow();
    }

    /// A `finish` follows the tasks that are held, pending and added once, of those that tell of their end.
    fn check_to_follow(&self) {
        for (key, task) in &self.known {
            let added = self.known.iter().filter(|(_, other)| other.id() == task.id()).count();
            if task.as_any().is::<ResettableFuture<()>>() {
                assert!(self.held.to_follow(*key).is_none());
            } else if added == 1 {
                let follows = among(&self.list, task) && !task.done();
                assert_eq!(self.held.to_follow(*key).is_some(), follows);
            }
        }
    }
}

/// Notes its number when it is dropped.
struct Noted(usize, Rc<RefCell<Vec<usize>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[test]
fn tasks_of_both_kinds_are_dropped_in_the_order_of_adding() {
    let event_loop = EventLoop::with_virtual_time();
    let dropped = Rc::new(RefCell::new(Vec::new()));
    let mut held = HeldTasks::default();
    for number in 0..6 {
        let task: Task = match number % 3 {
            0 => Rc::new(ResettableFuture::<()>::new_on(&event_loop)),
            _ => Rc::new(event_loop.create_future::<()>()),
        };
        let noted = Noted(number, dropped.clone());
        task.add_callback(Callback::new(move |_: &dyn AnyFuture| _ = &noted));
        held.add(Held::new(&*task));
    }
    drop(held);
    assert_eq!(*dropped.borrow(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn end_counts_for_rounds_between_adding_and_first_joining() {
    let event_loop = EventLoop::with_virtual_time();
    let mut held = HeldTasks::default();
    let mut add = || held.add(Held::new(&event_loop.create_future::<()>()));
    let (old, early, late) = (add(), add(), add());
    held.note_joined(early);
    let (round, next_key) = held.begin_round();
    let new = held.add(Held::new(&event_loop.create_future::<()>()));
    held.note_joined(early);
    held.note_joined(late);
    assert_eq!(held.joined(), BTreeSet::from([early, late]));
    let keys = [old, early, late, new];
    keys.iter().for_each(|key| held.note_end(*key));
    let counts = keys.map(|key| {
        let end = held.note_called(key, &mut Removed::default()).expect("it is there once");
        end.count_for(round, next_key)
    });
    assert_eq!(counts, [true, false, true, false]);
    drop(held.remove_done(&[]));
    assert!(held.joined().is_empty(), "a task that is removed leaves nothing behind");
}

/// Tries `programs` of random calls, with so many clean-ups at a time, and futures of both kinds or
/// only those that tell.
fn try_against_the_original(programs: u32, most_cleans: usize, both_kinds: bool) {
    let event_loop = EventLoop::with_virtual_time();
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..programs {
        let mut model = Model { keeps_order: most_cleans == 1, ..Model::default() };
        for _ in 0..60 {
            match random.u8(..9) {
                0..=2 => {
                    let old = random.choice(&model.known).map(|(_, task)| task.clone());
                    let again = old.filter(|_| most_cleans == 1 && random.u8(..4) == 0);
                    let is_again = again.is_some();
                    let task = again.unwrap_or_else(|| {
                        if both_kinds && random.bool() {
                            Rc::new(ResettableFuture::<()>::new_on(&event_loop))
                        } else {
                            event_loop.create_future::<()>().to_any()
                        }
                    });
                    model.add(&task, is_again);
                }
                3 | 4 => {
                    let task = random.choice(&model.known).map(|(_, task)| task.clone());
                    task.iter().for_each(|task| model.end(task));
                }
                5 => {
                    let asked_done = model.asked_done();
                    drop(model.held.remove_done(&asked_done));
                    model.list.retain(|task| !task.done());
                }
                8 => {
                    for key in mem::take(&mut model.to_call) {
                        model.held.note_called(key, &mut Removed::default());
                    }
                }
                6 if model.cleans.len() < most_cleans => {
                    let (gone, stays): (Vec<_>, Vec<_>) =
                        model.list.iter().cloned().partition(|task| task.done());
                    model.begin_clean(gone, stays);
                }
                _ if model.cleans.is_empty() => {}
                _ => {
                    let at = random.usize(..model.cleans.len());
                    model.end_clean(at, random.u8(..4) > 0);
                }
            }
            model.check();
        }
    }
}

#[test]
fn it_is_the_list_of_the_original_whatever_comes_between() {
    try_against_the_original(300, 1, false);
}

#[test]
fn it_is_the_list_of_the_original_for_futures_that_reset() {
    try_against_the_original(300, 1, true);
}

#[test]
fn it_is_the_list_of_the_original_for_clean_ups_that_overlap() {
    try_against_the_original(300, 3, false);
}

#[test]
fn it_is_the_list_of_the_original_for_all_of_that_at_once() {
    try_against_the_original(300, 3, true);
}
