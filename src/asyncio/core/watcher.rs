//! [`Watcher`]: a done callback that also learns at once that its future has ended.

/// Is called with the token with which it was added to a future: see
/// [`AnyFuture::watch`](crate::AnyFuture::watch).
///
/// Done callbacks are called a turn after the end, in order with everything else; programs should use
/// them. A watcher also lets a holder of a million tasks know at any time which of them are done,
/// as if it had asked them all. [`ended`](Watcher::ended) and [`joined`](Watcher::joined) must take
/// notes and do no more: what they do to futures or the loop comes amid the work of the code that
/// ended the future, or waits for it. A panic in a watcher goes to the loop's
/// [exception handler](crate::LoopRef::set_exception_handler).
pub trait Watcher {
    /// The future has ended: called within `set_result` and its like.
    fn ended(&self, token: u64);

    /// A done callback, a task or another watcher was added behind this watcher.
    fn joined(&self, token: u64);

    /// Called as a done callback that was added to the future in the place of this watcher.
    fn called(&self, _token: u64) {}
}
