//! Chains of futures and of errors that are much longer than a stack is deep, dropped from each end.
//! Each test runs in a process of its own, as an overflow of the stack ends it.

use std::cell::Cell;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use callsoon::helpers::{self as hp, ChildOfFuture, ResettableFuture};
use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, FutureLike, LoopFuture, LoopRef, Result, Task,
    WeakFuture, gather, shield,
};

use crate::child::is_child;

const DEEP: usize = 100_000;

/// The size of the stack that a thread has by default.
const STACK: usize = 2 << 20;

/// Runs `body` with a small stack, in a process of its own.
fn deep(name: &str, body: impl FnOnce() + Send + 'static) {
    if is_child(&format!("deep_drops::{name}"), ":") {
        thread::Builder::new().stack_size(STACK).spawn(body).unwrap().join().unwrap();
    }
}

type Link = Rc<dyn FutureLike<u8>>;

/// Makes the next link of a chain, which the one before holds, or which holds that.
type Add = fn(&LoopRef, &Link) -> Result<Link>;

fn add_shield(_: &LoopRef, before: &Link) -> Result<Link> {
    Ok(Rc::new(shield(&**before)))
}

fn add_child(_: &LoopRef, before: &Link) -> Result<Link> {
    Ok(Rc::new(ChildOfFuture::new(&*before.to_any())))
}

fn add_transfer(on: &LoopRef, before: &Link) -> Result<Link> {
    let next = on.create_future();
    before.add_callback(hp::transfer_result(&next));
    Ok(Rc::new(next))
}

fn add_resettable(on: &LoopRef, before: &Link) -> Result<Link> {
    let next = ResettableFuture::new_on(on);
    before.add_callback(hp::transfer_result(&next));
    Ok(Rc::new(next))
}

fn add_callback(on: &LoopRef, before: &Link) -> Result<Link> {
    let next = on.create_future();
    let held = next.clone();
    before.add_callback(callsoon::Callback::new(move |_: &dyn AnyFuture| _ = held.cancel()));
    Ok(Rc::new(next))
}

/// A future that holds the one before in what its cancellation does.
fn add_gathering(on: &LoopRef, before: &Link) -> Result<Link> {
    let gathered = gather([&**before]);
    let next = on.create_future();
    let held = next.clone();
    gathered.add_done_callback(move |_: &dyn AnyFuture| _ = held.cancel());
    next.add_done_callback(move |_: &dyn AnyFuture| _ = gathered.cancel());
    Ok(Rc::new(next))
}

const KINDS: [(&str, Add); 6] = [
    ("shields", add_shield),
    ("children", add_child),
    ("transfers", add_transfer),
    ("resettables", add_resettable),
    ("callbacks", add_callback),
    ("gatherings", add_gathering),
];

/// A chain on a new loop: that, its first future, and its last.
fn chain(add: impl Fn(usize) -> Add + 'static) -> (EventLoop, LoopFuture<u8>, Link) {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let first = event_loop.create_future();
    let start: Link = Rc::new(first.clone());
    let made = event_loop.run_until_complete(async move {
        let on = callsoon::running_loop()?;
        (0..DEEP).try_fold(start, |before, number| add(number)(&on, &before))
    });
    (event_loop, first, made.unwrap())
}

fn settle(event_loop: &EventLoop) {
    while event_loop.run_once(Some(Duration::ZERO)).unwrap() > 0 {}
}

#[test]
fn chains_of_one_kind_are_dropped_flat() {
    deep("chains_of_one_kind_are_dropped_flat", || {
        for (name, add) in KINDS {
            println!("{name}");
            let (event_loop, first, last) = chain(move |_| add);
            drop(last);
            drop(first);
            drop(event_loop);
        }
    });
}

/// In each order, pending and after its end.
#[test]
fn mixed_chains_are_dropped_flat() {
    deep("mixed_chains_are_dropped_flat", || {
        let mixed = |number: usize| KINDS[number % 5].1;
        let (event_loop, first, last) = chain(mixed);
        drop(first);
        drop(last);
        drop(event_loop);
        let (event_loop, first, last) = chain(mixed);
        drop(event_loop);
        drop((first, last));
        let (event_loop, first, last) = chain(mixed);
        first.set_result(1).unwrap();
        drop(first);
        settle(&event_loop);
        drop(last);
    });
}

/// A future or a task that holds the one before in its result.
#[derive(Clone)]
enum Held {
    Nothing,
    Future { _before: LoopFuture<Held> },
    Task { _before: Task<Held> },
}

#[test]
fn results_that_hold_futures_are_dropped_flat() {
    deep("results_that_hold_futures_are_dropped_flat", || {
        let event_loop = EventLoop::with_virtual_time();
        let mut held = Held::Nothing;
        for number in 0..DEEP {
            held = if number % 2 == 0 {
                let future = event_loop.create_future();
                future.set_result(held).unwrap();
                Held::Future { _before: future }
            } else {
                let task = event_loop.create_task(async { Ok(held) }).unwrap();
                settle(&event_loop);
                Held::Task { _before: task }
            };
        }
        drop(held);
    });
}

