//! Parts that these tests are put together from.

use std::cell::Cell;
use std::fmt::Display;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use callsoon::{AnyFuture, Error, ErrorKind, LoopFuture, Result, running_loop, sleep, yield_now};

use crate::driver::secs;
use crate::support::trace::Trace;

/// An error of a test's own.
pub(crate) fn error(message: &str) -> Error {
    Error::new(ErrorKind::Value, message)
}

pub(crate) fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

/// A way to end a future.
pub(crate) type End<T> = fn(&LoopFuture<T>) -> Result<()>;

/// All ways: with a result, with an exception, cancelled.
pub(crate) fn ends<T: Default + Clone + 'static>() -> [End<T>; 3] {
    [
        |future| future.set_result(T::default()),
        |future| future.set_exception(error("bad")),
        |future| {
            future.cancel();
            Ok(())
        },
    ]
}

/// Pushes `what` after the loop's time in milliseconds.
pub(crate) fn say(trace: &Trace, what: impl Display) -> Result<()> {
    trace.push(format!("{} {what}", running_loop()?.time().as_millis()));
    Ok(())
}

/// Sleeps for `seconds`, says so, and returns them.
pub(crate) async fn work(trace: Trace, name: &'static str, seconds: u64) -> Result<u64> {
    sleep(secs(seconds)).await?;
    say(&trace, format_args!("{name} done"))?;
    Ok(seconds)
}

/// Sleeps for an hour; when it is cancelled, cleans up for a second.
pub(crate) async fn endless(trace: Trace, name: &'static str) -> Result<u64> {
    let outcome = sleep(secs(3600)).await;
    say(&trace, format_args!("{name} cleans up"))?;
    sleep(secs(1)).await?;
    say(&trace, format_args!("{name} is clean"))?;
    outcome.map(|()| 3600)
}

/// Lets turns go by until nothing is on its way any more.
pub(crate) async fn rest() -> Result<()> {
    for _ in 0..30 {
        yield_now().await?;
    }
    Ok(())
}

/// Polls `future` once, as a select does that is then decided otherwise, and drops it.
pub(crate) async fn poll_once_and_drop<T>(future: impl Future<Output = T>) -> bool {
    let mut future = Box::pin(future);
    poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx).is_ready())).await
}

/// Returns the number of callbacks that wait for the end of `future`, by its `Debug` output.
pub(crate) fn callbacks(future: &dyn AnyFuture) -> usize {
    let shown = format!("{future:?}");
    let count = shown.split("callbacks=").nth(1).unwrap_or("0");
    count.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("0").parse().unwrap()
}

/// Counts its clones that are alive.
pub(crate) struct Counted(Rc<Cell<usize>>);

impl Counted {
    /// The first, and the count.
    pub(crate) fn new() -> (Counted, Rc<Cell<usize>>) {
        let alive = Rc::new(Cell::new(1));
        (Counted(alive.clone()), alive)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        self.0.set(self.0.get() + 1);
        Counted(self.0.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
