//! [`Waits`]: the wait for events, and the registration of descriptors with the system: by `polling`;
//! on Linux by epoll itself, on the descriptor of `polling`'s poller.
#![allow(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use epoll::{Waits, watch};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use portable::{Waits, watch};

use core::time::Duration;
use std::io;

use polling::{Event, Poller};

use super::fd_table::RawKey;
use super::listener::Interest;

/// The way in which one descriptor is watched.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Watching {
    pub(crate) interest: Interest,
    /// Only what comes is reported, once, and not what is there already. It makes a difference on Linux
    /// only, which has sources that need it.
    pub(crate) edge: bool,
}

impl Watching {
    pub(crate) fn by_level(interest: Interest) -> Watching {
        Watching { interest, edge: false }
    }
}

#[cfg(unix)]
use std::os::fd::BorrowedFd as Borrowed;
#[cfg(windows)]
use std::os::windows::io::BorrowedSocket as Borrowed;

/// Has `poller` forget the descriptor `raw`.
///
/// # Safety
///
/// The descriptor must be open.
pub(crate) unsafe fn forget(poller: &Poller, raw: RawKey) -> io::Result<()> {
    // SAFETY: The caller's promise.
    poller.delete(unsafe { Borrowed::borrow_raw(raw) })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod portable {
    use polling::PollMode;

    use super::*;

    #[derive(Default)]
    pub(crate) struct Waits(polling::Events);

    impl Waits {
        pub(crate) fn wait(
            &mut self,
            poller: &Poller,
            timeout: Option<Duration>,
        ) -> io::Result<()> {
            self.0.clear();
            poller.wait(&mut self.0, timeout).map(drop)
        }

        pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
            self.0.iter()
        }
    }

    /// Has `poller` watch the descriptor `raw`, which it has `known` already or not.
    ///
    /// # Safety
    ///
    /// The descriptor must be open, and stay open until the poller has forgotten it.
    pub(crate) unsafe fn watch(
        poller: &Poller,
        raw: RawKey,
        key: usize,
        known: bool,
        how: Watching,
    ) -> io::Result<()> {
        let mode = if poller.supports_level() { PollMode::Level } else { PollMode::Oneshot };
        let event = Event::new(key, how.interest.reader, how.interest.writer);
        // SAFETY: The caller's promise.
        unsafe {
            if known {
                return poller.modify_with_mode(Borrowed::borrow_raw(raw), event, mode);
            }
            poller.add_with_mode(raw, event, mode)
        }
    }
}

