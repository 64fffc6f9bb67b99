//! The handshake, the end, and what is read and written in between, of a [`TlsTransport`]: asyncio's
//! `SSLProtocol`.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use std::io;

use super::events::{BaseEvents, Events};
use super::tls_transport::{Called, State, TlsTransport};
use crate::error::{Error, ErrorKind, Result};
use crate::logging::say;
use crate::net::settle::settle;
use crate::panics::caught;

/// The marks between which reading is paused: asyncio's `FLOW_CONTROL_HIGH_WATER_SSL_READ`.
const READ_LIMITS: (usize, usize) = (64 * 1024, 256 * 1024);

impl TlsTransport {
    fn fatal_error(&self, error: Error, message: &str) {
        if let Some(lower) = self.lower() {
            lower.force_close(Some(error.clone()));
        }
        if !error.is_os_error() && !error.is_cancelled() {
            self.report(message, Some(error));
        }
    }

    pub(super) fn wake(&self, error: Option<Error>) {
        if let Some(waiter) = self.0.waiter.take() {
            settle(&waiter, error.as_ref());
        }
    }

    pub(super) fn set_timer(&self, delay: Duration, expired: impl FnOnce(&TlsTransport) + 'static) {
        let own = self.clone();
        // A loop that has closed has no timers.
        let timer = self.get_loop().call_later(delay, move || expired(&own)).ok();
        self.0.timer.replace(timer);
    }

    pub(super) fn cancel_timer(&self) {
        if let Some(timer) = self.0.timer.take() {
            timer.cancel();
        }
    }

    // -- the handshake

    /// Begins the handshake: asyncio's `connection_made`.
    pub(super) fn begin(&self) -> Result<()> {
        if self.0.closed.get() || self.lower().is_none() {
            // It was closed before.
            return Ok(());
        }
        self.0.state.set(State::Handshake);
        let limit = self.0.timeouts.0;
        self.set_timer(limit, move |own| {
            if own.0.state.get() == State::Handshake {
                let message = format!(
                    "SSL handshake is taking longer than {:?} seconds: aborting the connection",
                    limit.as_secs_f64()
                );
                let late = io::Error::new(io::ErrorKind::ConnectionAborted, message);
                own.fatal_error(late.into(), "Fatal error on transport");
            }
        });
        self.do_handshake()
    }

    fn do_handshake(&self) -> Result<()> {
        match self.0.session.decrypt() {
            Ok(()) if !self.0.session.is_handshaking() => return self.handshake_complete(),
            Ok(()) => self.process_outgoing(),
            Err(error) => {
                // Tells the peer.
                self.process_outgoing();
                self.handshake_failed(error);
            }
        }
        Ok(())
    }

    fn handshake_failed(&self, error: Error) {
        self.cancel_timer();
        self.0.state.set(State::Unwrapped);
        self.fatal_error(error.clone(), "SSL handshake failed");
        self.wake(Some(error));
    }

    fn handshake_complete(&self) -> Result<()> {
        if self.0.state.get() != State::Handshake {
            return Ok(());
        }
        self.cancel_timer();
        self.0.state.set(State::Wrapped);
        if self.0.called.get() == Called::Nothing {
            self.0.called.set(Called::Made);
            if let Some(made) = self.0.made.take() {
                made(self)?;
            }
        }
        self.wake(None);
        self.do_read()
    }

    // -- the end

    pub(super) fn start_shutdown(&self) -> Result<()> {
        match self.0.state.get() {
            // The rest is not read any more.
            State::Flushing if self.0.eof.get() && self.0.paused.get() => self.do_flush()?,
            State::Flushing | State::Shutdown => {}
            State::Unwrapped => {
                if let Some(lower) = self.lower() {
                    lower.abort();
                }
            }
            State::Handshake => {
                self.0.closed.set(true);
                self.abort_with(None);
            }
            State::Wrapped => {
                self.0.closed.set(true);
                self.0.state.set(State::Flushing);
                self.set_timer(self.0.timeouts.1, |own| {
                    if matches!(own.0.state.get(), State::Flushing | State::Shutdown) {
                        let late = Error::new(ErrorKind::Timeout, "SSL shutdown timed out");
                        own.lower().into_iter().for_each(|l| l.force_close(Some(late.clone())));
                    }
                });
                self.do_flush()?;
            }
        }
        Ok(())
    }

