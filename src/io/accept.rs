//! Accepting connections, also where the system runs out of what they take.

use core::fmt::Debug;
use core::time::Duration;
use std::io;

use super::async_source::Async;
use crate::asyncio::sleep;
use crate::error::{Error, Result};
use crate::event_loop::{ExceptionContext, Source};

/// How long a listener rests when the system has run out of something: asyncio's
/// `ACCEPT_RETRY_DELAY`.
const REST: Duration = Duration::from_secs(1);

/// Waits for a connection. Whoever comes meanwhile waits in line, also while the listener
/// rests.
pub(super) async fn accept<T: Source + Debug + 'static, C>(
    listener: &Async<T>,
    mut accept: impl FnMut(&T) -> io::Result<C>,
) -> Result<C> {
    let _turn = listener.turn(listener.reader()).await?;
    loop {
        let outcome = listener.in_turn(listener.reader(), &mut accept, |_| false).await;
        let error = match outcome {
            Err(error) => error,
            accepted => return accepted,
        };
        match error.io_error() {
            // The peer went before it was accepted; others are waiting.
            Some(system) if system.kind() == io::ErrorKind::ConnectionAborted => {}
            Some(system) if is_out_of_resources(system) => {
                report(listener, error);
                sleep(REST).await?;
            }
            _ => return Err(error),
        }
    }
}

fn report<T: Source + Debug + 'static>(listener: &Async<T>, error: Error) {
    let mut context = ExceptionContext::new("socket.accept() out of system resource");
    context.exception = Some(error);
    context.socket = Some(format!("{:?}", listener.get_ref()));
    listener.get_loop().call_exception_handler(&context);
}

/// What passes when others close something: too many open files, here or in the whole system,
/// no buffers, no memory.
fn is_out_of_resources(error: &io::Error) -> bool {
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
