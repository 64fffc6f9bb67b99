//! The interpreter of conformance programs over callsoon: `PROGRAMS.md` beside this folder is
//! the language, `oracle.py` the same machine over asyncio.
//!
//! - `program`: a program decoded from JSON, once, into statements that can be run
//! - `statement`: what a statement is, and which family knows its op
//! - `args`: the arguments of one statement, while it is decoded
//! - `value`, `failure`: what is passed around, and how it is shown
//! - `trace`: the lines a run leaves; `logged`: those that come through the `log` crate
//! - `vars`: the one table of names
//! - `machine`: what a run shares: program, table, labels, callbacks, fuel
//! - `speaker`: one coroutine, generator or callback that runs statements and says lines
//! - `execute`: a whole run, from main's start to the end's report; `mains`: the same by a runner
//! - the families of statements: `control`, `futures`, `tasks`, `generators`,
//!   `wrappers`, `waiting`, `queue`, `ticker`, `holder`, `streamer`, `locks`,
//!   `channels`, `groups`, `timeouts`, `endings`, `network`, `protocols`
//! - `sockets`: the ends of connections that a program has, and the paths of its servers
//!
//! A new family is a new file with a `decode`, and its line in `statement::FAMILIES`.

mod args;
mod channels;
mod control;
mod endings;
pub(crate) mod execute;
mod failure;
mod futures;
mod generators;
mod groups;
mod holder;
mod locks;
pub(crate) mod logged;
#[expect(clippy::module_inception, reason = "the machine itself, in the folder that is about it")]
mod machine;
mod mains;
#[cfg(unix)]
mod network;
mod program;
#[cfg(unix)]
mod protocols;
mod queue;
#[cfg_attr(not(unix), expect(dead_code, reason = "programs with sockets are not run"))]
mod sockets;
mod speaker;
mod statement;
mod streamer;
mod tasks;
mod ticker;
mod timeouts;
mod trace;
mod value;
mod vars;
mod waiting;
mod wrappers;

pub(crate) use execute::run;
