//! [`Outcome`]: what is known in the end.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use super::board::GroupLine;
use super::latencies::Latencies;
use crate::client::{Tally, Told};

/// Why a search ended.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// All was asked.
    Complete,
    /// There was no more time.
    OutOfTime,
    /// It was interrupted.
    Interrupted,
    /// Something went wrong.
    Failed,
}

impl Ending {
    /// Returns its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Ending::Complete => "complete",
            Ending::OutOfTime => "out_of_time",
            Ending::Interrupted => "interrupted",
            Ending::Failed => "failed",
        }
    }
}

/// A device that didn't answer.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Unanswered {
    /// Which device.
    pub serial: String,
    /// Where it said that it was.
    pub address: Option<SocketAddr>,
    /// The reason, as far as it is known.
    pub reason: String,
    /// It was simulated as a device that doesn't answer.
    pub dead: bool,
}

/// The outcome of a search: all of it is shown, and `answered` and `unanswered` are also what the
/// database holds, unless something is `unwritten`.
#[derive(Clone, Serialize, Debug)]
pub struct Outcome {
    /// Why it ended.
    pub ending: Ending,
    /// The time that it took.
    pub seconds: f64,
    /// The number of devices that there should be, where that is known.
    pub expected: Option<usize>,
    /// The number of devices that reported themselves.
    pub seen: usize,
    /// The number of times that all devices were asked to report themselves.
    pub rounds: u32,
    /// The answers of devices, by serial.
    pub answered: Vec<Told>,
    /// Which devices didn't answer, by serial.
    pub unanswered: Vec<Unanswered>,
    /// The latencies of answers, in milliseconds.
    pub latency_ms: Option<Latencies>,
    /// The counts of packets.
    pub packets: Tally,
    /// Where all this was written.
    pub database: PathBuf,
    /// Under which number, if the run could begin there.
    pub run: Option<i64>,
    /// Why not all of it was written, if that is so.
    pub unwritten: Option<String>,
    /// The error of the search itself, if there was one.
    pub failure: Option<String>,
    /// The state of each group, as far as it is known.
    #[serde(skip)]
    pub groups: Vec<GroupLine>,
}

impl Outcome {
    /// Iterates over the errors, the most important one first.
    pub fn errors(&self) -> impl Iterator<Item = &str> {
        [&self.failure, &self.unwritten].into_iter().flatten().map(String::as_str)
    }

    /// The program's exit code; see the program's help.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let silent = self.unanswered.iter().filter(|unanswered| !unanswered.dead).count();
        match self.ending {
            _ if self.errors().next().is_some() => 1,
            Ending::Failed => 1,
            Ending::Interrupted => 130,
            Ending::OutOfTime => 3,
            Ending::Complete if silent > 0 || self.seen == 0 => 3,
            Ending::Complete => 0,
        }
    }
}
