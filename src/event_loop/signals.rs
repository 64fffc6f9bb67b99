//! Signal handlers: callbacks that run on the loop when the process gets a signal.
//!
//! What runs in the signal's own context is `signal-hook`'s: it writes a byte into a socket of the
//! signal, which counts, and one into the loop's wakeup socket, which the reactor watches. All
//! signals of a loop share the wakeup socket, as in CPython: it is readable while signals are unread.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signal_hook::{SigId, consts, flag, low_level};

use super::handle::CallbackOutput;
use super::loop_ref::LoopRef;
use crate::error::{Error, ErrorKind, Result, about};

/// The signal of Ctrl-C.
pub(crate) const INTERRUPT: i32 = consts::SIGINT;

/// The signals that one loop handles.
#[derive(Default)]
pub(super) struct Signals {
    handled: RefCell<BTreeMap<i32, Handled>>,
    /// How often each signal came whose handler was taken out before the loop read it.
    unread: RefCell<BTreeMap<i32, usize>>,
    /// Exists while signals are handled or unread: a watched socket keeps the loop from stalling.
    wakeup: RefCell<Option<Wakeup>>,
}

/// The socket that wakes the loop.
struct Wakeup {
    reads: Rc<UnixStream>,
    writes: UnixStream,
}

impl Signals {
    pub(super) fn has(&self, signal: i32) -> bool {
        self.handled.borrow().contains_key(&signal)
    }

    /// How often each signal came since the last time, and what to do about it. A signal without a
    /// handler is forgotten.
    fn read(&self) -> Vec<(usize, Schedule)> {
        let unread = self.unread.take();
        let read = |(signal, handled): (&i32, &Handled)| {
            let unread = unread.get(signal).copied().unwrap_or_default();
            (unread + signals_in(&handled.arrived), handled.schedule.clone())
        };
        self.handled.borrow().iter().map(read).collect()
    }

    /// Replaces the handler of a signal that has one, and returns the old one.
    fn replace(&self, signal: i32, schedule: &Schedule) -> Option<Schedule> {
        let mut handled = self.handled.borrow_mut();
        handled.get_mut(&signal).map(|old| mem::replace(&mut old.schedule, schedule.clone()))
    }

    fn are_idle(&self) -> bool {
        self.handled.borrow().is_empty() && self.unread.borrow().is_empty()
    }

    /// The loop closes: signals do what they did before it.
    pub(super) fn close(&self) {
        let handled = self.handled.take();
        drop((handled, self.wakeup.take()));
    }
}

type Schedule = Rc<dyn Fn(&LoopRef) -> Result<()>>;

/// While it lives, a signal is written to two sockets in place of what it does by default.
struct Handled {
    hooks: [Hook; 2],
    /// Has a byte for each signal that is unread.
    arrived: UnixStream,
    /// Has the handler run in the next turn.
    schedule: Schedule,
    _instead: InsteadOfDefault,
}

/// While it lives, the signal's own handler writes to a socket.
struct Hook(SigId);

impl Hook {
    fn new(signal: i32, socket: UnixStream) -> Result<Hook> {
        low_level::pipe::register(signal, socket).map(Hook).map_err(|error| refused(signal, error))
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        low_level::unregister(self.0);
    }
}

/// How many loops handle a signal, and whether it does what it does by default. A signal that
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

/// While one lives anywhere, its signal doesn't do what it does by default.
pub(super) struct InsteadOfDefault(i32);

impl InsteadOfDefault {
    pub(super) fn of(signal: i32) -> io::Result<InsteadOfDefault> {
        let mut defaults = defaults();
        let default = match defaults.entry(signal) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let does_default = Arc::new(AtomicBool::new(false));
                // What a signal without a name does by default nobody knows: it will do nothing.
                if low_level::signal_name(signal).is_some() {
                    flag::register_conditional_default(signal, Arc::clone(&does_default))?;
                }
                new.insert(DefaultAction { holders: 0, does_default })
            }
        };
        default.holders += 1;
        default.does_default.store(false, Ordering::SeqCst);
        Ok(InsteadOfDefault(signal))
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

/// Two signals can't be caught at all; those by which the system says that the program is broken
/// can't be outlived.
fn check_signal(signal: i32) -> Result<()> {
    if consts::FORBIDDEN.contains(&signal) {
        return Err(Error::runtime(format!("sig {signal} cannot be caught")));
    }
    Ok(())
}

pub(super) fn refused(signal: i32, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::InvalidInput {
        return Error::new(ErrorKind::Value, format!("invalid signal number {signal}"));
    }
    error.into()
}

