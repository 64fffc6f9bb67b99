//! The board's first serial line. Its interrupt handler feeds a queue and wakes the task that reads it.

use alloc::string::String;
use core::cell::RefCell;
use core::future::poll_fn;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use core::task::{Poll, Waker};

use cortex_m::interrupt::{Mutex, free};

use crate::interrupts::pend_serial;

/// The line's registers, by their distance in bytes, and its bit in the interrupt controller.
const LINE: *mut u32 = ptr::without_provenance_mut(0x4000_4000);
const STATE: usize = 4;
const CONTROL: usize = 8;
const INTERRUPT_STATUS: usize = 0xC;
const BAUD_DIVIDER: usize = 0x10;
/// Something was received, in the state and in the status of the interrupt.
const RECEIVED: u32 = 2;
const RECEIVE_ENABLE: u32 = 2;
const RECEIVE_INTERRUPT_ENABLE: u32 = 8;
pub const INTERRUPT: u32 = 0;

/// Bytes that are received and not read: the handler writes at `end`, and the task reads at `start`.
struct Received {
    bytes: [AtomicU8; Received::ROOM],
    start: AtomicUsize,
    end: AtomicUsize,
    /// The handler left bytes to the line for want of room.
    is_held_back: AtomicBool,
}

static RECEIVED_BYTES: Received = Received {
    bytes: [const { AtomicU8::new(0) }; Received::ROOM],
    start: AtomicUsize::new(0),
    end: AtomicUsize::new(0),
    is_held_back: AtomicBool::new(false),
};

/// The waker of the task that waits for a byte.
static READER: Mutex<RefCell<Option<Waker>>> = Mutex::new(RefCell::new(None));

impl Received {
    const ROOM: usize = 64;

    fn is_full(&self) -> bool {
        let end = self.end.load(Ordering::Relaxed);
        end.wrapping_sub(self.start.load(Ordering::Acquire)) == Received::ROOM
    }

    /// Adds a byte, for which there is room.
    fn push(&self, byte: u8) {
        let end = self.end.load(Ordering::Relaxed);
        self.bytes[end % Received::ROOM].store(byte, Ordering::Relaxed);
        self.end.store(end.wrapping_add(1), Ordering::Release);
    }

    fn pop(&self) -> Option<u8> {
        let start = self.start.load(Ordering::Relaxed);
        if start == self.end.load(Ordering::Acquire) {
            return None;
        }
        let byte = self.bytes[start % Received::ROOM].load(Ordering::Relaxed);
        self.start.store(start.wrapping_add(1), Ordering::Release);
        Some(byte)
    }
}

/// Receives from now on.
pub fn start() {
    // SAFETY: The registers of the line, as the board's manual has them.
    unsafe {
        LINE.byte_add(BAUD_DIVIDER).write_volatile(16);
        LINE.byte_add(CONTROL).write_volatile(RECEIVE_ENABLE | RECEIVE_INTERRUPT_ENABLE);
    }
}

/// The work of the line's interrupt handler. It receives for as long as there is room.
pub fn receive() {
    // SAFETY: As in `start`. The status is cleared first: a byte that comes later sets it again.
    unsafe {
        LINE.byte_add(INTERRUPT_STATUS).write_volatile(RECEIVED);
        while LINE.byte_add(STATE).read_volatile() & RECEIVED != 0 {
            if RECEIVED_BYTES.is_full() {
                RECEIVED_BYTES.is_held_back.store(true, Ordering::Release);
                break;
            }
            RECEIVED_BYTES.push(LINE.read_volatile() as u8);
        }
    }
    free(|token| READER.borrow(token).borrow().as_ref().map(Waker::wake_by_ref));
}

async fn byte() -> u8 {
    poll_fn(|cx| {
        // The waker is there before the look, so a byte that comes between wakes the task.
        let waker = cx.waker().clone();
        let before = free(|token| READER.borrow(token).borrow_mut().replace(waker));
        drop(before);
        let byte = RECEIVED_BYTES.pop();
        if byte.is_some() && RECEIVED_BYTES.is_held_back.swap(false, Ordering::AcqRel) {
            pend_serial();
        }
        byte.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Reads a line without its end.
pub async fn line() -> String {
    let mut line = String::new();
    loop {
        match byte().await {
            b'\n' => return line,
            byte => line.push(char::from(byte)),
        }
    }
}
