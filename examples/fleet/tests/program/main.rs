//! The program itself, run as a user runs it.

mod arguments;
mod interrupt;
mod one_port;
mod question;
mod running;
mod search;
