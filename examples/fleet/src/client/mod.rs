//! The asking side of the protocol.
//!
//! In reading order: `tally` (what was sent and heard), `session` (one socket, and which question
//! each answer belongs to), `remote` (one device, asked until it answers), `discovery` (which
//! devices there are), `inquiry` (the state of each).

mod discovery;
mod inquiry;
mod remote;
mod session;
mod tally;

pub use discovery::{Discovery, Rounds};
pub use inquiry::{Told, inquire};
pub use remote::{Answer, Remote};
pub use session::{Session, Sighting};
pub use tally::Tally;

/// An event of a search.
#[derive(Clone, Debug)]
pub enum News {
    /// A device said that it is there.
    Seen(Sighting),
    /// A device has told its state.
    Told(Told),
}
