//! [`Entry`]: an item of a streamer's queue.

use alloc::collections::VecDeque;
use core::mem;

use super::stream_result::StreamResult;
use crate::helpers::queue::QueueEntry;

/// An entry of the queue, for the iteration.
pub(super) enum Entry<V, C> {
    Result(StreamResult<V, C>),
    /// A result, and behind it `FinishedTask`.
    Last(StreamResult<V, C>),
    /// A generator was stopped. This is no result: the iteration skips it.
    Stopped,
    FinishedTask,
}

impl<V, C> Entry<V, C> {
    /// Takes the first entry out of `entries`. That of a last result leaves its end behind.
    pub(super) fn take(entries: &mut VecDeque<QueueEntry<Self>>) -> Option<QueueEntry<Self>> {
        match entries.front_mut() {
            Some(QueueEntry::Value(last @ Entry::Last(_))) => {
                Some(QueueEntry::Value(mem::replace(last, Entry::FinishedTask)))
            }
            _ => entries.pop_front(),
        }
    }
}
