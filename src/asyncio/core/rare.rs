//! [`Rare`]: what few futures and tasks have, in a block that is made when it is first needed.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::panic::Location;
use core::ptr::NonNull;

use super::header::Header;
use super::node::ErasedFuture;
use crate::collections::KeyedQueue;
use crate::error::Error;
#[cfg(feature = "std")]
use crate::sync::{Arc, AtomicBool};

/// **Quiet Invariant**: no field is dropped while the block is in use: what may run the program's
/// code when it is dropped is taken out first.
#[derive(Default)]
pub(super) struct Rare {
    /// The exception, or the cancellation if it has a message.
    pub(super) error: Option<Error>,
    pub(super) name: Option<Box<str>>,
    /// Where a future was made, noted in debug mode only.
    pub(super) made_at: Option<&'static Location<'static>>,
    /// What happens when a future is cancelled.
    pub(super) on_cancel: Option<CancelHook>,
    /// The message of a task's last cancellation that nothing awaited has taken. It stays when it
    /// was thrown: see `gather`.
    pub(super) cancellation: Option<Error>,
    /// An error other than a cancellation that the task's next step throws.
    pub(super) throw_next: Option<Error>,
    /// The awaited futures at which the cancellation is to be thrown; none for the first await.
    pub(super) throw_at: Vec<NonNull<Header>>,
    /// What a task awaits besides its first wait, inside a join or a select.
    pub(super) waits: KeyedQueue<NonNull<Header>>,
    /// What weak handles share, and look into.
    pub(super) weak: Option<Rc<super::weak::WeakCell>>,
}

/// What happens when a future is cancelled.
#[derive(Clone)]
pub(crate) enum CancelHook {
    /// These are cancelled in its place.
    Children(Rc<dyn CancelledChildren>),
    /// This is set, for another thread to see.
    #[cfg(feature = "std")]
    Flag(Arc<AtomicBool>),
}

/// The futures that are cancelled in the place of another.
pub(crate) trait CancelledChildren {
    /// The child number `index`; `None` behind the last.
    fn child(&self, index: usize) -> Option<CancelledChild<'_>>;

    /// At least one child has accepted the cancellation.
    fn note_accepted(&self);
}

/// A future that is cancelled in the place of another.
pub(crate) enum CancelledChild<'a> {
    Future(ErasedFuture),
    /// A future-like thing that stands on others, and has a cancellation of its own.
    Like(&'a dyn super::any_future::AnyFuture),
}
