//! [`ErrorCatcher`]: the receiver of the errors that helpers don't return.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::logging::say;
use crate::{Error, Result};

/// Takes errors: a list, a set, a function, or nothing (`()`). `hp.add_error`'s first argument. Of equal
/// errors a set keeps the first.
///
/// Lists and sets are shared with the code that reads them: `Rc<RefCell<Vec<E>>>`.
pub trait ErrorCatcher<E> {
    /// Takes `error`.
    ///
    /// # Errors
    ///
    /// A function's own.
    fn add_error(&self, error: E) -> Result<()>;

    /// Returns true if Python takes it as true: a function always, a list or a set once it holds
    /// something, nothing never. A streamer logs the errors of its tasks unless this is true.
    fn is_truthy(&self) -> bool;
}

/// Passes `error` to `catcher`: `hp.add_error`.
///
/// # Errors
///
/// Those of a catcher that is a function.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use callsoon::helpers as hp;
///
/// let caught = Rc::new(RefCell::new(Vec::new()));
/// hp::add_error(&caught, "one")?;
/// hp::add_error(&|error| println!("{error}"), "two")?;
/// hp::add_error(&(), "three")?;
/// assert_eq!(*caught.borrow(), ["one"]);
/// # Ok::<(), callsoon::Error>(())
/// ```
pub fn add_error<E>(catcher: &dyn ErrorCatcher<E>, error: E) -> Result<()> {
    catcher.add_error(error)
}

impl<E> ErrorCatcher<E> for () {
    fn add_error(&self, _error: E) -> Result<()> {
        Ok(())
    }

    fn is_truthy(&self) -> bool {
        false
    }
}

impl<E, F: Fn(E)> ErrorCatcher<E> for F {
    fn add_error(&self, error: E) -> Result<()> {
        self(error);
        Ok(())
    }

    fn is_truthy(&self) -> bool {
        true
    }
}

impl<E> ErrorCatcher<E> for Rc<RefCell<Vec<E>>> {
    fn add_error(&self, error: E) -> Result<()> {
        self.borrow_mut().push(error);
        Ok(())
    }

    fn is_truthy(&self) -> bool {
        !self.borrow().is_empty()
    }
}

impl<E: Ord> ErrorCatcher<E> for Rc<RefCell<BTreeSet<E>>> {
    fn add_error(&self, error: E) -> Result<()> {
        let mut errors = self.borrow_mut();
        let refused = if errors.contains(&error) {
            Some(error)
        } else {
            errors.insert(error);
            None
        };
        // Dropping an error may call back.
        drop(errors);
        drop(refused);
        Ok(())
    }

    fn is_truthy(&self) -> bool {
        !self.borrow().is_empty()
    }
}

/// Logs the error of `outcome` as `message` if `except Exception` catches it
/// ([`Error::is_exception`]) and `reraise` returns false for it. Any other error is returned. This is
/// `hp.just_log_exceptions`, for the outcome of a body; where an error was logged, it returns `None`.
///
/// # Errors
///
/// The error that isn't logged.
///
/// ```
/// use callsoon::{ErrorKind, helpers as hp};
///
/// # fn poll_lights() -> callsoon::Result<u8> { Err(callsoon::Error::new(ErrorKind::Value, "dark")) }
/// let lights = hp::just_log_exceptions(poll_lights(), |_| false, "Couldn't ask the lights")?;
/// assert_eq!(lights, None);
/// # Ok::<(), callsoon::Error>(())
/// ```
pub fn just_log_exceptions<R>(
    outcome: Result<R>,
    reraise: impl FnOnce(&Error) -> bool,
    message: &str,
) -> Result<Option<R>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if !error.is_exception() || reraise(&error) => Err(error),
        Err(error) => {
            say!(Error, "{message}: {error}");
            Ok(None)
        }
    }
}
