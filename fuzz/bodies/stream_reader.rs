//! A `StreamReader` against a plain model of its bytes: data fed in pieces, an end or an error at any
//! moment, and one task at a time that reads by each of the methods, gives up or is cancelled. Every
//! read returns the next bytes, as many as it promises, and none waits for bytes that are there.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::net::{IncompleteReadError, LimitOverrunError, StreamReader};
use callsoon::{Error, Result, Task};

use super::common::{ON_PURPOSE, Seldom, Watched, all, below, failure};

const OPERATIONS: usize = 160;
const TURNS: usize = 2_000;
/// One more than the greatest number of bytes that a read asks for.
const LONGEST: usize = 20;
/// Few letters, so that separators are met, and overlap.
const LETTERS: &[u8] = b"a\n";

#[derive(Arbitrary, Clone, Debug)]
enum Op {
    /// Feeds so many letters of these.
    Feed(u8, [u8; 8]),
    End(Seldom),
    Fail(Seldom),
    /// A task that reads once.
    Read(How),
    Cancel,
    Turn,
    /// Turns until nothing happens any more: a read that waits then waits for what is missing.
    Rest,
}

#[derive(Arbitrary, Clone, Debug)]
enum How {
    Read(u8),
    ToEnd,
    Exactly(u8),
    Line,
    Until(u8),
    /// Until one of two separators.
    UntilAny(u8, u8),
}

/// The reader, and its bytes that no task has read.
struct World {
    reader: StreamReader,
    limit: usize,
    unread: RefCell<VecDeque<u8>>,
    ended: Cell<bool>,
    failed: Cell<bool>,
}

fn letters(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]).collect()
}

/// A separator of one to four letters.
fn separator(seed: u8) -> Vec<u8> {
    let length = usize::from(seed) % 4 + 1;
    letters(&[seed / 4, seed / 8, seed / 16, seed / 32][..length])
}

/// Returns where the first of `separators` to be complete ends, and how long it is.
fn first_end(bytes: &[u8], separators: &[Vec<u8>]) -> Option<(usize, usize)> {
    (0..=bytes.len()).find_map(|end| {
        let ends = separators.iter().filter(|it| bytes[..end].ends_with(it));
        ends.map(Vec::len).min().map(|length| (end, length))
    })
}

impl World {
    /// Takes `data` off the front of the bytes: it must stand there.
    fn took(&self, data: &[u8]) {
        let mut unread = self.unread.borrow_mut();
        let count = data.len().min(unread.len());
        let front: Vec<u8> = unread.drain(..count).collect();
        assert_eq!(front, data, "a read returns bytes that are not the next");
    }

    fn bytes(&self) -> Vec<u8> {
        self.unread.borrow().iter().copied().collect()
    }

    async fn read(self: Rc<World>, how: How) -> Result<()> {
        let outcome = match &how {
            How::Read(count) => self.reader.read(usize::from(*count) % LONGEST).await,
            How::ToEnd => self.reader.read_to_end().await,
            How::Exactly(count) => self.reader.readexactly(usize::from(*count) % LONGEST).await,
            How::Line => self.reader.readline().await,
            How::Until(seed) => self.reader.readuntil(&separator(*seed)).await,
            How::UntilAny(one, other) => {
                self.reader.readuntil_any(&[&separator(*one), &separator(*other)]).await
            }
        };
        match outcome {
            Ok(data) => self.check_data(&how, &data),
            Err(error) => self.check_error(&how, &error)?,
        }
        Ok(())
    }

    fn check_data(&self, how: &How, data: &[u8]) {
        let before = self.bytes();
        self.took(data);
        match how {
            How::Read(count) => {
                let most = usize::from(*count) % LONGEST;
                assert!(data.len() <= most);
                assert!(!data.is_empty() || most == 0 || (self.ended.get() && before.is_empty()));
            }
            How::ToEnd => assert!(self.ended.get() && self.bytes().is_empty()),
            How::Exactly(count) => assert_eq!(data.len(), usize::from(*count) % LONGEST),
            How::Line => match first_end(&before, &[vec![b'\n']]) {
                Some((end, _)) => assert_eq!(data.len(), end),
                None => assert!(self.ended.get() && self.bytes().is_empty()),
            },
            How::Until(seed) => self.check_until(&before, data, &[separator(*seed)]),
            How::UntilAny(one, other) => {
                self.check_until(&before, data, &[separator(*one), separator(*other)]);
            }
        }
    }

    fn check_until(&self, before: &[u8], data: &[u8], separators: &[Vec<u8>]) {
        let (end, _) = first_end(before, separators).expect("no separator is there");
        assert_eq!(data.len(), end, "it goes beyond the first separator, or stops before");
    }

