//! Debug mode: slow callbacks are logged.

use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use callsoon::{AnyFuture, EventLoop, Host, Notify, Result, timeout};

use crate::machine::Machine;
use crate::support::log_lines::log_lines_of;

const TENTH: Duration = Duration::from_millis(100);

fn takes(machine: &Machine, duration: Duration) -> impl Fn() + 'static {
    let machine = machine.clone();
    move || {
        let now = callsoon::running_loop().unwrap().time();
        machine.set_now(now + duration);
    }
}

#[test]
fn a_slow_callback_is_logged_from_a_tenth_of_a_second_on() {
    let (machine, event_loop) = Machine::with_loop();
    assert_eq!(event_loop.slow_callback_duration(), TENTH);
    assert!(!event_loop.debug());
    event_loop.set_debug(true);
    let quick = takes(&machine, TENTH - Duration::from_nanos(1));
    let slow = takes(&machine, Duration::from_micros(1_234_500));
    let name = std::any::type_name_of_val(&slow).to_owned();
    let lines = log_lines_of(|| {
        event_loop.call_soon(quick).unwrap();
        event_loop.call_soon(slow).unwrap();
        event_loop.call_soon(takes(&machine, TENTH)).unwrap();
        event_loop.run_once(None).unwrap();
    });
    assert_eq!(
        lines,
        [
            format!("WARN: Executing <Handle {name}> took 1.234 seconds"),
            format!("WARN: Executing <Handle {name}> took 0.100 seconds"),
        ]
    );
}

#[test]
fn what_is_slow_can_be_said_and_only_debug_mode_asks() {
    let (machine, event_loop) = Machine::with_loop();
    event_loop.set_slow_callback_duration(Duration::from_secs(5));
    let lines = log_lines_of(|| {
        event_loop.call_soon(takes(&machine, 9 * TENTH)).unwrap();
        event_loop.set_debug(true);
        event_loop.run_once(None).unwrap();
        event_loop.set_debug(false);
        event_loop.call_soon(takes(&machine, Duration::from_secs(9))).unwrap();
        event_loop.run_once(None).unwrap();
    });
    assert_eq!(lines, [""; 0]);
}

#[test]
fn a_slow_step_is_logged_with_its_task_as_it_is_afterwards() {
    let (machine, event_loop) = Machine::with_loop();
    event_loop.set_debug(true);
    let lines = log_lines_of(|| {
        let step = takes(&machine, 2 * TENTH);
        let main = async move {
            step();
            Ok(())
        };
        event_loop.run_until_complete(main).unwrap();
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("WARN: Executing <Task "), "{lines:?}");
    assert!(lines[0].contains("'Task-1'") && lines[0].contains(" finished"), "{lines:?}");
    assert!(lines[0].ends_with(" took 0.200 seconds"), "{lines:?}");
}

#[test]
fn slow_done_callback_is_logged_with_its_name_and_future() {
    let (machine, event_loop) = Machine::with_loop();
    event_loop.set_debug(true);
    let future = event_loop.create_future::<()>();
    let slow = takes(&machine, 2 * TENTH);
    let callback = move |_: &dyn AnyFuture| slow();
    let name = std::any::type_name_of_val(&callback).to_owned();
    future.add_done_callback(|_: &dyn AnyFuture| ());
    future.add_done_callback(callback);
    future.set_result(()).unwrap();
    let lines = log_lines_of(|| assert_eq!(event_loop.run_once(None).unwrap(), 2));
    let expected = format!("WARN: Executing <Handle {name} of {future:?}> took 0.200 seconds");
    assert_eq!(lines, [expected]);
}

#[test]
fn a_slow_step_that_panics_is_logged_and_the_panic_is_its_tasks() {
    let (machine, event_loop) = Machine::with_loop();
    event_loop.set_debug(true);
    let slow = takes(&machine, 2 * TENTH);
    let task = event_loop
        .create_task::<()>(async move {
            slow();
            panic!("too much")
        })
        .unwrap();
    let lines = log_lines_of(|| assert_eq!(event_loop.run_once(None).unwrap(), 1));
    assert_eq!(task.exception().unwrap().unwrap().kind(), callsoon::ErrorKind::Panic);
    let shown = format!("{task:?}");
    assert_eq!(lines, [format!("WARN: Executing {shown} took 0.200 seconds")]);
    assert!(callsoon::current_task().is_none());
}

/// A clock that goes on by a second with each look: everything is slow.
#[derive(Default)]
struct Slow(Cell<Duration>);

impl Host for Slow {
    fn now(&self) -> Duration {
        self.0.set(self.0.get() + Duration::from_secs(1));
        self.0.get()
    }

    fn wait(&self, _: Option<Duration>) -> Result<()> {
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Machine::default().notifier()
    }
}

#[test]
fn slow_timer_of_a_timeout_is_logged_with_its_state() {
    let event_loop = EventLoop::with_host(Slow::default());
    event_loop.set_debug(true);
    let body =
        async { timeout(Duration::from_secs(10), async |_| pending::<Result<()>>().await).await };
    let mut lines = log_lines_of(|| _ = event_loop.run_until_complete(body).unwrap_err());
    lines.retain(|line| line.contains("timer"));
    assert_eq!(lines, ["WARN: Executing <timer of <Timeout [expiring]>> took 1.000 seconds"]);
}
