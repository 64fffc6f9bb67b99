//! Blocks made and freed in every order, on one thread and across several.

#[cfg(all(debug_assertions, not(callsoon_plain)))]
mod checks;
mod harness;
mod idle;
mod lives;
mod model;
mod region;
mod remote;
