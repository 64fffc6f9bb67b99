//! [`WaitReason`]: why a task awaits a future, for the task tree.

/// Why a task awaits a future: shown by [`task_tree`](crate::LoopRef::task_tree). It stands in the
/// upper bits of a header's flags.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[repr(u8)]
pub(crate) enum WaitReason {
    /// A future that the program made.
    #[default]
    Future,
    Sleep,
    Lock,
    Event,
    Condition,
    Semaphore,
    QueueGet,
    QueuePut,
    Gather,
    Shield,
    Wait,
    Group,
    /// A function on another thread.
    Executor,
    /// Readiness of a socket, or of another source with a descriptor.
    Source,
    Connect,
    /// A future of another crate, wrapped.
    Foreign,
    /// The body of a scope, which awaits nothing but other crates' futures.
    Scope,
}

/// Each reason at the place of its number: apart from its words, which a program may never show.
static REASONS: [WaitReason; 17] = [
    WaitReason::Future,
    WaitReason::Sleep,
    WaitReason::Lock,
    WaitReason::Event,
    WaitReason::Condition,
    WaitReason::Semaphore,
    WaitReason::QueueGet,
    WaitReason::QueuePut,
    WaitReason::Gather,
    WaitReason::Shield,
    WaitReason::Wait,
    WaitReason::Group,
    WaitReason::Executor,
    WaitReason::Source,
    WaitReason::Connect,
    WaitReason::Foreign,
    WaitReason::Scope,
];

impl WaitReason {
    pub(crate) fn words(self) -> &'static str {
        match self {
            WaitReason::Future => "future",
            WaitReason::Sleep => "sleep",
            WaitReason::Lock => "Lock.acquire",
            WaitReason::Event => "Event.wait",
            WaitReason::Condition => "Condition.wait",
            WaitReason::Semaphore => "Semaphore.acquire",
            WaitReason::QueueGet => "Queue.get",
            WaitReason::QueuePut => "Queue.put",
            WaitReason::Gather => "gather",
            WaitReason::Shield => "shield",
            WaitReason::Wait => "wait",
            WaitReason::Group => "TaskGroup",
            WaitReason::Executor => "run_in_executor",
            WaitReason::Source => "readiness of a source",
            WaitReason::Connect => "connect",
            WaitReason::Foreign => "wrap_future",
            WaitReason::Scope => "foreign future in a scope",
        }
    }

    /// The words of the reason with this number.
    #[cfg(feature = "events")]
    pub(super) fn words_of_number(number: u8) -> &'static str {
        WaitReason::of_number(number.into()).words()
    }

    /// Returns whether it is the reason of a future that a program sees.
    #[cfg(feature = "events")]
    #[inline(always)]
    pub(super) fn is_seen(self) -> bool {
        matches!(self, WaitReason::Future | WaitReason::Gather | WaitReason::Shield)
    }

    /// The reason of this number.
    pub(super) fn of_number(number: u32) -> WaitReason {
        REASONS.get(number as usize).copied().unwrap_or_default()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn wait_reasons_stand_at_their_numbers() {
        for (number, reason) in REASONS.iter().enumerate() {
            assert_eq!(*reason as usize, number);
            assert_eq!(WaitReason::of_number(number as u32), *reason);
        }
    }
}
