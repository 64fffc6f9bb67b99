//! [`LoopHandle`]: the handle of a loop for other threads.

use alloc::boxed::Box;
use core::fmt;
use core::task::Waker;

use waker_fn::waker_fn;

#[cfg(not(feature = "std"))]
use super::call_slots::CallSlots;
#[cfg(not(feature = "std"))]
use super::wake_call::WakeCall;
use crate::error::{Error, Result};
use crate::event_loop::exception_handler::CallbackOutput;
use crate::event_loop::inbox::Inbox;
use crate::event_loop::job::{Call, CallCell};
use crate::event_loop::loop_ref::{LoopRef, Mail, RemoteCall};
use crate::event_loop::running;
#[cfg(feature = "std")]
use crate::flat_drops::Flat;
use crate::sync::Arc;

/// A callback of another thread.
#[cfg(feature = "std")]
struct Callback<F>(F);

#[cfg(feature = "std")]
impl<F: FnOnce() -> R + 'static, R: CallbackOutput + 'static> Call for Callback<F> {
    fn call(this: Box<CallCell<Self>>, _event_loop: &LoopRef) -> Result<()> {
        (this.call.0)().into_result()
    }
}

/// The handle of a loop for other threads: `Send`, `Sync`, and cheap to clone.
///
/// While one lives, a call could still come, so that a loop with nothing to do waits for it
/// and isn't [`Stalled`](crate::ErrorKind::Stalled).
///
/// ```
/// use callsoon::EventLoop;
///
/// let event_loop = EventLoop::new();
/// let handle = event_loop.handle();
/// let stop = event_loop.handle();
/// let thread = std::thread::spawn(move || {
///     handle.call_soon_threadsafe(|| println!("on the loop's own thread"))?;
///     stop.call_soon_threadsafe(|| callsoon::running_loop().map(|on| on.stop()))
/// });
/// event_loop.run_forever().unwrap();
/// thread.join().unwrap().unwrap();
/// ```
pub struct LoopHandle {
    inbox: Arc<Inbox<Mail>>,
    #[cfg(not(feature = "std"))]
    slots: Arc<CallSlots>,
}

impl LoopRef {
    /// The handle by which other threads reach this loop.
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        self.handle_for(8)
    }

    /// Returns a [`handle`](LoopRef::handle) with slots for so many calls of it and its clones: as many
    /// may wait for the loop at a time. Without std the slots are allocated here, once, so that a handler
    /// of an interrupt allocates nothing; with std nothing bounds the calls.
    #[must_use]
    pub fn handle_for(&self, calls: usize) -> LoopHandle {
        let inbox = Arc::clone(self.inbox());
        inbox.add_writer();
        #[cfg(feature = "std")]
        let _ = calls;
        LoopHandle {
            inbox,
            #[cfg(not(feature = "std"))]
            slots: CallSlots::new(calls),
        }
    }
}

