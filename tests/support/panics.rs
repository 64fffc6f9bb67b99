//! [`panic_of`]: what a call says that panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message with which `call` panics.
pub(crate) fn panic_of<R>(call: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(call)) else { panic!("it doesn't panic") };
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a message is text")).to_owned(),
    }
}

/// Asserts that `call` panics for lack of a running loop, and says so.
pub(crate) fn assert_needs_a_loop<R>(call: impl FnOnce() -> R) {
    let message = panic_of(call);
    assert!(message.contains("no running event loop"), "{message}");
    assert!(message.contains("callsoon::run"), "the message says what to do: {message}");
}
