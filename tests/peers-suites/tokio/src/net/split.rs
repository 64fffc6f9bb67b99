//! Halves of streams.

macro_rules! halves {
    ($name:ident, $stream:ident) => {
        pub mod $name {
            use std::fmt;
            use std::ops::Deref;
            use std::sync::Arc;

            use crate::net::streaming::{async_read, async_write};
            use crate::net::$stream;

            #[derive(Debug)]
            pub struct ReadHalf<'a>(&'a $stream);

            #[derive(Debug)]
            pub struct WriteHalf<'a>(&'a $stream);

            #[derive(Debug)]
            pub struct OwnedReadHalf(Arc<$stream>);

            #[derive(Debug)]
            pub struct OwnedWriteHalf {
                stream: Arc<$stream>,
                ends_writing: bool,
            }

            pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

            impl fmt::Debug for ReuniteError {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("ReuniteError")
                }
            }

            impl fmt::Display for ReuniteError {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("tried to reunite halves that are not from the same socket")
                }
            }

            impl std::error::Error for ReuniteError {}

            pub fn split(stream: &mut $stream) -> (ReadHalf<'_>, WriteHalf<'_>) {
                (ReadHalf(stream), WriteHalf(stream))
            }

            pub fn into_split(stream: $stream) -> (OwnedReadHalf, OwnedWriteHalf) {
                let stream = Arc::new(stream);
                let write = OwnedWriteHalf { stream: stream.clone(), ends_writing: true };
                (OwnedReadHalf(stream), write)
            }

            fn reunite(
                read: OwnedReadHalf,
                mut write: OwnedWriteHalf,
            ) -> Result<$stream, ReuniteError> {
                if !Arc::ptr_eq(&read.0, &write.stream) {
                    return Err(ReuniteError(read, write));
                }
                write.ends_writing = false;
                drop(write);
                Ok(Arc::into_inner(read.0).expect("there were two halves"))
            }

            impl OwnedReadHalf {
                pub fn reunite(self, other: OwnedWriteHalf) -> Result<$stream, ReuniteError> {
                    reunite(self, other)
                }
            }

            impl OwnedWriteHalf {
                pub fn reunite(self, other: OwnedReadHalf) -> Result<$stream, ReuniteError> {
                    reunite(other, self)
                }

                pub fn forget(mut self) {
                    self.ends_writing = false;
                }
            }

            impl Drop for OwnedWriteHalf {
                fn drop(&mut self) {
                    if self.ends_writing {
                        let _ = self.stream.end_writing();
                    }
                }
            }

            impl Deref for OwnedWriteHalf {
                type Target = $stream;
                fn deref(&self) -> &$stream {
                    &self.stream
                }
            }

            impl Deref for OwnedReadHalf {
                type Target = $stream;
                fn deref(&self) -> &$stream {
                    &self.0
                }
            }

            impl Deref for ReadHalf<'_> {
                type Target = $stream;
                fn deref(&self) -> &$stream {
                    self.0
                }
            }

            impl Deref for WriteHalf<'_> {
                type Target = $stream;
                fn deref(&self) -> &$stream {
                    self.0
                }
            }

            async_read!(ReadHalf<'_>);
            async_read!(OwnedReadHalf);
            async_write!(WriteHalf<'_>, |_: &mut WriteHalf<'_>| ());
            async_write!(OwnedWriteHalf, |half: &mut OwnedWriteHalf| half.ends_writing = false);
        }
    };
}

halves!(tcp, TcpStream);
halves!(unix, UnixStream);
