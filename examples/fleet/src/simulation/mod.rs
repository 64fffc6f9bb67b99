//! A fleet that doesn't exist, on sockets that do.
//!
//! In reading order: `device` (what a device answers), `weather` (what becomes of what is sent
//! to it), `population` (which devices there are), `network` (the sockets that they live on).
//! All but the last are pure, and follow from a seed.

mod device;
mod network;
mod population;
mod weather;

pub use device::{Device, Group};
pub use network::Network;
pub use population::{Health, Population, Resident};
pub use weather::Weather;
