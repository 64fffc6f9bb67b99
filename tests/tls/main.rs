//! Streams and protocols over TLS.

mod buffers;
#[cfg(target_os = "linux")]
#[path = "../io/child.rs"]
mod child;
#[cfg(target_os = "linux")]
#[path = "../support/descriptors.rs"]
mod descriptors;
mod ends;
mod handshakes;
#[cfg(target_os = "linux")]
mod leaks;
mod run;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod switching;
mod upgrades;
