//! [`RefCell`]: that of `core`, with one place for all panics.

use core::cell::{self, BorrowError, BorrowMutError, Ref, RefMut};
use core::mem;

/// Does as [`core::cell::RefCell`]. That a value is borrowed already is a mistake in the crate, so that the
/// panic names the caller only where assertions are on: each name takes some 60 bytes of a program.
#[derive(Default)]
pub(crate) struct RefCell<T>(cell::RefCell<T>);

#[cold]
#[inline(never)]
#[cfg_attr(debug_assertions, track_caller)]
fn already_borrowed() -> ! {
    panic!("a value is borrowed already")
}

impl<T> RefCell<T> {
    pub(crate) const fn new(value: T) -> RefCell<T> {
        RefCell(cell::RefCell::new(value))
    }

    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn borrow(&self) -> Ref<'_, T> {
        match self.0.try_borrow() {
            Ok(value) => value,
            Err(_) => already_borrowed(),
        }
    }

    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn borrow_mut(&self) -> RefMut<'_, T> {
        match self.0.try_borrow_mut() {
            Ok(value) => value,
            Err(_) => already_borrowed(),
        }
    }

    #[inline]
    pub(crate) fn try_borrow(&self) -> Result<Ref<'_, T>, BorrowError> {
        self.0.try_borrow()
    }

    #[inline]
    pub(crate) fn try_borrow_mut(&self) -> Result<RefMut<'_, T>, BorrowMutError> {
        self.0.try_borrow_mut()
    }

    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn replace(&self, value: T) -> T {
        mem::replace(&mut *self.borrow_mut(), value)
    }

    #[inline]
    #[cfg_attr(debug_assertions, track_caller)]
    pub(crate) fn take(&self) -> T
    where
        T: Default,
    {
        self.replace(T::default())
    }
}
