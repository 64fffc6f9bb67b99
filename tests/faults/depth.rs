//! Nesting that is deeper than a stack.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use callsoon::helpers::ChildOfFuture;
use callsoon::{AnyFuture, Error, ErrorKind, EventLoop, LoopFuture, Task, gather, shield};

use crate::child::is_child;
use crate::support::trace::Trace;

/// So deep that a recursion would overflow a test's stack if its frames had 70 bytes.
const DEEP: usize = 30_000;

const STACK: usize = 600 << 10;

fn start() -> (EventLoop, LoopFuture<()>) {
    let event_loop = EventLoop::with_virtual_time();
    // Those that are dropped while they are pending are not the question.
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let first = event_loop.create_future();
    (event_loop, first)
}

fn settle(event_loop: &EventLoop) {
    while event_loop.run_once(Some(Duration::ZERO)).unwrap() > 0 {}
}

/// Tasks each of which awaits a gathering of the one before it; the first awaits `first`.
fn gatherings(event_loop: &EventLoop, first: &LoopFuture<()>, count: usize) -> Vec<Task<()>> {
    let first = first.clone();
    let mut tasks = vec![event_loop.create_task(async move { first.await }).unwrap()];
    for below in 0..count - 1 {
        let gathered = gather([&tasks[below]]);
        tasks.push(event_loop.create_task(async move { gathered.await.map(drop) }).unwrap());
    }
    settle(event_loop);
    tasks
}

#[test]
fn nested_gathers_are_cancelled_without_a_deep_stack() {
    const NAME: &str = "depth::nested_gathers_are_cancelled_without_a_deep_stack";
    // An overflow of its stack ends the process.
    if !is_child(NAME, ":") {
        return;
    }
    let (event_loop, first) = start();
    let tasks = gatherings(&event_loop, &first, DEEP);
    assert!(tasks[DEEP - 1].cancel());
    assert!(first.cancelled());
    assert!(tasks.iter().all(|task| task.cancelling() == 1));
    settle(&event_loop);
    assert!(tasks.iter().all(Task::cancelled));
}

#[test]
fn nested_gathers_end_and_are_dropped_without_a_deep_stack() {
    const NAME: &str = "depth::nested_gathers_end_and_are_dropped_without_a_deep_stack";
    if !is_child(NAME, ":") {
        return;
    }
    let (event_loop, first) = start();
    let tasks = gatherings(&event_loop, &first, DEEP);
    first.set_result(()).unwrap();
    settle(&event_loop);
    assert!(tasks[DEEP - 1].result().is_ok());
    let (event_loop, first) = start();
    drop(gatherings(&event_loop, &first, DEEP));
    drop((event_loop, first));
}

/// At such a depth the order is still that of the children, level by level.
#[test]
fn wide_and_deep_gathers_are_cancelled_once_in_child_order() {
    let (event_loop, trace) = (EventLoop::with_virtual_time(), Trace::new());
    let leaves = Rc::new(RefCell::new(Vec::new()));
    let top = wide(&event_loop, &leaves, &trace, 3);
    settle(&event_loop);
    assert!(top.cancel());
    assert!(leaves.borrow().iter().all(AnyFuture::cancelled));
    settle(&event_loop);
    trace.expect((0..27).map(|leaf| leaf.to_string()));
    assert!(top.cancelled());
}

/// A task that awaits a gathering of three such tasks; on the last level, of three futures.
fn wide(
    event_loop: &EventLoop,
    leaves: &Rc<RefCell<Vec<LoopFuture<()>>>>,
    trace: &Trace,
    levels: usize,
) -> Task<()> {
    if levels == 0 {
        let leaf = event_loop.create_future();
        let (number, says) = (leaves.borrow().len(), trace.clone());
        leaf.add_done_callback(move |_: &dyn AnyFuture| says.push(number));
        leaves.borrow_mut().push(leaf.clone());
        return event_loop.create_task(async move { leaf.await }).unwrap();
    }
    let parts = [(); 3].map(|()| wide(event_loop, leaves, trace, levels - 1));
    let gathered = gather(&parts);
    event_loop.create_task(async move { gathered.await.map(drop) }).unwrap()
}

