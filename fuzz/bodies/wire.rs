//! Two transports at the ends of one wire, a pair of sockets or, on Unix, a pipe: writes of all sizes,
//! pauses, half closes, closes and aborts on both sides, from outside and from within the protocols'
//! own callbacks. Each protocol hears of its connection in asyncio's order, and receives the bytes
//! that its peer wrote; all of them, where the peer closed and no end gave up.

use std::cell::{Cell, RefCell};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::net::{Protocol, Transport};
use callsoon::{Error, LoopRef, Result};

use super::common::{Seldom, Watched, all, failure};

const OPERATIONS: usize = 80;
const TURNS: usize = 4_000;
/// The size of a block.
const BLOCK: usize = 37;
const LARGE: usize = 300_000;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    /// Writes so many blocks, at once or in three parts; one in eight times more than a socket takes.
    Write {
        blocks: u8,
        in_parts: bool,
    },
    WriteEof(Seldom),
    Pause,
    Resume,
    Close(Seldom),
    Abort(Seldom),
    /// The high-water mark, in thousands of bytes.
    Limit(u8),
}

/// An act of a protocol amid a callback.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Reaction {
    on: Callback,
    op: Op,
    /// The callback fails after it.
    fails: Seldom,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Callback {
    Made,
    Data,
    Eof,
    Lost,
    PauseWriting,
    ResumeWriting,
}

#[derive(Arbitrary, Debug)]
struct Input {
    is_pipe: bool,
    /// Drops the loop at the end, in place of closing both.
    drops_loop: bool,
    stays_open: [bool; 2],
    reactions: [[Reaction; 3]; 2],
}

/// The bytes behind an end or a close: a transport may take them or not.
const LATE: u8 = 255;

/// One end: a record of its callbacks, which checks their order.
#[derive(Default)]
struct Side {
    transport: RefCell<Option<Transport>>,
    reactions: RefCell<Vec<Reaction>>,
    stays_open: bool,
    last: Cell<Option<Callback>>,
    writing_paused: Cell<bool>,
    /// The number of bytes that came, and of those that were written before the end, without [`LATE`] ones.
    received: Cell<usize>,
    written: Cell<usize>,
    ended: Cell<bool>,
    closed: Cell<bool>,
    /// Bytes may be gone: by an abort, or a callback that failed.
    gave_up: Cell<bool>,
}

/// The byte at this place of all that an end writes.
fn byte_at(place: usize) -> u8 {
    (place % usize::from(LATE)) as u8
}

impl Side {
    fn heard(&self, callback: Callback) -> Result<()> {
        let last = self.last.get();
        assert_eq!(last.is_none(), callback == Callback::Made, "{callback:?} after {last:?}");
        if last == Some(Callback::Lost) {
            // A write inside `connection_lost` may still pause, as asyncio's does.
            assert_eq!(callback, Callback::PauseWriting, "after the end");
        } else {
            self.last.set(Some(callback));
        }
        // A reaction is used up by its callback: there is no endless conversation.
        let next = self.reactions.borrow().iter().position(|it| it.on == callback);
        let Some(next) = next else { return Ok(()) };
        let reaction = self.reactions.borrow_mut().swap_remove(next);
        self.perform(reaction.op);
        if reaction.fails.0 {
            self.gave_up.set(true);
            return Err(failure());
        }
        Ok(())
    }

    fn perform(&self, op: Op) {
        let Some(transport) = self.transport.borrow().clone() else { return };
        match op {
            Op::Write { blocks, in_parts } => {
                let large = if blocks < 32 { LARGE } else { 0 };
                self.write(&transport, large + usize::from(blocks) * BLOCK, in_parts);
            }
            Op::WriteEof(Seldom(true)) if transport.can_write_eof() => {
                self.ended.set(true);
                // Refused by one that is lost already.
                drop(transport.write_eof());
            }
            Op::WriteEof(_) | Op::Close(Seldom(false)) | Op::Abort(Seldom(false)) => {}
            Op::Pause => transport.pause_reading(),
            Op::Resume => drop(transport.resume_reading()),
            Op::Close(_) => {
                self.closed.set(true);
                transport.close();
            }
            Op::Abort(_) => {
                self.gave_up.set(true);
                transport.abort();
            }
            // The end of a pipe that reads has none.
            Op::Limit(thousands) => {
                let high = usize::from(thousands) * 1000;
                drop(transport.set_write_buffer_limits(Some(high), None));
            }
        }
    }

    fn write(&self, transport: &Transport, count: usize, in_parts: bool) {
        let from = self.written.get();
        let is_late = self.ended.get() || transport.is_closing();
        let byte = |place| if is_late { LATE } else { byte_at(place) };
        let data: Vec<u8> = (from..from + count).map(byte).collect();
        // Before it writes, as `pause_writing` may write more.
        self.written.set(from + if is_late { 0 } else { count });
        let taken = if in_parts {
            transport.writelines(data.chunks(count / 3 + 1))
        } else {
            transport.write(&data)
        };
        if taken.is_err() {
            self.written.set(from);
        }
    }

