//! [`Session`]: the state of TLS between two ends, which reads and writes no socket.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use core::mem;
use std::io::{self, Read, Write};

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, Connection, ProtocolVersion};

use super::byte_buffer::ByteBuffer;
use crate::collections::RefCell;
use crate::error::{Error, Result};

/// A connection of rustls, with its buffers. The program's own code, as that which checks
/// certificates, runs while the connection is taken out.
pub(super) struct Session {
    connection: Cell<Option<Box<Connection>>>,
    /// Received, and not decrypted.
    incoming: RefCell<ByteBuffer>,
    /// Decrypted, and not read.
    plain: RefCell<ByteBuffer>,
    /// Encrypted, and not sent.
    outgoing: RefCell<Vec<u8>>,
    /// Written before the handshake was over.
    backlog: RefCell<Vec<u8>>,
    /// The peer has said that nothing more comes.
    ended: Cell<bool>,
}

impl Session {
    pub(super) fn new(connection: Connection) -> Session {
        Session {
            connection: Cell::new(Some(Box::new(connection))),
            incoming: RefCell::default(),
            plain: RefCell::default(),
            outgoing: RefCell::default(),
            backlog: RefCell::default(),
            ended: Cell::new(false),
        }
    }

    /// Does `work` with the connection, and nothing within another such call.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Connection) -> R) -> Option<R> {
        let mut connection = self.connection.take()?;
        let outcome = work(&mut connection);
        self.connection.set(Some(connection));
        Some(outcome)
    }

    /// Adds what was received.
    pub(super) fn receive(&self, bytes: &[u8]) {
        self.incoming.borrow_mut().extend(bytes);
    }

    /// The number of bytes that were received, and not read.
    pub(super) fn unread(&self) -> usize {
        self.incoming.borrow().len() + self.plain.borrow().len()
    }

    /// The number of bytes that were written, and not sent.
    pub(super) fn unsent(&self) -> usize {
        self.outgoing.borrow().len() + self.backlog.borrow().len()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Decrypts what was received.
    pub(super) fn decrypt(&self) -> Result<()> {
        let bytes = self.incoming.take().take(usize::MAX);
        let (mut left, mut plain) = (bytes.as_slice(), Vec::new());
        let decrypted = self.with(|connection| decrypt(connection, &mut left, &mut plain));
        let Some(decrypted) = decrypted else {
            // Within another call: that goes on with it.
            self.incoming.borrow_mut().extend(&bytes);
            return Ok(());
        };
        self.plain.borrow_mut().extend(&plain);
        self.encrypted();
        match decrypted {
            Ok(ended) => self.ended.set(ended),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.with(|connection| connection.is_handshaking()).unwrap_or(true)
    }

    /// Returns whether there is decrypted data that was not read.
    pub(super) fn has_data(&self) -> bool {
        !self.plain.borrow().is_empty()
    }

    /// Takes what was decrypted.
    pub(super) fn read(&self) -> Vec<u8> {
        self.plain.borrow_mut().take(usize::MAX)
    }

    /// Fills `buffer` with what was decrypted. Returns for how much of it there was enough.
    pub(super) fn read_into(&self, buffer: &mut [u8]) -> usize {
        let mut plain = self.plain.borrow_mut();
        let count = plain.len().min(buffer.len());
        buffer[..count].copy_from_slice(&plain.as_slice()[..count]);
        plain.skip(count);
        count
    }

    pub(super) fn info(&self) -> Option<TlsInfo> {
        self.with(|connection| {
            let peer = connection.peer_certificates().unwrap_or_default();
            TlsInfo {
                peer_certificates: peer.iter().map(|one| one.clone().into_owned()).collect(),
                alpn_protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
                protocol_version: connection.protocol_version(),
                cipher_suite: connection.negotiated_cipher_suite().map(|suite| suite.suite()),
            }
        })
    }

    /// Adds what is to be sent once the handshake is over.
    pub(super) fn write(&self, bytes: &[u8]) {
        self.backlog.borrow_mut().extend_from_slice(bytes);
    }

    /// Encrypts what was written.
    pub(super) fn encrypt(&self) -> Result<()> {
        let bytes = self.backlog.take();
        match self.with(|connection| connection.writer().write_all(&bytes)) {
            Some(written) => written?,
            None => {
                let later = mem::take(&mut *self.backlog.borrow_mut());
                *self.backlog.borrow_mut() = [bytes, later].concat();
            }
        }
        self.encrypted();
        Ok(())
    }

    /// Says that nothing more is sent: `close_notify`.
    pub(super) fn end(&self) {
        self.with(|connection| connection.send_close_notify());
        self.encrypted();
    }

    fn encrypted(&self) {
        let mut outgoing = Vec::new();
        self.with(|connection| {
            // Memory takes everything.
            while connection.wants_write() && connection.write_tls(&mut outgoing).is_ok() {}
        });
        self.outgoing.borrow_mut().append(&mut outgoing);
    }

    /// Takes what is to be sent.
    pub(super) fn outgoing(&self) -> Vec<u8> {
        self.outgoing.take()
    }

    /// Drops what was not sent.
    pub(super) fn forget(&self) {
        let gone = (self.outgoing.take(), self.backlog.take());
        drop(gone);
    }
}

/// The outcome of a handshake: asyncio's `get_extra_info` of `'peercert'`, `'cipher'` and
/// `'ssl_object'`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The peer's certificates, its own first; none if it has shown none.
    pub peer_certificates: Vec<CertificateDer<'static>>,
    /// The protocol that both sides have agreed on by ALPN.
    pub alpn_protocol: Option<Vec<u8>>,
    /// The version of TLS.
    pub protocol_version: Option<ProtocolVersion>,
    /// The cipher suite.
    pub cipher_suite: Option<CipherSuite>,
}

/// Decrypts `bytes` into `plain`, and returns whether the peer has ended.
fn decrypt(
    connection: &mut Connection,
    bytes: &mut &[u8],
    plain: &mut Vec<u8>,
) -> io::Result<bool> {
    loop {
        let taken = if bytes.is_empty() { 0 } else { connection.read_tls(bytes)? };
        let state = connection.process_new_packets().map_err(invalid)?;
        let start = plain.len();
        plain.resize(start + state.plaintext_bytes_to_read(), 0);
        connection.reader().read_exact(&mut plain[start..])?;
        if taken == 0 {
            return Ok(state.peer_has_closed());
        }
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// An error of TLS, which is the system's in asyncio too: `ssl.SSLError` is an `OSError`.
pub(super) fn tls_error(error: rustls::Error) -> Error {
    invalid(error).into()
}
