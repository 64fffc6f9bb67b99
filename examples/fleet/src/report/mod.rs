//! The program's output.
//!
//! In reading order: `latencies` (how long answers took), `board` (what is known so far),
//! `outcome` (what is known in the end), `summary` (that in words), `screen` (where it is shown
//! while it comes in).

mod board;
mod latencies;
mod outcome;
mod screen;
mod summary;

pub use board::{Board, GroupLine};
pub use latencies::Latencies;
pub use outcome::{Ending, Outcome, Unanswered};
pub use screen::Screen;
pub use summary::{groups_table, summary};
