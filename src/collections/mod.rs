//! Pure structures, which know no loop and no future; each is tested against a model.
//!
//! - `cell_ext`: access to the value of a `Cell` in place;
//! - `keyed_queue`: a queue from which any item can be removed by its key;
//! - `serial_slab`: a slab whose keys find what they were made for, or nothing.

mod cell_ext;
mod keyed_queue;
#[cfg(feature = "hyper")]
mod serial_slab;

pub(crate) use cell_ext::CellExt;
pub(crate) use keyed_queue::{Key, KeyedQueue};
#[cfg(feature = "hyper")]
pub(crate) use serial_slab::{SerialKey, SerialSlab};
