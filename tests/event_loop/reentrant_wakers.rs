//! Wakers that are not the loop's own may call back into it, too, when they are cloned, woken and
//! dropped: nothing is borrowed while they do.

use std::cell::RefCell;
use std::future::{Future, IntoFuture, pending, poll_fn};
use std::pin::{Pin, pin};
use std::ptr::null;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use callsoon::Result;

use crate::world::World;

type Calls = Box<dyn FnOnce()>;

thread_local! {
    /// The calls that the hooked waker makes when it is cloned, woken or dropped, the oldest first.
    static HOOKS: RefCell<Vec<(Hook, Calls)>> = const { RefCell::new(Vec::new()) };
}

#[derive(Clone, Copy, PartialEq)]
enum Hook {
    Clone,
    Wake,
    Drop,
}

fn hook(which: Hook, does: impl FnOnce() + 'static) {
    HOOKS.with_borrow_mut(|hooks| hooks.push((which, Box::new(does))));
}

fn call_hook(which: Hook) {
    let does = HOOKS.with_borrow_mut(|hooks| {
        let at = hooks.iter().position(|(own, _)| *own == which)?;
        Some(hooks.remove(at).1)
    });
    if let Some(does) = does {
        does();
    }
}

/// A waker that calls the hooks of its thread.
#[allow(unsafe_code)]
fn hooked_waker(data: *const ()) -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            call_hook(Hook::Clone);
            RawWaker::new(data, &TABLE)
        },
        |_| {
            call_hook(Hook::Wake);
            call_hook(Hook::Drop);
        },
        |_| call_hook(Hook::Wake),
        |_| call_hook(Hook::Drop),
    );
    // SAFETY: No function looks at the data, and what the table's functions look up is their own thread's: they
    // can be called anywhere, in any number and order.
    unsafe { Waker::from_raw(RawWaker::new(data, &TABLE)) }
}

/// Polls what is inside with the hooked waker, and forgets about its own.
struct Hooked<F>(F);

impl<F: Future + Unpin> Future for Hooked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<F::Output> {
        let waker = hooked_waker(null());
        let outcome = pin!(&mut self.0).poll(&mut Context::from_waker(&waker));
        std::mem::forget(waker);
        outcome
    }
}

#[test]
fn wakers_of_others_may_when_they_are_cloned_woken_and_dropped() {
    for in_a_task in [false, true] {
        let world = World::new();
        let on = &world.event_loop;
        let fut = on.create_future::<i32>();
        let (waits, says) = (Rc::new(RefCell::new(Some(fut.clone().into_future()))), &world.trace);
        hook(Hook::Clone, world.calls_back("clone"));
        hook(Hook::Wake, world.calls_back("wake"));
        hook(Hook::Drop, world.calls_back("drop"));
        let (polled, trace) = (waits.clone(), says.clone());
        let poll = move || {
            let waker = hooked_waker(null());
            let mut polled = polled.borrow_mut();
            let outcome = pin!(polled.as_mut().unwrap()).poll(&mut Context::from_waker(&waker));
            std::mem::forget(waker);
            trace.push(format!("polled: {outcome:?}"));
        };
        if in_a_task {
            let body = async move {
                poll();
                pending::<Result<()>>().await
            };
            on.create_task(body).unwrap();
        } else {
            on.call_soon(poll).unwrap();
        }
        world.expect(&[], "clone", &["polled: Pending"]);
        fut.set_result(7).unwrap();
        on.call_soon(says.says("rest of the turn")).unwrap();
        on.run_once(None).unwrap();
        // A waker is woken by value: its drop follows at once.
        says.push("-");
        world.run();
        let after = |name: &str| {
            [": soon", ": task begins", ": unstarted task goes", ": done", ": sent"]
                .map(|line| format!("{name}{line}"))
        };
        let mut expected = Vec::new();
        for name in ["wake", "drop"] {
            expected.extend([" begins", ": told", " ends"].map(|line| format!("{name}{line}")));
        }
        expected.extend(["rest of the turn", "-"].map(String::from));
        expected.extend(after("wake"));
        expected.extend(after("drop"));
        for line in ["timer", "task ends"] {
            expected.extend(["wake", "drop"].map(|name| format!("{name}: {line}")));
        }
        says.expect(expected);
        world.event_loop.set_exception_handler(None);
    }
}

#[test]
fn a_waker_that_is_taken_back_may_when_it_is_dropped() {
    let world = World::new();
    let on = &world.event_loop;
    let fut = on.create_future::<i32>();
    let waits = Hooked(fut.clone().into_future());
    let cell = Rc::new(RefCell::new(Some(waits)));
    let polled = cell.clone();
    on.call_soon(move || {
        let mut polled = polled.borrow_mut();
        let waker = hooked_waker(null());
        let outcome = pin!(polled.as_mut().unwrap()).poll(&mut Context::from_waker(&waker));
        assert!(outcome.is_pending());
    })
    .unwrap();
    world.run();
    hook(Hook::Drop, world.calls_back("drop"));
    on.call_soon(move || drop(cell.take())).unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    world.expect(&[], "drop", &["rest of the turn"]);
    assert_eq!(format!("{fut:?}"), "<Future pending>");
}

/// The hook sets the very future that is being awaited, while the await parks.
#[test]
fn future_set_while_a_task_parks_on_it_wakes_the_task() {
    let world = World::new();
    let on = &world.event_loop;
    let fut = on.create_future::<i32>();
    let sets = fut.clone();
    hook(Hook::Clone, move || sets.set_result(7).unwrap());
    let says = world.trace.clone();
    hook(Hook::Wake, move || says.push("woken"));
    let mut waits = Hooked(fut.into_future());
    let says = world.trace.clone();
    let polls = move || {
        let waker = hooked_waker(null());
        let outcome = pin!(&mut waits).poll(&mut Context::from_waker(&waker));
        says.push(format!("{outcome:?}"));
        std::mem::forget(waits);
    };
    on.call_soon(polls).unwrap();
    world.run();
    world.trace.expect(["Pending", "woken"]);
}

/// The functions of a waker say what it does, not its data alone.
#[test]
fn wakers_of_others_may_have_the_data_of_the_tasks_own() {
    let world = World::new();
    let fut = world.event_loop.create_future::<i32>();
    let mut waits = fut.clone().into_future();
    let body = poll_fn(move |cx| {
        let waker = hooked_waker(cx.waker().data());
        Pin::new(&mut waits).poll(&mut Context::from_waker(&waker))
    });
    let task = world.event_loop.create_task(body).unwrap();
    world.event_loop.run_once(None).unwrap();
    hook(Hook::Wake, world.trace.says("woken"));
    fut.set_result(7).unwrap();
    world.event_loop.run_once(None).unwrap();
    world.trace.expect(["woken"]);
    assert!(!task.done());
}