    pub(super) fn do_flush(&self) -> Result<()> {
        self.do_read()?;
        if self.0.state.get() == State::Flushing {
            self.0.state.set(State::Shutdown);
            if !self.0.eof.get() {
                self.0.session.end();
            }
        }
        self.do_shutdown();
        Ok(())
    }

    fn do_shutdown(&self) {
        if self.0.state.get() != State::Shutdown {
            return;
        }
        if !self.0.eof.get() {
            if let Err(error) = self.0.session.decrypt() {
                return self.shutdown_complete(Some(error));
            }
            if self.0.session.has_data() {
                let late = io::Error::new(
                    io::ErrorKind::InvalidData,
                    "application data after close notify",
                );
                return self.shutdown_complete(Some(late.into()));
            }
        }
        self.process_outgoing();
        if self.0.eof.get() || self.0.session.has_ended() {
            self.call_eof_received();
            self.shutdown_complete(None);
        }
    }

    fn shutdown_complete(&self, error: Option<Error>) {
        self.cancel_timer();
        match (error, self.lower()) {
            (Some(error), _) => self.fatal_error(error, "Fatal error on transport"),
            (None, Some(lower)) => {
                // A loop that has closed calls nothing.
                self.get_loop().call_soon_or_report(move || lower.close());
            }
            (None, None) => {}
        }
    }

    pub(super) fn abort_with(&self, error: Option<Error>) {
        self.0.state.set(State::Unwrapped);
        if let Some(lower) = self.lower() {
            lower.force_close(error);
        }
    }

    // -- writing

    pub(super) fn do_write(&self) {
        if let Err(error) = self.0.session.encrypt() {
            self.fatal_error(error, "Fatal error on SSL protocol");
        }
        self.process_outgoing();
    }

    fn process_outgoing(&self) {
        if !self.0.is_full.get() {
            let data = self.0.session.outgoing();
            if let (false, Some(lower)) = (data.is_empty(), self.lower()) {
                if let Err(error) = lower.write(&data) {
                    self.fatal_error(error, "Fatal error on SSL protocol");
                }
            }
        }
        self.control_writing();
    }

    pub(super) fn control_writing(&self) {
        let size = self.write_buffer_size();
        if self.0.flow.is_paused() {
            self.0.callbacks.maybe_resume(&self.0.flow, size, self);
        } else {
            // Here the mark itself is too much, where a socket's is not.
            self.0.callbacks.maybe_pause(&self.0.flow, size + 1, self);
        }
    }

    // -- reading

    /// Does what the state asks for, once there is more to read.
    pub(super) fn go_on(&self) -> Result<()> {
        match self.0.state.get() {
            State::Wrapped => self.do_read(),
            State::Flushing => self.do_flush(),
            State::Shutdown => {
                self.do_shutdown();
                Ok(())
            }
            State::Unwrapped | State::Handshake => Ok(()),
        }
    }

