//! [`find_and_apply_result`]: completes a future, and the futures that may have its result, alike.

use alloc::vec::Vec;

use crate::{Error, FutureLike, Result};

/// Returns the errors and the results of those of `futs` that are done and not cancelled:
/// `hp.noncancelled_results_from_futs`. A single error is returned itself; several, each counted once,
/// are returned as a [group](crate::ErrorKind::Group).
///
/// # Errors
///
/// None: errors are what is asked for.
pub fn noncancelled_results_from_futs<T: Clone + 'static>(
    futs: &[&dyn FutureLike<T>],
) -> (Option<Error>, Vec<T>) {
    let mut errors: Vec<Error> = Vec::new();
    let mut results = Vec::new();
    for fut in futs {
        if !fut.done() || fut.cancelled() {
            continue;
        }
        // The exception first: to ask a child for its result may cancel it.
        let outcome = match fut.exception() {
            Ok(None) => fut.result(),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        match outcome {
            Ok(value) => results.push(value),
            Err(error) if errors.iter().any(|known| known.ptr_eq(&error)) => {}
            Err(error) => errors.push(error),
        }
    }
    let error = if errors.len() > 1 {
        Some(Error::from_group("several futures failed", errors))
    } else {
        errors.pop()
    };
    (error, results)
}

/// Finds the outcome that `final_fut` and `available_futs` are to have in common, and completes those
/// that are pending with it: `hp.find_and_apply_result`. Returns true if `final_fut` was completed.
///
/// In this order: a `final_fut` that was cancelled or has an exception passes that on; an error
/// of any of them goes to all; the first result goes to all; and if one was cancelled,
/// `final_fut` is.
///
/// ```
/// use callsoon::{EventLoop, helpers as hp, run_on};
///
/// run_on(&EventLoop::with_virtual_time(), async {
///     let answer = hp::create_future::<u8>();
///     let (one, two) = (hp::create_future::<u8>(), hp::create_future::<u8>());
///     two.set_result(7);
///     assert!(hp::find_and_apply_result(&answer, &[&one, &two])?);
///     assert_eq!((answer.result()?, one.result()?), (7, 7));
///     Ok(())
/// }).unwrap();
/// ```
///
/// # Errors
///
/// [`Runtime`](crate::ErrorKind::Runtime) where one that is pending is a task.
pub fn find_and_apply_result<T: Clone + 'static>(
    final_fut: &dyn FutureLike<T>,
    available_futs: &[&dyn FutureLike<T>],
) -> Result<bool> {
    if final_fut.cancelled() {
        for fut in available_futs {
            fut.cancel();
        }
        return Ok(false);
    }
    if final_fut.done() {
        if let Some(error) = final_fut.exception()? {
            fail_pending(available_futs, &error)?;
            return Ok(false);
        }
    }
    let (error, results) = noncancelled_results_from_futs(available_futs);
    if let Some(error) = error {
        fail_pending(available_futs, &error)?;
        let applies = !final_fut.done();
        return if applies { final_fut.set_exception(error).map(|()| true) } else { Ok(false) };
    }
    if let Some(result) = results.into_iter().next() {
        for fut in available_futs.iter().filter(|fut| !fut.done()) {
            fut.set_result(result.clone())?;
        }
        let applies = !final_fut.done();
        return if applies { final_fut.set_result(result).map(|()| true) } else { Ok(false) };
    }
    let one_cancelled = available_futs.iter().any(|fut| fut.cancelled());
    if one_cancelled {
        final_fut.cancel();
    }
    Ok(one_cancelled)
}

fn fail_pending<T: Clone + 'static>(futs: &[&dyn FutureLike<T>], error: &Error) -> Result<()> {
    for fut in futs.iter().filter(|fut| !fut.done()) {
        fut.set_exception(error.clone())?;
    }
    Ok(())
}
