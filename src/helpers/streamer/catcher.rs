//! [`Catcher`]: the error catcher of a streamer, if it has one.

use alloc::boxed::Box;

use super::stream_result::{StreamResult, StreamValue};
use crate::helpers::error_catcher::ErrorCatcher;
use crate::helpers::futures::{reporter, silent_reporter};
use crate::{Callback, Error, Result};

/// Where the errors of tasks go.
pub(super) enum Catcher<V, C> {
    None,
    Results(Box<dyn ErrorCatcher<StreamResult<V, C>>>),
    Exceptions(Box<dyn ErrorCatcher<Error>>),
}

impl<V: Clone, C: Clone> Catcher<V, C> {
    /// A cancellation is an error of its result, and no exception worth catching alone.
    pub(super) fn catch(&self, result: &StreamResult<V, C>) -> Result<()> {
        match (self, &result.value) {
            (Catcher::Results(catcher), _) => catcher.add_error(result.clone()),
            (Catcher::Exceptions(catcher), StreamValue::Error(error)) if !error.is_cancelled() => {
                catcher.add_error(error.clone())
            }
            _ => Ok(()),
        }
    }

    /// The callback that reads the exception of a new task.
    pub(super) fn reporter(&self) -> Callback {
        let is_truthy = match self {
            Catcher::None => false,
            Catcher::Results(catcher) => catcher.is_truthy(),
            Catcher::Exceptions(catcher) => catcher.is_truthy(),
        };
        if is_truthy { silent_reporter() } else { reporter() }
    }
}
