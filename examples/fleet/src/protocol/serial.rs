//! [`Serial`]: which device.

use std::fmt;

/// The number that a device is known by: its MAC address, written as twelve hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Serial([u8; 6]);

impl Serial {
    /// The target of what is said to every device.
    pub const EVERYONE: Serial = Serial([0; 6]);

    /// The serial of the device with this number among those that don't exist: it starts as
    /// those of LIFX do.
    #[must_use]
    pub fn simulated(number: u32) -> Serial {
        let [.., a, b, c] = number.to_be_bytes();
        Serial([0xd0, 0x73, 0xd5, a, b, c])
    }

    /// The field of a header: eight bytes, of which the last two are not used.
    pub(super) fn from_target(target: [u8; 8]) -> Serial {
        let [a, b, c, d, e, f, ..] = target;
        Serial([a, b, c, d, e, f])
    }

    pub(super) fn to_target(self) -> [u8; 8] {
        let [a, b, c, d, e, f] = self.0;
        [a, b, c, d, e, f, 0, 0]
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
