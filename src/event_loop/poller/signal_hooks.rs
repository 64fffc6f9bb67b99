//! [`Signals`]: the signals that loops handle, and the actions of the process when they arrive.
//!
//! What runs in the signal's own context is `signal-hook`'s: it writes a byte into a socket of the
//! signal, which counts, and one into the loop's wakeup socket, which the reactor watches. All
//! signals of a loop share the wakeup socket, as in CPython: it is readable while signals are unread.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::mem;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::{SigId, consts, flag, low_level};

use super::wake_stream::{WakeStream, wake_pair, write_byte_on};
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result, about};

/// The signal of Ctrl-C.
pub(crate) const INTERRUPT: i32 = consts::SIGINT;

/// The signals that one loop handles.
#[derive(Default)]
pub(crate) struct Signals {
    handled: RefCell<BTreeMap<i32, Handled>>,
    /// The unread arrivals of each signal without a handler: it was taken out before the loop read them.
    unread: RefCell<BTreeMap<i32, usize>>,
    /// Exists while signals are handled or unread: a watched socket keeps the loop from stalling.
    wakeup: RefCell<Option<Wakeup>>,
}

/// The socket that wakes the loop.
pub(crate) struct Wakeup {
    pub(crate) reads: Rc<WakeStream>,
    writes: WakeStream,
}

impl Wakeup {
    pub(crate) fn new() -> Result<Wakeup> {
        let (reads, writes) = about(wake_pair(), || "no pipe for signals".into())?;
        Ok(Wakeup { reads: Rc::new(reads), writes })
    }

    pub(crate) fn wakes(&self) -> Result<WakeStream> {
        about(self.writes.try_clone(), || "no pipe for signals".into())
    }
}

impl Signals {
    pub(crate) fn has(&self, signal: i32) -> bool {
        self.handled.borrow().contains_key(&signal)
    }

    /// Returns the number of arrivals of each signal since the last time, and what to do about them. A
    /// signal without a handler is forgotten.
    pub(crate) fn read(&self) -> Vec<(usize, Schedule)> {
        let unread = self.unread.take();
        let read = |(signal, handled): (&i32, &Handled)| {
            let unread = unread.get(signal).copied().unwrap_or_default();
            (unread + signals_in(&handled.arrived), handled.schedule.clone())
        };
        self.handled.borrow().iter().map(read).collect()
    }

    /// Replaces the handler of a signal that has one, and returns the old one.
    pub(crate) fn replace(&self, signal: i32, schedule: &Schedule) -> Option<Schedule> {
        let mut handled = self.handled.borrow_mut();
        handled.get_mut(&signal).map(|old| mem::replace(&mut old.schedule, schedule.clone()))
    }

    pub(crate) fn insert(&self, signal: i32, handled: Handled) {
        self.handled.borrow_mut().insert(signal, handled);
    }

    /// Gives the signal its default action back, and returns whether it had a handler. What has come
    /// and is unread counts on.
    pub(crate) fn remove(&self, signal: i32) -> bool {
        let removed = self.handled.borrow_mut().remove(&signal);
        let Some(Handled { instead, hooks, arrived, .. }) = removed else { return false };
        drop(instead);
        drop(hooks);
        let unread = signals_in(&arrived);
        if unread > 0 {
            *self.unread.borrow_mut().entry(signal).or_default() += unread;
        }
        true
    }

    /// The end of the wakeup socket that signals write to, if it exists.
    pub(crate) fn wakes(&self) -> Option<Result<WakeStream>> {
        self.wakeup.borrow().as_ref().map(Wakeup::wakes)
    }

    pub(crate) fn set_wakeup(&self, wakeup: Wakeup) {
        self.wakeup.replace(Some(wakeup));
    }

    /// Takes the wakeup socket out unless signals are handled or unread.
    pub(crate) fn take_idle_wakeup(&self) -> Option<Wakeup> {
        let idle = self.handled.borrow().is_empty() && self.unread.borrow().is_empty();
        idle.then(|| self.wakeup.take()).flatten()
    }

    /// The loop closes: signals do what they did before it.
    pub(crate) fn close(&self) {
        let handled = self.handled.take();
        drop((handled, self.wakeup.take()));
    }
}

pub(crate) type Schedule = Rc<dyn Fn() -> Result<()>>;

