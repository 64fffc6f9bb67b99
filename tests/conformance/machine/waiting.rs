//! Waiting for many futures at once, and for one no longer than so long.

use std::rc::Rc;
use std::time::Duration;

use callsoon::{AnyFuture, Error, helpers as hp};

use super::args::Args;
use super::failure::make_error;
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Statement, awaits};
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

impl Speaker {
    pub(crate) fn all_of(&self, names: &[Name]) -> Result<Vec<Rc<dyn AnyFuture>>, Error> {
        names.iter().map(|name| self.vars.any(name)).collect()
    }
}
