//! [`Arguments`]: the command line's arguments.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::protocol::{Color, Message, PORT};

/// Finds LIFX lights, and keeps their states in a SQLite database.
///
/// Without a target it brings a network of its own: simulated lights on loopback sockets, of which
/// some are dead, and which lose, delay and double packets.
#[derive(Parser, Clone, PartialEq, Debug)]
#[command(version, after_long_help = EXIT_CODES)]
pub struct Arguments {
    /// Find real lights by this address, most often the network's broadcast address
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = target, conflicts_with_all = ["devices", "loss", "seed"])]
    pub target: Option<SocketAddr>,

    /// Number of lights to simulate
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub devices: u32,

    /// Share of packets that the simulated network loses in each direction
    #[arg(long, hide_short_help = true, value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub loss: u32,

    /// Longest time to look for lights
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    pub seconds: Duration,

    /// Seed of the simulated network's chance
    #[arg(long, hide_short_help = true, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// The database to write to
    ///
    /// By default `fleet.sqlite` in this user's own folder, `$XDG_STATE_HOME` or `~/.local/state`;
    /// without a home, a new file among the temporary ones.
    #[arg(long, value_name = "PATH")]
    pub database: Option<PathBuf>,

    /// Print the outcome as JSON
    #[arg(long)]
    pub json: bool,

    /// Only simulate the lights, all at one port, for any LIFX client to talk to
    #[arg(long, hide_short_help = true, conflicts_with_all = ["target", "seconds", "database", "json", "set_power", "set_color"])]
    pub simulate_only: bool,

    /// The port of --simulate-only; 0 takes any that is free
    #[arg(long, hide_short_help = true, value_name = "P", default_value_t = PORT, requires = "simulate_only")]
    pub port: u16,

    /// Turn every light on or off before it is asked
    #[arg(long, value_name = "POWER")]
    pub set_power: Option<Power>,

    /// Set the colour of every light before it is asked: degrees, two numbers up to 1, kelvin
    #[arg(long, value_name = "H,S,B,K")]
    pub set_color: Option<Color>,
}

const EXIT_CODES: &str = "Exit codes:
  0    every light answered, but for those that were simulated as dead
  1    something went wrong; what was known by then was shown
  2    the arguments make no sense
  3    a light didn't answer, none was found, or the time was over
  130  interrupted; what was known by then was written and shown";

/// The power that a light is set to.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum Power {
    /// It shines.
    On,
    /// It doesn't.
    Off,
}

impl Arguments {
    /// Returns the messages that each light is sent before it is asked.
    #[must_use]
    pub fn orders(&self) -> Vec<Message> {
        let power = self.set_power.map(|power| {
            let level = if power == Power::On { u16::MAX } else { 0 };
            Message::LightSetPower { level, duration: 0 }
        });
        let color = self.set_color.map(|color| Message::SetColor { color, duration: 0 });
        power.into_iter().chain(color).collect()
    }

    /// Returns the path of the database. The folder of the default one is made if need be.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.database.clone().or_else(own_database).unwrap_or_else(temporary_database)
    }
}

/// A file of this user alone, which later runs write to as well.
fn own_database() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))?;
    std::fs::create_dir_all(&state).ok()?;
    Some(state.join("fleet.sqlite"))
}

fn temporary_database() -> PathBuf {
    std::env::temp_dir().join(format!("fleet-{}.sqlite", std::process::id()))
}

fn target(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    match text.parse::<IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, PORT)),
        Err(_) => Err(String::from("an IP address is needed, with or without a port")),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match seconds.filter(|seconds| !seconds.is_zero() && *seconds <= LONGEST) {
        Some(seconds) => Ok(seconds),
        None => Err(String::from("a number of seconds is needed, above 0 and at most 86400")),
    }
}

const LONGEST: Duration = Duration::from_secs(86_400);
