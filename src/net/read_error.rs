//! [`IncompleteReadError`] and [`LimitOverrunError`]: reads that end without the requested bytes.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

/// The stream has ended before a read was complete: `asyncio.IncompleteReadError`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct IncompleteReadError {
    /// The bytes before the end.
    pub partial: Vec<u8>,
    /// The number of bytes asked for; `None` where it was a separator.
    pub expected: Option<usize>,
}

impl fmt::Display for IncompleteReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes read on a total of ", self.partial.len())?;
        match self.expected {
            Some(count) => write!(f, "{count} expected bytes"),
            None => f.write_str("undefined expected bytes"),
        }
    }
}

impl Error for IncompleteReadError {}

/// No separator was found within the reader's limit: `asyncio.LimitOverrunError`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LimitOverrunError {
    pub(super) message: &'static str,
    /// The number of bytes of the buffer that belong to no separator.
    pub consumed: usize,
}

impl fmt::Display for LimitOverrunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Error for LimitOverrunError {}