    /// The bytes that are not sent yet, and the marks for them.
    fn buffered(&self) -> (usize, (usize, usize)) {
        let transport = self.transport.borrow();
        let transport = transport.as_ref().expect("it is made");
        (transport.write_buffer_size(), transport.write_buffer_limits())
    }

    fn is_lost(&self) -> bool {
        self.last.get() == Some(Callback::Lost)
    }

    /// Asserts that this end has received all that `peer` wrote, where it must have.
    fn check_received(&self, peer: &Side) {
        assert!(self.received.get() <= peer.written.get(), "bytes that were not written");
        let gave_up = self.gave_up.get() || peer.gave_up.get();
        // Where one end closes while the other sends, bytes are lost in the system.
        let cut = self.closed.get() || (peer.closed.get() && self.written.get() > 0);
        if !gave_up && !cut {
            assert_eq!(self.received.get(), peer.written.get(), "bytes are missing");
        }
    }
}

struct Recorder(Rc<Side>);

impl Protocol for Recorder {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        *self.0.transport.borrow_mut() = Some(transport.clone());
        self.0.heard(Callback::Made)
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        assert!(!data.is_empty());
        let from = self.0.received.get();
        let on_time = data.iter().take_while(|byte| **byte != LATE).count();
        assert!(data[..on_time].iter().zip(from..).all(|(byte, place)| *byte == byte_at(place)));
        assert!(data[on_time..].iter().all(|byte| *byte == LATE), "bytes behind an end");
        self.0.received.set(from + on_time);
        self.0.heard(Callback::Data)
    }

    fn eof_received(&self) -> Result<bool> {
        self.0.heard(Callback::Eof)?;
        Ok(self.0.stays_open)
    }

    fn connection_lost(&self, _: Option<Error>) -> Result<()> {
        self.0.heard(Callback::Lost)
    }

    fn pause_writing(&self) -> Result<()> {
        assert!(!self.0.writing_paused.replace(true), "paused twice");
        let (size, (_, high)) = self.0.buffered();
        assert!(size > high, "paused at {size} bytes, and {high} are allowed");
        self.0.heard(Callback::PauseWriting)
    }

    fn resume_writing(&self) -> Result<()> {
        assert!(self.0.writing_paused.replace(false), "resumed and not paused");
        let (size, (low, _)) = self.0.buffered();
        assert!(size <= low, "resumed at {size} bytes, above {low}");
        self.0.heard(Callback::ResumeWriting)
    }
}

/// Starts to connect both ends, the first of which is a pipe's end that writes.
fn connect(on: &LoopRef, sides: &[Rc<Side>; 2], is_pipe: bool) -> Result<()> {
    let [one, other] = sides.clone().map(Recorder);
    let (first, second) = (on.clone(), on.clone());
    if is_pipe {
        let (reads, writes) = rustix::pipe::pipe().expect("a pipe");
        on.create_task(async move { first.connect_write_pipe(|| one, writes).await.map(drop) })?;
        on.create_task(async move { second.connect_read_pipe(|| other, reads).await.map(drop) })?;
    } else {
        let (here, there) = UnixStream::pair().expect("a pair");
        on.create_task(
            async move { first.connect_accepted_unix_socket(|| one, here).await.map(drop) },
        )?;
        on.create_task(async move {
            second.connect_accepted_unix_socket(|| other, there).await.map(drop)
        })?;
    }
    Ok(())
}

pub(crate) fn bytes(data: &[u8]) {
    let data = &mut Unstructured::new(data);
    let Ok(input) = Input::arbitrary(data) else { return };
    let watched = Watched::new();
    let event_loop = &watched.event_loop;
    let mut reactions = input.reactions.into_iter();
    let sides = input.stays_open.map(|stays_open| {
        let reactions = RefCell::new(reactions.next().into_iter().flatten().collect());
        Rc::new(Side { stays_open, reactions, ..Side::default() })
    });
    connect(event_loop, &sides, input.is_pipe).expect("it is open");
    assert!(watched.rests(TURNS), "the ends never rest");
    // On which side, and what; `None` is a turn.
    for op in all::<Option<(bool, Op)>>(data, OPERATIONS) {
        match op {
            Some((side, op)) => sides[usize::from(side)].perform(op),
            None => drop(event_loop.run_once(Some(Duration::ZERO)).expect("it is open")),
        }
    }
    let [one, other] = &sides;
    if !input.drops_loop {
        // A reaction may pause again.
        sides.iter().for_each(|side| side.reactions.borrow_mut().clear());
        sides.iter().for_each(|side| side.perform(Op::Resume));
        assert!(watched.rests(TURNS), "the ends never rest");
        one.check_received(other);
        other.check_received(one);
        sides.iter().for_each(|side| side.perform(Op::Close(Seldom(true))));
        assert!(watched.rests(TURNS), "the ends never rest");
        assert!(one.is_lost() && other.is_lost(), "an end was not told of its loss");
    }
    watched.check();
    drop(watched);
    for side in &sides {
        drop(side.transport.take());
        assert_eq!(Rc::strong_count(side), 1, "a protocol is left");
    }
}
