//! Connecting, which the standard library does in blocking calls only: on a thread.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::asyncio::wrap_future;
use crate::error::Result;

/// What the thread leaves, and whom it wakes.
#[derive(Default)]
struct Attempt {
    outcome: Option<io::Result<TcpStream>>,
    waker: Option<Waker>,
}

/// Waits for a thread to connect to `address`. Who goes before leaves the thread to its end,
/// which the system's own limit brings, and a connection that is made for nobody is closed.
pub(super) async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let attempt = Arc::new(Mutex::new(Attempt::default()));
    let of_thread = Arc::clone(&attempt);
    let connects = move || {
        let outcome = TcpStream::connect(address);
        let mut attempt = lock(&of_thread);
        attempt.outcome = Some(outcome);
        let waker = attempt.waker.take();
        drop(attempt);
        if let Some(waker) = waker {
            waker.wake();
        }
    };
    thread::Builder::new().name(format!("connect to {address}")).spawn(connects)?;
    let done = poll_fn(|cx| {
        let mut attempt = lock(&attempt);
        if let Some(outcome) = attempt.outcome.take() {
            return Poll::Ready(outcome);
        }
        attempt.waker = Some(cx.waker().clone());
        Poll::Pending
    });
    Ok(wrap_future(done).await??)
}

/// Nothing panics while it is locked.
fn lock(attempt: &Mutex<Attempt>) -> MutexGuard<'_, Attempt> {
    attempt.lock().unwrap_or_else(PoisonError::into_inner)
}
