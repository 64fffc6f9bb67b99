//! Waits for a time: `sleep`, `timeout`, `wait_for`.

mod sleep;
mod timeout;
mod wait_for;

pub use sleep::{Sleep, YieldNow, sleep, yield_now};
pub use timeout::{Timeout, timeout, timeout_at};
pub use wait_for::{WaitFor, wait_for};
