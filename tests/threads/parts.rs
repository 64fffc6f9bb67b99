//! Doors at which threads wait, and a count of those that have left.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use callsoon::{AnyFuture, Error, LoopFuture, Result, helpers as hp};

/// A place where a thread reports that it has come, and waits.
pub(crate) struct Door {
    come: Sender<()>,
    opened: Receiver<()>,
}

/// The keeper of a [`Door`], which opens it. Once it is dropped, the door is open for ever.
pub(crate) struct Keeper {
    came: Receiver<()>,
    open: Sender<()>,
}

pub(crate) fn door() -> (Door, Keeper) {
    let ((come, came), (open, opened)) = (mpsc::channel(), mpsc::channel());
    (Door { come, opened }, Keeper { came, open })
}

impl Door {
    pub(crate) fn pass(&self) {
        let _ = self.come.send(());
        let _ = self.opened.recv();
    }
}

impl Keeper {
    /// Waits, blocking, until a thread is at the door.
    pub(crate) fn wait_for_arrival(&self) {
        self.came.recv().expect("a thread comes");
    }

    /// Returns true if no thread has come that was not seen yet.
    pub(crate) fn no_arrival(&self) -> bool {
        self.came.try_recv().is_err()
    }

    /// Lets one thread pass.
    pub(crate) fn open(&self) {
        self.open.send(()).expect("the door is there");
    }
}

/// The number of threads that have come here, and the number of those that have ended.
#[derive(Clone, Default)]
pub(crate) struct Visitors(Arc<(AtomicUsize, AtomicUsize)>);

struct Visit(Visitors);

thread_local! {
    static VISITS: RefCell<Vec<Visit>> = const { RefCell::new(Vec::new()) };
}

impl Visitors {
    /// Counts this thread, until its thread locals are dropped: the last that it does.
    pub(crate) fn come(&self) {
        self.0.0.fetch_add(1, SeqCst);
        VISITS.with_borrow_mut(|visits| visits.push(Visit(self.clone())));
    }

    /// Asserts that `count` threads came, and that each has ended by now.
    #[track_caller]
    pub(crate) fn assert_all_have_left(&self, count: usize) {
        assert_eq!((self.0.0.load(SeqCst), self.0.1.load(SeqCst)), (count, count));
    }

    pub(crate) fn have_come(&self) -> usize {
        self.0.0.load(SeqCst)
    }

    /// Waits until `count` threads have ended, for threads that are never joined.
    pub(crate) fn wait_until_left(&self, count: usize) {
        while self.0.1.load(SeqCst) < count {
            thread::yield_now();
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // Time enough for a missing join to be noticed.
        for _ in 0..200 {
            thread::yield_now();
        }
        self.0.0.1.fetch_add(1, SeqCst);
    }
}

/// Hooks that count their threads.
pub(crate) struct Counted(pub(crate) Visitors);

impl hp::ThreadHooks for Counted {
    type Args = u32;

    fn create_args(&self, _thread_number: usize, existing: Option<u32>) -> Result<u32> {
        if existing.is_none() {
            self.0.come();
        }
        Ok(existing.map_or(0, |requests| requests + 1))
    }
}

/// A queue of `num_threads` threads that are counted, for ever.
pub(crate) fn counted(
    num_threads: usize,
) -> Result<(hp::ThreadToAsyncQueue<Counted>, Visitors, LoopFuture<()>)> {
    let visitors = Visitors::default();
    let stop = hp::create_future();
    let hooks = Counted(visitors.clone());
    let builder = hp::ThreadToAsyncQueue::builder(hooks).num_threads(num_threads);
    Ok((builder.build(&stop)?, visitors, stop))
}

/// A value with a drop that panics.
#[derive(Clone, Debug)]
pub(crate) struct Bomb(pub(crate) &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

/// The exception of what is done.
pub(crate) fn error_of(future: &dyn AnyFuture) -> Error {
    future.exception().expect("it is done and not cancelled").expect("it has failed")
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
