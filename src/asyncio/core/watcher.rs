//! [`Watcher`]: for those who keep many futures and must not ask each of them each time.

/// Is told of a future's end at the very moment, inside of `set_result` and its like, and of
/// everyone who comes to wait for it: see [`AnyFuture::watch`](crate::AnyFuture::watch).
///
/// Done callbacks come a turn later, in order with everything else; they are what programs are
/// to use. A watcher lets a holder of a million tasks know at any time which of them are done,
/// as if it had asked them all. It is to note what it is told and no more: what it does to futures
/// or the loop comes amid what somebody else does there. A panic in it goes to the loop's
/// [exception handler](crate::LoopRef::set_exception_handler).
pub trait Watcher {
    /// The future that was watched with `token` is done.
    fn ended(&self, token: u64);

    /// Somebody added a callback to the future, or began to await it.
    fn joined(&self, token: u64);
}
