//! [`World`]: a loop, its trace, and code that calls back into the loop in every way there is.

use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    AnyFuture, Callback, ErrorKind, EventLoop, ExceptionContext, LoopRef, Result, yield_now,
};

use crate::support::on_drop::on_drop;
use crate::support::sockets::local_pair;
use crate::support::trace::Trace;

/// Clones are the same world.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) event_loop: Rc<EventLoop>,
    pub(crate) trace: Trace,
}

impl World {
    pub(crate) fn new() -> World {
        let trace = Trace::new();
        let event_loop = EventLoop::with_virtual_time();
        event_loop.set_exception_handler(Some(told_to(&trace)));
        World { event_loop: Rc::new(event_loop), trace }
    }

    /// Returns a callback that calls back into the loop: it schedules in every way, cancels what it
    /// scheduled, sets futures, adds and removes callbacks, readers and handlers, calls the handler,
    /// and, inside a turn, tries to run and close the loop. [`World::expect`] knows the trace of it.
    pub(crate) fn calls_back(&self, name: &str) -> impl FnOnce() + 'static + use<> {
        let (world, name) = (self.clone(), name.to_owned());
        move || {
            let (on, trace) = (LoopRef::clone(&world.event_loop), &world.trace);
            trace.push(format!("{name} begins"));
            on.call_soon(trace.says(format!("{name}: soon"))).unwrap();
            let never = || trace.says(format!("{name}: NEVER"));
            on.call_soon(never()).unwrap().cancel();
            on.call_later(Duration::ZERO, trace.says(format!("{name}: timer"))).unwrap();
            on.call_later(Duration::ZERO, never()).unwrap().cancel();
            world.makes_tasks(&name);
            world.sets_futures(&name);
            world.watches();
            on.handle().call_soon_threadsafe(trace.says(format!("{name}: sent"))).unwrap();
            let own = on.set_exception_handler(Some(told_to(trace)));
            on.call_exception_handler(&ExceptionContext::new(format!("{name}: told")));
            drop(on.set_exception_handler(own));
            if on.is_running() {
                let refused = [
                    world.event_loop.run_once(None).unwrap_err(),
                    world.event_loop.run_forever().unwrap_err(),
                    world.event_loop.close().unwrap_err(),
                ];
                assert!(refused.iter().all(|error| error.kind() == ErrorKind::Runtime));
            }
            assert!(format!("{on:?} {:?} {:?}", on.all_tasks(), on.current_task()).len() > 9);
            trace.push(format!("{name} ends"));
        }
    }

    fn makes_tasks(&self, name: &str) {
        let (begins, ends) = (format!("{name}: task begins"), format!("{name}: task ends"));
        let trace = self.trace.clone();
        let body = async move {
            trace.push(begins);
            yield_now().await?;
            trace.push(ends);
            Ok(())
        };
        self.event_loop.create_task(body).unwrap();
        let captured = on_drop(self.trace.says(format!("{name}: unstarted task goes")));
        let unstarted = async move {
            let _captured = captured;
            pending::<Result<()>>().await
        };
        assert!(self.event_loop.create_task(unstarted).unwrap().cancel());
    }

    fn sets_futures(&self, name: &str) {
        let fut = self.event_loop.create_future::<()>();
        let (trace, line) = (self.trace.clone(), format!("{name}: done"));
        fut.add_done_callback(move |_: &dyn AnyFuture| trace.push(&line));
        let (trace, line) = (self.trace.clone(), format!("{name}: REMOVED"));
        let removed = Callback::new(move |_: &dyn AnyFuture| trace.push(&line));
        fut.add_done_callback(&removed);
        assert_eq!(fut.remove_done_callback(&removed), 1);
        fut.set_result(()).unwrap();
        assert!(self.event_loop.create_future::<()>().cancel());
    }

    fn watches(&self) {
        let (ours, _theirs) = local_pair().unwrap();
        let ours = Rc::new(ours);
        self.event_loop.add_reader(ours.clone(), || ()).unwrap();
        self.event_loop.add_reader(ours.clone(), || ()).unwrap();
        assert!(self.event_loop.remove_reader(&ours).unwrap());
    }

    /// Runs until nothing is left to run.
    pub(crate) fn run(&self) {
        while self.event_loop.run_once(Some(Duration::ZERO)).unwrap() > 0 {}
    }

    /// Runs what is left, and asserts that all of `name`'s calls did what they should: after
    /// `before`, with `rest` in the turn (or the code) that they were made from.
    #[track_caller]
    pub(crate) fn expect(&self, before: &[&str], name: &str, rest: &[&str]) {
        self.run();
        let lines = |of: &[&str]| of.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let ours = |of: &[&str]| of.iter().map(|line| format!("{name}{line}")).collect();
        let expected: [Vec<String>; 4] = [
            lines(before),
            ours(&[" begins", ": told", " ends"]),
            lines(rest),
            ours(&[
                ": soon",
                ": task begins",
                ": unstarted task goes",
                ": done",
                ": sent",
                ": timer",
                ": task ends",
            ]),
        ];
        self.trace.expect(expected.concat());
    }
}

fn told_to(trace: &Trace) -> callsoon::ExceptionHandler {
    let says = trace.clone();
    Rc::new(move |_: &LoopRef, context: &ExceptionContext| says.push(&context.message))
}
