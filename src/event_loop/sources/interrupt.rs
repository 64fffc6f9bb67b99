//! Ctrl-C while a main task runs: the methods of the loop for it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use std::io::Read;

use crate::error::Result;
use crate::event_loop::loop_ref::LoopRef;
use crate::event_loop::poller::{INTERRUPT, Interrupt, refused, wake_pair};

impl LoopRef {
    /// Has `callback` called on the loop's thread after the callback or step in which the process
    /// gets `SIGINT`, until the interrupt is [released](LoopRef::release_interrupt). Several signals
    /// that arrive in one step are one. Returns `None`, and changes nothing, where the loop has a
    /// handler for the signal.
    ///
    /// # Errors
    ///
    /// [`Runtime`](crate::ErrorKind::Runtime) on a loop with a host that has no reactor;
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; and the system's error.
    pub(crate) fn engage_interrupt(
        &self,
        callback: impl Fn() + 'static,
    ) -> Result<Option<Rc<Interrupt>>> {
        self.check_open()?;
        if self.reactor()?.signals().has(INTERRUPT) {
            return Ok(None);
        }
        let (woken, wakes) = wake_pair()?;
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
        let interrupt = match Interrupt::new(woken.clone(), wakes, Box::new(callback)) {
            Ok(interrupt) => Rc::new(interrupt),
            Err(error) => {
                self.remove_reader(&woken)?;
                return Err(refused(INTERRUPT, error));
            }
        };
        self.set_interrupt(Some(interrupt.clone()));
        Ok(Some(interrupt))
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

    /// Does as [`release_interrupt`](LoopRef::release_interrupt), for whichever interrupt is
    /// engaged.
    pub(super) fn displace_interrupt(&self) -> Result<()> {
        let Some(interrupt) = self.interrupt() else { return Ok(()) };
        self.set_interrupt(None);
        interrupt.disarm();
        interrupt.take();
        self.remove_reader(&interrupt.woken).map(drop)
    }
}
