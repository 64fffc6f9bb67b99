//! SysTick as the clock of embassy-time.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use cortex_m::interrupt::{CriticalSection, Mutex, free};
use cortex_m_rt::exception;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

struct Ticks {
    milliseconds: Mutex<Cell<u64>>,
    next: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks {
    milliseconds: Mutex::new(Cell::new(0)),
    next: Mutex::new(Cell::new(u64::MAX)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Ticks {
    fn expire(&self, token: &CriticalSection, queue: &mut Queue) {
        let now = self.milliseconds.borrow(token).get();
        self.next.borrow(token).set(queue.next_expiration(now));
    }
}

impl Driver for Ticks {
    fn now(&self) -> u64 {
        free(|token| self.milliseconds.borrow(token).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        free(|token| {
            let mut queue = self.queue.borrow(token).borrow_mut();
            if queue.schedule_wake(at, waker) {
                self.expire(token, &mut queue);
            }
        });
    }
}

#[exception]
fn SysTick() {
    free(|token| {
        let milliseconds = TICKS.milliseconds.borrow(token);
        milliseconds.set(milliseconds.get() + 1);
        if milliseconds.get() >= TICKS.next.borrow(token).get() {
            TICKS.expire(token, &mut TICKS.queue.borrow(token).borrow_mut());
        }
    });
}
