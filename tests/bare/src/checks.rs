//! The features that must work without std, each a check by name.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::time::Duration;

#[cfg(target_has_atomic = "ptr")]
use alloc::sync::Arc;
#[cfg(not(target_has_atomic = "ptr"))]
use callsoon::Arc;
use callsoon::{
    Error, ErrorKind, EventLoop, ExceptionContext, Host, LoopRef, Notify, Result, create_task,
    generator, helpers as hp, running_loop, sleep,
};

const SECOND: Duration = Duration::from_secs(1);

/// A board with a clock that moves only while it sleeps.
struct Board(Cell<Duration>);

struct NoInterrupts;

impl Notify for NoInterrupts {
    fn notify(&self) {}
}

impl Host for Board {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        self.0.set(self.0.get() + timeout.unwrap_or_default());
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        // `Arc::new` would do where `Arc` is that of `alloc`.
        Arc::from(Box::new(NoInterrupts) as Box<dyn Notify>)
    }
}

/// Runs each check on a loop of its own. `Err` says which one failed, and how.
pub fn run() -> Result<(), String> {
    check("callbacks and timers", callbacks_and_timers)?;
    check("a task that sleeps", a_task_that_sleeps)?;
    check("a cancelled task cleans up", a_cancelled_task_cleans_up)?;
    check("a future is set later", a_future_is_set_later)?;
    check("a generator", a_generator)?;
    check("a ticker", a_ticker)?;
    check("held tasks", held_tasks)?;
    check("streamed results", streamed_results)?;
    check("a loop with nothing to do says so", a_loop_with_nothing_to_do)?;
    check("errors that nothing reads", errors_that_nothing_reads)
}

fn check(name: &str, body: fn(&EventLoop) -> Result<()>) -> Result<(), String> {
    let event_loop = EventLoop::with_host(Board(Cell::new(Duration::ZERO)));
    body(&event_loop).map_err(|error| format!("{name}: {error}"))
}

fn expect(fact: bool, what: &str) -> Result<()> {
    if fact { Ok(()) } else { Err(Error::new(ErrorKind::Other, what)) }
}

fn callbacks_and_timers(on: &EventLoop) -> Result<()> {
    let trace = Rc::new(RefCell::new(Vec::new()));
    let note = |what: &'static str| {
        let trace = Rc::clone(&trace);
        move || trace.borrow_mut().push(what)
    };
    on.call_later(SECOND, note("later"))?;
    on.call_at(SECOND, note("at the same time"))?;
    on.call_soon(note("soon"))?;
    on.call_soon(note("never"))?.cancel();
    let stop = (*on).clone();
    on.call_later(2 * SECOND, move || stop.stop())?;
    on.run_forever()?;
    expect(*trace.borrow() == ["soon", "later", "at the same time"], "the order is wrong")?;
    expect(on.time() == 2 * SECOND, "the clock is wrong")
}

fn a_task_that_sleeps(on: &EventLoop) -> Result<()> {
    let slept = on.run_until_complete(async {
        let task = create_task(async {
            sleep(SECOND).await?;
            running_loop().map(|on| on.time())
        });
        task.await
    })?;
    expect(slept == SECOND, "it slept for another time")
}

fn a_cancelled_task_cleans_up(on: &EventLoop) -> Result<()> {
    let cleaned = Rc::new(Cell::new(false));
    let outcome = on.run_until_complete({
        let cleaned = Rc::clone(&cleaned);
        async move {
            let task = create_task(async move {
                let outcome = sleep(60 * SECOND).await;
                sleep(SECOND).await?;
                cleaned.set(true);
                outcome
            });
            sleep(SECOND).await?;
            task.cancel();
            task.await
        }
    });
    expect(outcome.is_err_and(|error| error.is_cancelled()), "it was not cancelled")?;
    expect(cleaned.get(), "it did not clean up")?;
    expect(on.time() == 2 * SECOND, "it took another time")
}

fn a_future_is_set_later(on: &EventLoop) -> Result<()> {
    let future = on.create_future::<String>();
    let setter = future.clone();
    on.call_later(SECOND, move || setter.set_result("set".to_string()))?;
    expect(on.run_until_complete(future)? == "set", "it has another value")
}

