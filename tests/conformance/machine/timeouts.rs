//! Deadlines: `timeout` and its `reschedule`, and `wait_for`.

use std::time::Duration;

use callsoon::{AnyFuture, Error, LoopFuture, Timeout};

use super::args::Args;
use super::failure::{Done, outcome_of};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Block, Statement, awaits, now};
use super::trace::millis;
use super::value::Value;
use super::vars::{Name, Vars, Waited};

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "wait_for" => {
            let (v, limit) = (args.name()?, args.seconds_or_never()?);
            awaits(async move |me| {
                let ended = me.vars.wait_for(&v, limit)?;
                me.outcome(format_args!("wait_for {v}"), ended).await
            })
        }
        "wait_for_call" => {
            let (coro, limit) = (args.name()?, args.seconds_or_never()?);
            awaits(async move |me| {
                let ended = callsoon::wait_for(me.called(&coro), limit);
                me.outcome(format_args!("wait_for {coro}"), ended).await
            })
        }
        "timeout" => {
            let (v, seconds, body) = (args.name()?, args.seconds_or_never()?, args.block()?);
            awaits(async move |me| me.timeout(&v, Timeout::after(seconds), &body).await)
        }
        "timeout_at" => {
            let (v, when, body) = (args.name()?, args.seconds_or_never()?, args.block()?);
            awaits(async move |me| me.timeout(&v, Timeout::at(when), &body).await)
        }
        "reschedule" => {
            let (v, seconds) = (args.name()?, args.seconds_or_never()?);
            now(move |me| {
                let now = me.event_loop.time();
                let scope = me.vars.get::<Timeout>(&v)?;
                Ok(scope.reschedule(seconds.map(|seconds| now + seconds))?)
            })
        }
        "reschedule_at" => {
            let (v, when) = (args.name()?, args.seconds_or_never()?);
            now(move |me| Ok(me.vars.get::<Timeout>(&v)?.reschedule(when)?))
        }
        "when" => {
            let v = args.name()?;
            now(move |me| {
                match me.vars.get::<Timeout>(&v)?.when() {
                    Some(when) => me.say(format_args!("{v} when {}", millis(when))),
                    None => me.say(format_args!("{v} when none")),
                }
                Ok(())
            })
        }
        "expired" => {
            let v = args.name()?;
            now(move |me| {
                me.say(format_args!("{v} expired {}", me.vars.get::<Timeout>(&v)?.expired()));
                Ok(())
            })
        }
        _ => None,
    })
}

impl Vars {
    /// A limit of zero cancels the thing itself, so it is not to be wrapped.
    fn wait_for(&self, v: &Name, limit: Option<Duration>) -> Result<Waited, Error> {
        if let Ok(task) = self.task(v) {
            return Ok(Box::pin(callsoon::wait_for(task, limit)));
        }
        if let Ok(future) = self.future(v) {
            if let Some(future) = future.as_any().downcast_ref::<LoopFuture<Value>>() {
                return Ok(Box::pin(callsoon::wait_for(future.clone(), limit)));
            }
        }
        Ok(Box::pin(callsoon::wait_for(self.wait(v)?, limit)))
    }
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
