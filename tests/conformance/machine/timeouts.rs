//! Deadlines: `timeout` and its `reschedule`, and `wait_for`.

use callsoon::Timeout;

use super::args::Args;
use super::failure::{Done, outcome_of};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Block, Statement, awaits, now};
use super::vars::Name;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "wait_for" => {
            let (v, limit) = (args.name()?, args.seconds()?);
            awaits(async move |me| {
                let awaited = me.vars.wait(&v)?;
                let ended = callsoon::wait_for(awaited, limit);
                me.outcome(format_args!("wait_for {v}"), ended).await
            })
        }
        "timeout" => {
            let (v, seconds, body) = (args.name()?, args.seconds()?, args.block()?);
            awaits(async move |me| me.timeout(&v, Timeout::after(seconds)?, &body).await)
        }
        "reschedule" => {
            let (v, seconds) = (args.name()?, args.seconds_or_never()?);
            now(move |me| {
                let now = me.event_loop.time();
                let scope = me.vars.get::<Timeout>(&v)?;
                Ok(scope.reschedule(seconds.map(|seconds| now + seconds))?)
            })
        }
        _ => None,
    })
}

impl Speaker {
    async fn timeout(&self, v: &Name, timeout: Timeout, body: &Block) -> Done {
        let ended = timeout.scope(async |scope| {
            self.vars.put(v, scope);
            self.inside(body).await
        });
        let ended = ended.await;
        let expired = timeout.expired();
        match ended {
            Ok(None) => {
                self.say(format_args!("timeout {v} -> left, expired {expired}"));
                Ok(())
            }
            Ok(Some(left)) => Err(left),
            Err(error) => {
                let outcome = outcome_of(&error);
                self.say(format_args!("timeout {v} -> {outcome}, expired {expired}"));
                Err(error.into())
            }
        }
    }
}
