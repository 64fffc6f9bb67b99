//! Hosts with a sleep that fails.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use callsoon::{Error, ErrorKind, EventLoop, Host, Notify, Result, Runner, create_task, sleep};

use crate::support::trace::Trace;

/// A host of which each sleep ends as it is told, and else as it should.
#[derive(Clone, Default)]
struct Failing {
    now: Rc<Cell<Duration>>,
    ends: Rc<RefCell<VecDeque<Error>>>,
}

struct Silent;

impl Notify for Silent {
    fn notify(&self) {}
}

impl Host for Failing {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        if let Some(error) = self.ends.borrow_mut().pop_front() {
            return Err(error);
        }
        self.now.set(self.now.get() + timeout.expect("no sleep without a limit"));
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Silent)
    }
}

fn broken() -> Error {
    Error::new(ErrorKind::Io, "the clock chip is gone")
}

#[test]
fn a_sleep_that_fails_ends_the_run_and_loses_nothing() {
    let (host, trace) = (Failing::default(), Trace::new());
    let event_loop = EventLoop::with_host(host.clone());
    event_loop.call_later(Duration::from_secs(1), trace.says("timer")).unwrap();
    event_loop.call_soon(trace.says("ready")).unwrap();
    host.ends.borrow_mut().extend([broken(), broken()]);
    for _ in 0..2 {
        let failed = event_loop.run_forever().unwrap_err();
        assert_eq!(failed.to_string(), broken().to_string());
    }
    trace.expect(["ready"]);
    assert_eq!(event_loop.pending_timers(), 1);
    assert_eq!(event_loop.run_forever().unwrap_err().kind(), ErrorKind::Stalled);
    trace.expect(["timer"]);
}

#[test]
fn runner_returns_its_hosts_error_and_runs_the_next_main() {
    let (host, trace) = (Failing::default(), Trace::new());
    let own = host.clone();
    let runner = Runner::with_loop_factory(move || EventLoop::with_host(own));
    host.ends.borrow_mut().push_back(broken());
    let says = trace.clone();
    let main = async move {
        let outcome = sleep(Duration::from_secs(1)).await;
        says.push(format!("first: {outcome:?}"));
        outcome
    };
    assert_eq!(runner.run(main).unwrap_err().to_string(), broken().to_string());
    // The main task was left where it was: it goes on with the next, which sleeps as long.
    runner.run(async { sleep(Duration::from_secs(1)).await }).unwrap();
    trace.expect(["first: Ok(())"]);
    runner.close().unwrap();
}

#[test]
fn host_error_during_wind_down_is_returned_and_the_loop_closed() {
    let host = Failing::default();
    let own = host.clone();
    let runner = Runner::with_loop_factory(move || EventLoop::with_host(own));
    let started = runner.run(async {
        Ok(create_task(async {
            let _ = sleep(Duration::from_secs(60)).await;
            // A clean-up that has to wait.
            sleep(Duration::from_secs(1)).await
        }))
    });
    let on = runner.get_loop().unwrap();
    on.set_exception_handler(Some(Rc::new(|_, _| ())));
    let task = started.unwrap();
    runner.run(async { sleep(Duration::from_secs(1)).await }).unwrap();
    host.ends.borrow_mut().push_back(broken());
    assert_eq!(runner.close().unwrap_err().to_string(), broken().to_string());
    assert!(on.is_closed());
    assert!(!task.done());
}