/// Futures of two loops, in turns.
#[test]
fn chains_across_loops_are_dropped_flat() {
    deep("chains_across_loops_are_dropped_flat", || {
        let loops = [EventLoop::with_virtual_time(), EventLoop::with_virtual_time()];
        let first: LoopFuture<u8> = loops[0].create_future();
        (0..DEEP).fold(first.clone(), |before, number| {
            let next = loops[number % 2].create_future();
            before.add_done_callback(hp::transfer_result(&next));
            next
        });
        drop(first);
    });
}

/// Panics of the drops, where they are put off and where they are not, go to one place each.
#[test]
fn a_panic_in_a_deep_drop_stops_no_other() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("dropped");
            }
        }
    }
    deep("a_panic_in_a_deep_drop_stops_no_other", || {
        let event_loop = EventLoop::with_virtual_time();
        let (counted, told) = (Rc::new(()), Rc::new(std::cell::Cell::new(0)));
        let tells = told.clone();
        event_loop.set_exception_handler(Some(Rc::new(move |_, _| tells.set(tells.get() + 1))));
        let first: LoopFuture<u8> = event_loop.create_future();
        (0..1000).fold(first.clone(), |before, number| {
            let next = event_loop.create_future();
            let held = (next.clone(), counted.clone(), (number == 500).then(|| Panics));
            before.add_done_callback(move |_: &dyn AnyFuture| {
                let (next, _counted, _panics) = &held;
                next.cancel();
            });
            next
        });
        drop(first);
        assert_eq!((Rc::strong_count(&counted), told.get()), (1, 1));
    });
}

/// An error of the program's own with a cause.
#[derive(Debug)]
struct Because(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("because")
    }
}

impl std::error::Error for Because {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

fn add_group(before: Error) -> Error {
    Error::from_group("group", vec![Error::new(ErrorKind::Value, "bad"), before])
}

fn add_source(before: Error) -> Error {
    Error::other(Because(before.into()))
}

fn deep_error(add: impl Fn(usize) -> fn(Error) -> Error) -> Error {
    let first = Error::new(ErrorKind::Value, "first");
    (0..DEEP).fold(first, |before, number| add(number)(before))
}

#[test]
fn deep_errors_are_dropped_flat() {
    deep("deep_errors_are_dropped_flat", || {
        drop(deep_error(|_| add_group));
        drop(deep_error(|_| add_source));
        drop(deep_error(|number| if number % 2 == 0 { add_group } else { add_source }));
        let (kept, error) = (deep_error(|_| add_group), deep_error(|_| add_source));
        let both = Error::from_group("both", vec![kept.clone(), error]);
        drop(both);
        assert_eq!(kept.group().len(), 2);
        // On another thread, and while a future has it.
        thread::Builder::new().stack_size(STACK).spawn(move || drop(kept)).unwrap().join().unwrap();
        let event_loop = EventLoop::with_virtual_time();
        event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
        event_loop.create_future::<u8>().set_exception(deep_error(|_| add_group)).unwrap();
    });
}

#[test]
fn deep_groups_are_shown_flat() {
    deep("deep_groups_are_shown_flat", || {
        let error = deep_error(|_| add_group);
        let shown = error.to_string();
        let begin = "ExceptionGroup: group [ValueError: bad, ";
        let whole = format!("{}ValueError: first{}", begin.repeat(DEEP), "]".repeat(DEEP));
        assert!(shown == whole, "as text");
        let begin = "ExceptionGroup(\"group\", [ValueError(\"bad\"), ";
        let whole = format!("{}ValueError(\"first\"){}", begin.repeat(DEEP), "])".repeat(DEEP));
        assert!(format!("{error:?}") == whole, "for debugging");
    });
}

#[test]
fn deep_causes_are_walked_flat() {
    deep("deep_causes_are_walked_flat", || {
        let error = deep_error(|_| add_source);
        let foreign: Box<dyn std::error::Error> = error.into();
        let causes = std::iter::successors(Some(&*foreign), |error| error.source());
        assert!(causes.count() > DEEP);
        assert!(Error::find_in(&*foreign).is_some());
        let inside = Error::cancelled();
        let wrapped =
            (0..100).fold(std::io::Error::from(inside), |error, _| std::io::Error::other(error));
        assert!(Error::from(wrapped).is_cancelled());
    });
}

/// Holds the next future of a chain. After that is dropped, or its drop is put off, it must not be
/// found.
struct Node {
    _next: Option<LoopFuture<Node>>,
    _found: CountsFound,
}

struct CountsFound(Option<WeakFuture>, Rc<Cell<usize>>);

impl Drop for CountsFound {
    fn drop(&mut self) {
        if let Some(found) = self.0.as_ref().and_then(WeakFuture::upgrade) {
            self.1.set(self.1.get() + 1);
            // Its memory may be freed by the time that this handle would be dropped.
            mem::forget(found);
        }
    }
}

#[test]
fn weak_handle_does_not_find_a_future_with_a_deferred_drop() {
    let event_loop = EventLoop::with_virtual_time();
    let found = Rc::new(Cell::new(0));
    let mut next: Option<LoopFuture<Node>> = None;
    for _ in 0..100 {
        let weak = next.as_ref().map(AnyFuture::downgrade);
        let future = event_loop.create_future();
        let node = Node { _next: next, _found: CountsFound(weak, found.clone()) };
        future.set_result(node).unwrap();
        next = Some(future);
    }
    drop(next);
    assert_eq!(found.get(), 0);
}
