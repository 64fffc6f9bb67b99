//! [`FilePart`]: the part of a file that is to be sent.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::error::{Error, ErrorKind, Result};
use crate::event_loop::LoopRef;

/// Selects what `sendfile` does where the system can't send a file by itself: asyncio's parameter `fallback`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fallback {
    /// It reads blocks of the file and writes them: `fallback=True`, asyncio's default.
    Allowed,
    /// It fails: `fallback=False`.
    Forbidden,
}

/// A part of a file, from a place on. When it is dropped, the file's position is behind what was sent,
/// if anything was.
pub(crate) struct FilePart {
    file: Arc<File>,
    offset: u64,
    /// To the end of the file if it isn't told.
    count: Option<u64>,
    sent: u64,
}

impl FilePart {
    pub(crate) fn new(file: &File, offset: u64, count: Option<u64>) -> Result<FilePart> {
        if count == Some(0) {
            let message = "count must be a positive integer (got 0)";
            return Err(Error::new(ErrorKind::Value, message));
        }
        Ok(FilePart { file: Arc::new(file.try_clone()?), offset, count, sent: 0 })
    }

    /// The number of bytes that were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Notes that `count` bytes more were sent.
    pub(crate) fn advance(&mut self, count: usize) {
        self.sent += count as u64;
    }

    /// The number of bytes to send next, at most `most`.
    fn next(&self, most: u64) -> u64 {
        self.count.map_or(most, |count| most.min(count - self.sent))
    }

    /// Has the system send some bytes to `socket`, and returns how many: none at the end.
    #[cfg(target_os = "linux")]
    pub(crate) fn send_to(&mut self, socket: impl std::os::fd::AsFd) -> io::Result<usize> {
        // One call takes no more.
        const MOST: u64 = 0x7fff_f000;
        let most = if self.count.is_some() { MOST } else { MOST.min(self.file.metadata()?.len()) };
        let next = self.next(most);
        if next == 0 {
            return Ok(0);
        }
        let mut place = self.offset + self.sent;
        let count = rustix::fs::sendfile(socket, &*self.file, Some(&mut place), next as usize)?;
        self.advance(count);
        Ok(count)
    }

    /// The system has no such call, or not the same.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn send_to<S>(&mut self, _socket: S) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Reads the next bytes, at most `most`, on the loop's own executor; none at the end.
    pub(crate) async fn read(&self, on: &LoopRef, most: usize) -> Result<Vec<u8>> {
        let (file, place) = (Arc::clone(&self.file), SeekFrom::Start(self.offset + self.sent));
        let mut block = vec![0; self.next(most as u64) as usize];
        let read = move || {
            if !block.is_empty() {
                (&*file).seek(place)?;
            }
            let count = (&*file).read(&mut block)?;
            block.truncate(count);
            Ok(block)
        };
        on.run_in_executor(None, read)?.await
    }
}

impl Drop for FilePart {
    fn drop(&mut self) {
        if self.sent > 0 {
            // A file without positions has none to set.
            let _ = (&*self.file).seek(SeekFrom::Start(self.offset + self.sent));
        }
    }
}

/// asyncio's `SendfileNotAvailableError`.
pub(crate) fn not_available() -> Error {
    Error::runtime("os.sendfile call failed")
}
