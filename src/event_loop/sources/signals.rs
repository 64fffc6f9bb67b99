//! Signal handlers: callbacks that run on the loop when the process gets a signal.

use alloc::format;
use alloc::rc::Rc;

use signal_hook::consts;

use crate::collections::RefCell;
#[cfg(feature = "contextvars")]
use crate::context::captured;
use crate::error::{Error, Result};
use crate::event_loop::exception_handler::CallbackOutput;
use crate::event_loop::loop_ref::LoopRef;
use crate::event_loop::poller::{
    Handled, INTERRUPT, Schedule, WakeStream, Wakeup, invalid, signals_in,
};

/// No system has a signal above it: the status of a process has seven bits for the signal that ended it.
const LAST: i32 = 127;

/// Refuses what is no signal's number on any system.
fn check_signal(signal: i32) -> Result<()> {
    if (1..=LAST).contains(&signal) { Ok(()) } else { Err(invalid(signal)) }
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
    /// with it. On Windows `SIGINT` is Ctrl-C and `SIGBREAK` Ctrl-Break; the others of its signals come
    /// from `raise` only. A handler for `SIGINT` takes the place of what
    /// [`Runner::with_interrupts`](crate::Runner::with_interrupts) does about it.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) for a signal that can't be caught (`SIGKILL` and
    /// `SIGSTOP`, and those that say that the program is broken), and on a loop with a host that has no
    /// reactor; [`Value`](crate::ErrorKind::Value) for a number that is no signal's;
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; and the system's errors.
    ///
    /// ```
    /// use callsoon::EventLoop;
    /// use signal_hook::{consts::SIGTERM, low_level::raise};
    ///
    /// let event_loop = EventLoop::new();
    /// let on = event_loop.clone();
    /// event_loop.add_signal_handler(SIGTERM, move || on.stop())?;
    /// raise(SIGTERM)?;
    /// event_loop.run_forever()?;
    /// assert!(event_loop.remove_signal_handler(SIGTERM)?);
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    pub fn add_signal_handler<R: CallbackOutput + 'static>(
        &self,
        signal: i32,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        check_signal(signal)?;
        self.check_open()?;
        // Two signals can't be caught at all; those by which the system says that the program is broken
        // can't be outlived.
        if consts::FORBIDDEN.contains(&signal) {
            return Err(Error::runtime(format!("sig {signal} cannot be caught")));
        }
        let reactor = self.reactor()?;
        let callback = Rc::new(RefCell::new(callback));
        let on = self.clone();
        #[cfg(feature = "contextvars")]
        let context = captured();
        let schedule: Schedule = Rc::new(move || {
            let callback = callback.clone();
            let call = move || (callback.borrow_mut())();
            #[cfg(feature = "contextvars")]
            if let Some(context) = context.clone() {
                return on.call_soon(context.bind(call)).map(drop);
            }
            on.call_soon(call).map(drop)
        });
        if let Some(before) = reactor.signals().replace(signal, &schedule) {
            drop(before);
            return Ok(());
        }
        match Handled::new(signal, schedule, || self.watch_signals()) {
            Ok(handled) => reactor.signals().insert(signal, handled),
            Err(error) => {
                self.stop_watching_signals()?;
                return Err(error);
            }
        }
        if signal == INTERRUPT { self.displace_interrupt() } else { Ok(()) }
    }

    /// Watches the wakeup socket, and returns its writing end.
    fn watch_signals(&self) -> Result<WakeStream> {
        let reactor = self.reactor()?;
        if let Some(wakes) = reactor.signals().wakes() {
            return wakes;
        }
        let wakeup = Wakeup::new()?;
        let (on, reads) = (self.clone(), wakeup.reads.clone());
        self.add_reader(wakeup.reads.clone(), move || on.read_signals(&reads))?;
        let wakes = wakeup.wakes();
        reactor.signals().set_wakeup(wakeup);
        wakes
    }

    /// Stops watching the wakeup socket unless signals are handled or unread.
    fn stop_watching_signals(&self) -> Result<()> {
        let wakeup = self.reactor()?.signals().take_idle_wakeup();
        wakeup.map_or(Ok(()), |wakeup| self.remove_reader(&wakeup.reads).map(drop))
    }

    /// Schedules the handlers of the signals that came. The handler that takes a signal is the one
    /// of that time: a signal is not lost where its handler has been replaced meanwhile.
    fn read_signals(&self, wakeup: &WakeStream) -> Result<()> {
        signals_in(wakeup);
        for (count, schedule) in self.reactor()?.signals().read() {
            for _ in 0..count {
                schedule()?;
            }
        }
        self.stop_watching_signals()
    }

    /// Has `signal` do what it does by default again: asyncio's `remove_signal_handler`. Returns
    /// true if the loop handled it. The default comes back when no loop handles the signal any
    /// more. What a signal that came before has scheduled runs all the same.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) for a number that is no signal's on any system; what the system
    /// says.
    pub fn remove_signal_handler(&self, signal: i32) -> Result<bool> {
        check_signal(signal)?;
        if self.is_closed() {
            return Ok(false);
        }
        let removed = self.reactor()?.signals().remove(signal);
        self.stop_watching_signals()?;
        Ok(removed)
    }
}
