//! Readers and writers: callbacks that run whenever a socket or pipe is ready.

use alloc::borrow::ToOwned;
use alloc::rc::Rc;
use alloc::string::String;
use core::any::type_name_of_val;
use core::cell::Cell;

use crate::collections::CellExt;
#[cfg(feature = "contextvars")]
use crate::context::captured;
use crate::error::{Error, Result};
use crate::event_loop::exception_handler::{CallbackOutput, run_callback};
use crate::event_loop::job::{Job, JobCell};
use crate::event_loop::loop_ref::LoopRef;
use crate::event_loop::poller::{Listener, Reactor, Side, Source, raw_key};

/// A callback that runs once for each turn in which its socket is ready.
struct ReaderHandle<F> {
    /// Gone once it is cancelled.
    on: Cell<Option<LoopRef>>,
    /// Away while it runs, and for good once it is cancelled.
    callback: Cell<Option<F>>,
    name: &'static str,
}

impl<F> ReaderHandle<F> {
    fn is_cancelled(&self) -> bool {
        self.on.with(|on| on.is_none())
    }
}

impl<F: FnMut() -> R + 'static, R: CallbackOutput + 'static> Job for ReaderHandle<F> {
    fn run(this: Rc<JobCell<Self>>, on: &LoopRef) {
        let Some(mut callback) = this.callback.take() else { return };
        run_callback(on, || this.describe(), &mut callback);
        if !this.is_cancelled() {
            this.callback.set(Some(callback));
        }
    }

    fn describe(&self) -> String {
        "<Handle ".to_owned() + self.name + ">"
    }
}

impl<F: FnMut() -> R + 'static, R: CallbackOutput + 'static> Listener for JobCell<ReaderHandle<F>> {
    fn wanted(&self, _side: Side) -> bool {
        true
    }

    fn notify(self: Rc<Self>, _side: Side) {
        self.on.with(|on| {
            if let Some(on) = on {
                on.schedule(Rc::clone(&self));
            }
        });
    }

    fn cancel(&self) {
        drop((self.on.take(), self.callback.take()));
    }
}

impl LoopRef {
    /// Has `callback` run in each turn in which `source` can be read without blocking, until
    /// [`remove_reader`](LoopRef::remove_reader): asyncio's `add_reader`. A reader that the
    /// same descriptor had before is replaced.
    ///
    /// The loop holds `source` as long as it watches it: hand it an `Rc` or `Arc` and keep
    /// one. It should be in non-blocking mode.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after the loop has closed; the system's error where it
    /// can't watch the descriptor (a regular file, say, or no descriptor left); and
    /// [`Runtime`](crate::ErrorKind::Runtime) on a loop with a host that has no reactor.
    ///
    /// ```
    /// use std::{io::{Read, Write}, os::unix::net::UnixStream, rc::Rc};
    /// use callsoon::EventLoop;
    ///
    /// let (mut ours, theirs) = UnixStream::pair()?;
    /// let theirs = Rc::new(theirs);
    /// let event_loop = EventLoop::new();
    /// let (on, reading) = (event_loop.clone(), theirs.clone());
    /// event_loop.add_reader(theirs.clone(), move || {
    ///     let mut byte = [0];
    ///     (&*reading).read_exact(&mut byte).expect("it is readable");
    ///     assert_eq!(byte, *b"!");
    ///     on.stop();
    /// })?;
    /// ours.write_all(b"!")?;
    /// event_loop.run_forever()?;
    /// assert!(event_loop.remove_reader(&theirs)?);
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    pub fn add_reader<R: CallbackOutput + 'static>(
        &self,
        source: impl Source + 'static,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        self.watch(Rc::new(source), Side::Reader, callback)
    }

    /// Has `callback` run in each turn in which `source` can be written without blocking,
    /// until [`remove_writer`](LoopRef::remove_writer): asyncio's `add_writer`. For the rest
    /// see [`add_reader`](LoopRef::add_reader).
    ///
    /// # Errors
    ///
    /// As [`add_reader`](LoopRef::add_reader).
    pub fn add_writer<R: CallbackOutput + 'static>(
        &self,
        source: impl Source + 'static,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        self.watch(Rc::new(source), Side::Writer, callback)
    }

    /// Stops watching `source` for reading: asyncio's `remove_reader`. The callback won't run
    /// any more, even if it is ready already. Returns true if there was one.
    ///
    /// # Errors
    ///
    /// What the system says where it can't be changed.
    pub fn remove_reader(&self, source: &impl Source) -> Result<bool> {
        self.unwatch(source, Side::Reader)
    }

    /// Stops watching `source` for writing: asyncio's `remove_writer`. Returns true if it was.
    ///
    /// # Errors
    ///
    /// As [`remove_reader`](LoopRef::remove_reader).
    pub fn remove_writer(&self, source: &impl Source) -> Result<bool> {
        self.unwatch(source, Side::Writer)
    }

    pub(crate) fn reactor(&self) -> Result<Rc<Reactor>> {
        let reactor = self.shared().reactor.get().filter(|reactor| !reactor.is_closed());
        reactor.cloned().ok_or_else(|| Error::runtime("the loop's host has no reactor"))
    }

    /// Does as [`add_reader`](LoopRef::add_reader) or [`add_writer`](LoopRef::add_writer), for a
    /// source that is shared already.
    pub(crate) fn watch<R: CallbackOutput + 'static>(
        &self,
        source: Rc<dyn Source>,
        side: Side,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        let name = type_name_of_val(&callback);
        #[cfg(feature = "contextvars")]
        if let Some(context) = captured() {
            return self.watch_by(source, side, name, context.bind_mut(callback));
        }
        self.watch_by(source, side, name, callback)
    }

    fn watch_by<R: CallbackOutput + 'static>(
        &self,
        source: Rc<dyn Source>,
        side: Side,
        name: &'static str,
        callback: impl FnMut() -> R + 'static,
    ) -> Result<()> {
        self.check_open()?;
        let (on, callback) = (Cell::new(Some(self.clone())), Cell::new(Some(callback)));
        let repeat = JobCell::new(ReaderHandle { on, callback, name });
        if let Some(before) = self.reactor()?.watch(source, side, repeat)? {
            before.cancel();
        }
        Ok(())
    }

    fn unwatch(&self, source: &impl Source, side: Side) -> Result<bool> {
        if self.is_closed() {
            // Closing has dropped everything.
            return Ok(false);
        }
        Ok(self.reactor()?.unwatch(raw_key(source), side)?.release())
    }
}
