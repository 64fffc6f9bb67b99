//! Whatever of the user's the loop calls or drops may call back into the loop in every way:
//! nothing is borrowed while it does, and nothing is lost. What they all do is in [`World`].

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::pending;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    AnyFuture, Callback, Error, ErrorKind, ExceptionContext, LoopRef, Result, generator, yield_now,
};

use crate::support::log_lines::log_lines_with;
use crate::support::on_drop::on_drop;
use crate::support::sockets::local_pair;
use crate::world::World;

const SOON: Duration = Duration::ZERO;

type Calls = Box<dyn FnOnce()>;

// -- what is called

#[test]
fn callbacks_may() {
    let world = World::new();
    let on = &world.event_loop;
    on.call_soon(world.calls_back("soon")).unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    world.expect(&[], "soon", &["rest of the turn"]);
    on.call_later(SOON, world.calls_back("timer")).unwrap();
    on.call_later(SOON, world.trace.says("rest of the turn")).unwrap();
    world.expect(&[], "timer", &["rest of the turn"]);
    let fut = on.create_future::<()>();
    let calls = Cell::new(Some(world.calls_back("done")));
    fut.add_done_callback(move |_: &dyn AnyFuture| calls.take().unwrap()());
    let rest = world.trace.clone();
    fut.add_done_callback(move |_: &dyn AnyFuture| rest.push("rest of the turn"));
    fut.set_result(()).unwrap();
    world.expect(&[], "done", &["rest of the turn"]);
}

#[test]
fn readers_may_and_what_a_removed_one_captured() {
    let world = World::new();
    let on = &world.event_loop;
    let (mut theirs, ours) = local_pair().unwrap();
    let ours = Rc::new(ours);
    theirs.write_all(b"!").unwrap();
    let calls = RefCell::new(Some(world.calls_back("reader")));
    let (inner, own) = (LoopRef::clone(on), ours.clone());
    let captured = on_drop(world.trace.says("reader goes"));
    on.add_reader(ours.clone(), move || {
        let _captured = &captured;
        calls.take().unwrap()();
        assert!(inner.remove_reader(&own).unwrap());
    })
    .unwrap();
    world.expect(&[], "reader", &["reader goes"]);
    let captured = on_drop(world.calls_back("replaced"));
    on.add_reader(ours.clone(), move || _ = &captured).unwrap();
    on.add_reader(ours.clone(), || ()).unwrap();
    assert!(on.remove_reader(&ours).unwrap());
    world.expect(&[], "replaced", &[]);
    let captured = on_drop(world.calls_back("removed"));
    on.add_reader(ours.clone(), move || _ = &captured).unwrap();
    assert!(on.remove_reader(&ours).unwrap());
    world.expect(&[], "removed", &[]);
}

#[test]
fn tasks_may_and_their_bodies_and_results_when_they_go() {
    let world = World::new();
    let on = &world.event_loop;
    let calls = world.calls_back("task");
    let body = async move {
        calls();
        yield_now().await
    };
    on.create_task(body).unwrap();
    world.expect(&[], "task", &[]);
    let captured = on_drop(world.calls_back("body"));
    let body = async move {
        yield_now().await?;
        drop(captured);
        Ok(())
    };
    on.create_task(body).unwrap();
    world.expect(&[], "body", &[]);
    let result = on_drop(world.calls_back("result"));
    on.create_task(async { Ok(Rc::new(result)) }).unwrap();
    world.expect(&[], "result", &[]);
    let captured = on_drop(world.calls_back("unstarted"));
    let body = async move {
        drop(captured);
        Ok(())
    };
    on.create_task(body).unwrap().cancel();
    world.expect(&[], "unstarted", &[]);
    // A task that is parked on what knows nothing of cancellation is dropped.
    let captured = on_drop(world.calls_back("foreign"));
    let body = async move {
        let _captured = captured;
        pending::<Result<()>>().await
    };
    let foreign = on.create_task(body).unwrap();
    world.run();
    foreign.cancel();
    world.expect(&[], "foreign", &[]);
    assert!(foreign.cancelled());
}

#[test]
fn generators_may_and_their_bodies_when_they_go() {
    let world = World::new();
    let captured = on_drop(world.calls_back("unstarted"));
    let unstarted = generator(async move |y| {
        drop(captured);
        y.give(1).await.map(drop)
    });
    drop(unstarted);
    world.expect(&[], "unstarted", &[]);
    let captured = on_drop(world.calls_back("midway"));
    let midway = generator(async move |y| {
        let _captured = captured;
        y.give(1).await.map(drop)
    });
    let main = async move { midway.anext().await };
    assert_eq!(world.event_loop.run_until_complete(main).unwrap(), 1);
    world.expect(&[], "midway", &[]);
}