/// While it lives, a signal is written to two sockets in place of what it does by default. The default
/// comes back before the hooks are taken out: no signal is lost in between.
pub(crate) struct Handled {
    instead: InsteadOfDefault,
    hooks: [Hook; 2],
    /// Has a byte for each signal that is unread.
    arrived: WakeStream,
    /// Has the handler run in the next turn.
    schedule: Schedule,
}

impl Handled {
    /// Hooks `signal`, which writes to what `wakes` returns as the last thing.
    pub(crate) fn new(
        signal: i32,
        schedule: Schedule,
        wakes: impl FnOnce() -> Result<WakeStream>,
    ) -> Result<Handled> {
        let pipe = about(wake_pair(), || format!("no pipe for signal {signal}"));
        let (arrived, counts) = pipe?;
        let wakes = wakes()?;
        // The hooks come after the default, which they may bring back: a signal that another thread
        // is given must have passed the default by then. The byte that counts is written before the
        // one that wakes: hooks run in the order of their registration.
        hook_default(signal).map_err(|error| refused(signal, error))?;
        let hooks = [Hook::new(signal, counts)?, Hook::new(signal, wakes)?];
        let instead = InsteadOfDefault::of(signal);
        Ok(Handled { instead, hooks, arrived, schedule })
    }
}

/// While it lives, the signal's own handler writes to a socket.
struct Hook(SigId);

impl Hook {
    fn new(signal: i32, socket: WakeStream) -> Result<Hook> {
        write_byte_on(signal, socket).map(Hook).map_err(|error| refused(signal, error))
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        low_level::unregister(self.0);
    }
}

/// The number of loops that handle a signal, and whether its default action is taken. A signal that
/// was ever handled stays hooked, so its default has to be brought about by hand.
struct DefaultAction {
    holders: usize,
    does_default: Arc<AtomicBool>,
}

/// Of the whole process, as signals are.
static DEFAULTS: Mutex<BTreeMap<i32, DefaultAction>> = Mutex::new(BTreeMap::new());

/// Nothing panics while it is locked.
fn defaults() -> MutexGuard<'static, BTreeMap<i32, DefaultAction>> {
    DEFAULTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has `signal` take its default action by a hook, before all hooks that are registered later.
///
/// # Errors
///
/// What the system says, as of a number that is no signal's.
pub(crate) fn hook_default(signal: i32) -> io::Result<()> {
    // The C library of Windows refuses other numbers without an error of the system's.
    #[cfg(windows)]
    if low_level::signal_name(signal).is_none()
        && ![consts::SIGABRT_COMPAT, consts::SIGBREAK].contains(&signal)
    {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut defaults = defaults();
    if let Entry::Vacant(new) = defaults.entry(signal) {
        let does_default = Arc::new(AtomicBool::new(true));
        // The default action of a signal without a name is unknown: it will do nothing.
        if low_level::signal_name(signal).is_some() {
            flag::register_conditional_default(signal, Arc::clone(&does_default))?;
        }
        new.insert(DefaultAction { holders: 0, does_default });
    }
    Ok(())
}

/// While one lives anywhere, its signal doesn't do what it does by default.
pub(crate) struct InsteadOfDefault(i32);

impl InsteadOfDefault {
    /// Keeps the default from being taken from now on. It is made after the hooks that stand for the
    /// default, and dropped before they are: a signal that arrives in between does both, and isn't lost.
    /// [`hook_default`] was called before.
    pub(crate) fn of(signal: i32) -> InsteadOfDefault {
        if let Some(default) = defaults().get_mut(&signal) {
            default.holders += 1;
            default.does_default.store(false, Ordering::SeqCst);
        }
        InsteadOfDefault(signal)
    }
}

impl Drop for InsteadOfDefault {
    fn drop(&mut self) {
        if let Some(default) = defaults().get_mut(&self.0) {
            default.holders -= 1;
            default.does_default.store(default.holders == 0, Ordering::SeqCst);
        }
    }
}

pub(crate) fn refused(signal: i32, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::InvalidInput { invalid(signal) } else { error.into() }
}

pub(crate) fn invalid(signal: i32) -> Error {
    Error::new(ErrorKind::Value, format!("invalid signal number {signal}"))
}

/// Reads all bytes, and returns how many signals wrote them. The system may merge signals that come
/// while the process doesn't look.
pub(crate) fn signals_in(mut woken: &WakeStream) -> usize {
    let mut count = 0;
    let mut bytes = [0; 64];
    while let Ok(read @ 1..) = woken.read(&mut bytes) {
        count += read;
    }
    count
}
