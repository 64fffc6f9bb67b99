//! [`Remote`]: one device, asked until it answers.

use std::cell::Cell;
use std::time::Duration;

use callsoon::helpers as hp;
use callsoon::{Error, ErrorKind, LoopFuture, Result, running_loop};

use super::session::{Reply, Session, Sighting};
use crate::protocol::{Header, Message, Packet};

/// The times to wait for an answer before the question is sent again; after the last the device is
/// given up, 2.9 seconds after the first packet. At a loss of 20 percent in both directions
/// one question in ten million gets no answer.
const PATIENCE_MS: [u64; 16] =
    [100, 100, 100, 100, 150, 150, 150, 150, 200, 200, 200, 200, 250, 250, 300, 300];

/// A device's answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The message.
    pub message: Message,
    /// The number of packets sent until the answer came.
    pub attempts: u32,
    /// The time from the packet that it answers until it came.
    pub latency: Duration,
}

/// A device as this program sees it.
#[derive(Debug)]
pub struct Remote {
    session: Session,
    sighting: Sighting,
    sequence: Cell<u8>,
}

impl Remote {
    /// The device that was seen, to be asked by way of `session`.
    #[must_use]
    pub fn new(session: Session, sighting: Sighting) -> Remote {
        Remote { session, sighting, sequence: Cell::new(0) }
    }

    /// Which device it is, and where.
    #[must_use]
    pub fn sighting(&self) -> Sighting {
        self.sighting
    }

    /// Asks `question` until a message of `kind` comes back.
    ///
    /// # Errors
    ///
    /// [`Timeout`](ErrorKind::Timeout) where none does; the socket's; the cancellation.
    ///
    /// # Cancellation
    ///
    /// The question is not sent again, and an answer that still comes counts as unasked.
    pub async fn ask(&self, question: Message, kind: u16) -> Result<Answer> {
        let header = self.session.header(self.sighting.serial, 0);
        self.repeat(header, question, kind).await
    }

    /// Tells it `order` until it has acknowledged that.
    ///
    /// # Errors
    ///
    /// Those of [`ask`](Remote::ask).
    ///
    /// # Cancellation
    ///
    /// It stays unknown whether the device has carried out the order.
    pub async fn tell(&self, order: Message) -> Result<Answer> {
        let header = self.session.header(self.sighting.serial, 0);
        let header = Header { ack_required: true, ..header };
        self.repeat(header, order, Message::Acknowledgement.kind()).await
    }

    async fn repeat(&self, header: Header, message: Message, kind: u16) -> Result<Answer> {
        let nothing_yet = Error::new(ErrorKind::Timeout, "nothing yet");
        let mut attempts = Attempts::new(self, kind)?;
        for patience in PATIENCE_MS.map(Duration::from_millis) {
            let header = Header { sequence: attempts.next()?, ..header };
            let packet = Packet { header, message: message.clone() };
            self.session.send(packet, self.sighting.address).await?;
            let options = hp::TimeoutOptions {
                timeout: patience,
                timeout_error: Some(nothing_yet.clone()),
                silent: true,
                name: None,
            };
            match hp::async_with_timeout(attempts.reply(), options).await {
                Ok(reply) => return Ok(attempts.answer(reply)),
                Err(error) if error.ptr_eq(&nothing_yet) => {}
                Err(error) => return Err(error),
            }
        }
        let count = attempts.sent.len();
        Err(Error::new(ErrorKind::Timeout, format!("no answer, asked {count} times")))
    }
}

/// The packets of one question. An answer to any of them will do, however late.
struct Attempts<'a> {
    remote: &'a Remote,
    kind: u16,
    reply: LoopFuture<Reply>,
    /// The sequence of each, and when it was sent.
    sent: Vec<(u8, Duration)>,
}

impl Attempts<'_> {
    fn new(remote: &Remote, kind: u16) -> Result<Attempts<'_>> {
        Ok(Attempts { remote, kind, reply: hp::create_future(), sent: Vec::new() })
    }

    /// The sequence of the next packet, which will be sent now.
    fn next(&mut self) -> Result<u8> {
        let sequence = self.remote.sequence.get();
        self.remote.sequence.set(sequence.wrapping_add(1));
        let Remote { session, sighting, .. } = self.remote;
        session.expect(sighting.serial, sequence, self.kind, self.reply.clone());
        self.sent.push((sequence, running_loop()?.time()));
        Ok(sequence)
    }

    /// Waits for the reply. When it is waited for no longer, that doesn't end the reply, which
    /// the next attempt waits for, too.
    fn reply(&self) -> impl Future<Output = Result<Reply>> + use<> {
        let reply = self.reply.clone();
        async move {
            hp::wait_for_first_future([&reply]).await?;
            reply.result()
        }
    }

    fn answer(&self, reply: Reply) -> Answer {
        let mut sent = self.sent.iter();
        let sent_at = sent.find(|(sequence, _)| *sequence == reply.sequence);
        let sent_at = sent_at.map_or(reply.at, |(_, at)| *at);
        let attempts = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        Answer { message: reply.message, attempts, latency: reply.at.saturating_sub(sent_at) }
    }
}

impl Drop for Attempts<'_> {
    fn drop(&mut self) {
        // The task that waits for it may outlive the question.
        self.reply.cancel();
        for (sequence, _) in &self.sent {
            self.remote.session.forget(self.remote.sighting.serial, *sequence);
        }
    }
}
