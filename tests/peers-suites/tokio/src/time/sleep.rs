//! [`Sleep`]: a timer of the loop.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use callsoon::TimerHandle;

use super::Instant;
use crate::here::Here;
use crate::runtime::Handle;

#[derive(Default)]
struct Alarm {
    is_over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Timer {
    alarm: Rc<Alarm>,
    set: Option<TimerHandle>,
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(set) = &self.set {
            set.cancel();
        }
    }
}

#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Sleep {
    deadline: Instant,
    handle: Handle,
    /// Made by the first poll, on the thread of the loop.
    timer: Option<Here<Timer>>,
    _pinned: PhantomPinned,
}

#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let now = Instant::now();
    sleep_until(now.checked_add(duration).unwrap_or_else(Instant::far_future))
}

#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    let handle = Handle::current();
    assert!(
        handle.0.has_time,
        "A Tokio 1.x context was found, but timers are disabled. Call `enable_time` on the runtime \
         builder to enable timers."
    );
    Sleep { deadline, handle, timer: None, _pinned: PhantomPinned }
}

impl Sleep {
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub fn is_elapsed(&self) -> bool {
        self.timer.as_ref().is_some_and(|timer| timer.alarm.is_over.get())
    }

    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        // SAFETY: Nothing is moved out: no field is pinned.
        let this = unsafe { self.get_unchecked_mut() };
        this.deadline = deadline;
        let waker = this.timer.take().and_then(|timer| timer.alarm.waker.take());
        if let Some(waker) = waker {
            let _ = this.poll(&mut Context::from_waker(&waker));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Here::new(Timer::default()));
        if timer.alarm.is_over.get() {
            return Poll::Ready(());
        }
        let runtime = &self.handle.0;
        if self.deadline.into_std() <= runtime.now() {
            timer.alarm.is_over.set(true);
            return Poll::Ready(());
        }
        if timer.set.is_none() {
            let alarm = timer.alarm.clone();
            let rings = move || {
                alarm.is_over.set(true);
                if let Some(waker) = alarm.waker.take() {
                    waker.wake();
                }
            };
            let when = runtime.loop_time(self.deadline.into_std());
            let set = runtime.on.call_at(when, rings);
            timer.set =
                Some(set.expect("A Tokio 1.x context was found, but it is being shutdown."));
        }
        let before = timer.alarm.waker.replace(Some(cx.waker().clone()));
        drop(before);
        Poll::Pending
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: Nothing is moved out: no field is pinned.
        unsafe { self.get_unchecked_mut() }.poll(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
