//! [`drop_flat`]: drops of what belongs to a loop and may be nested deeper than a stack.

use super::handle::drop_quietly;
use super::loop_ref::LoopRef;

/// Drops `value`, which may hold a chain of other things that are dropped in this way: at once, or,
/// where too many such drops nest, before the outermost of them returns.
///
/// A panic in a drop that was put off goes to the exception handler of `on`.
pub(crate) fn drop_flat<T: 'static>(on: &LoopRef, value: T) {
    on.shared().drops.drop(value, |value| drop_quietly(on, value));
}