#[test]
fn exception_handlers_may() {
    let world = World::new();
    let on = &world.event_loop;
    let (calls, says) = (Cell::new(Some(world.calls_back("handler"))), world.trace.clone());
    let handler = move |_: &LoopRef, context: &ExceptionContext| {
        says.push(context.exception.as_ref().unwrap().message());
        calls.take().unwrap()();
    };
    on.set_exception_handler(Some(Rc::new(handler)));
    on.call_soon(|| -> Result<()> { Err(Error::new(ErrorKind::Value, "bad")) }).unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    world.expect(&["bad"], "handler", &["rest of the turn"]);
}

#[test]
fn loggers_may() {
    let world = World::new();
    let on = &world.event_loop;
    on.set_exception_handler(None);
    thread_local!(static CALLS: Cell<Option<Calls>> = const { Cell::new(None) });
    let logs = |calls: Calls| {
        CALLS.set(Some(calls));
        let then = || {
            if let Some(calls) = CALLS.take() {
                calls();
            }
        };
        log_lines_with(then, || world.run())
    };
    on.call_soon(|| -> Result<()> { Err(Error::new(ErrorKind::Value, "bad")) }).unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    assert_eq!(logs(Box::new(world.calls_back("logger"))).len(), 1);
    world.expect(&[], "logger", &["rest of the turn"]);
    on.set_debug(true);
    on.set_slow_callback_duration(SOON);
    on.call_soon(|| ()).unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    assert!(logs(Box::new(world.calls_back("slow"))).len() > 2);
    on.set_debug(false);
    world.expect(&[], "slow", &["rest of the turn"]);
}

// -- what is cloned and shown

#[test]
fn clones_of_results_may() {
    struct Clones(Rc<Cell<Option<Calls>>>);
    impl Clone for Clones {
        fn clone(&self) -> Clones {
            if let Some(calls) = self.0.take() {
                calls();
            }
            Clones(self.0.clone())
        }
    }
    let world = World::new();
    let on = &world.event_loop;
    let fut = on.create_future::<Clones>();
    let calls: Calls = Box::new(world.calls_back("clone"));
    for _ in 0..2 {
        let (fut, trace) = (fut.clone(), world.trace.clone());
        let waiter = async move {
            fut.await?;
            trace.push("awaited");
            Ok(())
        };
        on.create_task(waiter).unwrap();
    }
    world.run();
    fut.set_result(Clones(Rc::new(Cell::new(Some(calls))))).unwrap();
    world.expect(&[], "clone", &["awaited", "awaited"]);
}

#[test]
fn errors_that_are_shown_may() {
    // An error is Send and Sync, and what is to be called is neither: it is looked up.
    thread_local!(static SHOWS: Cell<Option<Calls>> = const { Cell::new(None) });
    #[derive(Clone, Copy)]
    struct Bad;
    impl fmt::Debug for Bad {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if let Some(calls) = SHOWS.take() {
                calls();
            }
            f.write_str("Bad")
        }
    }
    impl fmt::Display for Bad {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Debug::fmt(self, f)
        }
    }
    impl std::error::Error for Bad {}

    let world = World::new();
    let on = &world.event_loop;
    let shows = |name: &str| {
        let calls: Calls = Box::new(world.calls_back(name));
        SHOWS.set(Some(calls));
    };
    shows("future");
    let fut = on.create_future::<()>();
    fut.set_exception(Error::other(Bad)).unwrap();
    on.call_soon(move || drop(fut)).unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    world.expect(&[], "future", &["Future exception was never retrieved", "rest of the turn"]);
    shows("task");
    drop(on.create_task(async { Err::<(), _>(Error::other(Bad)) }).unwrap());
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    world.expect(&[], "task", &["Task exception was never retrieved", "rest of the turn"]);
}

// -- drops

#[test]
fn what_a_cancelled_callback_or_timer_captured_may() {
    let world = World::new();
    let on = &world.event_loop;
    let captured = on_drop(world.calls_back("handle"));
    let handle = on.call_soon(move || drop(captured)).unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    handle.cancel();
    world.trace.push("cancelled");
    world.expect(&[], "handle", &["cancelled", "rest of the turn"]);
    let captured = on_drop(world.calls_back("timer"));
    let timer = on.call_later(SOON, move || drop(captured)).unwrap();
    let cancels = timer.clone();
    on.call_soon(move || cancels.cancel()).unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    world.expect(&[], "timer", &["rest of the turn"]);
    assert!(timer.cancelled());
}

