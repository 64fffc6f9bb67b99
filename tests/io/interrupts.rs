//! Ctrl-C cancels a runner's main. Each test has a process of its own: signals are the process's.

use std::sync::Arc;
use std::time::Duration;

use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, Host, Notify, Result, Runner, create_task,
    current_task, running_loop, sleep, yield_now,
};
use signal_hook::consts::SIGINT;
use signal_hook::low_level::raise;

use crate::child::{is_child, output_of_child};
use crate::signals::assert_ended_by;
use crate::support::trace::Trace;

const LONG: Duration = Duration::from_secs(3600);

fn runner() -> Runner {
    Runner::with_loop_factory(EventLoop::with_virtual_time).with_interrupts()
}

// CPython: test_runners.RunnerTests.test_interrupt_wait
#[test]
fn interrupt_cancels_main_and_run_returns_interrupted() {
    const NAME: &str = "interrupts::interrupt_cancels_main_and_run_returns_interrupted";
    if !is_child(NAME, "true") {
        return;
    }
    let (trace, runner) = (Trace::new(), runner());
    let says = trace.clone();
    let outcome = runner.run(async move {
        running_loop()?.call_soon(|| raise(SIGINT).map_err(Error::from))?;
        let future = running_loop()?.create_future::<()>();
        let slept = (&future).await;
        says.push(format!("{:?}", slept.as_ref().unwrap_err().kind()));
        assert!(future.cancelled());
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

// CPython: test_runners.RunnerTests.test_interrupt_call_soon
#[test]
fn interrupt_cancels_a_main_that_only_yields() {
    if !is_child("interrupts::interrupt_cancels_a_main_that_only_yields", "true") {
        return;
    }
    let runner = runner();
    let outcome: Result<()> = runner.run(async {
        for turn in 0.. {
            if turn == 9 {
                running_loop()?.call_soon(|| raise(SIGINT).map_err(Error::from))?;
            }
            yield_now().await?;
            assert!(turn < 12, "the interrupt is lost");
        }
        Ok(())
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
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
    // A main that fails returns its own error, though the interrupt has cancelled it.
    let outcome: Result<()> = runner.run(async {
        raise(SIGINT)?;
        let slept = sleep(LONG).await;
        assert!(slept.unwrap_err().is_cancelled());
        Err(Error::new(ErrorKind::Value, "on the way out"))
    });
    assert_eq!(outcome.unwrap_err().message(), "on the way out");
}

// CPython: test_runners.RunnerTests.test_interrupt_cancelled_task
#[test]
fn cancellation_by_the_program_stays_a_cancellation() {
    if !is_child("interrupts::cancellation_by_the_program_stays_a_cancellation", "true") {
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
        create_task(async move { Ok(main.cancel()) });
        sleep(LONG).await
    });
    assert_eq!(by_both.unwrap_err().kind(), ErrorKind::Cancelled);
    let in_one_step: Result<()> = runner.run(async {
        let main = current_task().expect("it runs");
        create_task(async move {
            assert!(main.cancel());
            raise(SIGINT).map_err(Error::from)
        });
        sleep(LONG).await
    });
    assert_eq!(in_one_step.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn a_second_one_ends_the_process_as_it_would_without() {
    const NAME: &str = "interrupts::a_second_one_ends_the_process_as_it_would_without";
    if let Some(output) = output_of_child(NAME, "true") {
        assert_ended_by(SIGINT, &output);
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
        assert_ended_by(SIGINT, &output);
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

/// The task is cancelled before it can return, and the next main isn't affected, as in CPython.
#[test]
fn an_interrupt_in_mains_last_step_is_of_that_main() {
    if !is_child("interrupts::an_interrupt_in_mains_last_step_is_of_that_main", "true") {
        return;
    }
    let (trace, runner) = (Trace::new(), runner());
    let first: Result<()> = runner.run(async { Ok(raise(SIGINT)?) });
    assert_eq!(first.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    let fails: Result<()> = runner.run(async {
        raise(SIGINT)?;
        Err(Error::new(ErrorKind::Value, "main's"))
    });
    assert_eq!(fails.unwrap_err().message(), "main's");
    assert_eq!(runner.run(async { sleep(LONG).await.map(|()| 1) }).unwrap(), 1);
    let says = trace.clone();
    let second: Result<()> = runner.run(async move {
        sleep(Duration::from_secs(1)).await?;
        raise(SIGINT)?;
        let slept = sleep(LONG).await;
        says.push("cleaned up");
        slept
    });
    assert_eq!(second.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    trace.expect(["cleaned up"]);
    runner.close().unwrap();
}

#[test]
fn several_interrupts_in_one_step_are_one() {
    if !is_child("interrupts::several_interrupts_in_one_step_are_one", "true") {
        return;
    }
    let (trace, runner) = (Trace::new(), runner());
    let says = trace.clone();
    let outcome: Result<()> = runner.run(async move {
        let main = current_task().expect("it runs");
        running_loop()?.call_soon(|| -> Result<()> {
            for _ in 0..3 {
                raise(SIGINT)?;
            }
            Ok(())
        })?;
        let slept = sleep(LONG).await;
        says.push(format!("cancelling {}", main.cancelling()));
        slept
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    trace.expect(["cancelling 1"]);
    let outcome: Result<()> = runner.run(async {
        raise(SIGINT)?;
        Ok(raise(SIGINT)?)
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
}

/// A step that raises the signal is followed by what main's cancellation schedules.
#[test]
fn an_interrupt_takes_effect_at_the_end_of_its_step() {
    if !is_child("interrupts::an_interrupt_takes_effect_at_the_end_of_its_step", "true") {
        return;
    }
    let (trace, runner) = (Trace::new(), runner());
    let says = trace.clone();
    let outcome: Result<()> = runner.run(async move {
        let soon = says.clone();
        running_loop()?.call_soon(move || -> Result<()> {
            raise(SIGINT)?;
            let later = soon.clone();
            running_loop()?.call_soon(move || later.push("the callback's")).map(drop)
        })?;
        let last = says.clone();
        running_loop()?
            .call_soon(move || running_loop()?.call_soon(last.says("later")).map(drop))?;
        let slept = sleep(LONG).await;
        says.push("main");
        slept
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    trace.expect(["the callback's", "main", "later"]);
    // In its own step it is thrown at the next await, as a cancellation is.
    let says = trace.clone();
    let outcome: Result<()> = runner.run(async move {
        raise(SIGINT)?;
        says.push(format!("{:?}", yield_now().await.map_err(|error| error.kind())));
        Ok(())
    });
    outcome.unwrap();
    trace.expect(["Err(Cancelled)"]);
}

#[test]
fn an_interrupt_after_mains_end_is_not_lost() {
    if !is_child("interrupts::an_interrupt_after_mains_end_is_not_lost", "true") {
        return;
    }
    let (runner, trace) = (runner(), Trace::new());
    let says = trace.clone();
    runner.get_loop().unwrap().set_exception_handler(Some(std::rc::Rc::new(
        move |_: &callsoon::LoopRef, context: &callsoon::ExceptionContext| {
            says.push(context.exception.as_ref().unwrap().message());
        },
    )));
    let outcome: Result<()> = runner
        .run(async { running_loop()?.call_soon(|| raise(SIGINT).map_err(Error::from)).map(drop) });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    trace.expect_nothing();
    let outcome: Result<()> = runner.run(async {
        running_loop()?.call_soon(|| raise(SIGINT).map_err(Error::from))?;
        Err(Error::new(ErrorKind::Value, "lost"))
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    trace.expect(["lost"]);
}

#[test]
fn an_interrupt_wakes_a_loop_that_sleeps() {
    if !is_child("interrupts::an_interrupt_wakes_a_loop_that_sleeps", "true") {
        return;
    }
    let outcome: Result<()> = runner().run(async {
        let never = running_loop()?.create_future();
        running_loop()?.call_soon(|| drop(std::thread::spawn(|| raise(SIGINT))))?;
        never.await
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
}

/// A handler that traces `text`.
fn says(trace: &Trace, text: &'static str) -> impl FnMut() + 'static {
    let trace = trace.clone();
    move || trace.push(text)
}

#[test]
fn a_handler_of_the_program_stays_where_a_main_runs() {
    if !is_child("interrupts::a_handler_of_the_program_stays_where_a_main_runs", "true") {
        return;
    }
    let (trace, runner) = (Trace::new(), runner());
    let on = runner.get_loop().unwrap();
    on.add_signal_handler(SIGINT, says(&trace, "the program's")).unwrap();
    for _ in 0..2 {
        let main = async {
            raise(SIGINT)?;
            sleep(Duration::from_secs(1)).await.map(|()| 1)
        };
        assert_eq!(runner.run(main).unwrap(), 1);
        trace.expect(["the program's"]);
    }
    assert!(on.remove_signal_handler(SIGINT).unwrap());
    // Without it, main is cancelled again.
    let outcome: Result<()> = runner.run(async { Ok(raise(SIGINT)?) });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    runner.close().unwrap();
}

#[test]
fn a_handler_that_main_adds_takes_over_and_stays() {
    if !is_child("interrupts::a_handler_that_main_adds_takes_over_and_stays", "true") {
        return;
    }
    let (trace, runner) = (Trace::new(), runner());
    let own = trace.clone();
    let main = async move {
        let on = running_loop()?;
        assert!(
            !on.remove_signal_handler(SIGINT)?,
            "main's cancellation is no handler of the loop"
        );
        on.add_signal_handler(SIGINT, says(&own, "the program's"))?;
        raise(SIGINT)?;
        sleep(Duration::from_secs(1)).await
    };
    runner.run(main).unwrap();
    trace.expect(["the program's"]);
    let on = runner.get_loop().unwrap();
    assert!(on.remove_signal_handler(SIGINT).unwrap());
    // A signal before it was added is main's.
    let outcome: Result<()> = runner.run(async {
        raise(SIGINT)?;
        running_loop()?.add_signal_handler(SIGINT, || ())?;
        sleep(LONG).await
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::KeyboardInterrupt);
    assert!(on.remove_signal_handler(SIGINT).unwrap());
    runner.close().unwrap();
}

#[test]
fn a_handler_that_main_removes_leaves_the_default() {
    const NAME: &str = "interrupts::a_handler_that_main_removes_leaves_the_default";
    if let Some(output) = output_of_child(NAME, "true") {
        assert_ended_by(SIGINT, &output);
        return;
    }
    let outcome: Result<()> = runner().run(async {
        let on = running_loop()?;
        on.add_signal_handler(SIGINT, || ())?;
        on.remove_signal_handler(SIGINT)?;
        raise(SIGINT)?;
        sleep(LONG).await
    });
    unreachable!("the signal ends it: {outcome:?}");
}
