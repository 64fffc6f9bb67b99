//! When a ticker ticks: whole runs, with the work of every tick.

use std::rc::Rc;
use std::time::Duration;

use callsoon::helpers::{ATicker, MinWait, TickerOptions};
use callsoon::{Lock, Result, create_task, running_loop, sleep};

use crate::driver::{run, secs};
use crate::support::trace::Trace;

/// The milliseconds at which the ticks came, after each of which `work` was done, and last the
/// end's.
fn ticks(every: Duration, options: TickerOptions, work: Duration) -> Vec<u128> {
    run(async move {
        let (now, ticker) = (running_loop()?, ATicker::new(every, options));
        let mut at = Vec::new();
        ticker
            .scope(async |ticker| {
                while let Some((number, _)) = ticker.next().await? {
                    at.push(now.time().as_millis());
                    assert_eq!(number, at.len(), "ticks are counted from one");
                    sleep(work).await?;
                }
                Ok(())
            })
            .await?;
        at.push(now.time().as_millis());
        Ok(at)
    })
    .unwrap()
}

fn times(max_iterations: usize) -> TickerOptions {
    TickerOptions { max_iterations: Some(max_iterations), ..Default::default() }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn work_within_the_interval_leaves_ticks_an_interval_apart() {
    let at = ticks(secs(10), times(5), secs(8));
    assert_eq!(at, [0, 10_000, 20_000, 30_000, 40_000, 50_000]);
}

#[test]
fn without_any_work_the_ticks_are_as_far_apart() {
    assert_eq!(ticks(secs(3), times(3), secs(0)), [0, 3_000, 6_000, 9_000]);
}

#[test]
fn work_longer_than_the_interval_skips_ticks_and_keeps_the_rest() {
    assert_eq!(ticks(secs(3), times(3), secs(4)), [0, 4_000, 8_000, 12_000]);
    assert_eq!(ticks(secs(10), times(3), secs(25)), [0, 25_000, 50_000, 75_000]);
}

/// However many are left out: few are counted off one by one, and very many are not.
#[test]
fn one_long_work_leaves_later_ticks_at_their_times() {
    for late in [5, 999, 1_000, 1_001, 5_000, 1_048_575, 1_048_576] {
        for part in [500, 950] {
            let trace = Trace::new();
            let (on, mut work) = (trace.clone(), Some(millis(late * 1_000 + part)));
            run(async move {
                let now = running_loop()?;
                let ticker = ATicker::new(secs(1), times(4));
                ticker.start();
                while ticker.next().await?.is_some() {
                    on.push(now.time().as_millis());
                    sleep(work.take().unwrap_or_default()).await?;
                }
                ticker.finish(None).await
            })
            .unwrap();
            // One that is late comes at once; the next not within a tenth of a second of it.
            let next = if part == 500 { late + 1 } else { late + 2 };
            let at = [0, late * 1_000 + part, next * 1_000, (next + 1) * 1_000];
            trace.expect(at.map(|at| at.to_string()));
        }
    }
}

#[test]
fn interval_of_no_time_is_the_least_wait() {
    let least = |min_wait| TickerOptions { min_wait, ..times(3) };
    assert_eq!(ticks(secs(0), times(3), secs(0)), [0, 100, 200, 300]);
    let seconds = least(MinWait::AtLeast(secs(5)));
    assert_eq!(ticks(secs(0), seconds, secs(0)), [0, 5_000, 10_000, 15_000]);
    let seconds = least(MinWait::AtLeast(secs(5)));
    assert_eq!(ticks(secs(0), seconds, secs(2)), [0, 5_000, 10_000, 15_000]);
    assert_eq!(ticks(secs(0), least(MinWait::None), secs(0)), [0, 0, 0, 0]);
    assert_eq!(ticks(secs(0), least(MinWait::None), secs(2)), [0, 2_000, 4_000, 6_000]);
}

#[test]
fn a_tick_that_would_come_too_soon_after_the_last_is_left_out() {
    let least = |min_wait| TickerOptions { min_wait, ..times(3) };
    // Asked for again at 8 s, the tick of 10 s is near enough.
    assert_eq!(
        ticks(secs(5), least(MinWait::AtLeast(secs(1))), secs(8)),
        [0, 8_000, 16_000, 24_000]
    );
    // The tick comes at 4 s, and the one of 5 s is less than the two that there must be after it.
    let told = told_next(secs(5), least(MinWait::AtLeast(secs(2))), secs(9));
    assert_eq!(told, [(0, 5_000), (9_000, 6_000), (18_000, 2_000)]);
    let told = told_next(secs(5), least(MinWait::None), secs(9));
    assert_eq!(told, [(0, 5_000), (9_000, 1_000), (18_000, 2_000)]);
}

/// When the ticks came, and how long each said it was until the next.
fn told_next(every: Duration, options: TickerOptions, work: Duration) -> Vec<(u128, u128)> {
    run(async move {
        let (now, ticker) = (running_loop()?, ATicker::new(every, options));
        let mut told = Vec::new();
        ticker
            .scope(async |ticker| {
                while let Some((_, until_next)) = ticker.next().await? {
                    told.push((now.time().as_millis(), until_next.as_millis()));
                    sleep(work).await?;
                }
                Ok(())
            })
            .await?;
        Ok(told)
    })
    .unwrap()
}

#[test]
fn it_ends_at_its_time_or_after_its_count_whichever_comes_first() {
    let both = |max_iterations, seconds| TickerOptions {
        max_iterations: Some(max_iterations),
        max_time: Some(secs(seconds)),
        ..Default::default()
    };
    let limit = TickerOptions { max_time: Some(secs(20)), ..Default::default() };
    assert_eq!(
        ticks(secs(3), limit, secs(0)),
        [0, 3_000, 6_000, 9_000, 12_000, 15_000, 18_000, 20_000]
    );
    assert_eq!(ticks(secs(3), both(3, 20), secs(0)), [0, 3_000, 6_000, 9_000]);
    assert_eq!(ticks(secs(3), both(9, 7), secs(0)), [0, 3_000, 6_000, 7_000]);
    assert_eq!(ticks(secs(3), times(0), secs(0)), [0]);
}

#[test]
fn fractions_of_a_second_do_not_add_up_to_a_drift() {
    let options = times(4);
    assert_eq!(ticks(millis(333), options, millis(100)), [0, 333, 666, 999, 1_332]);
}

/// A ticker of ten seconds, told things at the given times.
fn changed(changes: &'static [(u64, u64, bool)], count: usize) -> Vec<u128> {
    run(async move {
        let (now, ticker) = (running_loop()?, ATicker::new(secs(10), times(count)));
        for &(at, every, set_new_every) in changes {
            let told = ticker.clone();
            now.call_later(secs(at), move || {
                if set_new_every {
                    told.change_after(secs(every))
                } else {
                    told.change_next_after(secs(every))
                }
            })?;
        }
        let mut at = Vec::new();
        ticker
            .scope(async |ticker| {
                while ticker.next().await?.is_some() {
                    at.push(now.time().as_millis());
                }
                Ok(())
            })
            .await?;
        Ok(at)
    })
    .unwrap()
}

#[test]
fn lasting_change_counts_from_the_last_tick() {
    assert_eq!(changed(&[(21, 20, true)], 6), [0, 10_000, 20_000, 40_000, 60_000, 80_000]);
    assert_eq!(changed(&[(21, 5, true)], 6), [0, 10_000, 20_000, 25_000, 30_000, 35_000]);
}

#[test]
fn single_change_moves_one_tick_and_no_later_one() {
    assert_eq!(changed(&[(21, 40, false)], 5), [0, 10_000, 20_000, 60_000, 70_000]);
    assert_eq!(changed(&[(21, 5, false)], 6), [0, 10_000, 20_000, 25_000, 30_000, 40_000]);
}

#[test]
fn both_changes_one_after_the_other_are_kept_apart() {
    let at = changed(&[(21, 20, true), (61, 40, false)], 7);
    assert_eq!(at, [0, 10_000, 20_000, 40_000, 60_000, 100_000, 120_000]);
}

#[test]
fn a_tick_that_is_moved_into_the_past_comes_at_once() {
    assert_eq!(changed(&[(5, 2, true)], 4), [0, 5_000, 6_000, 8_000]);
}

#[test]
fn changed_before_it_has_started_it_ticks_at_the_new_distance() -> Result<()> {
    run(async {
        let (now, ticker) = (running_loop()?, ATicker::new(secs(3), times(3)));
        ticker.change_after(secs(5))?;
        ticker.change_next_after(secs(9))?;
        let mut at = Vec::new();
        ticker
            .scope(async |ticker| {
                while ticker.next().await?.is_some() {
                    at.push(now.time().as_secs());
                }
                Ok(())
            })
            .await?;
        assert_eq!(at, [0, 5, 10]);
        Ok(())
    })
}

#[test]
fn change_from_within_a_tick_counts_from_that_tick() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let (now, ticker) = (running_loop()?, ATicker::new(secs(10), times(8)));
        ticker
            .scope(async |ticker| {
                while let Some((number, _)) = ticker.next().await? {
                    trace.push(now.time().as_secs());
                    match number {
                        3 => ticker.change_after(secs(20))?,
                        5 => ticker.change_next_after(secs(40))?,
                        _ => {}
                    }
                }
                Ok(())
            })
            .await?;
        trace.expect(["0", "10", "20", "40", "60", "100", "120", "140"]);
        Ok(())
    })
}

