//! [`StreamResult`]: an item of a streamer, one for each end and each value of a generator.

use crate::{AnyFuture, Error, Result};

/// The result of a task that drove a generator to its end: `ResultStreamer.GeneratorComplete`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GeneratorComplete;

/// One result of a [`ResultStreamer`](super::ResultStreamer): `ResultStreamer.Result`. Two are equal if
/// their values, contexts and success are.
#[derive(Clone, PartialEq, Debug)]
pub struct StreamResult<V, C> {
    /// The value, or the error in its place.
    pub value: StreamValue<V>,
    /// The context that was given when its task was added.
    pub context: StreamContext<C>,
    /// True if there is a value.
    pub successful: bool,
}

/// The value of a [`StreamResult`].
#[derive(Clone, Debug)]
pub enum StreamValue<V> {
    /// The value that a task returned or a generator yielded.
    Value(V),
    /// The exception of a task, or its cancellation.
    Error(Error),
    /// A generator came to its end. Only `on_done` is told.
    GeneratorComplete,
}

/// Errors are equal where they are [the same](Error::ptr_eq), as Python's are.
impl<V: PartialEq> PartialEq for StreamValue<V> {
    fn eq(&self, other: &StreamValue<V>) -> bool {
        match (self, other) {
            (StreamValue::Value(own), StreamValue::Value(other)) => own == other,
            (StreamValue::Error(own), StreamValue::Error(other)) => own.ptr_eq(other),
            (StreamValue::GeneratorComplete, StreamValue::GeneratorComplete) => true,
            _ => false,
        }
    }
}

impl<V> StreamValue<V> {
    /// The value, if it is one.
    #[must_use]
    pub fn ok(self) -> Option<V> {
        match self {
            StreamValue::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The error, if it is one.
    #[must_use]
    pub fn err(&self) -> Option<&Error> {
        match self {
            StreamValue::Error(error) => Some(error),
            _ => None,
        }
    }
}

impl<V: Clone + 'static> StreamValue<V> {
    /// The result of a future of `V`.
    pub(crate) fn of_result(done: &dyn AnyFuture) -> Result<StreamValue<V>> {
        let typed = done.downcast_ref::<V>().ok_or_else(|| {
            let message = "a streamer was given a future of another type than its own";
            Error::new(crate::ErrorKind::Type, message)
        })?;
        typed.result().map(StreamValue::Value)
    }
}

/// The context of a [`StreamResult`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamContext<C> {
    /// None was given.
    None,
    /// The context that was given.
    Given(C),
    /// It is about the stopping of a generator: `ResultStreamer.GeneratorStopper`. Only error
    /// catchers get to see it.
    GeneratorStopper,
}

impl<C> StreamContext<C> {
    /// Returns the context that was given, if any.
    #[must_use]
    pub fn get(&self) -> Option<&C> {
        match self {
            StreamContext::Given(context) => Some(context),
            _ => None,
        }
    }
}

impl<V, C> StreamResult<V, C> {
    /// Returns the end of `done` as a result; `value` reads its value.
    #[cfg_attr(feature = "std", inline(always))]
    pub(crate) fn of_end(
        done: &dyn AnyFuture,
        context: StreamContext<C>,
        value: impl FnOnce(&dyn AnyFuture) -> Result<StreamValue<V>>,
    ) -> StreamResult<V, C> {
        let outcome = if done.cancelled() { Err(Error::cancelled()) } else { done.outcome() };
        match outcome.and_then(|()| value(done)) {
            Ok(value) => StreamResult { value, context, successful: true },
            Err(error) => {
                StreamResult { value: StreamValue::Error(error), context, successful: false }
            }
        }
    }

    /// The result that the stopping of a generator is; it has no value of its own.
    pub(crate) fn of_stop(done: &dyn AnyFuture) -> StreamResult<V, C> {
        let context = StreamContext::GeneratorStopper;
        StreamResult::of_end(done, context, |_| Ok(StreamValue::GeneratorComplete))
    }
}