#[test]
fn what_a_callback_captured_may_after_its_run() {
    let world = World::new();
    let on = &world.event_loop;
    let captured = on_drop(world.calls_back("captured"));
    let says = world.trace.clone();
    on.call_soon(move || {
        let _captured = &captured;
        says.push("callback");
    })
    .unwrap();
    on.call_soon(world.trace.says("rest of the turn")).unwrap();
    world.expect(&["callback"], "captured", &["rest of the turn"]);
}

#[test]
fn what_a_removed_done_callback_or_a_pending_future_holds_may() {
    let world = World::new();
    let on = &world.event_loop;
    let fut = on.create_future::<()>();
    let captured = on_drop(world.calls_back("removed"));
    let callback = Callback::new(move |_: &dyn AnyFuture| _ = &captured);
    fut.add_done_callback(&callback);
    let equal = Callback::new(nothing);
    assert_eq!(fut.remove_done_callback(&equal), 0);
    // The last one that holds the closure is the future's own list.
    let id = callback.clone();
    drop(callback);
    assert!(fut.has_callback(&id));
    let on_it = Callback::new(nothing);
    fut.add_done_callback(&on_it);
    fut.remove_done_callback(&id);
    drop(id);
    world.expect(&[], "removed", &[]);
    let captured = on_drop(world.calls_back("pending"));
    fut.add_done_callback(move |_: &dyn AnyFuture| _ = &captured);
    drop(fut);
    world.expect(&[], "pending", &[]);
    let captured = on_drop(world.calls_back("value"));
    let fut = on.create_future();
    fut.set_result(captured).unwrap();
    drop(fut);
    world.expect(&[], "value", &[]);
    let (first, second) = (on_drop(|| ()), on_drop(world.calls_back("refused")));
    let fut = on.create_future::<Box<dyn std::any::Any>>();
    fut.set_result(Box::new(first)).unwrap();
    assert!(fut.set_result(Box::new(second)).is_err());
    world.expect(&[], "refused", &[]);
}

fn nothing(_: &dyn AnyFuture) {}

#[cfg(unix)]
#[test]
fn what_a_refused_reader_captured_may() {
    let world = World::new();
    let captured = on_drop(world.calls_back("refused"));
    let manifest = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let refused = world.event_loop.add_reader(manifest, move || _ = &captured);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Io);
    world.expect(&[], "refused", &[]);
}

#[test]
fn a_drop_outside_of_a_turn_may_run_the_loop() {
    let world = World::new();
    let on = &world.event_loop;
    let inner = world.clone();
    let captured = on_drop(move || {
        assert_eq!(inner.event_loop.run_once(Some(SOON)).unwrap(), 2);
        inner.trace.push("ran a turn");
    });
    let handle = on.call_soon(move || drop(captured)).unwrap();
    on.call_soon(world.trace.says("in the turn")).unwrap();
    handle.cancel();
    world.trace.expect(["in the turn", "ran a turn"]);
}

#[test]
fn callbacks_may_cancel_each_other() {
    let world = World::new();
    let on = &world.event_loop;
    let handles: Rc<RefCell<Vec<callsoon::Handle>>> = Rc::default();
    for n in 0..10 {
        let (all, says) = (handles.clone(), world.trace.clone());
        let cancels = move || {
            says.push(n);
            let next = all.borrow().get(n + 1).cloned();
            if let Some(next) = next {
                next.cancel();
            }
        };
        let handle = on.call_soon(cancels).unwrap();
        handles.borrow_mut().push(handle);
    }
    assert_eq!(on.run_once(None).unwrap(), 10);
    world.trace.expect(["0", "2", "4", "6", "8"]);
}

/// Cancels its handle and counts when it is dropped.
struct CancelsNext(Rc<Cell<usize>>, Option<Box<dyn FnOnce()>>);

impl Drop for CancelsNext {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        if let Some(cancel) = self.1.take() {
            cancel();
        }
    }
}

#[test]
fn cancel_in_nested_drops_drops_every_callback() {
    const CALLS: usize = 1_000;
    let event_loop = callsoon::EventLoop::with_virtual_time();
    for timed in [false, true] {
        let dropped = Rc::new(Cell::new(0));
        let mut cancel: Option<Box<dyn FnOnce()>> = None;
        for _ in 0..CALLS {
            let held = CancelsNext(dropped.clone(), cancel.take());
            let callback = move || drop(held);
            cancel = Some(if timed {
                let handle = event_loop.call_later(Duration::from_secs(1), callback).unwrap();
                Box::new(move || handle.cancel())
            } else {
                let handle = event_loop.call_soon(callback).unwrap();
                Box::new(move || handle.cancel())
            });
        }
        cancel.unwrap()();
        assert_eq!(dropped.get(), CALLS, "timed: {timed}");
        assert_eq!(event_loop.pending_timers(), 0);
    }
}
