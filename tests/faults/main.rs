//! Broken on purpose: a machine that refuses, hosts that fail, clocks that lie, code that panics
//! or swallows what it is told, and structures deeper than any stack.

#[path = "../support/mod.rs"]
mod support;

mod borrows;
mod bursts;
#[path = "../io/child.rs"]
mod child;
mod clocks;
mod deep_drops;
mod deep_owners;
mod depth;
#[cfg(target_os = "linux")]
mod descriptors;
mod drops;
mod far_deadlines;
mod hosts;
#[cfg(target_os = "linux")]
mod refusals;
mod silence;
mod stubborn;
