//! A thread leaves an answer for a task. The models below try that in every order.

mod slot;
mod sync;

use std::future::Future;

use callsoon::{EventLoop, Result};

use slot::Slot;
use sync::thread;

/// Has a thread leave 42 in a slot, and returns what `take` gets out of it on a loop. With virtual time
/// the loop never waits for the machine's clock, which loom knows nothing of.
fn answer<F: Future<Output = Result<u32>> + 'static>(take: fn(Slot<u32>) -> F) -> Result<u32> {
    let event_loop = EventLoop::with_virtual_time();
    let slot = Slot::new();
    let theirs = slot.clone();
    let thread = thread::spawn(move || theirs.put(42));
    let answer = event_loop.run_until_complete(take(slot));
    thread.join().expect("the thread only leaves a value");
    answer
}

fn main() -> Result<()> {
    println!("the answer is {}", answer(|slot| async move { slot.take().await })?);
    Ok(())
}

#[cfg(all(test, loom))]
mod models {
    use super::*;

    /// Tries each order in which threads are preempted three times at most. All orders take minutes.
    fn model(body: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(body);
    }

    #[test]
    fn take_gets_the_answer() {
        model(|| {
            assert_eq!(answer(|slot| async move { slot.take().await }).unwrap(), 42);
        });
    }

    /// Fails, as it is meant to: loom finds the order in which the value comes between the look and the
    /// waker. Then the loop sleeps, and no thread is left that could wake it. A deadlock ends the whole
    /// process, so this is ignored unless asked for.
    #[test]
    #[ignore = "fails on purpose"]
    fn take_hastily_sleeps_for_ever() {
        model(|| {
            assert_eq!(answer(|slot| async move { slot.take_hastily().await }).unwrap(), 42);
        });
    }
}
