//! [`Stop`]: when a search has to end before its time, and why.

use std::cell::RefCell;
use std::rc::Rc;

use callsoon::helpers as hp;
use callsoon::{Error, LoopFuture, Result};

use crate::report::Ending;

/// When a search has to end before its time, and why. Clones are the same.
#[derive(Clone, Debug)]
pub struct Stop {
    future: LoopFuture<Ending>,
    /// The first error of whatever runs beside the search. It may come when the search is
    /// ending already, and still counts.
    failure: Rc<RefCell<Option<Error>>>,
}

impl Stop {
    /// Returns a stop that was not asked for yet.
    ///
    /// # Errors
    ///
    /// [`Runtime`](callsoon::ErrorKind::Runtime) where no loop runs.
    pub fn new() -> Result<Stop> {
        Ok(Stop { future: hp::create_future(), failure: Rc::default() })
    }

    /// Done as soon as the search has to end.
    #[must_use]
    pub fn future(&self) -> &LoopFuture<Ending> {
        &self.future
    }

    /// Ends the search, unless it is ending already.
    ///
    /// # Errors
    ///
    /// None that a program can cause.
    pub fn end(&self, ending: Ending) -> Result<()> {
        if self.future.done() { Ok(()) } else { self.future.set_result(ending) }
    }

    /// Ends the search with `error`, if that is the first.
    pub fn fail(&self, error: Error) {
        self.failure.borrow_mut().get_or_insert(error);
        self.future.cancel();
    }

    /// Runs `coroutine`. Its error, unless it is a cancellation, ends the search.
    pub async fn watch(self, coroutine: impl Future<Output = Result<()>>) -> Result<()> {
        match coroutine.await {
            Err(error) if !error.is_cancelled() => {
                self.fail(error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Why the search has ended.
    ///
    /// # Errors
    ///
    /// The cancellation.
    pub fn ending(&self) -> Result<Ending> {
        match (&*self.failure.borrow(), self.future.done()) {
            (Some(_), _) => Ok(Ending::Failed),
            (None, true) => self.future.result(),
            (None, false) => Ok(Ending::Complete),
        }
    }

    /// Returns the error that has ended the search, if one has.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.failure.borrow().clone()
    }
}
