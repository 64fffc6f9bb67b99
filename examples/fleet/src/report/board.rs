//! [`Board`]: the state of a search.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::latencies::Latencies;
use super::outcome::Unanswered;
use crate::client::{Sighting, Told};
use crate::protocol::Serial;

/// The state of a search: the devices seen, their answers, and those without one.
#[derive(Clone, Default, Debug)]
pub struct Board {
    /// Which devices there should be, where that is known.
    expected: BTreeSet<Serial>,
    seen: BTreeMap<Serial, Sighting>,
    told: BTreeMap<Serial, Told>,
    unanswered: BTreeMap<Serial, String>,
}

/// The devices of one group that have answered, in figures.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupLine {
    /// The name of the group.
    pub group: String,
    /// The number of its devices that have answered.
    pub lights: usize,
    /// The number of those that are on.
    pub on: usize,
    /// The times that their answers took.
    pub latencies: Option<Latencies>,
}

impl Board {
    /// A board for these devices; for any, where there are none.
    #[must_use]
    pub fn new(expected: BTreeSet<Serial>) -> Board {
        Board { expected, ..Board::default() }
    }

    /// A device said that it is there.
    pub fn see(&mut self, sighting: Sighting) {
        self.seen.insert(sighting.serial, sighting);
    }

    /// A device has told its state.
    pub fn tell(&mut self, told: Told) {
        self.told.insert(told.serial, told);
    }

    /// A device that was seen didn't answer, and why.
    pub fn give_up(&mut self, serial: Serial, reason: String) {
        self.unanswered.insert(serial, reason);
    }

    /// Nothing more will come: those that were expected and not seen are unanswered, too.
    pub fn give_up_the_unseen(&mut self) {
        for serial in &self.expected {
            if !self.seen.contains_key(serial) {
                self.unanswered.insert(*serial, String::from("never seen"));
            }
        }
    }

    /// Returns the number of devices expected, where that is known.
    #[must_use]
    pub fn expected(&self) -> Option<usize> {
        Some(self.expected.len()).filter(|expected| *expected > 0)
    }

    /// Returns the number of devices seen so far.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen.len()
    }

    /// Returns the states that devices have answered with, by serial.
    #[must_use]
    pub fn told(&self) -> &BTreeMap<Serial, Told> {
        &self.told
    }

    /// Returns the devices that don't answer, by serial. `dead` has those of them that can't.
    #[must_use]
    pub fn unanswered(&self, dead: &BTreeSet<Serial>) -> Vec<Unanswered> {
        let each = self.unanswered.iter();
        each.map(|(serial, reason)| Unanswered {
            serial: serial.to_string(),
            address: self.seen.get(serial).map(|sighting| sighting.address),
            reason: reason.clone(),
            dead: dead.contains(serial),
        })
        .collect()
    }

    /// Returns the counts so far, in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let (seen, told, silent) = (self.seen.len(), self.told.len(), self.unanswered.len());
        let of = self.expected().map(|expected| format!(" of {expected}")).unwrap_or_default();
        format!("{seen}{of} lights seen, {told} have answered, {silent} don't answer")
    }

    /// Returns a line for each group, by name.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupLine> {
        let mut groups: BTreeMap<String, Vec<&Told>> = BTreeMap::new();
        for told in self.told.values() {
            groups.entry(told.group.to_string()).or_default().push(told);
        }
        groups.into_iter().map(|(group, lights)| GroupLine::new(group, &lights)).collect()
    }
}

impl GroupLine {
    fn new(group: String, lights: &[&Told]) -> GroupLine {
        let times: Vec<Duration> = lights.iter().map(|told| told.latency).collect();
        GroupLine {
            group,
            lights: lights.len(),
            on: lights.iter().filter(|told| told.power > 0).count(),
            latencies: Latencies::of(times),
        }
    }
}
