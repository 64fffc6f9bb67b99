//! Selects the break of the woven source that is on: the one numbered in `MUTANT`.

use std::sync::atomic::{AtomicUsize, Ordering};

const UNREAD: usize = usize::MAX;
const NONE: usize = usize::MAX - 1;

static CHOSEN: AtomicUsize = AtomicUsize::new(UNREAD);

/// Returns true if the break of this number is the one that is on.
#[inline]
pub fn on(number: usize) -> bool {
    let mut chosen = CHOSEN.load(Ordering::Relaxed);
    if chosen == UNREAD {
        chosen = read();
        CHOSEN.store(chosen, Ordering::Relaxed);
    }
    chosen == number
}

#[cold]
fn read() -> usize {
    std::env::var("MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(NONE)
}
