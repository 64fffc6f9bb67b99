//! Watchers: done callbacks that also learn at once of the end, and of what is added behind them.

use std::rc::Rc;

use callsoon::{AnyFuture, Callback, EventLoop, LoopFuture, Watcher};

use crate::driver::{settle, turn};
use crate::support::trace::Trace;

struct Says(Trace);

impl Watcher for Says {
    fn ended(&self, token: u64) {
        self.0.push(format!("ended {token}"));
    }

    fn joined(&self, token: u64) {
        self.0.push(format!("joined {token}"));
    }

    fn called(&self, token: u64) {
        self.0.push(format!("called {token}"));
    }
}

fn says(trace: &Trace, line: String) -> Callback {
    let trace = trace.clone();
    Callback::new(move |_: &dyn AnyFuture| trace.push(&line))
}

fn watch(future: &LoopFuture<i32>, watcher: &Rc<dyn Watcher>, token: u64) {
    future.erased().expect("a plain future").watch(watcher.clone(), token);
}

#[test]
fn watcher_is_called_in_its_place_among_callbacks() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let watcher: Rc<dyn Watcher> = Rc::new(Says(trace.clone()));
    let future = event_loop.create_future::<i32>();
    future.add_done_callback(says(&trace, "first".into()));
    watch(&future, &watcher, 7);
    trace.expect_nothing();
    future.add_done_callback(says(&trace, "last".into()));
    trace.expect(["joined 7"]);
    future.set_result(1).unwrap();
    trace.expect(["ended 7"]);
    turn(&event_loop, 1);
    trace.expect(["first", "called 7", "last"]);
    settle(&event_loop);
    trace.expect_nothing();
}

#[test]
fn watcher_of_a_done_future_is_only_called() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let watcher: Rc<dyn Watcher> = Rc::new(Says(trace.clone()));
    let future = event_loop.create_future::<i32>();
    future.set_result(1).unwrap();
    watch(&future, &watcher, 7);
    trace.expect_nothing();
    turn(&event_loop, 1);
    trace.expect(["called 7"]);
}

#[test]
fn watchers_and_callbacks_are_an_ordered_list() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
        let watcher: Rc<dyn Watcher> = Rc::new(Says(trace.clone()));
        let future = event_loop.create_future::<i32>();
        // A callback, or a watcher's token.
        let mut list: Vec<(u64, Option<Callback>)> = Vec::new();
        for number in 0..random.u64(..12) {
            let watchers = list.iter().filter(|(_, callback)| callback.is_none());
            let joined: Vec<_> = watchers.map(|(token, _)| format!("joined {token}")).collect();
            match random.u8(..6) {
                0 | 1 => {
                    watch(&future, &watcher, number);
                    list.push((number, None));
                    trace.expect(joined);
                }
                2 if !list.is_empty() => {
                    let at = random.usize(..list.len());
                    if let (_, Some(callback)) = &list[at] {
                        assert_eq!(future.remove_done_callback(callback), 1);
                        list.remove(at);
                    }
                }
                _ => {
                    let callback = future.add_done_callback(says(&trace, number.to_string()));
                    list.push((number, Some(callback)));
                    trace.expect(joined);
                }
            }
        }
        future.set_result(1).unwrap();
        let watchers = list.iter().filter(|(_, callback)| callback.is_none());
        trace.expect(watchers.map(|(token, _)| format!("ended {token}")));
        turn(&event_loop, 1);
        trace.expect(list.iter().map(|(number, callback)| match callback {
            None => format!("called {number}"),
            Some(_) => number.to_string(),
        }));
    }
}

#[test]
fn watcher_added_to_a_done_future_joins_no_other() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let watcher: Rc<dyn Watcher> = Rc::new(Says(trace.clone()));
    let future = event_loop.create_future::<i32>();
    watch(&future, &watcher, 1);
    future.set_result(1).unwrap();
    watch(&future, &watcher, 2);
    trace.expect(["ended 1"]);
    turn(&event_loop, 1);
    trace.expect(["called 1", "called 2"]);
}
