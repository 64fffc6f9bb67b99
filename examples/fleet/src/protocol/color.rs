//! [`Color`]: hue, saturation, brightness and kelvin.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::wire::{Reader, Writer};

/// The colour of a light, as it lies in a packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Debug)]
pub struct Color {
    /// The whole circle, from 0 up to 65535.
    pub hue: u16,
    /// From white, 0, to full colour, 65535.
    pub saturation: u16,
    /// From dark, 0, to as bright as it gets, 65535.
    pub brightness: u16,
    /// The temperature of white, in kelvin.
    pub kelvin: u16,
}

impl Color {
    pub(super) const SIZE: usize = 8;

    pub(super) fn read(from: &mut Reader<'_>) -> Color {
        Color {
            hue: from.u16(),
            saturation: from.u16(),
            brightness: from.u16(),
            kelvin: from.u16(),
        }
    }

    pub(super) fn write(self, to: &mut Writer) {
        to.u16(self.hue).u16(self.saturation).u16(self.brightness).u16(self.kelvin);
    }

    /// The hue, from 0 up to 360 degrees.
    #[must_use]
    pub fn degrees(&self) -> f64 {
        f64::from(self.hue) * 360.0 / 65_536.0
    }

    /// The saturation, from 0 to 1.
    #[must_use]
    pub fn saturated(&self) -> f64 {
        f64::from(self.saturation) / 65_535.0
    }

    /// The brightness, from 0 to 1.
    #[must_use]
    pub fn bright(&self) -> f64 {
        f64::from(self.brightness) / 65_535.0
    }
}

/// Parses `HUE,SATURATION,BRIGHTNESS,KELVIN`: degrees from 0 to 360, two numbers from 0 to 1, and
/// kelvin from 1500 to 9000.
impl FromStr for Color {
    type Err = String;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "each number was found to lie within its bounds"
    )]
    fn from_str(text: &str) -> Result<Color, String> {
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        let [hue, saturation, brightness, kelvin] = parts[..] else {
            return Err(format!(
                "a colour has four parts, HUE,SATURATION,BRIGHTNESS,KELVIN, and \
                                this has {}",
                parts.len()
            ));
        };
        let degrees = within("hue", hue, 0.0, 360.0)?;
        let saturation = within("saturation", saturation, 0.0, 1.0)?;
        let brightness = within("brightness", brightness, 0.0, 1.0)?;
        let kelvin = within("kelvin", kelvin, 1500.0, 9000.0)?;
        Ok(Color {
            // A circle: 360 degrees are 0 again.
            hue: ((degrees * 65_536.0 / 360.0).round() as u32 % 65_536) as u16,
            saturation: (saturation * 65_535.0).round() as u16,
            brightness: (brightness * 65_535.0).round() as u16,
            kelvin: kelvin.round() as u16,
        })
    }
}

fn within(what: &str, text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(number) => Err(format!("the {what} lies from {least} to {most}, not at {number}")),
        Err(_) => Err(format!("the {what} is a number from {least} to {most}, not {text:?}")),
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (degrees, saturation) = (self.degrees(), self.saturated());
        write!(f, "{degrees:.0},{saturation:.2},{:.2},{}", self.bright(), self.kelvin)
    }
}