/// Runs `body` in a process of its own, with a stack of which each of [`DEEP`] has few bytes.
fn with_small_stack(name: &str, body: fn()) {
    if is_child(&format!("depth::{name}"), ":") {
        thread::Builder::new().stack_size(STACK).spawn(body).unwrap().join().unwrap();
    }
}

fn shields(first: &LoopFuture<()>, count: usize) -> LoopFuture<()> {
    (0..count).fold(first.clone(), |inner, _| shield(&inner))
}

#[test]
fn shields_of_shields_are_cancelled_from_both_ends() {
    with_small_stack("shields_of_shields_are_cancelled_from_both_ends", || {
        let (event_loop, first) = start();
        let last = shields(&first, DEEP);
        first.cancel();
        settle(&event_loop);
        assert!(last.cancelled());
        let first = event_loop.create_future();
        let last = shields(&first, DEEP);
        assert!(format!("{last:?} {first:?}").len() < 200);
        assert!(last.cancel() && !first.done());
        settle(&event_loop);
        drop(last);
        drop((shields(&first, DEEP), first));
    });
}

/// Makes a child of a child and so on, with results of two types in turns.
fn child_of_children(event_loop: &EventLoop, top: &LoopFuture<u8>) -> Rc<dyn AnyFuture> {
    let parent: Rc<dyn AnyFuture> = Rc::new(top.clone());
    let made = event_loop.run_until_complete(async move {
        (0..DEEP).try_fold(parent, |parent, number| {
            Ok(match number % 3 {
                0 => Rc::new(ChildOfFuture::<u16>::new(&*parent)) as Rc<dyn AnyFuture>,
                _ => Rc::new(ChildOfFuture::<u8>::new(&*parent)),
            })
        })
    });
    made.unwrap()
}

/// Returns a child's answers: `done`, `cancelled`, whether `exception` is one, `outcome` and
/// `check_settable`.
fn answers(child: &dyn AnyFuture) -> String {
    let kind = |error: Error| error.kind();
    let exception = child.exception().map(|error| error.is_some()).map_err(kind);
    let outcome = child.outcome().map_err(kind);
    let settable = child.check_settable().map_err(kind);
    format!("{} {} {exception:?} {outcome:?} {settable:?}", child.done(), child.cancelled())
}

#[test]
fn children_of_children_answer_without_a_deep_stack() {
    with_small_stack("children_of_children_answer_without_a_deep_stack", || {
        let (event_loop, _) = start();
        let chain = |end: fn(&LoopFuture<u8>)| {
            let top = event_loop.create_future();
            let child = child_of_children(&event_loop, &top);
            end(&top);
            let said = answers(&*child);
            let shown = format!("{child:?}");
            assert_eq!(shown.matches("<ChildOfFuture#").count(), DEEP);
            assert!(shown.ends_with(&">".repeat(DEEP)));
            said
        };
        let pending = "false false Err(InvalidState) Err(InvalidState) Ok(())";
        assert_eq!(chain(|_| ()), pending);
        let cancelled = "true true Err(Cancelled) Err(Cancelled) Err(InvalidState)";
        assert_eq!(chain(|top| _ = top.cancel()), cancelled);
        assert_eq!(chain(|top| top.set_result(1).unwrap()), cancelled);
        let fail =
            |top: &LoopFuture<u8>| top.set_exception(Error::new(ErrorKind::Value, "bad")).unwrap();
        assert_eq!(chain(fail), "true true Ok(true) Err(Cancelled) Err(InvalidState)");
    });
}

#[test]
fn nested_children_end_with_the_first_parent_or_the_last_child() {
    const NAME: &str = "nested_children_end_with_the_first_parent_or_the_last_child";
    with_small_stack(NAME, || {
        let (event_loop, _) = start();
        for asked in 0..4 {
            let top = event_loop.create_future();
            let last = child_of_children(&event_loop, &top);
            match asked {
                0 => assert!(top.cancel()),
                1 => last.cancel_parent(),
                2 => assert!(last.cancel()),
                _ => {}
            }
            settle(&event_loop);
            assert_eq!((last.done(), top.done()), (asked < 3, asked < 2));
            drop((last, top));
        }
    });
}
