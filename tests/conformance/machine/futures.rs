//! Futures and their callbacks, and what `call_soon` and `call_later` schedule.

use std::rc::Rc;

use callsoon::{Error, Handle, TimerHandle, helpers as hp};

use super::args::Args;
use super::failure::{error_name, make_error, outcome_of};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Statement, awaits, now};
use super::trace::millis;
use super::value::{Value, result_of, state};
use super::vars::Name;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    if let Some(statement) = decode_asking(op, args)? {
        return Ok(Some(statement));
    }
    if let Some(statement) = decode_callbacks(op, args)? {
        return Ok(Some(statement));
    }
    Ok(match op {
        "future" => {
            let v = args.name()?;
            now(move |me| {
                let future = hp::create_future::<Value>();
                future.set_name(&*v);
                me.vars.put_future(&v, &future);
                Ok(())
            })
        }
        "set_result" => {
            let (v, value) = (args.name()?, args.value()?);
            now(move |me| {
                match me.vars.gathered(&v) {
                    Some(gathered) => gathered.set_result(value.clone())?,
                    None => me.vars.future(&v)?.set_result(value.clone())?,
                }
                Ok(())
            })
        }
        "set_exception" => {
            let (v, name) = (args.name()?, args.name()?);
            now(move |me| {
                match me.vars.gathered(&v) {
                    Some(gathered) => gathered.set_exception(make_error(&name))?,
                    None => me.vars.future(&v)?.set_exception(make_error(&name))?,
                }
                Ok(())
            })
        }
        "cancel" | "cancel_handle" => {
            let v = args.name()?;
            now(move |me| Ok(me.cancel(&v)?))
        }
        "cancel_returns" => {
            let v = args.name()?;
            now(move |me| {
                let took = me.vars.any(&v)?.cancel();
                me.say(format_args!("cancel {v} -> {took}"));
                Ok(())
            })
        }
        "cancel_with" => {
            let (v, message) = (args.name()?, args.name()?);
            now(move |me| {
                let took = me.vars.cancel_with(&v, &message)?;
                me.say(format_args!("cancel {v} with {message} -> {took}"));
                Ok(())
            })
        }
        "await" => {
            let v = args.name()?;
            awaits(async move |me| {
                let awaited = async { me.vars.wait(&v)?.await };
                me.outcome(format_args!("await {v}"), awaited).await
            })
        }
        _ => None,
    })
}

/// The statements that ask a future something.
fn decode_asking(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "state" => {
            let v = args.name()?;
            now(move |me| {
                let future = me.vars.any(&v)?;
                me.say(format_args!("{v} is {}", state(&*future)));
                Ok(())
            })
        }
        "result" => {
            let v = args.name()?;
            now(move |me| {
                match me.vars.any(&v).and_then(|future| result_of(&*future)) {
                    Ok(value) => me.say(format_args!("{v}.result() -> {value}")),
                    Err(error) => {
                        me.say(format_args!("{v}.result() -> {}", outcome_of(&error)));
                    }
                }
                Ok(())
            })
        }
        "exception" => {
            let v = args.name()?;
            now(move |me| {
                match me.vars.any(&v).and_then(|future| future.exception()) {
                    Ok(found) => {
                        me.say(format_args!("{v}.exception() -> {}", Value::from(found)));
                    }
                    Err(error) => {
                        me.say(format_args!("{v}.exception() raises {}", error_name(&error)));
                    }
                }
                Ok(())
            })
        }
        _ => None,
    })
}

/// The statements that have a callback.
fn decode_callbacks(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "on_done" => {
            let (v, cb) = (args.name()?, args.name()?);
            now(move |me| {
                me.vars.any(&v)?.add_callback(me.callback(&cb));
                Ok(())
            })
        }
        "off_done" => {
            let (v, cb) = (args.name()?, args.name()?);
            now(move |me| {
                me.vars.any(&v)?.remove_done_callback(&me.callback(&cb));
                Ok(())
            })
        }
        "has_callback" => {
            let (v, cb) = (args.name()?, args.name()?);
            now(move |me| {
                let found = hp::fut_has_callback(&*me.vars.any(&v)?, &me.callback(&cb));
                me.say(format_args!("{v} has {cb}: {found}"));
                Ok(())
            })
        }
        "transfer" => {
            let (from, to, options) = (args.name()?, args.name()?, args.options()?);
            let (errors_only, process) = (options.flag("errors_only")?, options.name("process")?);
            now(move |me| Ok(me.transfer(&from, &to, errors_only, process.as_ref())?))
        }
        "soon" => {
            let (cb, v) = (args.name()?, args.optional_name()?);
            now(move |me| {
                let handle = me.event_loop.call_soon(me.scheduled(&cb)?)?;
                if let Some(v) = &v {
                    me.vars.put::<Handle>(v, handle);
                }
                Ok(())
            })
        }
        "call_at" => {
            let (when, v, cb) = (args.seconds()?, args.name()?, args.name()?);
            now(move |me| {
                let handle = me.event_loop.call_at(when, me.scheduled(&cb)?)?;
                me.vars.put::<TimerHandle>(&v, handle);
                Ok(())
            })
        }
        "handle" => {
            let v = args.name()?;
            now(move |me| {
                if let Ok(timer) = me.vars.get::<TimerHandle>(&v) {
                    let (when, cancelled) = (millis(timer.when()), timer.cancelled());
                    me.say(format_args!("{v} when {when}, cancelled {cancelled}"));
                } else {
                    let cancelled = me.vars.get::<Handle>(&v)?.cancelled();
                    me.say(format_args!("{v} cancelled {cancelled}"));
                }
                Ok(())
            })
        }
        "later" => {
            let (seconds, v, cb) = (args.seconds()?, args.name()?, args.name()?);
            now(move |me| {
                let handle = me.event_loop.call_later(seconds, me.scheduled(&cb)?)?;
                me.vars.put::<TimerHandle>(&v, handle);
                Ok(())
            })
        }
        _ => None,
    })
}

impl Speaker {
    /// Python asks for no more than a `cancel` method.
    fn cancel(&self, v: &Name) -> Result<(), Error> {
        if let Ok(timer) = self.vars.get::<TimerHandle>(v) {
            timer.cancel();
        } else if let Ok(handle) = self.vars.get::<Handle>(v) {
            handle.cancel();
        } else {
            self.vars.any(v)?.cancel();
        }
        Ok(())
    }

    fn transfer(
        &self,
        from: &Name,
        to: &Name,
        errors_only: bool,
        process: Option<&Name>,
    ) -> Result<(), Error> {
        let process = process.map(|name| self.process(name));
        let from = self.vars.any(from)?;
        let callback = hp::transfer_result_with(
            &*self.vars.future(to)?,
            hp::TransferOptions { errors_only, process },
        );
        self.add_transfer(&*from, callback);
        Ok(())
    }

    fn process(&self, name: &Name) -> hp::Process<Value> {
        let body = self.program.callbacks.get(name).cloned().unwrap_or_default();
        let me = self.alone(name.clone());
        Rc::new(move |from, to| {
            me.say(format_args!("{} -> {}", state(from), state(to)));
            me.run_contained(&body);
        })
    }
}
