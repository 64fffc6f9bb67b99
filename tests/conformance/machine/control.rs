//! The statements that steer: `log`, `raise`, `fail`, `return`, `break`, `repeat`, `try`, `reraise`;
//! and those that count: `number`, `add`.

use std::cell::Cell;
use std::rc::Rc;

use callsoon::Error;

use super::args::Args;
use super::failure::{Done, Flow, error_name, is_exception, make_error};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Block, Statement, awaits, now};
use super::vars::Name;

/// A body with its handlers.
pub(crate) struct Try {
    body: Block,
    cancelled: Option<Block>,
    error: Option<Block>,
    finally: Option<Block>,
}

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "log" => {
            let text = args.name()?;
            now(move |me| {
                me.say(&text);
                Ok(())
            })
        }
        "raise" => {
            let name = args.name()?;
            now(move |_| Err(make_error(&name).into()))
        }
        "fail" => Some(Statement::Fail(args.name()?)),
        "return" => {
            let value = args.value()?;
            awaits(async move |_| Err(Flow::Return(value.clone())))
        }
        "break" => awaits(async |_| Err(Flow::Break)),
        "number" => {
            let (v, number) = (args.name()?, args.whole()?);
            now(move |me| {
                me.vars.put(&v, Cell::new(number));
                Ok(())
            })
        }
        "add" => {
            let (v, more) = (args.name()?, args.whole()?);
            now(move |me| {
                let number = me.number(&v)?;
                number.set(number.get().saturating_add(more));
                me.say(format_args!("{v} is {}", number.get()));
                Ok(())
            })
        }
        "repeat" => Some(Statement::Repeat(args.count()?, args.block()?)),
        "try" => {
            let body = args.block()?;
            let handlers = args.options()?;
            Some(Statement::Try(Try {
                body,
                cancelled: handlers.block("cancelled")?,
                error: handlers.block("error")?,
                finally: handlers.block("finally")?,
            }))
        }
        "reraise" => Some(Statement::Reraise),
        "yield" => Some(Statement::Yield(args.value()?)),
        _ => None,
    })
}

impl Speaker {
    /// A number that the program counts with.
    pub(crate) fn number(&self, v: &Name) -> Result<Rc<Cell<i64>>, Error> {
        self.vars.get::<Cell<i64>>(v)
    }

    pub(crate) async fn repeat(&self, times: usize, body: &Block) -> Done {
        for _ in 0..times {
            match self.run(body).await {
                Err(Flow::Break) => break,
                ended => ended?,
            }
        }
        Ok(())
    }

    pub(crate) async fn attempt(&self, attempt: &Try) -> Done {
        let ended = match self.run(&attempt.body).await {
            Err(Flow::Error(error)) => self.handle(attempt, error).await,
            ended => ended,
        };
        if let Some(finally) = &attempt.finally {
            // Its own way to end comes before the one that the body had.
            self.run(finally).await?;
        }
        ended
    }

    async fn handle(&self, attempt: &Try, error: callsoon::Error) -> Done {
        let cancelled = error.is_cancelled();
        let handler = if cancelled { &attempt.cancelled } else { &attempt.error };
        let Some(handler) = handler.as_ref().filter(|_| cancelled || is_exception(&error)) else {
            return Err(Flow::Error(error));
        };
        if !cancelled {
            self.say(format_args!("except {}", error_name(&error)));
        }
        let reraise = handler.iter().position(|step| matches!(step, Statement::Reraise));
        self.run(&handler[..reraise.unwrap_or(handler.len())]).await?;
        if reraise.is_some() { Err(Flow::Error(error)) } else { Ok(()) }
    }
}
