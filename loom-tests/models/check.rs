//! Runs a model, and says through how many interleavings.

#[cfg(loom)]
pub(crate) use loom::thread;
#[cfg(shuttle)]
pub(crate) use shuttle::thread;

/// One size for each checker: the few threads and jobs of which loom can try all orders, and
/// the many of which shuttle tries some.
pub(crate) const fn size(loom: usize, shuttle: usize) -> usize {
    if cfg!(loom) { loom } else { shuttle }
}

/// The bound of loom's search of a model.
pub(crate) enum Search {
    /// Every interleaving.
    All,
    /// Every interleaving in which threads are preempted so many times at most. Switches where
    /// a thread blocks or ends don't count.
    Preemptions(#[cfg_attr(shuttle, expect(dead_code, reason = "loom's alone"))] usize),
}

/// Takes what a model logs, and drops it: without a logger it would be on standard error, once for
/// each interleaving.
struct Unread;

impl log::Log for Unread {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

fn drop_what_is_logged() {
    // The models before this one may have set it.
    if log::set_logger(&Unread).is_ok() {
        log::set_max_level(log::LevelFilter::Error);
    }
}

#[cfg(loom)]
pub(crate) fn check(name: &str, search: Search, model: impl Fn() + Sync + Send + 'static) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    drop_what_is_logged();
    let mut builder = loom::model::Builder::new();
    // To look further than a routine run has time for: MODEL_PREEMPTIONS=4, or `all`.
    builder.preemption_bound = match std::env::var("MODEL_PREEMPTIONS").as_deref() {
        Ok("all") => None,
        Ok(bound) => Some(bound.parse().expect("a number, or `all`")),
        Err(_) => match search {
            Search::All => None,
            Search::Preemptions(bound) => Some(bound),
        },
    };
    builder.max_branches = 20_000;
    let bound = builder.preemption_bound;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let count = count.load(Ordering::Relaxed);
    assert!(count > 1, "{name}: loom has seen nothing that could go another way");
    match bound {
        None => println!("{name}: all {count} interleavings"),
        Some(bound) => println!("{name}: {count} interleavings, {bound} preemptions at most"),
    }
}

/// The seed is of this day, or `MODEL_SEED`; a failure names it.
#[cfg(shuttle)]
pub(crate) fn check(name: &str, _search: Search, model: impl Fn() + Sync + Send + 'static) {
    const INTERLEAVINGS: usize = 1_000;
    let given = std::env::var("MODEL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        since.as_secs() / 86_400
    });
    drop_what_is_logged();
    println!("{name}: {INTERLEAVINGS} interleavings, MODEL_SEED={seed}");
    shuttle::check_random_with_seed(model, seed, INTERLEAVINGS);
}
