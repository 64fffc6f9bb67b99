//! [`EventPage`]: the bytes of the events that were noted last, and [`EventReader`], which reads events from
//! such bytes.
//!
//! An event begins with a byte of its kind, and of the difference between its subject and the one before of
//! the same sort: of tasks by their serial numbers, of addresses, and of times. A difference that is too
//! large for that byte follows it in 2, 4 or 8 bytes, the lowest first, and so do an outcome, a reason, and a
//! second subject. So most events take a byte or two, and what is recorded costs little memory: the first
//! use of more would cost more than the writing.

use alloc::boxed::Box;
use core::cell::Cell;

use super::loop_event::{LoopEvent, Outcome};

/// Bytes of a page: a power of two.
const SIZE: usize = 4096;

/// More than the most bytes that an event takes: two differences of 9 bytes, and two bytes.
const LONGEST: usize = 32;

/// Bits of the first byte that name the kind.
const KIND_BITS: u32 = 5;
/// Differences from `-NEAR` to `NEAR` stand in the first byte.
const NEAR: u64 = 2;
/// These stand there for a difference that follows in 2, 4 or 8 bytes.
const FAR_2: u8 = 5;
const FAR_4: u8 = 6;
const FAR_8: u8 = 7;

/// Bits of an address that are zero: blocks stand at multiples of four at least.
const ALIGNMENT_BITS: u32 = 2;

mod kind {
    pub(super) const ROUND: u8 = 0;
    pub(super) const OUTSIDE: u8 = 1;
    pub(super) const ENTRY: u8 = 2;
    pub(super) const STEP: u8 = 3;
    pub(super) const STEP_THROWS: u8 = 4;
    pub(super) const TASK_MADE: u8 = 5;
    pub(super) const TASK_NAMED: u8 = 6;
    pub(super) const WAITS: u8 = 7;
    pub(super) const WAITS_FOR_FUTURE: u8 = 8;
    pub(super) const WAITS_FOR_TASK: u8 = 9;
    pub(super) const YIELDS: u8 = 10;
    pub(super) const WOKEN: u8 = 11;
    pub(super) const CANCEL_ASKED: u8 = 12;
    pub(super) const TASK_RETURNED: u8 = 13;
    pub(super) const TASK_FAILED: u8 = 14;
    pub(super) const FUTURE_MADE: u8 = 15;
    pub(super) const FUTURE_ENDED: u8 = 16;
    pub(super) const TIMER_MADE: u8 = 17;
    pub(super) const CALL_MADE: u8 = 18;
    pub(super) const CALL_CANCELLED: u8 = 19;
    pub(super) const TIMER_CANCELLED: u8 = 20;
    pub(super) const EXPIRED_CANCELLED: u8 = 21;
    pub(super) const ENTRY_SKIPPED: u8 = 22;
    pub(super) const LOGGED: u8 = 23;
    pub(super) const CALLBACK: u8 = 24;
    pub(super) const ERROR_NAMED: u8 = 25;
}

/// The subjects that were named last.
#[derive(Default)]
struct Last {
    task: Cell<u64>,
    address: Cell<u64>,
    time: Cell<u64>,
}

pub(super) struct EventPage {
    bytes: [Cell<u8>; SIZE],
    used: Cell<usize>,
    last: Last,
}

impl EventPage {
    pub(super) fn new() -> EventPage {
        EventPage {
            bytes: [const { Cell::new(0) }; SIZE],
            used: Cell::new(0),
            last: Last::default(),
        }
    }

