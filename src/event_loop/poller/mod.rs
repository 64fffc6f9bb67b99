//! File descriptors and their listeners, and the sleep of a loop. It has no notion of a loop.
//!
//! `source` and `listener` (the two ends), `fd_table`, `waits` (the system's own), `process`, `bell`,
//! `reactor`, which joins them, `system_host`; `signal_hooks`, `wake_stream` and `interrupt`, what a signal
//! does; `tcp_pair`.

mod bell;
mod fd_table;
#[cfg(feature = "signals")]
mod interrupt;
mod listener;
mod process;
mod reactor;
#[cfg(feature = "signals")]
mod signal_hooks;
mod source;
mod system_host;
#[cfg(all(windows, any(feature = "signals", feature = "process")))]
mod tcp_pair;
mod waits;
#[cfg(feature = "signals")]
mod wake_stream;

pub use source::Source;

#[cfg(all(test, any(loom, shuttle)))]
pub(crate) use bell::{Bell, EndWait};
pub(crate) use fd_table::RawKey;
#[cfg(feature = "signals")]
pub(crate) use interrupt::Interrupt;
pub(crate) use listener::{Listener, Side};
pub(crate) use reactor::{Reactor, Watch};
#[cfg(feature = "signals")]
pub(crate) use signal_hooks::{Handled, INTERRUPT, Schedule, Wakeup, invalid, refused, signals_in};
pub(crate) use source::{Listening, raw_key, set_nonblocking};
pub(crate) use system_host::SystemHost;
#[cfg(all(windows, any(feature = "signals", feature = "process")))]
pub(crate) use tcp_pair::tcp_pair;
pub(crate) use waits::Watching;
#[cfg(feature = "signals")]
pub(crate) use wake_stream::{WakeStream, wake_pair};