impl LoopRef {
    /// Has `callback` run on the loop whenever the process gets `signal`: asyncio's
    /// `add_signal_handler`. A handler that the loop had for the signal before is replaced, also for
    /// a signal that has come and has not been read yet. The callback runs in a turn like any other
    /// and never inside the signal's own handler; the loop is woken for it. While the loop handles
    /// a signal, the signal's default action doesn't happen.
    ///
    /// `signal` is the system's number, as in `signal_hook::consts`. Any loop on any thread may
    /// handle signals, and each that handles one is told. The loop's end takes its handlers
    /// with it. A handler for `SIGINT` takes the place of what
    /// [`Runner::with_interrupts`](crate::Runner::with_interrupts) does about it.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) for a signal that can't be caught (`SIGKILL` and
    /// `SIGSTOP`, and those that say that the program is broken), and on a loop whose host has no
    /// reactor; [`Value`](crate::ErrorKind::Value) for a number that is no signal's;
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; and what the system
    /// says.
    ///
    /// ```
    /// use callsoon::EventLoop;
    /// use signal_hook::{consts::SIGHUP, low_level::raise};
    ///
    /// let event_loop = EventLoop::new();
    /// let on = event_loop.clone();
    /// event_loop.add_signal_handler(SIGHUP, move || on.stop())?;
    /// raise(SIGHUP)?;
    /// event_loop.run_forever()?;
    /// assert!(event_loop.remove_signal_handler(SIGHUP)?);
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    pub fn add_signal_handler<R: CallbackOutput + 'static>(
        &self,
        signal: i32,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        check_signal(signal)?;
        self.check_open()?;
        let reactor = self.reactor()?;
        let callback = Rc::new(RefCell::new(callback));
        let schedule: Schedule = Rc::new(move |on| {
            let callback = callback.clone();
            on.call_soon(move || (callback.borrow_mut())()).map(drop)
        });
        if let Some(before) = reactor.signals().replace(signal, &schedule) {
            drop(before);
            return Ok(());
        }
        let handled = match self.hook_signal(signal, schedule) {
            Ok(handled) => handled,
            Err(error) => {
                self.stop_watching_signals()?;
                return Err(error);
            }
        };
        reactor.signals().handled.borrow_mut().insert(signal, handled);
        if signal == INTERRUPT { self.displace_interrupt() } else { Ok(()) }
    }

    fn hook_signal(&self, signal: i32, schedule: Schedule) -> Result<Handled> {
        let pipe = about(UnixStream::pair(), || format!("no pipe for signal {signal}"));
        let (arrived, counts) = pipe?;
        arrived.set_nonblocking(true)?;
        let wakes = self.watch_signals()?;
        // The hooks come after the default, which they may bring back: a signal that another thread
        // is given must have passed the default by then. The byte that counts is written before the
        // one that wakes: hooks run in the order of their registration.
        let instead = InsteadOfDefault::of(signal).map_err(|error| refused(signal, error))?;
        let hooks = [Hook::new(signal, counts)?, Hook::new(signal, wakes)?];
        Ok(Handled { hooks, arrived, schedule, _instead: instead })
    }

    /// Watches the wakeup socket, and returns its writing end.
    fn watch_signals(&self) -> Result<UnixStream> {
        let reactor = self.reactor()?;
        let clone =
            |wakeup: &Wakeup| about(wakeup.writes.try_clone(), || "no pipe for signals".into());
        if let Some(wakeup) = &*reactor.signals().wakeup.borrow() {
            return clone(wakeup);
        }
        let (reads, writes) = about(UnixStream::pair(), || "no pipe for signals".into())?;
        reads.set_nonblocking(true)?;
        let wakeup = Wakeup { reads: Rc::new(reads), writes };
        let (on, reads) = (self.clone(), wakeup.reads.clone());
        self.add_reader(wakeup.reads.clone(), move || on.read_signals(&reads))?;
        let wakes = clone(&wakeup);
        reactor.signals().wakeup.replace(Some(wakeup));
        wakes
    }

    /// Stops watching the wakeup socket unless signals are handled or unread.
    fn stop_watching_signals(&self) -> Result<()> {
        let reactor = self.reactor()?;
        if !reactor.signals().are_idle() {
            return Ok(());
        }
        let wakeup = reactor.signals().wakeup.take();
        wakeup.map_or(Ok(()), |wakeup| self.remove_reader(&wakeup.reads).map(drop))
    }

    /// Schedules the handlers of the signals that came. The handler that takes a signal is the one
    /// of that time: a signal is not lost where its handler has been replaced meanwhile.
    fn read_signals(&self, wakeup: &UnixStream) -> Result<()> {
        signals_in(wakeup);
        for (count, schedule) in self.reactor()?.signals().read() {
            for _ in 0..count {
                schedule(self)?;
            }
        }
        self.stop_watching_signals()
    }

    /// Has `signal` do what it does by default again: asyncio's `remove_signal_handler`. Says
    /// whether the loop handled it. The default comes back when no loop handles the signal any
    /// more. What a signal that came before has scheduled runs all the same.
    ///
    /// # Errors
    ///
    /// As [`add_signal_handler`](LoopRef::add_signal_handler) for signals that can't be caught,
    /// and what the system says.
    pub fn remove_signal_handler(&self, signal: i32) -> Result<bool> {
        check_signal(signal)?;
        if self.is_closed() {
            return Ok(false);
        }
        let reactor = self.reactor()?;
        let removed = reactor.signals().handled.borrow_mut().remove(&signal);
        let Some(Handled { hooks, arrived, .. }) = removed else { return Ok(false) };
        drop(hooks);
        let unread = signals_in(&arrived);
        if unread > 0 {
            *reactor.signals().unread.borrow_mut().entry(signal).or_default() += unread;
        }
        self.stop_watching_signals()?;
        Ok(true)
    }
}

/// Reads all bytes, and returns how many signals wrote them. The system may merge signals that come
/// while the process doesn't look.
fn signals_in(mut woken: &UnixStream) -> usize {
    let mut count = 0;
    let mut bytes = [0; 64];
    while let Ok(read @ 1..) = woken.read(&mut bytes) {
        count += read;
    }
    count
}
