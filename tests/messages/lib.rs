//! See `messages.rs`.
