//! Deadlines that lie beyond the 584 years that a loop's clock counts are never due, wherever they are
//! given: nothing is over before its time, and no clock jumps to its end.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use callsoon::{
    Error, ErrorKind, EventLoop, Host, LoopFuture, Notify, Result, ReturnWhen, Timeout,
    as_completed, create_task, helpers as hp, running_loop, sleep, timeout, timeout_at, wait,
    wait_for,
};

const MAX: Duration = Duration::MAX;
const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A clock of the host's that moves only while the loop waits. Where the wait would be one for ever, as
/// it is in real time, it fails as a loop with virtual time does.
struct Board(Rc<Cell<Duration>>);

struct Silent;

impl Notify for Silent {
    fn notify(&self) {}
}

impl Host for Board {
    fn now(&self) -> Duration {
        self.0.get()
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<()> {
        let timeout = timeout.filter(|timeout| *timeout < 550 * YEAR);
        let timeout = timeout.ok_or_else(|| Error::new(ErrorKind::Stalled, "a wait for ever"))?;
        self.0.set(self.0.get() + timeout);
        Ok(())
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(Silent)
    }
}

/// A loop on each sort of clock.
fn loops() -> [EventLoop; 2] {
    [EventLoop::with_virtual_time(), EventLoop::with_host(Board(Rc::default()))]
}

/// `main` waits for what never comes.
#[track_caller]
fn never<T: Clone + 'static, F: Future<Output = Result<T>> + 'static>(main: fn() -> F) {
    for event_loop in loops() {
        let outcome = event_loop.run_until_complete(main()).map(drop);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stalled);
        assert_eq!(event_loop.time(), Duration::ZERO);
        event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    }
}

/// `main` ends after a second, with a limit that never comes, and leaves no timer behind.
#[track_caller]
fn in_time<T: Clone + 'static, F: Future<Output = Result<T>> + 'static>(main: fn() -> F) {
    for event_loop in loops() {
        event_loop.run_until_complete(main()).unwrap();
        assert_eq!(event_loop.time(), SECOND);
        assert_eq!(event_loop.pending_timers(), 0);
    }
}

async fn a_second() -> Result<()> {
    sleep(SECOND).await
}

async fn until_set(later: Duration) -> Result<()> {
    let future: LoopFuture<()> = hp::create_future();
    let setter = future.clone();
    running_loop()?.call_later(later, move || setter.set_result(()))?;
    future.await
}

#[test]
fn sleeps_and_timers_beyond_the_clock_never_end() {
    never(|| sleep(MAX));
    never(|| sleep(600 * YEAR));
    never(|| until_set(MAX));
    never(|| async {
        let future: LoopFuture<()> = hp::create_future();
        let setter = future.clone();
        running_loop()?.call_at(MAX, move || setter.set_result(()))?;
        future.await
    });
}

#[test]
fn limits_beyond_the_clock_never_end() {
    never(|| timeout(MAX, async |_| sleep(MAX).await));
    in_time(|| timeout(MAX, async |_| a_second().await));
    in_time(|| timeout_at(MAX, async |_| a_second().await));
    in_time(|| async {
        let scope = Timeout::after(SECOND / 2);
        scope
            .scope(async |scope| {
                scope.reschedule(MAX)?;
                assert_eq!(scope.when(), Some(MAX));
                a_second().await
            })
            .await
    });
    in_time(|| wait_for(a_second(), MAX));
    in_time(|| async {
        wait(&[create_task(a_second())], MAX, ReturnWhen::AllCompleted).await.map(drop)
    });
    in_time(|| async {
        let tasks = [create_task(a_second())];
        let mut all = as_completed(&tasks, MAX);
        while let Some(done) = all.next().await? {
            done.result()?;
        }
        Ok(())
    });
    in_time(|| {
        let options = hp::TimeoutOptions { timeout: MAX, ..hp::TimeoutOptions::default() };
        hp::async_with_timeout(a_second(), options)
    });
    in_time(|| async {
        running_loop()?.shutdown_default_executor(Some(MAX)).await?;
        a_second().await
    });
}