    /// Returns whether the page must be emptied before the next event.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.used.get() > SIZE - LONGEST
    }

    /// Returns a copy of the bytes, and begins anew. The next bytes are read behind them.
    pub(super) fn take_bytes(&self) -> Box<[u8]> {
        let used = self.used.replace(0);
        self.bytes[..used].iter().map(Cell::get).collect()
    }

    /// Returns a copy of the bytes, and begins anew. The next bytes are read by another reader.
    pub(super) fn end_bytes(&self) -> Box<[u8]> {
        for last in [&self.last.task, &self.last.address, &self.last.time] {
            last.set(0);
        }
        self.take_bytes()
    }

    #[inline(always)]
    pub(super) fn write(&self, event: LoopEvent) {
        match event {
            LoopEvent::Step(task, None) => self.put_task(kind::STEP, task),
            LoopEvent::TaskMade(task) => self.put_task(kind::TASK_MADE, task),
            LoopEvent::Yields(task) => self.put_task(kind::YIELDS, task),
            LoopEvent::Woken(task) => self.put_task(kind::WOKEN, task),
            LoopEvent::CancelAsked(task) => self.put_task(kind::CANCEL_ASKED, task),
            LoopEvent::TaskEnded(task, Outcome::Result) => self.put_task(kind::TASK_RETURNED, task),
            LoopEvent::Waits(task, reason) => {
                self.put_task(kind::WAITS, task);
                self.put_byte(reason);
            }
            LoopEvent::WaitsForTask(task, on) => {
                self.put_task(kind::WAITS_FOR_TASK, task);
                self.put_task(0, on);
            }
            LoopEvent::Round(now) => self.put(kind::ROUND, self.last.time.replace(now), now),
            LoopEvent::Callback => self.put_byte(kind::CALLBACK),
            LoopEvent::Entry(address) => self.put_address(kind::ENTRY, address),
            LoopEvent::FutureMade(address) => self.put_address(kind::FUTURE_MADE, address),
            LoopEvent::CallMade(address) => self.put_address(kind::CALL_MADE, address),
            LoopEvent::CallCancelled(address) => self.put_address(kind::CALL_CANCELLED, address),
            rare => self.write_rare(rare),
        }
    }

    #[inline(never)]
    fn write_rare(&self, event: LoopEvent) {
        match event {
            LoopEvent::Outside => self.put_byte(kind::OUTSIDE),
            LoopEvent::Step(task, throws) => {
                self.put_task(kind::STEP_THROWS, task);
                self.put_byte(throws.map_or(0, |outcome| outcome as u8 + 1));
            }
            LoopEvent::TaskNamed(task, place) => {
                self.put_task(kind::TASK_NAMED, task);
                self.put(0, 0, place as u64);
            }
            LoopEvent::WaitsForFuture(task, address) => {
                self.put_task(kind::WAITS_FOR_FUTURE, task);
                self.put_address(0, address);
            }
            LoopEvent::TaskEnded(task, outcome) => {
                self.put_task(kind::TASK_FAILED, task);
                self.put_byte(outcome as u8);
            }
            LoopEvent::FutureEnded(address, reason, outcome) => {
                self.put_address(kind::FUTURE_ENDED, address);
                self.put_byte(reason);
                self.put_byte(outcome as u8);
            }
            LoopEvent::TimerMade(address, when) => {
                self.put_address(kind::TIMER_MADE, address);
                self.put(0, self.last.time.get(), when);
            }
            LoopEvent::TimerCancelled(address, is_due) => {
                let kind = if is_due { kind::EXPIRED_CANCELLED } else { kind::TIMER_CANCELLED };
                self.put_address(kind, address);
            }
            LoopEvent::EntrySkipped(address) => self.put_address(kind::ENTRY_SKIPPED, address),
            LoopEvent::ErrorNamed(place) => self.put(kind::ERROR_NAMED, 0, place as u64),
            LoopEvent::Logged(place) => self.put(kind::LOGGED, 0, place as u64),
            // `write` has the others.
            _ => {}
        }
    }

    #[inline(always)]
    fn put_byte(&self, byte: u8) {
        let used = self.used.get();
        self.bytes[used % SIZE].set(byte);
        self.used.set(used + 1);
    }

    #[inline(always)]
    fn put_task(&self, kind: u8, task: u64) {
        self.put(kind, self.last.task.replace(task), task);
    }

    #[inline(never)]
    fn put_address(&self, kind: u8, address: usize) {
        let address = address as u64 >> ALIGNMENT_BITS;
        self.put(kind, self.last.address.replace(address), address);
    }

    #[inline(always)]
    fn put(&self, kind: u8, last: u64, subject: u64) {
        let difference = subject.wrapping_sub(last);
        let near = difference.wrapping_add(NEAR);
        if near <= 2 * NEAR {
            self.put_byte(kind | (near as u8) << KIND_BITS);
        } else {
            self.put_far(kind, difference);
        }
    }

    /// Writes a difference in 2, 4 or 8 bytes.
    #[inline(never)]
    fn put_far(&self, kind: u8, difference: u64) {
        let signed = difference as i64;
        if let Ok(short) = i16::try_from(signed) {
            self.put_bytes(kind | FAR_2 << KIND_BITS, short.to_le_bytes());
        } else if let Ok(middle) = i32::try_from(signed) {
            self.put_bytes(kind | FAR_4 << KIND_BITS, middle.to_le_bytes());
        } else {
            self.put_bytes(kind | FAR_8 << KIND_BITS, signed.to_le_bytes());
        }
    }

    #[inline(always)]
    fn put_bytes<const N: usize>(&self, first: u8, bytes: [u8; N]) {
        let used = self.used.get();
        if let Some([cell, room @ ..]) = self.bytes.get(used..used + 1 + N) {
            cell.set(first);
            room.iter().zip(bytes).for_each(|(cell, byte)| cell.set(byte));
            self.used.set(used + 1 + N);
        }
    }
}

