//! [`ResultStreamer`], `adding` (its options), `stream_result` (its items), `entry` (those of its queue)
//! and `catcher` (where its errors go).

mod adding;
mod catcher;
mod entry;
mod result_streamer;
mod stream_result;

pub use adding::{Adding, OnResult};
pub use result_streamer::{ResultStreamer, StreamIter};
pub use stream_result::{GeneratorComplete, StreamContext, StreamResult, StreamValue};