#[test]
fn shorter_limits_end_before_what_never_does() {
    for event_loop in loops() {
        let limited = timeout(5 * SECOND, async |_| sleep(MAX).await);
        let outcome = event_loop.run_until_complete(limited);
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(event_loop.time(), 5 * SECOND);
        event_loop.run_until_complete(wait_for(a_second(), 2 * SECOND)).unwrap();
    }
}

#[test]
fn tickers_with_an_unreachable_next_tick_tick_once() {
    for event_loop in loops() {
        let ticks = async |options: hp::TickerOptions, every: Duration| {
            let ticker = hp::ATicker::new(every, options);
            let mut count = 0;
            let body = async |ticker: &hp::ATicker| {
                while let Some(_tick) = ticker.next().await? {
                    count += 1;
                    if count == 3 {
                        ticker.change_after(MAX)?;
                    }
                }
                Ok(())
            };
            let outcome = timeout(10 * SECOND, async |_| ticker.scope(body).await).await;
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Timeout);
            Ok::<u32, Error>(count)
        };
        let main = async move {
            assert_eq!(ticks(hp::TickerOptions::default(), MAX).await?, 1);
            let options = hp::TickerOptions { max_time: Some(MAX), ..Default::default() };
            assert_eq!(ticks(options, SECOND).await?, 3);
            Ok(())
        };
        event_loop.run_until_complete(main).unwrap();
        assert_eq!(event_loop.time(), 20 * SECOND);
    }
}

#[test]
fn turns_with_a_bound_beyond_the_clock_have_none() {
    for event_loop in loops() {
        assert_eq!(event_loop.run_once(Some(MAX)).unwrap_err().kind(), ErrorKind::Stalled);
        event_loop.call_later(SECOND, || ()).unwrap();
        assert_eq!(event_loop.run_once(Some(MAX)).unwrap(), 1);
        assert_eq!(event_loop.time(), SECOND);
        event_loop.call_later(MAX, || ()).unwrap();
        assert_eq!(event_loop.run_once(Some(SECOND)).unwrap(), 0);
        assert_eq!(event_loop.time(), 2 * SECOND);
        assert_eq!(event_loop.run_once(None).unwrap_err().kind(), ErrorKind::Stalled);
        assert_eq!(event_loop.pending_timers(), 1);
    }
}

#[test]
fn timers_show_when_they_were_made_for() {
    for event_loop in loops() {
        event_loop.run_until_complete(a_second()).unwrap();
        assert_eq!(event_loop.call_at(MAX, || ()).unwrap().when(), MAX);
        assert_eq!(event_loop.call_at(600 * YEAR, || ()).unwrap().when(), 600 * YEAR);
        assert_eq!(event_loop.call_later(MAX, || ()).unwrap().when(), MAX);
        assert_eq!(event_loop.call_later(600 * YEAR, || ()).unwrap().when(), 600 * YEAR + SECOND);
        let soon = event_loop.call_later(SECOND, || ()).unwrap();
        assert_eq!(soon.when(), 2 * SECOND);
    }
}

/// Sleeps within the years that the clock reaches end on time.
#[test]
fn long_sleeps_within_the_clock_end() {
    for event_loop in loops() {
        event_loop.run_until_complete(sleep(500 * YEAR)).unwrap();
        assert_eq!(event_loop.time(), 500 * YEAR);
        // The clock doesn't reach so far.
        event_loop.call_later(100 * YEAR, || ()).unwrap();
        event_loop.run_until_complete(sleep(10 * YEAR)).unwrap();
        assert_eq!(event_loop.time(), 510 * YEAR);
        assert_eq!(event_loop.pending_timers(), 1);
    }
    let event_loop = EventLoop::with_virtual_time();
    event_loop.run_until_complete(sleep(500 * YEAR)).unwrap();
    let outcome = event_loop.run_until_complete(sleep(100 * YEAR));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stalled);
    assert_eq!(event_loop.time(), 500 * YEAR);
}

#[test]
fn a_thread_may_wait_for_ever_for_what_comes() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.handle().run_coroutine_threadsafe(a_second).unwrap();
    let thread = std::thread::spawn(move || future.result(Some(MAX)));
    while event_loop.run_once(None).is_ok() {}
    thread.join().unwrap().unwrap();
}
