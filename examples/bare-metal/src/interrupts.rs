//! Two sources of interrupts, of which the one interrupts the handler of the other, wake a task and call
//! the loop while the loop's own code does the same.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::future::poll_fn;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;

use callsoon::{EventLoop, LoopHandle, Result};
use cortex_m::peripheral::SCB;
use cortex_m_rt::exception;

use crate::measures::handler_stack;
use crate::serial;
use crate::windows;

/// The least number of interrupts of each source.
pub const INTERRUPTS: u32 = 50_000;

/// Cycles from one interrupt to the next: no multiples of each other, so that in the course of the run
/// they meet each step of a push.
pub const TICK_CYCLES: u32 = 149;
const TIMER_CYCLES: u32 = 127;

/// The board's first timer, and the controller's registers for its interrupt.
const TIMER: *mut u32 = ptr::without_provenance_mut(0x4000_0000);
const TIMER_INTERRUPT: u32 = 8;
const INTERRUPT_ENABLE: *mut u32 = ptr::without_provenance_mut(0xE000_E100);
const INTERRUPT_PEND: *mut u32 = ptr::without_provenance_mut(0xE000_E200);

/// The work of an interrupt handler, or of the program in its place, with the loop.
pub struct Source {
    waker: Waker,
    handle: LoopHandle,
    taken: AtomicU32,
    refused: AtomicU32,
    called: &'static AtomicU32,
}

/// The task was woken, and has not run since.
static WOKEN: AtomicBool = AtomicBool::new(false);
static CALLED: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
static DISORDER: AtomicU32 = AtomicU32::new(0);
pub static SYSTICK: AtomicPtr<Source> = AtomicPtr::new(ptr::null_mut());
static TIMER_SOURCE: AtomicPtr<Source> = AtomicPtr::new(ptr::null_mut());

impl Source {
    /// Wakes the task, and makes a call.
    pub fn rings(&self) {
        let (called, number) = (self.called, self.taken.load(Ordering::Relaxed));
        let call = move || {
            let before = called.load(Ordering::Relaxed);
            called.store(before + 1, Ordering::Relaxed);
            if before != number {
                DISORDER.store(1, Ordering::Relaxed);
            }
        };
        WOKEN.store(true, Ordering::Relaxed);
        self.waker.wake_by_ref();
        let taken = self.handle.call_soon_threadsafe(call).is_ok();
        let counter = if taken { &self.taken } else { &self.refused };
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Does it for the source that is set, if one is.
    pub fn ring(source: &AtomicPtr<Source>) {
        // SAFETY: It is null, or a source that is never dropped.
        if let Some(source) = unsafe { source.load(Ordering::Acquire).as_ref() } {
            source.rings();
        }
    }

    fn interrupts(&self) -> u32 {
        self.taken.load(Ordering::Relaxed) + self.refused.load(Ordering::Relaxed)
    }
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    if number == serial::INTERRUPT as i16 {
        return serial::receive();
    }
    // SAFETY: The timer's register that ends its interrupt.
    unsafe { TIMER.byte_add(0xC).write_volatile(1) };
    Source::ring(&TIMER_SOURCE);
}

/// Has the handler of the serial line called from now on.
pub fn enable_serial() {
    // SAFETY: The controller's register: bits that are 0 change nothing.
    unsafe { INTERRUPT_ENABLE.write_volatile(1 << serial::INTERRUPT) };
}

/// Makes the handler of the serial line pending.
pub fn pend_serial() {
    // SAFETY: As in `enable_serial`.
    unsafe { INTERRUPT_PEND.write_volatile(1 << serial::INTERRUPT) };
}

/// The interrupts of a run.
#[derive(Clone, Copy)]
pub struct Rung {
    pub all: u32,
    /// Those with a call that was refused for want of room.
    pub refused: u32,
    /// Bytes of stack for an interrupt that wakes and calls.
    pub stack: usize,
}

/// A loop with a task that is woken, and the sources that wake it: two handlers, and the program itself.
pub struct Sources<'a> {
    pub event_loop: &'a EventLoop,
    handlers: [&'static Source; 2],
    pub own: &'static Source,
}

impl Sources<'_> {
    fn new(event_loop: &EventLoop) -> Result<Sources<'_>, &'static str> {
        let kept: Rc<Cell<Option<Waker>>> = Rc::default();
        let keeps = kept.clone();
        let task = event_loop.create_task(poll_fn(move |cx| {
            WOKEN.store(false, Ordering::Relaxed);
            keeps.set(Some(cx.waker().clone()));
            Poll::<Result<()>>::Pending
        }));
        drop(task.map_err(|_| "the loop is closed")?);
        turn(event_loop)?;
        let waker = kept.take().ok_or("the task was not polled")?;
        let [timer, ticks, own] = CALLED.each_ref().map(|called| {
            let (taken, refused) = (AtomicU32::new(0), AtomicU32::new(0));
            let (waker, handle) = (waker.clone(), event_loop.handle_for(16));
            &*Box::leak(Box::new(Source { waker, handle, taken, refused, called }))
        });
        Ok(Sources { event_loop, handlers: [timer, ticks], own })
    }