impl LoopHandle {
    /// Schedules `callback` on the loop's thread, from any thread, and wakes the loop if it
    /// sleeps. On the loop's own thread it is [`call_soon`](crate::LoopRef::call_soon): both keep
    /// to one order. asyncio's `call_soon_threadsafe`.
    ///
    /// A callback that was taken and not run before the loop closes is dropped on the loop's
    /// thread.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; `callback` is dropped.
    ///
    /// # Without std
    ///
    /// It may be called in an interrupt handler of any priority: it allocates nothing and waits for
    /// nothing. So there is room for as many calls at a time as
    /// [`handle_for`](crate::LoopRef::handle_for) was told, and 8 by default: one more is refused with
    /// [`QueueFull`](crate::ErrorKind::QueueFull). `callback` captures four words at most; one that
    /// captures more doesn't compile. A call takes its place in the order also on the loop's own thread,
    /// where it isn't [`call_soon`](crate::LoopRef::call_soon).
    pub fn call_soon_threadsafe<R: CallbackOutput + 'static>(
        &self,
        callback: impl FnOnce() -> R + Send + 'static,
    ) -> Result<()> {
        #[cfg(feature = "std")]
        return send(&self.inbox, callback);
        #[cfg(not(feature = "std"))]
        CallSlots::send(&self.slots, &self.inbox, callback)
    }

    /// A waker that calls `callback` on the loop's thread, in a turn after each wake, from any thread:
    /// for a function that polls outside of a task, as a callback does. A wake after the loop has
    /// closed does nothing.
    ///
    /// While a clone of it lives, a loop that has nothing to do waits for it, as for this handle.
    ///
    /// Without std the wakes that come before the callback is called are one: no number of them takes
    /// more room, and an interrupt handler may wake it.
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// use callsoon::EventLoop;
    ///
    /// thread_local! { static WOKEN: Cell<u32> = const { Cell::new(0) }; }
    ///
    /// let event_loop = EventLoop::with_virtual_time();
    /// let waker = event_loop.handle().waker(|| WOKEN.set(WOKEN.get() + 1));
    /// waker.wake_by_ref();
    /// waker.wake();
    /// assert_eq!(event_loop.run_once(None)?, 2);
    /// assert_eq!(WOKEN.get(), 2);
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    #[must_use]
    pub fn waker(&self, callback: impl Fn() + Send + Sync + 'static) -> Waker {
        let handle = self.clone();
        #[cfg(feature = "std")]
        let wake = {
            let callback = Arc::new(Flat::new(callback));
            move || {
                let callback = Arc::clone(&callback);
                // Only a loop that has closed refuses it.
                let _ = handle.call_soon_threadsafe(move || callback());
            }
        };
        #[cfg(not(feature = "std"))]
        let wake = {
            let call = WakeCall::new(callback);
            move || WakeCall::wake(&call, &handle.inbox)
        };
        waker_fn(wake)
    }

    /// Returns true if this thread runs the loop at the moment.
    #[cfg(feature = "std")]
    pub(crate) fn runs_here(&self) -> bool {
        running_here(&self.inbox).is_some()
    }
}

impl Clone for LoopHandle {
    fn clone(&self) -> LoopHandle {
        self.inbox.add_writer();
        LoopHandle {
            inbox: Arc::clone(&self.inbox),
            #[cfg(not(feature = "std"))]
            slots: Arc::clone(&self.slots),
        }
    }
}

impl Drop for LoopHandle {
    fn drop(&mut self) {
        self.inbox.drop_writer();
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle").finish_non_exhaustive()
    }
}

/// Has `callback` called on the loop of `inbox`, from any thread.
#[cfg(feature = "std")]
pub(crate) fn send<R: CallbackOutput + 'static>(
    inbox: &Arc<Inbox<Mail>>,
    callback: impl FnOnce() -> R + Send + 'static,
) -> Result<()> {
    if let Some(on) = running_here(inbox) {
        return on.call_soon(callback).map(drop);
    }
    post(inbox, CallCell::new(Callback(callback)).into_remote())
}

/// Has `call` made on the loop of `inbox`, from any thread.
pub(super) fn send_call<C: Call + Send>(
    inbox: &Arc<Inbox<Mail>>,
    call: Box<CallCell<C>>,
) -> Result<()> {
    let call = call.into_remote();
    if let Some(on) = running_here(inbox) {
        on.schedule(call.into_entry());
        return Ok(());
    }
    post(inbox, call)
}

fn post(inbox: &Inbox<Mail>, call: RemoteCall) -> Result<()> {
    inbox.post(Mail::Call(call)).map_err(|_refused| Error::closed())
}

/// The loop of `inbox`, if it is this thread that runs it just now.
pub(crate) fn running_here(inbox: &Arc<Inbox<Mail>>) -> Option<LoopRef> {
    running::current_if(|on| Arc::ptr_eq(inbox, on.inbox()))
}
