//! [`Mail`]: a message of a thread or an interrupt handler to the loop, and the queue of messages.
//!
//! With std it stands in a queue that grows by blocks. Without, the sender may be an interrupt handler,
//! which must neither allocate nor wait: each sort of mail brings its own link.
//!
//! **Link Invariant**: see `linked_mail`. A call's link is that of its `RemoteHead`. The one of a
//! [`Woken`], which the layer above makes of a task's waker and that again of it, has its lowest bit
//! set.
#![cfg_attr(not(feature = "std"), allow(unsafe_code))]

use super::entry::RemoteEntry;

#[cfg(feature = "std")]
pub(crate) use core::task::Waker as Woken;

#[cfg(feature = "std")]
pub(super) use crate::sync::ConcurrentQueue as MailQueue;

/// Mail that can be left in an inbox.
#[cfg(feature = "std")]
pub(crate) trait Message {}

#[cfg(feature = "std")]
impl<M> Message for M {}

#[cfg(not(feature = "std"))]
pub(crate) use linked::Woken;

#[cfg(not(feature = "std"))]
pub(super) use super::linked_mail::{Linked as Message, LinkedMail as MailQueue};

/// Mail for a loop of sort `L`.
pub(crate) enum Mail<L: 'static> {
    /// A [`call_soon_threadsafe`](crate::LoopHandle::call_soon_threadsafe), or an answer.
    Call(RemoteEntry<L>),
    /// A task's waker that was woken, which the layer above knows.
    Wake(Woken),
}

#[cfg(not(feature = "std"))]
mod linked {
    use core::ptr::NonNull;

    use super::{Mail, RemoteEntry};
    use crate::event_loop::linked_mail::{Link, Linked};

    /// The link of a task that was woken by a waker, with what the task's block counts for it. Only the
    /// layer above can give that back.
    pub(crate) struct Woken(pub(crate) NonNull<Link>);

    // SAFETY: It stands for a waker.
    unsafe impl Send for Woken {}

    // SAFETY: The Link Invariant holds for calls by that of `RemoteEntry::into_link`; for tasks by the
    // Woken Invariant of their wakers: one message of a task at most is on its way.
    unsafe impl<L: 'static> Linked for Mail<L> {
        fn into_link(self) -> *mut Link {
            match self {
                Mail::Call(call) => call.into_link().as_ptr(),
                Mail::Wake(woken) => woken.0.as_ptr().map_addr(|address| address | 1),
            }
        }

        unsafe fn from_link(link: *mut Link) -> Mail<L> {
            let is_task = link.addr() & 1 != 0;
            // SAFETY: It is the address of a link, which is not null; for a call `into_link` returned
            // it, which nothing but the queue has used up.
            unsafe {
                let link = NonNull::new_unchecked(link.map_addr(|address| address & !1));
                if is_task {
                    Mail::Wake(Woken(link))
                } else {
                    Mail::Call(RemoteEntry::from_link(link))
                }
            }
        }
    }
}
