//! [`Statement`]: one step of a program, and where its op is looked up.

use std::pin::Pin;
use std::rc::Rc;

use serde_json::Value as Json;

use super::args::Args;
use super::control::Try;
use super::failure::Done;
use super::program::Malformed;
use super::speaker::Speaker;
use super::value::Value;
use super::vars::Name;
use super::{
    channels, control, endings, futures, generators, groups, holder, locks, queue, streamer, tasks,
    ticker, timeouts, waiting, wrappers,
};
#[cfg(unix)]
use super::{network, protocols};

/// Statements that run one after the other.
pub(crate) type Block = Rc<[Statement]>;

/// The future of a statement, boxed: statements hold statements.
pub(crate) type Boxed<'a> = Pin<Box<dyn Future<Output = Done> + 'a>>;

pub(crate) enum Statement {
    /// Needs no await: callbacks may hold it too.
    Now(Box<dyn Fn(&Speaker) -> Done>),
    /// Awaits: coroutines, generators and main only.
    Awaits(Box<dyn Fn(Speaker) -> Boxed<'static>>),
    /// A body, so many times. In a generator, the body may yield.
    Repeat(usize, Block),
    /// In a generator, its bodies may yield.
    Try(Try),
    /// Gives a value: generators only.
    Yield(Value),
    /// Raises the error that a handler is about: stands at a handler's top level only.
    Reraise,
    /// Raises an error that leaves a callback, where one can.
    Fail(Name),
}

/// A family's decoder: the statement, or none where the op is not the family's.
type Decode = fn(&str, &mut Args<'_>) -> Result<Option<Statement>, Malformed>;

/// Every family there is.
const FAMILIES: &[Decode] = &[
    control::decode,
    futures::decode,
    tasks::decode,
    generators::decode,
    locks::decode,
    channels::decode,
    wrappers::decode,
    waiting::decode,
    queue::decode,
    ticker::decode,
    holder::decode,
    streamer::decode,
    groups::decode,
    timeouts::decode,
    endings::decode,
    #[cfg(unix)]
    network::decode,
    #[cfg(unix)]
    protocols::decode,
];

pub(crate) fn decode(json: &Json) -> Result<Statement, Malformed> {
    let (op, mut args) = Args::of(json)?;
    for family in FAMILIES {
        if let Some(statement) = family(op, &mut args)? {
            args.end()?;
            return Ok(statement);
        }
    }
    Err(Malformed::Op(op.to_owned()))
}

/// A statement that needs no await.
pub(crate) fn now(run: impl Fn(&Speaker) -> Done + 'static) -> Option<Statement> {
    Some(Statement::Now(Box::new(run)))
}

/// A statement that awaits.
pub(crate) fn awaits(run: impl AsyncFn(Speaker) -> Done + 'static) -> Option<Statement> {
    let run = Rc::new(run);
    Some(Statement::Awaits(Box::new(move |me| {
        let run = run.clone();
        Box::pin(async move { run(me).await })
    })))
}
