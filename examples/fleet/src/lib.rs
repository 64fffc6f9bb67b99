//! The parts of the `fleet` program, which its tests use, too.
//!
//! From bottom to top: [`protocol`] (packets), [`simulation`] (devices that don't exist) and
//! [`client`] (which finds and asks devices), [`store`] (the database), [`report`] (what is
//! shown), [`arguments`], [`search`](mod@search) (all of it together), [`simulate`](mod@simulate)
//! (only the devices).

pub mod arguments;
pub mod client;
mod explained;
mod interrupt;
pub mod protocol;
mod question;
pub mod report;
pub mod search;
pub mod simulate;
pub mod simulation;
pub mod stop;
pub mod store;
