//! Code that several runtimes share.

use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The channel of a runtime that has none of its own.
macro_rules! channel {
    () => {
        type Tx<T: 'static> = futures_channel::mpsc::UnboundedSender<T>;
        type Rx<T: 'static> = futures_channel::mpsc::UnboundedReceiver<T>;

        fn channel<T: 'static>() -> (Self::Tx<T>, Self::Rx<T>) {
            futures_channel::mpsc::unbounded()
        }

        fn send<T: 'static>(to: &Self::Tx<T>, value: T) {
            to.unbounded_send(value).unwrap_or_else(|_| panic!("the receiver was dropped"))
        }

        async fn recv<T: 'static>(from: &mut Self::Rx<T>) -> T {
            futures_util::StreamExt::next(from).await.unwrap()
        }
    };
}
pub(super) use channel;

/// Sends back whatever comes, until the client has gone.
pub(super) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
