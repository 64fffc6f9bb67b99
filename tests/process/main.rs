//! Child processes. None of them sleeps: a pipe tells each when to go on.

#[cfg(target_os = "linux")]
#[path = "../io/child.rs"]
mod child;
#[cfg(target_os = "linux")]
#[path = "../support/descriptors.rs"]
mod descriptors;
#[cfg(target_os = "linux")]
mod leaks;
mod portable;
#[cfg(unix)]
mod processes;
#[cfg(unix)]
mod scripts;
#[path = "../support/mod.rs"]
mod support;
