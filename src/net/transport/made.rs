//! [`made`]: the wait until a transport or a server is made.

use alloc::rc::Rc;
use core::future::IntoFuture;

use crate::asyncio::LoopFuture;
use crate::error::Result;
use crate::event_loop::LoopRef;

/// A transport or a server, which can be closed.
pub(crate) trait Close {
    fn close(&self);
}

/// Waits until `wait` says that `transport` is made. The transport is closed if the wait fails or is
/// dropped.
pub(crate) async fn made<T: Close>(
    transport: T,
    wait: impl IntoFuture<Output = Result<()>>,
) -> Result<T> {
    let closing = CloseOnDrop(Some(transport));
    wait.await?;
    Ok(closing.keep())
}

/// Makes a protocol by `factory`, and by `make` a transport that calls it; waits until that is made.
pub(crate) async fn made_by<P, T: Close>(
    on: &LoopRef,
    factory: impl FnOnce() -> P,
    make: impl FnOnce(Rc<P>, LoopFuture<()>) -> Result<T>,
) -> Result<(T, Rc<P>)> {
    let protocol = Rc::new(factory());
    let waiter = LoopFuture::new(on);
    let transport = make(Rc::clone(&protocol), waiter.clone())?;
    Ok((made(transport, waiter).await?, protocol))
}

/// Closes a transport when the wait for it is dropped.
struct CloseOnDrop<T: Close>(Option<T>);

impl<T: Close> CloseOnDrop<T> {
    fn keep(mut self) -> T {
        self.0.take().expect("it is dropped in no other place")
    }
}

impl<T: Close> Drop for CloseOnDrop<T> {
    fn drop(&mut self) {
        if let Some(transport) = self.0.take() {
            transport.close();
        }
    }
}
