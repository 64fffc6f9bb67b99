//! The top floor: Photons' helpers, a file each. `use callsoon::helpers as hp;`
//!
//! It uses only what the floors below export.

mod background;
mod named_future;
mod reporter;
mod stop_generator;
mod transfer;

pub use background::async_as_background;
pub use named_future::{create_future, fut_has_callback};
pub use reporter::{reporter, silent_reporter};
pub use stop_generator::stop_async_generator;
pub use transfer::{Process, transfer_result};
