//! Async generators: making and driving them by hand, in a loop, and to their end.

use std::fmt;
use std::rc::Rc;

use callsoon::{AsyncGenerator, Error, ErrorKind, helpers as hp};

use super::args::Args;
use super::failure::{Done, make_error};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Statement, awaits, now};
use super::value::Value;
use super::vars::{Name, Vars};

type Generator = AsyncGenerator<Value, Value>;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "gen" => {
            let (g, name) = (args.name()?, args.name()?);
            now(move |me| {
                me.vars.put(&g, me.generator(&name)?);
                Ok(())
            })
        }
        "anext" => {
            let g = args.name()?;
            awaits(async move |me| {
                let made = me.vars.generator(&g)?;
                me.stepped(format_args!("anext {g}"), made.anext()).await
            })
        }
        "asend" => {
            let (g, value) = (args.name()?, args.value()?);
            awaits(async move |me| {
                let made = me.vars.generator(&g)?;
                me.stepped(format_args!("asend {g}"), made.asend(sent(&value))).await
            })
        }
        "athrow" => {
            let (g, name) = (args.name()?, args.name()?);
            awaits(async move |me| {
                let made = me.vars.generator(&g)?;
                me.stepped(format_args!("athrow {g}"), made.athrow(make_error(&name))).await
            })
        }
        "aclose" => {
            let g = args.name()?;
            awaits(async move |me| {
                let made = me.vars.generator(&g)?;
                me.stepped(format_args!("aclose {g}"), made.aclose()).await
            })
        }
        "stop_gen" => {
            let (g, options) = (args.name()?, args.options()?);
            let (exc, provide) = (options.name("exc")?, options.value("provide")?);
            awaits(async move |me| {
                let made = me.vars.generator(&g)?;
                let provide = provide.as_ref().and_then(sent);
                let exc = exc.as_ref().map(|name| make_error(name));
                let stopped = hp::stop_async_generator(&made, provide, exc);
                me.stepped(format_args!("stop_gen {g}"), stopped).await
            })
        }
        "for" => {
            let (g, body) = (args.name()?, args.block()?);
            awaits(async move |me| {
                let made = me.vars.generator(&g)?;
                me.for_each(&body, async || {
                    let item = made.next().await?;
                    Ok(item.map(|value| format!("{g} gave {value}")))
                })
                .await?;
                me.say(format_args!("{g} is over"));
                Ok(())
            })
        }
        _ => None,
    })
}

/// Returns the argument of `asend` for a value: nothing is sent for Python's `None`.
fn sent(value: &Value) -> Option<Value> {
    match value {
        Value::None => None,
        value => Some(value.clone()),
    }
}

impl Vars {
    fn generator(&self, g: &Name) -> Result<Rc<Generator>, Error> {
        self.get::<Generator>(g)
    }
}

impl Speaker {
    /// Awaits a step of a generator and logs its outcome; that it stopped is no error.
    async fn stepped<V: Into<Value>>(
        &self,
        what: impl fmt::Display,
        step: impl Future<Output = callsoon::Result<V>>,
    ) -> Done {
        match step.await {
            Ok(value) => self.say(format_args!("{what} -> {}", value.into())),
            Err(error) if error.kind() == ErrorKind::StopAsyncIteration => {
                self.say(format_args!("{what} -> stop"));
            }
            Err(error) => return self.failed(what, error),
        }
        Ok(())
    }
}
