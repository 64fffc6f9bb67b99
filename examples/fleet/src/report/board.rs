//! [`Board`]: what is known so far.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::latencies::Latencies;
use super::outcome::Unanswered;
use crate::client::{Sighting, Told};
use crate::protocol::Serial;

/// What is known so far of the devices that were looked for.
#[derive(Clone, Default, Debug)]
pub struct Board {
    /// Which devices there should be, where that is known.
    expected: BTreeSet<Serial>,
    seen: BTreeMap<Serial, Sighting>,
    told: BTreeMap<Serial, Told>,
    unanswered: BTreeMap<Serial, String>,
}

/// What is known of the devices of one group.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupLine {
    /// What the group is called.
    pub group: String,
    /// How many of its devices have answered.
    pub lights: usize,
    /// How many of those are on.
    pub on: usize,
    /// How long their answers took.
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

    /// How many devices are expected, where that is known.
    #[must_use]
    pub fn expected(&self) -> Option<usize> {
        Some(self.expected.len()).filter(|expected| *expected > 0)
    }

    /// How many devices were seen.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen.len()
    }

    /// What was told, by serial.
    #[must_use]
    pub fn told(&self) -> &BTreeMap<Serial, Told> {
        &self.told
    }

    /// Which devices don't answer, by serial. `dead` says which of them can't.
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

    /// What is known so far, in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let (seen, told, silent) = (self.seen.len(), self.told.len(), self.unanswered.len());
        let of = self.expected().map(|expected| format!(" of {expected}")).unwrap_or_default();
        format!("{seen}{of} lights seen, {told} have answered, {silent} don't answer")
    }

    /// What is known of each group, by name.
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
