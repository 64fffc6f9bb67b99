//! Tasks that count themselves.

use std::cell::Cell;

use crate::rt::{Rt, wake_self};

/// Yields until all `n` tasks have counted themselves.
pub(super) async fn settled<R: Rt>(h: R::H, counted: &Cell<u64>, n: u64) {
    while counted.get() < n {
        if R::FAIR_YIELD { wake_self().await } else { R::spawn(h, async {}).await }
    }
}

pub(super) fn count_up(counter: &Cell<u64>) {
    counter.set(counter.get() + 1)
}
