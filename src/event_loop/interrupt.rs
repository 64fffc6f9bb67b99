//! [`Interrupt`]: what Ctrl-C does while a main task runs that it may cancel.
//!
//! The signal's own handler sets a flag and writes a byte. The loop looks at the flag after each
//! callback and step, as CPython runs a handler between two instructions; the byte wakes a loop that
//! sleeps. The first interrupt gives the signal its default action back, so that a second one ends
//! a process that doesn't react.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::{SigId, flag, low_level};

use super::loop_ref::LoopRef;
use super::signals::{INTERRUPT, InsteadOfDefault, refused};
use crate::error::Result;

pub(crate) struct Interrupt {
    arrived: Arc<AtomicBool>,
    woken: Rc<UnixStream>,
    /// None from the first interrupt on.
    armed: Cell<Option<Armed>>,
    callback: Box<dyn Fn()>,
}

/// While it lives, the signal sets the flag in place of what it does by default. The default comes
/// back before the hooks are taken out: no signal is lost in between.
struct Armed {
    _instead: InsteadOfDefault,
    _hooks: Hooks,
}

struct Hooks([SigId; 2]);

impl Hooks {
    /// The flag is set before the byte is written: hooks run in the order of their registration.
    fn new(arrived: &Arc<AtomicBool>, wakes: UnixStream) -> io::Result<Hooks> {
        let flag = flag::register(INTERRUPT, Arc::clone(arrived))?;
        let byte = low_level::pipe::register(INTERRUPT, wakes)
            .inspect_err(|_| _ = low_level::unregister(flag))?;
        Ok(Hooks([flag, byte]))
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        for id in self.0 {
            low_level::unregister(id);
        }
    }
}

impl Interrupt {
    fn take(&self) {
        if self.arrived.swap(false, Ordering::SeqCst) {
            drop(self.armed.take());
            (self.callback)();
        }
    }
}

impl LoopRef {
    /// Has `callback` called on the loop's thread after the callback or step in which the process
    /// gets `SIGINT`, until the interrupt is [released](LoopRef::release_interrupt). Several signals
    /// that arrive in one step are one. Returns `None`, and changes nothing, where the loop has a
    /// handler for the signal.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) on a loop whose host has no reactor;
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; and what the system says.
    pub(crate) fn engage_interrupt(
        &self,
        callback: impl Fn() + 'static,
    ) -> Result<Option<Rc<Interrupt>>> {
        self.check_open()?;
        if self.reactor()?.signals().has(INTERRUPT) {
            return Ok(None);
        }
        let (woken, wakes) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        let woken = Rc::new(woken);
        let (on, reads) = (self.clone(), woken.clone());
        self.add_reader(woken.clone(), move || -> Result<()> {
            let mut bytes = [0; 64];
            let mut read = || (&*reads).read(&mut bytes);
            let end = loop {
                match read() {
                    Ok(1..) => {}
                    end => break end,
                }
            };
            on.take_interrupt();
            // The hook, which has the other end, is out since the first interrupt.
            if matches!(end, Ok(0)) { on.remove_reader(&reads).map(drop) } else { Ok(()) }
        })?;
        let arrived = Arc::new(AtomicBool::new(false));
        let arm = || -> io::Result<Armed> {
            let _instead = InsteadOfDefault::of(INTERRUPT)?;
            Ok(Armed { _instead, _hooks: Hooks::new(&arrived, wakes)? })
        };
        let armed = match arm() {
            Ok(armed) => Cell::new(Some(armed)),
            Err(error) => {
                self.remove_reader(&woken)?;
                return Err(refused(INTERRUPT, error));
            }
        };
        let interrupt = Rc::new(Interrupt { arrived, woken, armed, callback: Box::new(callback) });
        self.set_interrupt(Some(interrupt.clone()));
        Ok(Some(interrupt))
    }

    /// Calls the interrupt's callback if the signal has arrived.
    pub(crate) fn take_interrupt(&self) {
        if let Some(interrupt) = self.interrupt() {
            interrupt.take();
        }
    }

    /// Gives the signal its default action back, unless a handler of the program's has taken the
    /// interrupt's place. A signal that has arrived is taken first.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn release_interrupt(&self, own: &Rc<Interrupt>) -> Result<()> {
        match self.interrupt() {
            Some(engaged) if Rc::ptr_eq(&engaged, own) => self.displace_interrupt(),
            _ => Ok(()),
        }
    }

    /// As [`release_interrupt`](LoopRef::release_interrupt), whichever is engaged.
    pub(super) fn displace_interrupt(&self) -> Result<()> {
        let Some(interrupt) = self.interrupt() else { return Ok(()) };
        self.set_interrupt(None);
        drop(interrupt.armed.take());
        interrupt.take();
        self.remove_reader(&interrupt.woken).map(drop)
    }
}
