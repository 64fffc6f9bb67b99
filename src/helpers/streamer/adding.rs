//! [`Adding`]: the options of an addition to a streamer: Photons' keyword arguments.

use alloc::rc::Rc;
use core::fmt;

use super::stream_result::{StreamContext, StreamResult};
use crate::Flat;

/// A function that receives a result.
pub type OnResult<V, C> = Rc<dyn Fn(&StreamResult<V, C>)>;

/// Options for a task that is added to a [`ResultStreamer`](super::ResultStreamer).
#[must_use]
pub struct Adding<V, C> {
    pub(crate) context: StreamContext<C>,
    pub(crate) on_each: Option<OnResult<V, C>>,
    pub(crate) on_done: Option<OnResult<V, C>>,
    pub(crate) force: bool,
}

impl<V, C> Default for Adding<V, C> {
    fn default() -> Self {
        Adding { context: StreamContext::None, on_each: None, on_done: None, force: false }
    }
}

impl<V, C> Adding<V, C> {
    /// Without anything special.
    pub fn new() -> Self {
        Adding::default()
    }

    /// Sets the context that its results carry with them.
    pub fn context(mut self, context: C) -> Self {
        self.context = StreamContext::Given(context);
        self
    }

    /// Sets the function that is called with each value of a generator, as it comes.
    pub fn on_each(mut self, on_each: impl Fn(&StreamResult<V, C>) + 'static) -> Self {
        self.on_each = Some(flat(on_each));
        self
    }

    /// Sets the function that is called with the last result: that of a task, or
    /// [`GeneratorComplete`](super::StreamValue::GeneratorComplete) of a generator that went well.
    pub fn on_done(mut self, on_done: impl Fn(&StreamResult<V, C>) + 'static) -> Self {
        self.on_done = Some(flat(on_done));
        self
    }

    /// A task that comes when the streamer is finished already is let end, not cancelled.
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}

/// A function that may hold the next of a long chain.
fn flat<V, C>(function: impl Fn(&StreamResult<V, C>) + 'static) -> OnResult<V, C> {
    let function = Flat::new(function);
    Rc::new(move |result| function(result))
}

impl<V, C: fmt::Debug> fmt::Debug for Adding<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adding")
            .field("context", &self.context)
            .field("force", &self.force)
            .finish_non_exhaustive()
    }
}