fn a_generator(on: &EventLoop) -> Result<()> {
    let values = on.run_until_complete(async {
        let numbers = generator(async |y| {
            for number in 1..=3 {
                sleep(SECOND).await?;
                y.give(number).await?;
            }
            Ok(())
        });
        let mut values = Vec::new();
        while let Some(number) = numbers.next().await? {
            values.push(number);
        }
        Ok(values)
    })?;
    expect(values == vec![1, 2, 3], "it gave other values")
}

fn a_ticker(on: &EventLoop) -> Result<()> {
    let at = on.run_until_complete(async {
        let options = hp::TickerOptions { max_iterations: Some(3), ..Default::default() };
        let mut at = Vec::new();
        let ticker = hp::tick(2 * SECOND, options);
        let body = async |ticks: &hp::ATicker| {
            while ticks.next().await?.is_some() {
                at.push(running_loop()?.time().as_secs());
                sleep(SECOND).await?;
            }
            Ok(())
        };
        ticker.scope(body).await?;
        Ok(at)
    })?;
    expect(at == [0, 2, 4], "it ticked at other times")
}

fn held_tasks(on: &EventLoop) -> Result<()> {
    let over = Rc::new(Cell::new(0));
    let in_the_holder = Rc::clone(&over);
    on.run_until_complete(async move {
        let holder = hp::TaskHolder::new(&hp::create_future::<()>());
        let body = async |holder: &hp::TaskHolder| {
            for seconds in 1..=3 {
                let over = Rc::clone(&in_the_holder);
                holder.add(async move {
                    sleep(seconds * SECOND).await?;
                    over.set(over.get() + 1);
                    Ok(())
                });
            }
            expect(holder.pending() == 3, "it holds another number of tasks")
        };
        holder.scope(body).await
    })?;
    expect(over.get() == 3, "it did not wait for all of its tasks")
}

fn streamed_results(on: &EventLoop) -> Result<()> {
    let values = on.run_until_complete(async {
        let streamer = hp::ResultStreamer::<u32>::new(&hp::create_future::<()>());
        let body = async |streamer: &hp::ResultStreamer<u32>| {
            for seconds in [2, 1] {
                let late = async move { sleep(seconds * SECOND).await.map(|()| seconds) };
                streamer.add_coroutine(late, hp::Adding::new()).await?;
            }
            streamer.no_more_work();
            let (mut values, mut results) = (Vec::new(), streamer.iter());
            while let Some(result) = results.next().await? {
                values.extend(result.value.ok());
            }
            Ok(values)
        };
        streamer.scope(body).await
    })?;
    expect(values == [1, 2], "it streamed other results")
}

fn a_loop_with_nothing_to_do(on: &EventLoop) -> Result<()> {
    let stalled = on.run_once(None).map_or_else(|error| error.kind(), |_| ErrorKind::Other);
    expect(stalled == ErrorKind::Stalled, "it is not stalled")
}

/// They are told with their message. Where the program turns the logger off, tasks and futures have no
/// description.
fn errors_that_nothing_reads(on: &EventLoop) -> Result<()> {
    let told = Rc::new(RefCell::new(Vec::new()));
    let tells = Rc::clone(&told);
    on.set_exception_handler(Some(Rc::new(move |_: &LoopRef, context: &ExceptionContext| {
        tells.borrow_mut().push(context.clone());
    })));
    let broken = || Err::<(), _>(Error::new(ErrorKind::Value, "broken"));
    on.call_soon(broken)?;
    let task = on.create_task(async move { broken() })?;
    on.run_once(Some(Duration::ZERO))?;
    let mut descriptions = vec![format!("{task:?}"), format!("{:?}", on.create_future::<()>())];
    drop(task);
    let told = told.borrow();
    let messages: Vec<&str> = told.iter().map(|context| context.message.as_str()).collect();
    let is_told = matches!(messages[..], [first, "Task exception was never retrieved"]
        if first.starts_with("Exception in callback <Handle "));
    expect(is_told, "it tells of other errors")?;
    for context in told.iter() {
        let exception = context.exception.as_ref().map(ToString::to_string);
        expect(exception.as_deref() == Some("ValueError: broken"), "it tells another error")?;
        descriptions.extend(context.future.clone());
    }
    let is_described = !cfg!(feature = "no-logger");
    let is_right = descriptions.iter().all(|text| text.is_empty() != is_described);
    expect(descriptions.len() == 3 && is_right, &format!("the descriptions are {descriptions:?}"))
}
