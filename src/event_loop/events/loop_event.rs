//! [`LoopEvent`]: something that a loop's tasks, callbacks and timers did.

use crate::event_loop::clock::Nanos;

/// The end of a future or task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Result,
    Cancelled,
    Error,
}

/// The number of a reason for which a task awaits a future. The layer above has the words for it:
/// `TaskScheduler::reason_words`.
pub(crate) type Reason = u8;

/// Something that happened. Tasks are known by their serial numbers, and what else there is by its
/// address, until something else is made there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoopEvent {
    /// A turn's round begins.
    Round(Nanos),
    /// The loop has stopped running.
    Outside,
    /// A callback of a future or task runs.
    Callback,
    /// Another entry runs that is no step.
    Entry(usize),
    /// A step begins, which throws what the task awaits has ended with, or what was asked for.
    Step(u64, Option<Outcome>),
    TaskMade(u64),
    /// The task has the name at this place of the log.
    TaskNamed(u64, usize),
    /// A task was parked, for the reason.
    Waits(u64, Reason),
    /// A task was parked until the future at the address ends, which a program has made.
    WaitsForFuture(u64, usize),
    WaitsForTask(u64, u64),
    Yields(u64),
    Woken(u64),
    CancelAsked(u64),
    TaskEnded(u64, Outcome),
    /// The error of the next event has the name at this place of the log's names of errors.
    ErrorNamed(usize),
    /// A future was made that a program sees.
    FutureMade(usize),
    /// A future that a program sees, and something waits for, has ended.
    FutureEnded(usize, Reason, Outcome),
    TimerMade(usize, Nanos),
    CallMade(usize),
    /// A callback was cancelled.
    CallCancelled(usize),
    /// A timer was cancelled, and whether it was due before: if its entry has not run, it is on the
    /// ready queue, and will run for nothing.
    TimerCancelled(usize, bool),
    /// An entry that is on the ready queue will run for nothing.
    EntrySkipped(usize),
    /// The program has logged the text at this place of the log.
    Logged(usize),
}
