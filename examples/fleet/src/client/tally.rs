//! [`Tally`]: how many packets went which way.

use serde::Serialize;

/// How many packets there were.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Debug)]
pub struct Tally {
    /// Sent, each time again.
    pub sent: u64,
    /// Received, whatever they were.
    pub received: u64,
    /// Received, and said of devices that were seen already that they are there.
    pub known: u64,
    /// Received, and nobody waited for them: too late, or once more.
    pub unasked: u64,
    /// Received, and answers to somebody else's questions.
    pub foreign: u64,
    /// Received, and no sense could be made of them.
    pub refused: u64,
}
