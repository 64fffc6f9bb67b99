//! [`ByteBuffer`]: bytes that are added at the end and taken from the front.

use alloc::vec::Vec;
use core::mem;

/// Holds no memory while it is empty.
#[derive(Default)]
pub(crate) struct ByteBuffer {
    bytes: Vec<u8>,
    /// The number of them that were taken already.
    start: usize,
}

impl ByteBuffer {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(crate) fn extend(&mut self, more: &[u8]) {
        if self.start > self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(more);
    }

    /// Puts `bytes` before the others.
    #[cfg(feature = "process")]
    pub(crate) fn put_back(&mut self, mut bytes: Vec<u8>) {
        bytes.extend_from_slice(self.as_slice());
        *self = ByteBuffer { bytes, start: 0 };
    }

    /// Takes at most `count` bytes from the front.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        if self.start == 0 && count >= self.bytes.len() {
            return mem::take(&mut self.bytes);
        }
        let taken = self.as_slice()[..count.min(self.len())].to_vec();
        self.skip(taken.len());
        taken
    }

    /// Drops `count` bytes from the front.
    pub(crate) fn skip(&mut self, count: usize) {
        self.start += count;
        if self.start == self.bytes.len() {
            *self = ByteBuffer::default();
        }
    }

    /// Returns the place of the first `part` at or behind `from`.
    pub(crate) fn find(&self, part: &[u8], from: usize) -> Option<usize> {
        let rest = self.as_slice().get(from..)?;
        let found = match part {
            [byte] => rest.iter().position(|own| own == byte),
            _ => rest.windows(part.len()).position(|own| own == part),
        };
        found.map(|place| from + place)
    }
}