    /// Calls the protocol with what has come. Returns a cancellation that it fails with, as asyncio catches
    /// no more than an `Exception` here.
    pub(super) fn do_read(&self) -> Result<()> {
        if !matches!(self.0.state.get(), State::Wrapped | State::Flushing) {
            return Ok(());
        }
        match self.try_read() {
            Err(error) if !error.is_cancelled() => {
                self.fatal_error(error, "Fatal error on SSL protocol");
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn try_read(&self) -> Result<()> {
        if !self.0.paused.get() {
            self.0.session.decrypt().inspect_err(|_| self.process_outgoing())?;
            let is_full = self.deliver()?;
            if !is_full && self.0.session.has_ended() {
                self.call_eof_received();
                self.start_shutdown()?;
            }
            match self.0.state.get() {
                State::Wrapped | State::Flushing => self.do_write(),
                _ => self.process_outgoing(),
            }
        }
        self.control_reading()
    }

    /// Calls the protocol with what was decrypted. Returns whether a buffer of its own was full: then the next
    /// is filled in the next turn, or at once where the socket has ended.
    fn deliver(&self) -> Result<bool> {
        while self.0.session.has_data() {
            let Some(protocol) = self.0.callbacks.protocol() else { break };
            let Some(buffer) = caught(|| protocol.get_buffer()).transpose() else {
                let data = self.0.session.read();
                caught(|| protocol.data_received(&data)).and_then(|given| given)?;
                break;
            };
            if !self.fill(&*protocol, buffer.and_then(|buffer| buffer)?)? {
                break;
            }
            if !self.0.eof.get() {
                return Ok(true);
            }
            if self.0.paused.get() || self.0.state.get() != State::Flushing {
                break;
            }
        }
        Ok(false)
    }

    /// Gives `buffer` back to the protocol with what it has room for. Returns whether it is full.
    fn fill(&self, protocol: &dyn Events, mut buffer: Vec<u8>) -> Result<bool> {
        if buffer.is_empty() {
            return Err(Error::runtime("get_buffer() returned an empty buffer"));
        }
        let count = self.0.session.read_into(&mut buffer);
        let is_full = count == buffer.len();
        if is_full && !self.0.eof.get() {
            let own = self.clone();
            self.get_loop().call_soon(move || own.do_read())?;
        }
        caught(|| protocol.buffer_updated(buffer, count)).and_then(|given| given)?;
        Ok(is_full)
    }

    fn call_eof_received(&self) {
        if self.0.called.get() != Called::Made {
            return;
        }
        self.0.called.set(Called::Eof);
        let Some(protocol) = self.0.callbacks.protocol() else { return };
        match caught(|| protocol.eof_received()).and_then(|answer| answer) {
            Ok(false) => {}
            Ok(true) => {
                say!(Warn, "returning true from eof_received() has no effect when using ssl")
            }
            Err(error) => self.fatal_error(error, "Error calling eof_received()"),
        }
    }

    /// Pauses the socket while too much was received that is not read.
    fn control_reading(&self) -> Result<()> {
        let (size, Some(lower)) = (self.0.session.unread(), self.lower()) else { return Ok(()) };
        let (low, high) = READ_LIMITS;
        if size >= high && !self.0.lower_paused.get() {
            self.0.lower_paused.set(true);
            lower.pause_reading();
        } else if size <= low && self.0.lower_paused.replace(false) {
            return lower.resume_reading();
        }
        Ok(())
    }
}

impl BaseEvents for TlsTransport {
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.session.forget();
        self.0.lost.lose();
        let was_closed = self.0.closed.replace(true);
        let was = self.0.state.replace(State::Unwrapped);
        let protocol = self.0.callbacks.take();
        let lower = self.0.lower.take();
        if let Some(key) = self.0.key.take() {
            let own = self.connections().0.borrow_mut().remove(key);
            drop(own);
        }
        // asyncio says nothing of an upgrade that was given up, and its streams never end.
        let is_told = was != State::Handshake || was_closed;
        let is_called = matches!(self.0.called.get(), Called::Made | Called::Eof);
        let mut outcome = Ok(());
        if let (true, true, Some(protocol)) = (is_told, is_called, protocol) {
            self.0.called.set(Called::Lost);
            let given = error.clone();
            let lost = move || protocol.connection_lost(given);
            outcome = self.get_loop().call_soon(lost).map(drop);
        }
        self.wake(error);
        self.cancel_timer();
        drop((lower, self.0.made.take()));
        outcome
    }

    fn pause_writing(&self) -> Result<()> {
        self.0.is_full.set(true);
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.0.is_full.set(false);
        self.process_outgoing();
        Ok(())
    }
}

impl Events for TlsTransport {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.session.receive(data);
        match self.0.state.get() {
            State::Handshake => self.do_handshake(),
            _ => self.go_on(),
        }
    }

    /// asyncio's has a buffer.
    fn read_failure(&self) -> &'static str {
        "Fatal error: protocol.buffer_updated() call failed."
    }

    fn eof_received(&self) -> Result<bool> {
        self.0.eof.set(true);
        match self.0.state.get() {
            State::Handshake => {
                self.handshake_failed(io::Error::from(io::ErrorKind::ConnectionReset).into());
            }
            State::Wrapped => {
                self.0.state.set(State::Flushing);
                // Nothing can be written any more, which asyncio's transport doesn't say.
                self.0.closed.set(true);
                if self.0.paused.get() {
                    return Ok(true);
                }
                self.do_flush()?;
            }
            State::Flushing => {
                self.do_write();
                self.0.state.set(State::Shutdown);
                self.do_shutdown();
            }
            State::Shutdown => self.do_shutdown(),
            State::Unwrapped => {}
        }
        Ok(false)
    }
}
