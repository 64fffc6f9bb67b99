//! Accepting connections, also where the system has no resources left.

use core::fmt::Debug;
use core::time::Duration;
use std::io;

use super::async_source::Async;
use super::half::take_turn;
use crate::asyncio::sleep;
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, LoopRef, Side, Source};

/// The time for which a listener rests when the system has run out of something: asyncio's
/// `ACCEPT_RETRY_DELAY`.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// Waits for a connection, and returns what `wrap` makes of it. Other tasks that accept meanwhile
/// wait in line, also while the listener rests.
///
/// What is wrong with one connection, or for want of resources, is no error of the listener: it is
/// passed over, or reported. A connection that can't be wrapped for want of resources is closed.
pub(super) async fn accept<T: Source + Debug + 'static, C, W>(
    listener: &Async<T>,
    mut accept: impl FnMut(&T) -> io::Result<C>,
    wrap: impl Fn(C) -> Result<W>,
) -> Result<W> {
    let half = listener.half(Side::Reader);
    let _turn = take_turn!(half);
    loop {
        // Connections that wait already must not take the descriptors without which the loop can't watch
        // them.
        let outcome = match listener.make_poller() {
            Ok(()) => half.operate(&mut accept, |_| false).await,
            Err(error) => Err(error),
        };
        let error = match outcome.and_then(&wrap) {
            Err(error) => error,
            accepted => return accepted,
        };
        match error.io_error() {
            Some(system) if is_of_one_connection(system) => {}
            Some(system) if is_out_of_resources(system) => {
                report_out_of_resources(listener.get_loop(), listener.get_ref(), error);
                sleep(REST).await?;
            }
            _ => return Err(error),
        }
    }
}

/// Tells the exception handler that `listener` can accept no connection for want of resources.
pub(crate) fn report_out_of_resources(event_loop: &LoopRef, listener: &impl Debug, error: Error) {
    let mut context = ExceptionContext::new("socket.accept() out of system resource");
    context.exception = Some(error);
    context.socket = Some(format!("{listener:?}"));
    event_loop.call_exception_handler(&context);
}

/// Returns true if the error is of one connection, before it was accepted. Others are waiting
/// behind it. Linux returns a connection's pending network errors from the call that accepts it.
fn is_of_one_connection(error: &io::Error) -> bool {
    const EPROTO: i32 = 71;
    const ENOPROTOOPT: i32 = 92;
    const EHOSTDOWN: i32 = 112;
    const ENONET: i32 = 64;
    use io::ErrorKind as Kind;
    let on_linux = cfg!(any(target_os = "linux", target_os = "android"));
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
    ) || on_linux && matches!(error.raw_os_error(), Some(EPROTO | ENOPROTOOPT | EHOSTDOWN | ENONET))
}

/// Returns true if the error passes when other things are closed: too many open files, here or in
/// the whole system, no buffers, no memory.
pub(crate) fn is_out_of_resources(error: &io::Error) -> bool {
    const EMFILE: i32 = if cfg!(windows) { 10024 } else { 24 };
    const ENFILE: i32 = 23;
    const ENOBUFS: i32 = if cfg!(windows) {
        10055
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        105
    } else {
        55
    };
    const ENOMEM: i32 = 12;
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use alloc::collections::VecDeque;
    use alloc::rc::Rc;
    use core::cell::{Cell, RefCell};
    use std::net::TcpListener;

    use super::*;
    use crate::asyncio::run_on;
    use crate::event_loop::EventLoop;

    /// Returns the outcome of `accept` where the system returns `codes` before a connection is
    /// there, each positive code for the listener and each negative one for the watch of the
    /// connection; and how often, and how long, the listener has rested.
    fn accepted(codes: &[i32]) -> (Result<u8>, usize, u64) {
        let event_loop = EventLoop::with_virtual_time();
        let rests = Rc::new(Cell::new(0));
        let counts = rests.clone();
        event_loop.set_exception_handler(Some(Rc::new(move |_, _| counts.set(counts.get() + 1))));
        let left = RefCell::new(codes.iter().copied().collect::<VecDeque<_>>());
        let next = move |of_listener: bool| {
            let mut left = left.borrow_mut();
            let is_next = left.front().is_some_and(|code| (*code > 0) == of_listener);
            let code = if is_next { left.pop_front() } else { None };
            code.map_or(Ok(7), |code| Err(io::Error::from_raw_os_error(code.abs())))
        };
        let accepting = async move {
            let listener = Async::new(TcpListener::bind("127.0.0.1:0")?)?;
            Ok(accept(&listener, |_| next(true), |_| Ok(next(false)?)).await)
        };
        let outcome = run_on(&event_loop, accepting).expect("a listener");
        (outcome, rests.get(), event_loop.time().as_secs())
    }

    const EMFILE: i32 = if cfg!(windows) { 10024 } else { 24 };
    const EINVAL: i32 = 22;

    #[test]
    fn accept_passes_over_errors_of_one_connection() {
        let codes: &[i32] = if cfg!(target_os = "linux") {
            &[103, 104, 113, 100, 101, 71, 92, 112, 64]
        } else {
            &[]
        };
        let (outcome, rests, seconds) = accepted(codes);
        assert_eq!((outcome.unwrap(), rests, seconds), (7, 0, 0));
    }

    #[test]
    fn accept_rests_without_resources_for_the_connection() {
        let (outcome, rests, seconds) = accepted(&[EMFILE, -EMFILE, EMFILE]);
        assert_eq!((outcome.unwrap(), rests, seconds), (7, 3, 3));
    }

    #[test]
    fn accept_returns_errors_of_the_listener() {
        let (outcome, rests, _) = accepted(&[EINVAL]);
        assert_eq!((outcome.unwrap_err().io_error().unwrap().raw_os_error(), rests), (Some(22), 0));
    }
}
