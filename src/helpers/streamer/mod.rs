//! [`ResultStreamer`], `adding` (its options) and `stream_result` (its items).

mod adding;
mod result_streamer;
mod stream_result;

pub use adding::{Adding, OnResult};
pub use result_streamer::{ResultStreamer, StreamIter};
pub use stream_result::{GeneratorComplete, StreamContext, StreamResult, StreamValue};
