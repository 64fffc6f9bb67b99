//! [`Weather`]: what becomes of packets on their way.

use std::time::Duration;

use fastrand::Rng;

/// The chance that a packet arrives twice, in percent.
const DOUBLED: u32 = 5;

/// The time that a packet may be on its way, in microseconds.
const DELAYS: std::ops::RangeInclusive<u64> = 2_000..=40_000;

/// Loses packets, delays them and doubles them, each as the seed has it.
#[derive(Clone, Debug)]
pub struct Weather {
    random: Rng,
    loss: u32,
}

impl Weather {
    /// Weather that loses `loss` percent of all packets.
    #[must_use]
    pub fn new(seed: u64, loss: u32) -> Weather {
        Weather { random: Rng::with_seed(seed), loss }
    }

    /// Returns true if the next packet arrives at all.
    pub fn carries(&mut self) -> bool {
        self.random.u32(..100) >= self.loss
    }

    /// Returns the delays of a packet's arrivals: none where it is lost, two where it is doubled.
    pub fn arrivals(&mut self) -> Vec<Duration> {
        if !self.carries() {
            return Vec::new();
        }
        let times = if self.random.u32(..100) < DOUBLED { 2 } else { 1 };
        (0..times).map(|_| Duration::from_micros(self.random.u64(DELAYS))).collect()
    }
}
