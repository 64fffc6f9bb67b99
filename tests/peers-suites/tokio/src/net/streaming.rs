//! tokio's traits of reading and writing, for streams and their halves.

/// Implements reading by `poll_read_of`.
macro_rules! async_read {
    ($stream:ty) => {
        impl tokio_own::io::AsyncRead for $stream {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut tokio_own::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.poll_read_of(cx, buffer)
            }
        }
    };
}
pub(super) use async_read;

/// Implements writing by `poll_write_of`; `$ended` is called once the writing has been ended.
macro_rules! async_write {
    ($stream:ty, $ended:expr) => {
        impl tokio_own::io::AsyncWrite for $stream {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.poll_write_of(cx, &[std::io::IoSlice::new(bytes)])
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.poll_write_of(cx, buffers)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            fn poll_shutdown(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let ended = self.end_writing();
                if ended.is_ok() {
                    $ended(&mut *self);
                }
                std::task::Poll::Ready(ended)
            }
        }
    };
}
pub(super) use async_write;
