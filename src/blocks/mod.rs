//! Memory for the tasks and futures of one loop.
//!
//! A block finds what it belongs to by its address: there is no pointer to the loop in it. Blocks
//! of one size share a page, so that making and freeing one is a push and a pop on a list, and a
//! walk over what a loop holds needs no list of its own.
//!
//! - [`Pages`] is the memory of one loop, used on its thread; [`owner_of`] leads from a block to
//!   the loop that it belongs to.
//! - `remote` is what other threads use: [`remote_of`], [`free_remote`]. It outlives the loop for
//!   as long as another thread holds a block's memory.
//! - `block` is what the blocks' own words say about them.
//! - `region` is memory of a fixed size, in place of the allocator's, for chunks and plain blocks.
//! - `store`, `page`, `chunk`, `memory`: blocks by size in pages, pages in chunks, chunks of the allocator.
//!   `words` is what free blocks there lead to, `cache_line` where heads and chunks begin.
//! - `plain` stands in their place under `--cfg callsoon_plain` and in models: an allocation for
//!   each block, which tools that watch allocations can follow.
//!
//! This folder knows nothing of tasks and futures.

mod block;
#[cfg(not(any(callsoon_plain, all(loom, feature = "loom"))))]
mod cache_line;
#[cfg(not(any(callsoon_plain, all(loom, feature = "loom"))))]
mod chunk;
mod lasting;
mod list;
mod pages;
mod region;
mod remote;

#[cfg(not(any(callsoon_plain, all(loom, feature = "loom"))))]
mod memory;
#[cfg(not(any(callsoon_plain, all(loom, feature = "loom"))))]
mod page;
#[cfg(not(any(callsoon_plain, all(loom, feature = "loom"))))]
mod store;
#[cfg(not(any(callsoon_plain, all(loom, feature = "loom"))))]
mod words;

#[cfg(any(callsoon_plain, all(loom, feature = "loom")))]
#[path = "plain.rs"]
mod store;

#[cfg(all(test, feature = "std", not(any(all(loom, feature = "loom"), shuttle))))]
mod tests;

pub(crate) use lasting::Lasting;
pub(crate) use pages::{Pages, owner_of};
pub(crate) use region::Region;
pub(crate) use remote::{free_remote, remote_address, remote_of};
