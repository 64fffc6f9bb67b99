//! Streams and protocols over TLS.
#![cfg(unix)]

#[cfg(target_os = "linux")]
#[path = "../io/child.rs"]
mod child;
mod ends;
#[cfg(target_os = "linux")]
mod leaks;
mod run;
mod streams;
