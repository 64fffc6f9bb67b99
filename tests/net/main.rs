//! asyncio's network: streams, transports and servers.
#![cfg(unix)]

mod connecting;
mod protocols;
mod scripts;
mod streams;
#[cfg(target_os = "linux")]
mod transports;