/// Reads the events of the bytes of pages, one after the other.
pub(super) struct EventReader<B> {
    bytes: B,
    last: Last,
}

impl<B: Iterator<Item = u8>> EventReader<B> {
    pub(super) fn new(bytes: B) -> EventReader<B> {
        EventReader { bytes, last: Last::default() }
    }

    fn place(&mut self, first: u8) -> Option<usize> {
        Some(self.difference(first)? as usize)
    }

    /// The difference that begins with the byte `first`.
    fn difference(&mut self, first: u8) -> Option<u64> {
        let size = match first >> KIND_BITS {
            FAR_2 => 2,
            FAR_4 => 4,
            FAR_8 => 8,
            near => return Some(u64::from(near).wrapping_sub(NEAR)),
        };
        let mut number = 0i64;
        for place in 0..size {
            number |= i64::from(self.bytes.next()?) << (8 * place);
        }
        // The bytes that were written; the sign's bits follow.
        let unused = 64 - 8 * size;
        Some((number << unused >> unused) as u64)
    }

    fn task(&mut self, first: u8) -> Option<u64> {
        let task = self.last.task.get().wrapping_add(self.difference(first)?);
        self.last.task.set(task);
        Some(task)
    }

    fn address(&mut self, first: u8) -> Option<usize> {
        let address = self.last.address.get().wrapping_add(self.difference(first)?);
        self.last.address.set(address);
        Some((address << ALIGNMENT_BITS) as usize)
    }

    /// A time, by its difference from that of the turn.
    fn time(&mut self, first: u8) -> Option<u64> {
        Some(self.last.time.get().wrapping_add(self.difference(first)?))
    }

    fn outcome(&mut self) -> Option<Outcome> {
        let byte = self.bytes.next()?;
        Some(outcome_of(byte))
    }
}

fn outcome_of(byte: u8) -> Outcome {
    match byte {
        0 => Outcome::Result,
        1 => Outcome::Cancelled,
        _ => Outcome::Error,
    }
}

impl<B: Iterator<Item = u8>> Iterator for EventReader<B> {
    type Item = LoopEvent;

