//! [`Interrupt`]: the effect of Ctrl-C while a main task runs that it may cancel.
//!
//! The signal's own handler sets a flag and writes a byte. The loop looks at the flag after each
//! callback and step, as CPython runs a handler between two instructions; the byte wakes a loop that
//! sleeps. The first interrupt gives the signal its default action back, so that a second one ends
//! a process that doesn't react.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::{SigId, flag, low_level};

use super::signal_hooks::{INTERRUPT, InsteadOfDefault, hook_default};
use super::wake_stream::{WakeStream, write_byte_on};

pub(crate) struct Interrupt {
    arrived: Arc<AtomicBool>,
    pub(crate) woken: Rc<WakeStream>,
    /// None from the first interrupt on.
    armed: Cell<Option<Armed>>,
    callback: Box<dyn Fn()>,
}

/// While it lives, the signal sets the flag in place of what it does by default. The default goes
/// after the hooks are registered and comes back before they are taken out: no signal is lost in between.
struct Armed {
    _instead: InsteadOfDefault,
    _hooks: Hooks,
}

struct Hooks([SigId; 2]);

impl Hooks {
    /// The flag is set before the byte is written: hooks run in the order of their registration.
    fn new(arrived: &Arc<AtomicBool>, wakes: WakeStream) -> io::Result<Hooks> {
        let flag = flag::register(INTERRUPT, Arc::clone(arrived))?;
        let byte =
            write_byte_on(INTERRUPT, wakes).inspect_err(|_| _ = low_level::unregister(flag))?;
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
    /// Arms it: `callback` is called by [`take`](Interrupt::take) once the signal has arrived, which
    /// a byte into `wakes` tells the loop that watches `woken`.
    pub(crate) fn new(
        woken: Rc<WakeStream>,
        wakes: WakeStream,
        callback: Box<dyn Fn()>,
    ) -> io::Result<Interrupt> {
        let arrived = Arc::new(AtomicBool::new(false));
        hook_default(INTERRUPT)?;
        let _hooks = Hooks::new(&arrived, wakes)?;
        let armed = Armed { _instead: InsteadOfDefault::of(INTERRUPT), _hooks };
        Ok(Interrupt { arrived, woken, armed: Cell::new(Some(armed)), callback })
    }

    /// Gives the signal its default action back, for good.
    pub(crate) fn disarm(&self) {
        drop(self.armed.take());
    }

    /// Calls the callback if the signal has arrived since the last time.
    pub(crate) fn take(&self) {
        if self.arrived.swap(false, Ordering::SeqCst) {
            self.disarm();
            (self.callback)();
        }
    }
}
