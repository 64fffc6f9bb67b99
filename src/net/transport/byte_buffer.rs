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
        if self.bytes.is_empty() {
            // Of their size: most often they are taken as they are.
            self.bytes = more.to_vec();
            return;
        }
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

    /// Returns where the first `part` at or behind `from` begins and ends.
    #[inline]
    pub(crate) fn find(&self, part: &[u8], from: usize) -> Option<(usize, usize)> {
        let rest = self.as_slice().get(from..)?;
        let place = match part {
            [byte] => find_byte(rest, *byte)?,
            _ => rest.windows(part.len()).position(|own| own == part)?,
        };
        Some((from + place, from + place + part.len()))
    }
}

/// Returns the place of the first `byte`, looking at eight at once.
fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    let mut chunks = bytes.chunks_exact(8);
    for (number, chunk) in chunks.by_ref().enumerate() {
        let chunk = chunk.try_into().map_or(0, u64::from_le_bytes);
        // Zero where a byte is the wanted one: the lowest such byte gets its highest bit below.
        let differs = chunk ^ (LOW * u64::from(byte));
        let found = differs.wrapping_sub(LOW) & !differs & (LOW << 7);
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let rest = chunks.remainder();
    let place = rest.iter().position(|own| *own == byte)?;
    Some(bytes.len() - rest.len() + place)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn find_byte_finds_the_first_at_every_place() {
        for length in 0..40 {
            for (place, byte) in (0..length).flat_map(|place| [(place, b'\n'), (place, 0)]) {
                let mut bytes = vec![byte ^ 1; length];
                bytes.iter_mut().step_by(3).for_each(|other| *other = byte ^ 0x81);
                assert_eq!(find_byte(&bytes, byte), None);
                bytes[place..].fill(byte);
                assert_eq!(find_byte(&bytes, byte), Some(place), "of {length}");
            }
        }
    }
}
