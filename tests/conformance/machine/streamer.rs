//! Result streamers.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use callsoon::{AnyFuture, Error, helpers as hp};

use super::args::{Args, Options};
use super::failure::{error_name, make_error, named};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Statement, awaits, now};
use super::value::Value;
use super::vars::Name;

type Streamer = hp::ResultStreamer<Value, Name>;
type StreamResult = hp::StreamResult<Value, Name>;
type Adding = hp::Adding<Value, Name>;

/// Python's `repr` of the class that stands for the stopping of a generator.
const STOPPER: &str = "<class 'photons_app.helpers.ResultStreamer.GeneratorStopper'>";

/// A streamer, and the list that it may leave its errors in.
struct Streaming {
    streamer: Streamer,
    errors: Option<Rc<dyn Fn() -> Vec<String>>>,
}

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    if let Some(statement) = decode_adding(op, args)? {
        return Ok(Some(statement));
    }
    Ok(match op {
        "streamer" => {
            let (s, last, options) = (args.name()?, args.name()?, args.options()?);
            let (catcher, alone) =
                (options.name("error_catcher")?, options.flag("exceptions_only")?);
            now(move |me| {
                let last = me.vars.any(&last)?;
                let made = me.streaming(&s, &last, catcher.as_deref(), alone)?;
                me.vars.put::<Streaming>(&s, made);
                Ok(())
            })
        }
        "errors" => {
            let s = args.name()?;
            now(move |me| {
                let streaming = me.vars.get::<Streaming>(&s)?;
                let errors = streaming.errors.as_ref().ok_or_else(|| named("TypeError"))?();
                me.say(format_args!("{s} errors [{}]", errors.join("; ")));
                Ok(())
            })
        }
        "no_more_work" => {
            let s = args.name()?;
            now(move |me| {
                me.streamer(&s)?.no_more_work();
                Ok(())
            })
        }
        "stream" => {
            let (s, body) = (args.name()?, args.block()?);
            awaits(async move |me| {
                let mut results = me.streamer(&s)?.iter();
                me.for_each(&body, async || {
                    let result = results.next().await?;
                    Ok(result.map(|result| format!("{s} gave {}", shown(&result))))
                })
                .await?;
                me.say(format_args!("{s} is over"));
                Ok(())
            })
        }
        "stream_finish" => {
            let (s, error) = (args.name()?, args.optional_name()?);
            awaits(async move |me| {
                let streamer = me.streamer(&s)?;
                let error = error.as_ref().map(|name| make_error(name));
                me.outcome(format_args!("{s}.finish"), streamer.finish(error)).await
            })
        }
        "with_streamer" => {
            let (s, body) = (args.name()?, args.block()?);
            awaits(async move |me| {
                let streamer = me.streamer(&s)?;
                let left = streamer.scope(async |_| me.inside(&body).await).await?;
                me.left(&s, left)
            })
        }
        _ => None,
    })
}

/// The statements that add something to stream.
fn decode_adding(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "stream_coroutine" => {
            let (s, v, coro) = (args.name()?, args.name()?, args.name()?);
            let how = How::of(&args.options()?)?;
            awaits(async move |me| {
                let streamer = me.streamer(&s)?;
                let task = streamer.add_coroutine(me.coroutine(&coro), how.adding(&me)).await?;
                me.vars.put_future(&v, &task);
                Ok(())
            })
        }
        "stream_generator" => {
            let (s, v, name) = (args.name()?, args.name()?, args.name()?);
            let how = How::of(&args.options()?)?;
            awaits(async move |me| {
                let streamer = me.streamer(&s)?;
                let generator = me.alone_generator(&name)?;
                let adding = how.adding(&me);
                let task = streamer.add_generator_as(generator, adding, Value::Complete).await?;
                me.vars.put_future(&v, &task);
                Ok(())
            })
        }
        "stream_value" => {
            let (s, value) = (args.name()?, args.value()?);
            let how = How::of(&args.options()?)?;
            awaits(async move |me| {
                me.streamer(&s)?.add_value(value.clone(), how.adding(&me)).await?;
                Ok(())
            })
        }
        "stream_task" => {
            let (s, v) = (args.name()?, args.name()?);
            let how = How::of(&args.options()?)?;
            awaits(async move |me| {
                let streamer = me.streamer(&s)?;
                let task = me.vars.future(&v)?.to_any();
                Ok(streamer.add_task(&task, how.adding(&me)).await?)
            })
        }
        _ => None,
    })
}

