//! [`Handle`]: a handle as the program knows it.
//!
//! **Transparent Invariant**: a [`Handle<T>`] is transparent, a [`TypedFuture<T>`] and nothing else.
#![allow(unsafe_code)]

use core::any::Any;
use core::ptr::NonNull;

use super::super::node::TypedFuture;
use super::ErasedFuture;

/// A handle of one future or task, as the program knows it: [`handle`] makes one.
///
/// # Safety
///
/// The Transparent Invariant holds.
pub(crate) unsafe trait Handle<T>: Any {}

// SAFETY: By the Transparent Invariant it is this itself.
unsafe impl<T: 'static> Handle<T> for TypedFuture<T> {}

/// Defines a handle that has another one in it, and nothing else.
macro_rules! handle {
    ($(#[$doc:meta])* pub struct $name:ident of $within:ident) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $name<T: 'static>(pub(crate) $within<T>);

        #[allow(unsafe_code)]
        // SAFETY: It is transparent, and so is what is in it.
        unsafe impl<T: 'static> $crate::asyncio::core::Handle<T> for $name<T>
        where
            $within<T>: $crate::asyncio::core::Handle<T>,
        {
        }
    };
}
pub(crate) use handle;

/// A handle of the type that the program knows it by.
///
/// # Safety
///
/// The table of the block is one of handles of the type `H`.
pub(crate) unsafe fn as_handle<T, H: Handle<T>>(future: &ErasedFuture) -> &dyn Any {
    const { assert!(size_of::<H>() == size_of::<TypedFuture<T>>()) }
    // SAFETY: By this function's contract the value of the block is a `T`, and by the Transparent Invariant.
    unsafe { NonNull::from(future).cast::<H>().as_ref() }
}
