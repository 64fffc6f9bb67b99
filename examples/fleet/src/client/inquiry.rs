//! [`inquire`]: what a device has to say.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use callsoon::{Error, ErrorKind, Result};
use serde::{Serialize, Serializer};

use super::remote::Remote;
use crate::protocol::{Color, Label, Message, Serial};

/// The kinds of the answers that are waited for.
const STATE_VERSION: u16 = 33;
const STATE_GROUP: u16 = 53;
const LIGHT_STATE: u16 = 107;

/// The state of a device, in its own answers.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Told {
    /// Which device it is.
    #[serde(serialize_with = "as_text")]
    pub serial: Serial,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its name.
    #[serde(serialize_with = "as_text")]
    pub label: Label,
    /// Where it belongs.
    #[serde(serialize_with = "as_text")]
    pub group: Label,
    /// The number of its vendor.
    pub vendor: u32,
    /// Which product of the vendor's it is.
    pub product: u32,
    /// 0 is off, 65535 on.
    pub power: u16,
    /// Its colour.
    #[serde(flatten)]
    pub color: Color,
    /// The number of packets sent to it, repeated ones included.
    pub attempts: u32,
    /// The mean time until its answers came. Whole microseconds.
    #[serde(rename = "latency_us", serialize_with = "as_micros")]
    pub latency: Duration,
}

fn as_text<S: Serializer>(value: &impl Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn as_micros<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u128(value.as_micros())
}

/// Tells a device `orders`, then asks it for its state.
///
/// # Errors
///
/// [`Timeout`](ErrorKind::Timeout) where it doesn't answer; the socket's; the cancellation.
///
/// # Cancellation
///
/// It stays unknown which orders the device has received.
pub async fn inquire(remote: Remote, orders: Vec<Message>) -> Result<Told> {
    let mut answers = Vec::new();
    for order in orders {
        answers.push(remote.tell(order).await?);
    }
    let light = remote.ask(Message::LightGet, LIGHT_STATE).await?;
    let Message::LightState { color, power, label } = light.message else { return other_kind() };
    let version = remote.ask(Message::GetVersion, STATE_VERSION).await?;
    let Message::StateVersion { vendor, product } = version.message else { return other_kind() };
    let in_group = remote.ask(Message::GetGroup, STATE_GROUP).await?;
    let Message::StateGroup { label: group, .. } = in_group.message else { return other_kind() };

    answers.extend([light, version, in_group]);
    let took: Duration = answers.iter().map(|answer| answer.latency).sum();
    let count = u32::try_from(answers.len()).unwrap_or(u32::MAX);
    let sighting = remote.sighting();
    Ok(Told {
        serial: sighting.serial,
        address: sighting.address,
        label,
        group,
        vendor,
        product,
        power,
        color,
        attempts: answers.iter().map(|answer| answer.attempts).sum(),
        latency: took / count,
    })
}

fn other_kind() -> Result<Told> {
    Err(Error::new(ErrorKind::Value, "an answer of another kind than was asked for"))
}