#[test]
fn a_pauser_holds_the_ticks_up_while_it_is_locked() -> Result<()> {
    let lock = Rc::new(Lock::new());
    let options = TickerOptions { pauser: Some(lock.clone()), ..times(6) };
    run(async move {
        let (now, ticker) = (running_loop()?, ATicker::new(secs(2), options));
        create_task(async move {
            sleep(secs(3)).await?;
            lock.acquire().await?;
            sleep(secs(6)).await?;
            lock.release()
        });
        let mut at = Vec::new();
        ticker
            .scope(async |ticker| {
                while ticker.next().await?.is_some() {
                    at.push(now.time().as_secs());
                }
                Ok(())
            })
            .await?;
        // The wait for the tick of 4 s had begun before the lock was taken.
        assert_eq!(at, [0, 2, 4, 9, 10, 12]);
        Ok(())
    })
}

#[test]
fn change_to_no_interval_needs_no_least_wait() {
    let at = run(async {
        let options = TickerOptions { min_wait: MinWait::None, ..times(4) };
        let ticker = ATicker::new(secs(1), options);
        let mut at = Vec::new();
        let now = running_loop()?;
        ticker
            .scope(async |ticker| {
                while let Some((number, _)) = ticker.next().await? {
                    at.push(now.time().as_secs());
                    if number == 2 {
                        ticker.change_after(Duration::ZERO)?;
                    }
                }
                Ok(())
            })
            .await?;
        Ok(at)
    });
    assert_eq!(at.unwrap(), [0, 1, 1, 1]);
}
