//! [`Latencies`]: how long answers took.

use std::time::Duration;

use serde::Serialize;

/// The times below which so many of all answers lie, in milliseconds.
#[derive(Clone, Copy, PartialEq, Serialize, Debug)]
pub struct Latencies {
    /// Half of them.
    pub median: f64,
    /// Nine in ten.
    pub p90: f64,
    /// 99 in a hundred.
    pub p99: f64,
    /// All of them.
    pub slowest: f64,
}

impl Latencies {
    /// Those of `times`; `None` where there are none.
    #[must_use]
    pub fn of(mut times: Vec<Duration>) -> Option<Latencies> {
        times.sort_unstable();
        let slowest = times.last()?;
        // The nearest rank: the smallest time that so many of all don't exceed.
        let below = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100);
            milliseconds(times[rank.max(1) - 1])
        };
        let (median, p90, p99) = (below(50), below(90), below(99));
        Some(Latencies { median, p90, p99, slowest: milliseconds(*slowest) })
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
