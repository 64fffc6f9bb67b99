//! Compares two traces of one program: the Python program's, which `python -m callsoon_trace` writes,
//! and its Rust port's. `docs/port-check.md` describes the language.

mod causes;
mod compare;
mod error_names;
mod harmless;
mod picture;
mod report;
mod trace;

pub use compare::{Comparison, Divergence, compare};
pub use harmless::Harmless;
pub use picture::picture;
pub use report::report;
pub use trace::{Line, Malformed, Trace};
