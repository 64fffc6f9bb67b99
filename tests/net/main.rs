//! asyncio's network: streams, transports and servers.

#[cfg(target_os = "linux")]
mod cancelling;
#[cfg(target_os = "linux")]
#[path = "../io/child.rs"]
mod child;
#[cfg(target_os = "linux")]
mod closing;
mod connecting;
#[cfg(target_os = "linux")]
mod datagrams;
#[cfg(target_os = "linux")]
#[path = "../support/descriptors.rs"]
mod descriptors;
#[cfg(target_os = "linux")]
mod display;
#[cfg(target_os = "linux")]
mod faults;
mod options;
#[cfg(target_os = "linux")]
mod pipes;
mod protocols;
mod readers;
#[cfg(target_os = "linux")]
mod resets;
mod scripts;
#[cfg(unix)]
mod sendfile;
#[cfg(target_os = "linux")]
mod servers;
mod serving;
mod streams;
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
mod transports;
