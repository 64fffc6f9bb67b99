//! Data structures that depend on no loop and no future; each is tested against a model.
//!
//! - `cell_ext`: access to the value of a `Cell` in place;
//! - `given_back`: numbers of a count that were given back;
//! - `keyed_queue`: a queue from which any item can be removed by its key;
//! - `ref_cell`: a `RefCell` of which panics take little room;
//! - `rng`: numbers that follow from a seed;
//! - `scarce`: targets with kilobytes of memory;
//! - `serial_slab`: a slab with keys that find the item they were made for, or nothing;
//! - `sort`: a stable sort by a number;
//! - `timer_wheel`: deadlines in, due payloads out; `timer_key`: its keys; `timer_slab`: its
//!   storage; `wheel`: how it works; `wheel_links`: what links its timers; `wheel_lists`: lists that it sorts;
//!   `timer_heap`: what stands in for the wheel where memory is scarce.

mod cell_ext;
mod given_back;
mod keyed_queue;
mod ref_cell;
mod rng;
mod scarce;
#[cfg(feature = "hyper")]
mod serial_slab;
mod sort;
#[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
mod timer_heap;
mod timer_key;
mod timer_slab;
mod timer_wheel;
#[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
mod wheel;
mod wheel_links;
#[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
mod wheel_lists;

pub use timer_key::TimerKey;
pub use timer_wheel::TimerWheel;

pub(crate) use cell_ext::CellExt;
pub(crate) use given_back::GivenBack;
pub(crate) use keyed_queue::{Key, KeyedQueue};
pub(crate) use ref_cell::RefCell;
pub(crate) use rng::{Rng, mixed};
pub(crate) use scarce::SCARCE;
#[cfg(feature = "hyper")]
pub(crate) use serial_slab::{SerialKey, SerialSlab};
pub(crate) use sort::Sorter;
#[cfg(any(callsoon_scarce, target_os = "none", target_pointer_width = "16"))]
pub(crate) use timer_heap::TimerHeap as Timers;
pub(crate) use timer_slab::TimerSlab;
#[cfg(not(any(callsoon_scarce, target_os = "none", target_pointer_width = "16")))]
pub(crate) use wheel::Wheel as Timers;
pub(crate) use wheel_links::{At, Link, Links};
