//! [`Disorder`]: another order, by chance and on request, for tests.
//!
//! The order is part of the contract, so a program may rely on it; a port may have to know that it
//! does. And some of the order is left free, which no program may rely on.

use core::fmt;

use crate::event_loop::loop_ref::LoopRef;

/// The part of the order that is random, and the seed of it: the argument of
/// [`set_disorder`](LoopRef::set_disorder).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Disorder {
    pub(super) all_that_is_ready: bool,
    seed: u64,
}

impl Disorder {
    /// Changes what the order contract leaves free (`docs/order.md`): in which order sockets are served
    /// that are ready at the same time, whether another thread's call that comes while the loop
    /// waits runs in this turn or the next, and turns in which nothing happens, because a wait has
    /// ended early. A program that behaves differently now relies on what the machine decides.
    #[must_use]
    pub fn free(seed: u64) -> Disorder {
        Disorder { all_that_is_ready: false, seed }
    }

    /// Does as [`free`](Disorder::free), and runs what is ready in a turn in any order, against the
    /// contract: callbacks, steps of tasks, timers that are due. A program that behaves differently
    /// now relies on the order, as it may, here and in asyncio; a port to a runtime without
    /// such an order would break.
    #[must_use]
    pub fn ready(seed: u64) -> Disorder {
        Disorder { all_that_is_ready: true, seed }
    }

    /// Returns the seed: the same one gives the same run again.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// The text for logs: `disorder of what is ready, seed 7`.
impl fmt::Display for Disorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.all_that_is_ready { "is ready" } else { "the contract leaves free" };
        write!(f, "disorder of what {what}, seed {}", self.seed)
    }
}

impl LoopRef {
    /// Leaves some of the order to chance, from the next turn on; `None`, as it is at first, leaves
    /// nothing. For tests: a run that fails is replayed by its seed, which is logged.
    ///
    /// ```
    /// use callsoon::{Disorder, EventLoop};
    ///
    /// let order_of = |seed| -> callsoon::Result<Vec<i32>> {
    ///     let event_loop = EventLoop::with_virtual_time();
    ///     event_loop.set_disorder(Some(Disorder::ready(seed)));
    ///     let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    ///     for n in 0..9 {
    ///         let order = order.clone();
    ///         event_loop.call_soon(move || order.borrow_mut().push(n))?;
    ///     }
    ///     event_loop.call_later(std::time::Duration::from_secs(1), || ())?;
    ///     while order.borrow().is_empty() {
    ///         event_loop.run_once(None)?;
    ///     }
    ///     Ok(order.take())
    /// };
    /// assert_eq!(order_of(1)?, order_of(1)?);
    /// assert_ne!(order_of(1)?, order_of(2)?);
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    pub fn set_disorder(&self, disorder: Option<Disorder>) {
        self.observers().start_disorder(disorder);
        self.update_observed();
        #[cfg(feature = "std")]
        if let Some(reactor) = self.shared().reactor.get() {
            reactor.set_disorder(disorder.map(|disorder| disorder.seed));
        }
        if let Some(disorder) = disorder {
            log::info!("{disorder}");
        }
    }

    /// Returns the value of the last [`set_disorder`](LoopRef::set_disorder).
    #[must_use]
    pub fn disorder(&self) -> Option<Disorder> {
        self.find_observers()?.disorder()
    }
}