/// `polling`'s own wait sets a timer before it and a bell after it, and so takes five system calls,
/// each time; and it has every reader told of urgent data, of which a read sees nothing.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll {
    use alloc::vec::Vec;
    use core::{ffi::c_int, num::NonZeroUsize};
    use std::os::fd::AsRawFd;

    use polling::Events;

    use super::*;

    /// The number of events that one wait reports at most. The rest comes with the next.
    const ROOM: c_int = 1024;
    /// The key of the poller's own bell, and of no source.
    const BELL: usize = usize::MAX;

    const IN: u32 = 0x1;
    const OUT: u32 = 0x4;
    const ERROR: u32 = 0x8;
    const HANG_UP: u32 = 0x10;
    const EDGE: u32 = 1 << 31;

    const ADD: c_int = 1;
    const MODIFY: c_int = 3;

    /// The system's `struct epoll_event`.
    #[derive(Clone, Copy)]
    #[cfg_attr(target_arch = "x86_64", repr(C, packed))]
    #[cfg_attr(not(target_arch = "x86_64"), repr(C))]
    struct Report {
        flags: u32,
        data: u64,
    }

    unsafe extern "C" {
        fn epoll_wait(epoll: c_int, reports: *mut Report, room: c_int, millis: c_int) -> c_int;
        fn epoll_ctl(epoll: c_int, what: c_int, descriptor: c_int, report: *mut Report) -> c_int;
    }

    fn flag(is: bool, flag: u32) -> u32 {
        if is { flag } else { 0 }
    }

    /// Waits, and what the last one has reported.
    pub(crate) struct Waits {
        /// Of fixed length from the first wait on, so that there is room for all that a wait and a
        /// look after the bell report.
        room: Vec<Report>,
        /// The number of reports in `room` that the last wait has filled.
        filled: usize,
        /// The events that `polling` reports while it takes its bell back.
        seen_again: Events,
    }

    impl Default for Waits {
        fn default() -> Waits {
            let seen_again = Events::with_capacity(NonZeroUsize::MIN);
            Waits { room: Vec::new(), filled: 0, seen_again }
        }
    }

    impl Waits {
        /// A longer timeout than the system has numbers for, 24 days, is cut, and so is one in
        /// which a signal comes: the loop looks at the clock afterwards anyway.
        pub(crate) fn wait(
            &mut self,
            poller: &Poller,
            timeout: Option<Duration>,
        ) -> io::Result<()> {
            self.filled = 0;
            self.room.resize(ROOM as usize + 1, Report { flags: 0, data: 0 });
            let millis = timeout
                .map_or(-1, |timeout| c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX));
            let room = self.room.as_mut_ptr();
            // SAFETY: The descriptor is the poller's and of epoll, and open as long as that is
            // borrowed. The buffer is ours alone, and has room for as many reports as are said.
            let filled = unsafe { epoll_wait(poller.as_raw_fd(), room, ROOM, millis) };
            let Ok(filled) = usize::try_from(filled) else {
                let error = io::Error::last_os_error();
                let is_signal = error.kind() == io::ErrorKind::Interrupted;
                return if is_signal { Ok(()) } else { Err(error) };
            };
            self.filled = filled;
            if self.reports().any(|(key, _)| key == BELL) {
                // It rang, and is not heard again before `polling` has taken it back, which it does
                // after a wait. What that reports is kept: by edge it is not reported again.
                self.seen_again.clear();
                poller.wait(&mut self.seen_again, Some(Duration::ZERO))?;
                let seen = self.seen_again.iter().next();
                seen.into_iter().for_each(|event| self.keep(event));
            }
            Ok(())
        }

        /// Keeps one event more, which may be of a descriptor that was reported already.
        fn keep(&mut self, event: Event) {
            let flags = flag(event.readable, IN) | flag(event.writable, OUT);
            let own = |report: &&mut Report| report.data == event.key as u64;
            match self.room[..self.filled].iter_mut().find(own) {
                Some(report) => report.flags |= flags,
                None => {
                    self.room[self.filled] = Report { flags, data: event.key as u64 };
                    self.filled += 1;
                }
            }
        }

        fn reports(&self) -> impl Iterator<Item = (usize, u32)> {
            self.room[..self.filled].iter().map(|report| (report.data as usize, report.flags))
        }

        pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
            // An error or a hang-up concerns both sides: an operation is to find it out.
            let is = |flags: u32, one: u32| flags & (one | HANG_UP | ERROR) != 0;
            self.reports().map(move |(key, flags)| Event::new(key, is(flags, IN), is(flags, OUT)))
        }
    }

    /// Has `poller` watch the descriptor `raw`, which it has `known` already or not.
    ///
    /// # Safety
    ///
    /// The descriptor must be open, and stay open until the poller has forgotten it.
    pub(crate) unsafe fn watch(
        poller: &Poller,
        raw: RawKey,
        key: usize,
        known: bool,
        how: Watching,
    ) -> io::Result<()> {
        let interest = flag(how.interest.reader, IN) | flag(how.interest.writer, OUT);
        let mut report = Report { flags: interest | flag(how.edge, EDGE), data: key as u64 };
        let what = if known { MODIFY } else { ADD };
        // SAFETY: The descriptor of epoll is open as long as the poller is borrowed, and the other
        // one by the caller's promise; the report is only read.
        let done = unsafe { epoll_ctl(poller.as_raw_fd(), what, raw, &raw mut report) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
