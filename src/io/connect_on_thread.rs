//! Connecting on a thread, on systems without a connect that doesn't block.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use std::net::{SocketAddr, TcpStream};
use std::thread;

use super::async_source::Async;
use super::stream::nonblocking;
use crate::asyncio::{LoopFuture, WaitReason};
use crate::error::{Error, Result, about};
use crate::event_loop::running_loop;

/// Waits for a thread to connect to `address`. A wait that is dropped before leaves the thread to
/// its end, which the system's own limit brings, and its connection is closed.
pub(super) async fn connect(
    address: SocketAddr,
    locals: Option<&[SocketAddr]>,
    _errors: &mut Vec<Error>,
) -> Result<Async<TcpStream>> {
    if locals.is_some() {
        return Err(Error::runtime("no local address can be chosen on this system"));
    }
    let on = running_loop()?;
    let tried = LoopFuture::<()>::with_reason(&on, WaitReason::Connect);
    let outcome = Rc::new(Cell::new(None));
    let (tell, leave) = (tried.clone(), Rc::clone(&outcome));
    let answer = on.expect_answer(move |connected| {
        leave.set(Some(connected));
        // Done already, it was cancelled: the rest goes with its last holder.
        let _ = tell.set_result(());
    })?;
    // On a loop that has closed nothing waits any more.
    let to_peer = move || format!("can't connect to {address}");
    let connects = move || drop(answer.give(about(TcpStream::connect(address), to_peer)));
    let thread = thread::Builder::new().name(format!("connect to {address}"));
    about(thread.spawn(connects), || format!("no thread to connect to {address}"))?;
    tried.await?;
    nonblocking!(outcome.take().unwrap_or_else(|| Err(Error::cancelled()))?)
}
