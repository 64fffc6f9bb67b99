//! [`Refused`]: why bytes are no packet.

use std::error::Error;
use std::fmt;

/// The fault of bytes that are no packet of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// They end before the header does.
    Truncated {
        /// The number of bytes there are.
        len: usize,
    },
    /// There are not as many as the header states.
    Size {
        /// The size that the header states.
        said: usize,
        /// The number of bytes there are.
        len: usize,
    },
    /// The header's protocol number is not 1024.
    Protocol {
        /// The number in the header.
        number: u16,
    },
    /// The header says that it names no target.
    NotAddressable,
    /// The message's own bytes are not as many as its kind has.
    Payload {
        /// The kind of message.
        kind: u16,
        /// The number of bytes that such a message has.
        expected: usize,
        /// The number of bytes after the header.
        len: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Truncated { len } => {
                write!(f, "{len} bytes are fewer than the {} of a header", super::HEADER_SIZE)
            }
            Refused::Size { said, len } => {
                write!(f, "the header speaks of {said} bytes, and there are {len}")
            }
            Refused::Protocol { number } => {
                write!(f, "the header is one of protocol {number}, not of 1024")
            }
            Refused::NotAddressable => f.write_str("the header says that it names no target"),
            Refused::Payload { kind, expected, len } => {
                write!(f, "a message of kind {kind} has {expected} bytes, and here are {len}")
            }
        }
    }
}

impl Error for Refused {}
