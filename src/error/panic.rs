//! [`Panicked`]: the message and the payload of a panic that became an error.

use alloc::boxed::Box;
use alloc::string::String;
use core::any::Any;
use core::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::flat_drops::drop_on_thread;
use crate::sync::PlainMutex as Mutex;

/// A panic that was caught.
pub(super) struct Panicked {
    pub(super) message: Box<str>,
    payload: Mutex<Option<Payload>>,
}

/// The value that a panic was raised with. It may panic when it is dropped, which is not worth another
/// report.
struct Payload(Box<dyn Any + Send>);

impl Drop for Payload {
    fn drop(&mut self) {
        let payload = mem::replace(&mut self.0, Box::new(()));
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop_on_thread(payload))) {
            mem::forget(another);
        }
    }
}

impl Panicked {
    pub(super) fn new(payload: Box<dyn Any + Send>) -> Panicked {
        let message = match payload.downcast_ref::<&str>() {
            Some(text) => Box::from(*text),
            None => match payload.downcast_ref::<String>() {
                Some(text) => text.as_str().into(),
                None => "a panic without a message".into(),
            },
        };
        Panicked { message, payload: Mutex::new(Some(Payload(payload))) }
    }

    pub(super) fn take(&self) -> Option<Box<dyn Any + Send>> {
        // No code of the program's own runs while it is locked.
        let mut payload = self.payload.lock().ok()?.take()?;
        Some(mem::replace(&mut payload.0, Box::new(())))
    }
}
