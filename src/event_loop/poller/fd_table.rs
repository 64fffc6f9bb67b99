//! [`FdTable`]: the watch of each descriptor.

#[cfg(windows)]
use alloc::collections::BTreeMap;
#[cfg(unix)]
use alloc::{vec, vec::Vec};

#[cfg(unix)]
pub(crate) type RawKey = std::os::fd::RawFd;
#[cfg(windows)]
pub(crate) type RawKey = std::os::windows::io::RawSocket;

/// By the descriptor's number, which on Unix is the lowest that was free, so that a table does: at
/// each its watch's key plus one, or zero.
#[cfg(unix)]
#[derive(Default)]
pub(crate) struct FdTable(Vec<usize>);

#[cfg(unix)]
impl FdTable {
    pub(crate) fn get(&self, raw: RawKey) -> Option<usize> {
        self.0.get(raw as usize)?.checked_sub(1)
    }

    pub(crate) fn insert(&mut self, raw: RawKey, key: usize) {
        let at = raw as usize;
        if at >= self.0.len() {
            // New room is zero as the system gives it, and what isn't used of it takes no memory.
            let mut more = vec![0; (at + 1).next_power_of_two()];
            more[..self.0.len()].copy_from_slice(&self.0);
            self.0 = more;
        }
        self.0[at] = key + 1;
    }

    pub(crate) fn remove(&mut self, raw: RawKey) {
        if let Some(key) = self.0.get_mut(raw as usize) {
            *key = 0;
        }
    }
}

#[cfg(windows)]
#[derive(Default)]
pub(crate) struct FdTable(BTreeMap<RawKey, usize>);

#[cfg(windows)]
impl FdTable {
    pub(crate) fn get(&self, raw: RawKey) -> Option<usize> {
        self.0.get(&raw).copied()
    }

    pub(crate) fn insert(&mut self, raw: RawKey, key: usize) {
        self.0.insert(raw, key);
    }

    pub(crate) fn remove(&mut self, raw: RawKey) {
        self.0.remove(&raw);
    }
}
