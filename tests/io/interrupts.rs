//! A runner whose main Ctrl-C cancels, each test in a process of its own: signals are the process's.

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;

use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, Host, Notify, Result, Runner, create_task,
    current_task, running_loop, sleep,
};
use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;

use crate::child::{is_child, output_of_child};
use crate::support::trace::Trace;

const LONG: Duration = Duration::from_secs(3600);

fn runner() -> Runner {
    Runner::with_loop_factory(EventLoop::with_virtual_time).with_interrupts()
}

#[test]
fn it_cancels_main_which_may_end_in_order_and_run_says_that_it_was_interrupted() {
    const NAME: &str =
        "interrupts::it_cancels_main_which_may_end_in_order_and_run_says_that_it_was_interrupted";
    if !is_child(NAME, "true") {
        return;
    }
    let (trace, runner) = (Trace::new(), runner());
    let says = trace.clone();
    let outcome = runner.run(async move {
        running_loop()?.call_soon(|| raise(SIGINT).map_err(Error::from))?;
        let slept = sleep(LONG).await;
        says.push(format!("{:?}", slept.as_ref().unwrap_err().kind()));
        sleep(Duration::from_secs(1)).await?;
        says.push("cleaned up");
        slept
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    trace.expect(["Cancelled", "cleaned up"]);
    // The next main knows nothing of that.
    assert_eq!(runner.run(async { sleep(LONG).await.map(|()| 7) }).unwrap(), 7);
    runner.close().unwrap();
}

#[test]
fn a_main_that_goes_on_returns_what_it_returns() {
    if !is_child("interrupts::a_main_that_goes_on_returns_what_it_returns", "true") {
        return;
    }
    let runner = runner();
    let outcome = runner.run(async {
        raise(SIGINT)?;
        let slept = sleep(LONG).await;
        assert!(slept.unwrap_err().is_cancelled());
        Ok("went on")
    });
    assert_eq!(outcome.unwrap(), "went on");
    // And one that fails fails, whoever else has cancelled it.
    let outcome: Result<()> = runner.run(async {
        raise(SIGINT)?;
        let slept = sleep(LONG).await;
        assert!(slept.unwrap_err().is_cancelled());
        Err(Error::new(ErrorKind::Value, "on the way out"))
    });
    assert_eq!(outcome.unwrap_err().message(), "on the way out");
}

#[test]
fn a_cancellation_by_somebody_else_stays_one() {
    if !is_child("interrupts::a_cancellation_by_somebody_else_stays_one", "true") {
        return;
    }
    let runner = runner();
    let by_itself: Result<()> = runner.run(async {
        current_task().map(|main| main.cancel());
        sleep(LONG).await
    });
    assert_eq!(by_itself.unwrap_err().kind(), ErrorKind::Cancelled);
    let by_both: Result<()> = runner.run(async {
        let main = current_task().expect("it runs");
        raise(SIGINT)?;
        assert!(sleep(LONG).await.unwrap_err().is_cancelled());
        create_task(async move { Ok(main.cancel()) })?;
        sleep(LONG).await
    });
    assert_eq!(by_both.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn a_second_one_ends_the_process_as_it_would_without() {
    const NAME: &str = "interrupts::a_second_one_ends_the_process_as_it_would_without";
    if let Some(output) = output_of_child(NAME, "true") {
        assert_eq!(output.status.signal(), Some(SIGINT), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("once more"), "{output:?}");
        return;
    }
    let outcome: Result<()> = runner().run(async {
        raise(SIGINT)?;
        assert!(sleep(LONG).await.unwrap_err().is_cancelled());
        println!("once more");
        raise(SIGINT)?;
        sleep(LONG).await
    });
    unreachable!("the signal ends it: {outcome:?}");
}

#[test]
fn between_two_mains_it_ends_the_process_too() {
    const NAME: &str = "interrupts::between_two_mains_it_ends_the_process_too";
    if let Some(output) = output_of_child(NAME, "true") {
        assert_eq!(output.status.signal(), Some(SIGINT), "{output:?}");
        return;
    }
    let runner = runner();
    runner.run(async { Ok(()) }).unwrap();
    raise(SIGINT).unwrap();
}

/// A host without a reactor.
struct Bare;

impl Host for Bare {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn wait(&self, _timeout: Option<Duration>) -> Result<()> {
        unreachable!("nothing is waited for")
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Bare)
    }
}

impl Notify for Bare {
    fn notify(&self) {}
}

#[test]
fn where_signals_can_not_be_handled_main_never_runs() {
    let runner = Runner::with_loop_factory(|| EventLoop::with_host_and_virtual_time(Bare));
    let runner = runner.with_interrupts();
    let outcome: Result<()> = runner.run(async { unreachable!("it has no handler") });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Runtime);
    runner.close().unwrap();
}
