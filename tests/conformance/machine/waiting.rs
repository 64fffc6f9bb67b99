//! Waiting for many futures at once, and for one no longer than so long.

use std::rc::Rc;
use std::time::Duration;

use callsoon::{AnyFuture, Error, ErrorKind, FutureLike, helpers as hp};

use super::args::Args;
use super::failure::make_error;
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Statement, awaits, now};
use super::value::Value;
use super::vars::Name;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "wait_all" => {
            let names = args.names()?;
            awaits(async move |me| {
                let futures = me.all_of(&names)?;
                me.outcome("wait_all", hp::wait_for_all_futures(futures)).await
            })
        }
        "wait_first" => {
            let names = args.names()?;
            awaits(async move |me| {
                let futures = me.all_of(&names)?;
                me.outcome("wait_first", hp::wait_for_first_future(futures)).await
            })
        }
        "cancel_and_wait" => {
            let names = args.names()?;
            awaits(async move |me| {
                let futures = me.all_of(&names)?;
                me.outcome("cancel_and_wait", hp::cancel_futures_and_wait(futures)).await
            })
        }
        "find_and_apply" => {
            let (last, names) = (args.name()?, args.names()?);
            now(move |me| {
                let (to, futures) = (me.vars.future(&last)?, me.values_of(&names)?);
                let applied = hp::find_and_apply_result(&*to, &borrowed(&futures))?;
                me.say(format_args!("find_and_apply {last} -> {applied}"));
                Ok(())
            })
        }
        "noncancelled" => {
            let names = args.names()?;
            now(move |me| {
                let futures = me.values_of(&names)?;
                let (error, results) = hp::noncancelled_results_from_futs(&borrowed(&futures));
                let (error, results) = (Value::from(error), Value::from(results));
                me.say(format_args!("noncancelled {error} {results}"));
                Ok(())
            })
        }
        "just_log" => {
            let (options, body) = (args.options()?, args.block()?);
            let lets_out = options.flag("reraise_timeouts")?;
            awaits(async move |me| {
                let reraise = |error: &Error| lets_out && error.kind() == ErrorKind::Timeout;
                let ended = me.inside(&body).await;
                match hp::just_log_exceptions(ended, reraise, "")?.flatten() {
                    Some(left) => Err(left),
                    None => Ok(()),
                }
            })
        }
        "with_timeout" => {
            let (coro, options) = (args.name()?, args.options()?);
            let (timeout, late) = (options.seconds("timeout")?, options.name("timeout_error")?);
            let silent = options.flag("silent")?;
            awaits(async move |me| {
                let options = hp::TimeoutOptions {
                    timeout: timeout.unwrap_or(Duration::from_secs(10)),
                    timeout_error: late.as_ref().map(|name| make_error(name)),
                    silent,
                    name: None,
                };
                let bounded = hp::async_with_timeout(me.coroutine(&coro), options);
                me.outcome("with_timeout", bounded).await
            })
        }
        _ => None,
    })
}

fn borrowed(futures: &[Rc<dyn FutureLike<Value>>]) -> Vec<&dyn FutureLike<Value>> {
    futures.iter().map(|future| &**future).collect()
}

impl Speaker {
    pub(crate) fn values_of(
        &self,
        names: &[Name],
    ) -> Result<Vec<Rc<dyn FutureLike<Value>>>, Error> {
        names.iter().map(|name| self.vars.future(name)).collect()
    }

    pub(crate) fn all_of(&self, names: &[Name]) -> Result<Vec<Rc<dyn AnyFuture>>, Error> {
        names.iter().map(|name| self.vars.any(name)).collect()
    }
}
