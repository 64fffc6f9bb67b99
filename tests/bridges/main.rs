//! The bridges to other crates' traits, by the bare traits: what a cancellation becomes on the
//! other side, and that nothing is lost between two polls. The crates that use the traits are
//! tested with in `examples`.

#[path = "../support/mod.rs"]
mod support;

mod executor;
mod fused;
mod run;
mod sockets;
mod streams;
mod timer;
