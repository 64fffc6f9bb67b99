//! Broken on purpose: a machine that refuses, hosts that fail, clocks that lie, code that panics
//! or swallows what it is told, and structures deeper than any stack.

#[path = "../support/mod.rs"]
mod support;

#[path = "../io/child.rs"]
mod child;
mod depth;
mod drops;
