//! Sources that a program watches with a loop: `add_reader` for callbacks, `registration` for awaited
//! operations, `signals`, and `interrupt`, which is Ctrl-C.

mod add_reader;
#[cfg(feature = "signals")]
mod interrupt;
mod registration;
#[cfg(feature = "signals")]
mod signals;

pub(crate) use registration::{After, Registration};