    /// Has the handlers ring from now on, or no more.
    fn set(&self, rings: bool) {
        for (place, source) in [&TIMER_SOURCE, &SYSTICK].into_iter().zip(self.handlers) {
            let source = if rings { ptr::from_ref(source).cast_mut() } else { ptr::null_mut() };
            place.store(source, Ordering::Release);
        }
    }

    /// Takes what has come. An error says what was lost.
    pub fn check(&self) -> Result<(), &'static str> {
        turn(self.event_loop)?;
        turn(self.event_loop)?;
        let is_whole = |source: &Source| {
            source.called.load(Ordering::Relaxed) == source.taken.load(Ordering::Relaxed)
        };
        if !(self.handlers.into_iter().all(is_whole) && is_whole(self.own)) {
            return Err("a call was lost");
        }
        if DISORDER.load(Ordering::Relaxed) != 0 {
            return Err("calls of one source came in another order");
        }
        if WOKEN.load(Ordering::Relaxed) {
            return Err("a wake was lost");
        }
        Ok(())
    }
}

pub fn turn(event_loop: &EventLoop) -> Result<(), &'static str> {
    event_loop.run_once(Some(Duration::ZERO)).map(drop).map_err(|_| "the loop doesn't run")
}

/// Runs until each handler has rung often enough, between `set_ticks` of true and of false. An error says
/// what was lost.
pub fn run(event_loop: &EventLoop, mut set_ticks: impl FnMut(bool)) -> Result<Rung, &'static str> {
    let sources = Sources::new(event_loop)?;
    set_ticks(false);
    sources.set(true);
    // SAFETY: The controller's register: bits that are 0 change nothing.
    unsafe { INTERRUPT_ENABLE.write_volatile(1 << TIMER_INTERRUPT) };
    windows::run(&sources)?;
    set_ticks(true);
    // SAFETY: The timer's registers, as the board's manual has them.
    unsafe {
        TIMER.byte_add(8).write_volatile(TIMER_CYCLES);
        TIMER.write_volatile(1 | 1 << 3);
    }
    while sources.handlers.iter().any(|source| source.interrupts() < INTERRUPTS) {
        (0..4).for_each(|_| sources.own.rings());
        turn(event_loop)?;
    }
    set_ticks(false);
    // SAFETY: The timer's control register.
    unsafe { TIMER.write_volatile(0) };
    sources.check()?;
    let all = sources.handlers.iter().map(|source| source.interrupts()).sum();
    let refused =
        sources.handlers.iter().map(|source| source.refused.load(Ordering::Relaxed)).sum();
    let stack = handler_stack(SCB::set_pendst);
    sources.set(false);
    sources.own.rings();
    sources.check()?;
    Ok(Rung { all, refused, stack })
}
