//! [`LinkedMail`]: a queue of messages that bring their own link, for senders that are interrupt
//! handlers.
//!
//! A sender pushes its message on a stack by one exchange; it allocates nothing and waits for no
//! other sender. A handler that interrupts a push between two of its steps finds the stack whole, and
//! the push tries again: once for each handler that pushed meanwhile. The reader takes the whole stack
//! at once and turns it round, so messages come in the order in which they were pushed.
//!
//! **Link Invariant**: a link is in one queue at most, and there once: [`Linked::into_link`] gives up
//! a message, the memory of which stays until [`Linked::from_link`] makes it whole again, once for each push.
//! The lowest bit of a pointer to a link is the message's own.
//!
//! **Reader Invariant**: the sender alone uses a link before its exchange, which publishes it; from
//! then on the reader does. What stands in `first` and behind it has been taken off the stack.
#![allow(unsafe_code)]

use core::marker::PhantomData;
use core::ptr;

use crate::sync::{AtomicPtr, Ordering};

/// The place of a message in its queue.
#[repr(align(4))]
pub(crate) struct Link(AtomicPtr<Link>);

impl Link {
    pub(crate) fn new() -> Link {
        Link(AtomicPtr::new(ptr::null_mut()))
    }
}

/// A message with a link in it.
///
/// # Safety
///
/// The Link Invariant holds for the pointers that `into_link` returns.
pub(crate) unsafe trait Linked: Sized {
    /// Returns the message's link; its lowest bit may be set.
    fn into_link(self) -> *mut Link;

    /// # Safety
    ///
    /// `link` was returned by `into_link`, and is used once.
    unsafe fn from_link(link: *mut Link) -> Self;
}

/// Messages of sort `M` from any thread or handler to one reader.
pub(crate) struct LinkedMail<M> {
    /// The message that was pushed last; each leads to the one before. [`closed`] after the end.
    last: AtomicPtr<Link>,
    /// Messages that the reader has taken, oldest first. The reader's alone.
    first: AtomicPtr<Link>,
    messages: PhantomData<fn(M) -> M>,
}

/// There is no message.
pub(crate) struct Empty;

/// A message that came after the end.
pub(crate) struct Refused<M>(M);

impl<M> Refused<M> {
    pub(crate) fn into_inner(self) -> M {
        self.0
    }
}

/// Stands in place of a stack that takes no more. It is no pointer to a link, whatever its lowest bit.
fn closed() -> *mut Link {
    ptr::without_provenance_mut(2)
}

/// The link behind a pointer of the queue.
///
/// # Safety
///
/// The Link Invariant holds for `link`, which is in a queue, or about to be.
unsafe fn next_of<'a>(link: *mut Link) -> &'a AtomicPtr<Link> {
    // SAFETY: By this function's contract the message, and so its link, is there.
    unsafe { &(*link.map_addr(|address| address & !1)).0 }
}

impl<M: Linked> LinkedMail<M> {
    pub(crate) fn unbounded() -> LinkedMail<M> {
        LinkedMail {
            last: AtomicPtr::new(ptr::null_mut()),
            first: AtomicPtr::new(ptr::null_mut()),
            messages: PhantomData,
        }
    }

    /// Adds `message` at the end. Gives it back once the queue is closed.
    pub(crate) fn push(&self, message: M) -> Result<(), Refused<M>> {
        let link = message.into_link();
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            if last == closed() {
                // SAFETY: It is of this message, and nothing else has it.
                return Err(Refused(unsafe { M::from_link(link) }));
            }
            // SAFETY: By the Link Invariant; by the Reader Invariant it is still the sender's.
            unsafe { next_of(link) }.store(last, Ordering::Relaxed);
            match self.last.compare_exchange_weak(
                last,
                link,
                // Publishes the message with its link.
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(newer) => last = newer,
            }
        }
    }

    /// Takes the oldest message out. For the reader.
    pub(crate) fn pop(&self) -> Result<M, Empty> {
        if self.first.load(Ordering::Relaxed).is_null() {
            self.collect(ptr::null_mut());
        }
        // A second reader, which there is none of, would find nothing, rather than the same.
        let link = self.first.swap(ptr::null_mut(), Ordering::Relaxed);
        if link.is_null() {
            return Err(Empty);
        }
        // SAFETY: By the Reader Invariant it is the reader's.
        let next = unsafe { next_of(link) }.load(Ordering::Relaxed);
        self.first.store(next, Ordering::Relaxed);
        // SAFETY: By the Link Invariant: it was pushed once, and has left the queue now.
        Ok(unsafe { M::from_link(link) })
    }

    /// Moves what stands on the stack behind what was taken before, and leaves `left` there.
    fn collect(&self, left: *mut Link) {
        if self.last.load(Ordering::Relaxed) == closed() {
            return;
        }
        // Acquires the messages.
        let mut last = self.last.swap(left, Ordering::Acquire);
        let mut oldest: *mut Link = ptr::null_mut();
        while !last.is_null() {
            // SAFETY: By the Reader Invariant the stack is the reader's from the swap on.
            let before = unsafe { next_of(last) }.swap(oldest, Ordering::Relaxed);
            oldest = last;
            last = before;
        }
        let mut end = &self.first;
        loop {
            let link = end.load(Ordering::Relaxed);
            if link.is_null() {
                break end.store(oldest, Ordering::Relaxed);
            }
            // SAFETY: By the Reader Invariant.
            end = unsafe { next_of(link) };
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        self.first.load(Ordering::Relaxed).is_null() && (last.is_null() || last == closed())
    }

    /// Counts the messages. For the reader.
    pub(crate) fn len(&self) -> usize {
        self.collect(ptr::null_mut());
        let (mut count, mut link) = (0, self.first.load(Ordering::Relaxed));
        while !link.is_null() {
            count += 1;
            // SAFETY: By the Reader Invariant.
            link = unsafe { next_of(link) }.load(Ordering::Relaxed);
        }
        count
    }

    /// Takes no more. What was pushed before can still be taken out. For the reader.
    pub(crate) fn close(&self) {
        self.collect(closed());
    }
}
