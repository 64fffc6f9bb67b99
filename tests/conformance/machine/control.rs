//! The statements that steer: `log`, `raise`, `return`, `break`, `repeat`, `try`, `reraise`.

use super::args::Args;
use super::failure::{Done, Flow, error_name, make_error};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Block, Statement, awaits, now};

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
        "return" => {
            let value = args.value()?;
            awaits(async move |_| Err(Flow::Return(value.clone())))
        }
        "break" => awaits(async |_| Err(Flow::Break)),
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
        let Some(handler) = handler else {
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