/// The options with which a source is added.
struct How {
    context: Option<Name>,
    on_each: Option<Name>,
    on_done: Option<Name>,
    force: bool,
}

impl How {
    fn of(options: &Options<'_>) -> Result<How, Malformed> {
        Ok(How {
            context: options.name("context")?,
            on_each: options.name("on_each")?,
            on_done: options.name("on_done")?,
            force: options.flag("force")?,
        })
    }

    fn adding(&self, me: &Speaker) -> Adding {
        let mut adding = Adding::new().force(self.force);
        if let Some(context) = &self.context {
            adding = adding.context(context.clone());
        }
        if let Some(name) = &self.on_each {
            adding = adding.on_each(me.told_of_result(name));
        }
        if let Some(name) = &self.on_done {
            adding = adding.on_done(me.told_of_result(name));
        }
        adding
    }
}

impl Speaker {
    fn streamer(&self, s: &Name) -> Result<Streamer, Error> {
        Ok(self.vars.get::<Streaming>(s)?.streamer.clone())
    }

    fn streaming(
        &self,
        s: &Name,
        last: &dyn AnyFuture,
        catcher: Option<&str>,
        exceptions_only: bool,
    ) -> Result<Streaming, Error> {
        let me = self.alone(s.clone());
        let (streamer, errors) = match (catcher, exceptions_only) {
            (Some("list"), true) => {
                let list = Rc::new(RefCell::new(Vec::new()));
                (
                    Streamer::with_exception_catcher(last, list.clone()),
                    Some(reading(list, error_name)),
                )
            }
            (Some("list"), false) => {
                let list = Rc::new(RefCell::new(Vec::new()));
                (Streamer::with_error_catcher(last, list.clone()), Some(reading(list, shown)))
            }
            (Some(_), true) => {
                let catch =
                    move |error: Error| me.say(format_args!("caught {}", error_name(&error)));
                (Streamer::with_exception_catcher(last, catch), None)
            }
            (Some(_), false) => {
                let catch = move |result| me.say(format_args!("caught {}", shown(&result)));
                (Streamer::with_error_catcher(last, catch), None)
            }
            (None, _) => (Streamer::new(last), None),
        };
        Ok(Streaming { streamer, errors })
    }

    /// One of the program's callbacks, as a streamer calls it.
    fn told_of_result(&self, name: &Name) -> impl Fn(&StreamResult) + use<> {
        let me = self.alone(name.clone());
        let body = self.program.callbacks.get(name).cloned().unwrap_or_default();
        move |result| {
            me.say(shown(result));
            me.run_contained(&body);
        }
    }
}

/// Reads a list of errors as text.
fn reading<E: 'static>(
    list: Rc<RefCell<Vec<E>>>,
    show: impl Fn(&E) -> String + 'static,
) -> Rc<dyn Fn() -> Vec<String>> {
    Rc::new(move || list.borrow().iter().map(&show).collect())
}

fn shown(result: &StreamResult) -> String {
    let context: &dyn fmt::Display = match &result.context {
        hp::StreamContext::None => &"none",
        hp::StreamContext::Given(context) => context,
        hp::StreamContext::GeneratorStopper => &STOPPER,
    };
    let value = match &result.value {
        hp::StreamValue::Value(value) => value.to_string(),
        hp::StreamValue::Error(error) => error_name(error),
        hp::StreamValue::GeneratorComplete => Value::Complete.to_string(),
    };
    format!("value={value} context={context} successful={}", result.successful)
}