    fn next(&mut self) -> Option<LoopEvent> {
        let first = self.bytes.next()?;
        Some(match first & ((1 << KIND_BITS) - 1) {
            kind::ROUND => {
                let now = self.time(first)?;
                self.last.time.set(now);
                LoopEvent::Round(now)
            }
            kind::OUTSIDE => LoopEvent::Outside,
            kind::CALLBACK => LoopEvent::Callback,
            kind::ENTRY => LoopEvent::Entry(self.address(first)?),
            kind::STEP => LoopEvent::Step(self.task(first)?, None),
            kind::STEP_THROWS => {
                let task = self.task(first)?;
                LoopEvent::Step(task, self.bytes.next()?.checked_sub(1).map(outcome_of))
            }
            kind::TASK_MADE => LoopEvent::TaskMade(self.task(first)?),
            kind::TASK_NAMED => {
                let task = self.task(first)?;
                let second = self.bytes.next()?;
                LoopEvent::TaskNamed(task, self.place(second)?)
            }
            kind::WAITS => LoopEvent::Waits(self.task(first)?, self.bytes.next()?),
            kind::WAITS_FOR_FUTURE => {
                let task = self.task(first)?;
                let second = self.bytes.next()?;
                LoopEvent::WaitsForFuture(task, self.address(second)?)
            }
            kind::WAITS_FOR_TASK => {
                let task = self.task(first)?;
                let second = self.bytes.next()?;
                LoopEvent::WaitsForTask(task, self.task(second)?)
            }
            kind::YIELDS => LoopEvent::Yields(self.task(first)?),
            kind::WOKEN => LoopEvent::Woken(self.task(first)?),
            kind::CANCEL_ASKED => LoopEvent::CancelAsked(self.task(first)?),
            kind::TASK_RETURNED => LoopEvent::TaskEnded(self.task(first)?, Outcome::Result),
            kind::TASK_FAILED => LoopEvent::TaskEnded(self.task(first)?, self.outcome()?),
            kind::FUTURE_MADE => LoopEvent::FutureMade(self.address(first)?),
            kind::FUTURE_ENDED => {
                let address = self.address(first)?;
                LoopEvent::FutureEnded(address, self.bytes.next()?, self.outcome()?)
            }
            kind::TIMER_MADE => {
                let address = self.address(first)?;
                let second = self.bytes.next()?;
                LoopEvent::TimerMade(address, self.time(second)?)
            }
            kind::CALL_MADE => LoopEvent::CallMade(self.address(first)?),
            kind::CALL_CANCELLED => LoopEvent::CallCancelled(self.address(first)?),
            kind::TIMER_CANCELLED => LoopEvent::TimerCancelled(self.address(first)?, false),
            kind::EXPIRED_CANCELLED => LoopEvent::TimerCancelled(self.address(first)?, true),
            kind::ENTRY_SKIPPED => LoopEvent::EntrySkipped(self.address(first)?),
            kind::ERROR_NAMED => LoopEvent::ErrorNamed(self.place(first)?),
            _ => LoopEvent::Logged(self.place(first)?),
        })
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn examples() -> [LoopEvent; 26] {
        let (task, at, when) = (1 << 40 | 5, usize::MAX - 0xfff, 1 << 63 | 3);
        [
            LoopEvent::Round(when),
            LoopEvent::Outside,
            LoopEvent::Callback,
            LoopEvent::Entry(at),
            LoopEvent::Step(task, None),
            LoopEvent::Step(task + 4, None),
            LoopEvent::Step(task, Some(Outcome::Cancelled)),
            LoopEvent::TaskMade(task - 3),
            LoopEvent::TaskNamed(1, 300),
            LoopEvent::Waits(task, 16),
            LoopEvent::WaitsForFuture(task, at + 8),
            LoopEvent::WaitsForTask(task, task + 1),
            LoopEvent::Yields(task),
            LoopEvent::Woken(task),
            LoopEvent::CancelAsked(task),
            LoopEvent::TaskEnded(task, Outcome::Result),
            LoopEvent::ErrorNamed(0),
            LoopEvent::TaskEnded(task, Outcome::Error),
            LoopEvent::FutureMade(at - 800),
            LoopEvent::FutureEnded(at, 16, Outcome::Cancelled),
            LoopEvent::TimerMade(at, when - 1000),
            LoopEvent::CallMade(at),
            LoopEvent::CallCancelled(at),
            LoopEvent::TimerCancelled(at, false),
            LoopEvent::TimerCancelled(at, true),
            LoopEvent::EntrySkipped(at),
        ]
    }

    #[test]
    fn event_page_is_read_back() {
        let page = EventPage::new();
        let logged = LoopEvent::Logged(1 << 20);
        examples().into_iter().chain([logged]).for_each(|event| page.write(event));
        let bytes = page.take_bytes();
        let read: Vec<_> = EventReader::new(bytes.iter().copied()).collect();
        assert_eq!(read[..26], examples());
        assert_eq!(read[26..], [logged]);
    }

    #[test]
    fn event_page_holds_any_event_until_it_is_full() {
        let page = EventPage::new();
        let (mut count, mut bytes) = (0, Vec::new());
        for turn in 0..10_000u64 {
            let far = (turn % 2) * (1 << 62);
            let timer = LoopEvent::TimerMade(far as usize, u64::MAX / 2 * (turn % 2));
            for event in [timer, LoopEvent::WaitsForTask(far, far << 1)] {
                page.write(event);
                count += 1;
                if page.is_full() {
                    bytes.extend(page.take_bytes());
                }
            }
        }
        bytes.extend(page.take_bytes());
        assert_eq!(EventReader::new(bytes.into_iter()).count(), count);
    }
}
