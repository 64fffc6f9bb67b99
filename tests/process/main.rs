//! Child processes. None of them sleeps: a pipe tells each when to go on.
#![cfg(unix)]

#[path = "../io/child.rs"]
mod child;
#[cfg(target_os = "linux")]
#[path = "../support/descriptors.rs"]
mod descriptors;
#[cfg(target_os = "linux")]
mod leaks;
mod processes;
mod scripts;
