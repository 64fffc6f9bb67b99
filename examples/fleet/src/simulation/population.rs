//! [`Population`]: which devices there are.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use super::device::{Device, Group};
use super::weather::Weather;
use crate::protocol::{Color, Label, Message, Packet, Serial};

/// One device in so many is dead.
const DEAD_ONE_IN: usize = 40;

const GROUPS: [&str; 8] =
    ["Attic", "Cellar", "Garden", "Hall", "Kitchen", "Library", "Studio", "Workshop"];

/// Products that are plain lights with colours.
const PRODUCTS: [u32; 4] = [22, 27, 36, 59];

/// A device's readiness to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// It does.
    Well,
    /// It answers that it is there, and then nothing.
    Frozen,
    /// It never says anything.
    Unplugged,
}

/// A device, its health and its weather.
#[derive(Clone, Debug)]
pub struct Resident {
    /// The device.
    pub device: Device,
    /// Its readiness to answer.
    pub health: Health,
    /// The faults of the network for packets to it and from it.
    pub weather: Weather,
}

impl Resident {
    /// Returns the answers to `packet`, each with the delay after which it is to be sent.
    pub fn answers(&mut self, packet: &Packet, port: u16) -> Vec<(Duration, Packet)> {
        let heard = match self.health {
            Health::Well => true,
            Health::Frozen => packet.message == Message::GetService,
            Health::Unplugged => false,
        };
        if !heard || !self.weather.carries() {
            return Vec::new();
        }
        let answers = self.device.hear(packet, port);
        let mut sent = Vec::new();
        for answer in answers {
            sent.extend(self.weather.arrivals().into_iter().map(|after| (after, answer.clone())));
        }
        sent
    }
}

/// All residents of a simulated network.
#[derive(Clone, Debug)]
pub struct Population {
    residents: Vec<Resident>,
    numbers: BTreeMap<Serial, usize>,
}

impl Population {
    /// `devices` devices, of which a few are dead, in weather that loses `loss` percent of all
    /// packets. The same seed makes the same devices.
    #[must_use]
    pub fn new(devices: u32, seed: u64, loss: u32) -> Population {
        let mut random = Rng::with_seed(seed);
        let mut residents: Vec<Resident> = (1..=devices)
            .map(|number| Resident {
                device: device(number, &mut random),
                health: Health::Well,
                weather: Weather::new(random.u64(..), loss),
            })
            .collect();
        let dead = residents.len() / DEAD_ONE_IN;
        for (turn, number) in
            random.choose_multiple(0..residents.len(), dead).into_iter().enumerate()
        {
            residents[number].health =
                if turn % 2 == 0 { Health::Frozen } else { Health::Unplugged };
        }
        let serials = residents.iter().map(|resident| resident.device.serial);
        let numbers = serials.enumerate().map(|(number, serial)| (serial, number)).collect();
        Population { residents, numbers }
    }

    /// All of them.
    #[must_use]
    pub fn residents(&self) -> &[Resident] {
        &self.residents
    }

    /// The one with this number, counted from zero.
    ///
    /// # Panics
    ///
    /// When there are not so many.
    pub fn resident(&mut self, number: usize) -> &mut Resident {
        &mut self.residents[number]
    }

    /// The number of the device with this serial.
    #[must_use]
    pub fn number(&self, serial: Serial) -> Option<usize> {
        self.numbers.get(&serial).copied()
    }
}

fn device(number: u32, random: &mut Rng) -> Device {
    let at = random.usize(..GROUPS.len());
    let group = GROUPS[at];
    let mut id = [0; 16];
    id[0] = u8::try_from(at + 1).expect("there are few groups");
    Device {
        serial: Serial::simulated(number),
        label: Label::new(&format!("{group} {number}")),
        group: Group { id, label: Label::new(group) },
        product: PRODUCTS[random.usize(..PRODUCTS.len())],
        power: if random.bool() { u16::MAX } else { 0 },
        color: Color {
            hue: random.u16(..),
            saturation: random.u16(..),
            brightness: random.u16(..),
            kelvin: random.u16(2500..=9000),
        },
    }
}
