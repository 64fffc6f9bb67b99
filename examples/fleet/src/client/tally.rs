//! [`Tally`]: the numbers of packets, by what became of them.

use serde::Serialize;

/// The numbers of packets sent and received.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Debug)]
pub struct Tally {
    /// Sent, each time again.
    pub sent: u64,
    /// Received, whatever they were.
    pub received: u64,
    /// Received, and said of devices that were seen already that they are there.
    pub known: u64,
    /// Received when no caller waited for them: too late, or once more.
    pub unasked: u64,
    /// Received, and answers to another program's questions.
    pub foreign: u64,
    /// Received, and no sense could be made of them.
    pub refused: u64,
}
