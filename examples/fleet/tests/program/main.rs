//! The program itself, run as a user runs it.

mod arguments;
mod interrupt;
mod killed;
mod one_port;
mod question;
#[cfg(unix)]
mod refused;
mod running;
mod search;
