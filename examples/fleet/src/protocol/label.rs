//! [`Label`]: the name that a device or a group was given.

use std::fmt;

/// A name of up to 32 bytes of UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Label([u8; Label::SIZE]);

impl Label {
    /// The size of a label in a packet, in bytes.
    pub const SIZE: usize = 32;

    /// Takes as much of `text` as fits, in whole characters.
    #[must_use]
    pub fn new(text: &str) -> Label {
        let ends = text.char_indices().map(|(at, char)| at + char.len_utf8());
        let end = ends.take_while(|end| *end <= Label::SIZE).last().unwrap_or(0);
        let mut bytes = [0; Label::SIZE];
        bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        Label(bytes)
    }

    pub(super) fn from_bytes(bytes: [u8; Label::SIZE]) -> Label {
        Label(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; Label::SIZE] {
        &self.0
    }
}

/// Up to the first zero byte; what is no UTF-8, and control characters, which have no business
/// on a terminal, show as the replacement character.
impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.0.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(used);
        let shown: String = text
            .chars()
            .map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char })
            .collect();
        f.pad(&shown)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Label({:?})", self.to_string())
    }
}
