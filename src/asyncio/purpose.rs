//! [`Purpose`]: what a future of ours is there for, in a byte for which every node has room.

/// What who awaits a future does by it: what [`task_tree`](crate::LoopRef::task_tree) says.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Purpose {
    /// Somebody made it, and knows.
    #[default]
    Any,
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
    /// A function that runs on another thread.
    #[cfg(feature = "std")]
    Thread,
    /// A socket, or any other source with a descriptor.
    #[cfg(feature = "std")]
    Source,
    #[cfg(feature = "std")]
    Connect,
    /// Another crate's future, around which it stands.
    Foreign,
    /// The body of a scope, which awaits nothing but other crates' futures.
    Scope,
}

impl Purpose {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Purpose::Any => "future",
            Purpose::Sleep => "sleep",
            Purpose::Lock => "Lock.acquire",
            Purpose::Event => "Event.wait",
            Purpose::Condition => "Condition.wait",
            Purpose::Semaphore => "Semaphore.acquire",
            Purpose::QueueGet => "Queue.get",
            Purpose::QueuePut => "Queue.put",
            Purpose::Gather => "gather",
            Purpose::Shield => "shield",
            Purpose::Wait => "wait",
            Purpose::Group => "TaskGroup",
            #[cfg(feature = "std")]
            Purpose::Thread => "run_in_executor",
            #[cfg(feature = "std")]
            Purpose::Source => "readiness of a source",
            #[cfg(feature = "std")]
            Purpose::Connect => "TcpStream.connect",
            Purpose::Foreign => "wrap_future",
            Purpose::Scope => "foreign future in a scope",
        }
    }
}
