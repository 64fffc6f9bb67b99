//! [`Tally`]: the numbers of packets, by their fate.

use serde::Serialize;

/// The numbers of packets sent and received.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Debug)]
pub struct Tally {
    /// Sent, repeats included.
    pub sent: u64,
    /// Received, of any kind.
    pub received: u64,
    /// Received, and reported devices that were known already.
    pub known: u64,
    /// Received when no caller waited for them: too late, or once more.
    pub unasked: u64,
    /// Received, and answers to another program's questions.
    pub foreign: u64,
    /// Received, and not decodable.
    pub refused: u64,
}
