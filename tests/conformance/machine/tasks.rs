//! Tasks: making, calling, cancelling them, and `sleep`.

use callsoon::{AnyFuture, helpers as hp};

use super::args::Args;
use super::failure::named;
use super::program::Malformed;
use super::statement::{Statement, awaits, now};

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "spawn" => {
            let (v, coro, silent) = (args.name()?, args.name()?, args.options()?.flag("silent")?);
            now(move |me| {
                let coroutine = me.coroutine(&coro);
                let task = match silent {
                    true => hp::async_as_background_silent(coroutine),
                    false => hp::async_as_background(coroutine),
                };
                me.vars.put_future(&v, &task);
                Ok(())
            })
        }
        "task" => {
            let (v, coro) = (args.name()?, args.name()?);
            now(move |me| {
                let task = me.event_loop.create_task(me.coroutine(&coro))?;
                me.vars.put_future(&v, &task);
                task.add_done_callback(hp::silent_reporter());
                Ok(())
            })
        }
        "forget" => {
            let coro = args.name()?;
            now(move |me| {
                let task = me.event_loop.create_task(me.coroutine(&coro))?;
                drop(task);
                Ok(())
            })
        }
        "call" => {
            let coro = args.name()?;
            awaits(async move |me| me.outcome(format_args!("call {coro}"), me.called(&coro)).await)
        }
        "sleep" => {
            let seconds = args.seconds()?;
            awaits(async move |_| Ok(callsoon::sleep(seconds).await?))
        }
        "cancel_me" => now(|me| {
            let task = me.event_loop.current_task().ok_or_else(|| named("AttributeError"))?;
            task.cancel();
            Ok(())
        }),
        "cancelling" => {
            let v = args.name()?;
            now(move |me| {
                me.say(format_args!("{v} cancelling {}", me.vars.task(&v)?.cancelling()));
                Ok(())
            })
        }
        "uncancel" => {
            let v = args.name()?;
            now(move |me| {
                me.say(format_args!("{v} uncancel -> {}", me.vars.task(&v)?.uncancel()));
                Ok(())
            })
        }
        _ => None,
    })
}