    fn check_error(&self, how: &How, error: &Error) -> Result<()> {
        if error.is_cancelled() {
            return Err(error.clone());
        }
        if let Some(incomplete) = error.downcast_ref::<IncompleteReadError>() {
            assert!(self.ended.get(), "the end that it met was not fed");
            self.took(&incomplete.partial);
            assert_eq!(self.bytes(), [0; 0], "bytes are left behind the end");
        } else if error.downcast_ref::<LimitOverrunError>().is_some() {
            assert!(self.bytes().len() > self.limit, "no more than the limit is there");
        } else if matches!(how, How::Line) && error.message() != ON_PURPOSE {
            self.drop_the_line();
        } else {
            assert!(self.failed.get(), "{how:?}: {error}");
        }
        Ok(())
    }

    /// A line beyond the limit is dropped; without an end, all that there is of it.
    fn drop_the_line(&self) {
        let bytes = self.bytes();
        let line = first_end(&bytes, &[vec![b'\n']]).map_or(bytes.len(), |(end, _)| end);
        assert!(line > self.limit, "a line of {line} bytes is not too long");
        self.unread.borrow_mut().drain(..line);
    }

    /// Returns true if bytes are there that a read as `how` would return.
    fn could_read(&self, how: &How) -> bool {
        let bytes = self.bytes();
        match how {
            How::Read(_) => !bytes.is_empty(),
            How::ToEnd => false,
            How::Exactly(count) => bytes.len() >= usize::from(*count) % LONGEST,
            How::Line => first_end(&bytes, &[vec![b'\n']]).is_some(),
            How::Until(seed) => first_end(&bytes, &[separator(*seed)]).is_some(),
            How::UntilAny(one, other) => {
                first_end(&bytes, &[separator(*one), separator(*other)]).is_some()
            }
        }
    }
}

pub(crate) fn bytes(data: &[u8]) {
    let data = &mut Unstructured::new(data);
    let watched = Watched::new();
    let limit = below(data, 32) as usize + 1;
    let made = watched.event_loop.block_on(async { StreamReader::with_limit(limit) });
    let world = Rc::new(World {
        reader: made.expect("it doesn't run").expect("a limit above 0"),
        limit,
        unread: RefCell::default(),
        ended: Cell::new(false),
        failed: Cell::new(false),
    });
    let mut reading: Option<(How, Task<()>)> = None;
    for op in all(data, OPERATIONS) {
        perform(op, &watched, &world, &mut reading);
    }
    rest(&watched, &world, &reading);
    world.ended.set(true);
    world.reader.feed_eof();
    assert!(watched.settles(TURNS), "a read never rests at the end");
    assert!(reading.is_none_or(|(_, task)| task.done()), "a read waits behind the end");
    let emptied = world.unread.borrow().is_empty();
    assert_eq!(world.reader.at_eof(), emptied, "bytes were lost, or came twice");
    watched.check();
}

fn rest(watched: &Watched, world: &World, reading: &Option<(How, Task<()>)>) {
    assert!(watched.settles(TURNS), "a read never rests");
    if let Some((how, task)) = reading.as_ref().filter(|(_, task)| !task.done()) {
        // A task that data woke just before the error, and that needs more, waits on, as in CPython.
        assert!(!world.ended.get(), "{how:?} waits behind the end: {task:?}");
        assert!(!world.could_read(how), "{how:?} waits for what is there");
    }
}

fn perform(op: Op, watched: &Watched, world: &Rc<World>, reading: &mut Option<(How, Task<()>)>) {
    let is_free = reading.as_ref().is_none_or(|(_, task)| task.done());
    match op {
        Op::Feed(count, seed) if !world.ended.get() => {
            let data = letters(&seed[..usize::from(count) % 9]);
            world.reader.feed_data(&data);
            world.unread.borrow_mut().extend(data);
        }
        Op::Feed(..) => {}
        Op::End(Seldom(false)) | Op::Fail(Seldom(false)) => {}
        Op::End(_) => {
            world.ended.set(true);
            world.reader.feed_eof();
        }
        // The bytes that `read_to_end` has read go with it where it fails or is cancelled.
        Op::Fail(_) | Op::Cancel if !is_free && matches!(reading, Some((How::ToEnd, _))) => {}
        Op::Fail(_) => {
            world.failed.set(true);
            world.reader.set_exception(failure());
        }
        // A second task at a time is refused.
        Op::Read(how) if is_free => {
            let task = watched.event_loop.create_task(world.clone().read(how.clone())).unwrap();
            *reading = Some((how, task));
        }
        Op::Read(_) => {}
        Op::Cancel => drop(reading.as_ref().map(|(_, task)| task.cancel())),
        Op::Rest => rest(watched, world, reading),
        Op::Turn => drop(watched.event_loop.run_once(Some(Duration::ZERO)).unwrap()),
    }
}
