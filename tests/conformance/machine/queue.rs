//! The helpers' queue.

use callsoon::helpers as hp;

use super::args::Args;
use super::program::Malformed;
use super::statement::{Statement, awaits, now};
use super::value::Value;

type Queue = hp::Queue<Value>;

/// Python's `repr` of the class that stands for a queue's end.
const DONE: &str = "<class 'photons_app.helpers.Queue.Done'>";

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "queue" => {
            let (q, last, options) = (args.name()?, args.name()?, args.options()?);
            let emptied = options.flag("empty_on_finished")?;
            now(move |me| {
                let last = me.vars.any(&last)?;
                let made =
                    if emptied { Queue::emptied_on_finished(&last) } else { Queue::new(&last) };
                me.vars.put::<Queue>(&q, made);
                Ok(())
            })
        }
        "append" => {
            let (q, value) = (args.name()?, args.value()?);
            now(move |me| {
                let _: () = me.vars.get::<Queue>(&q)?.append(value.clone());
                Ok(())
            })
        }
        "append_done" => {
            let q = args.name()?;
            now(move |me| {
                let _: () = me.vars.get::<Queue>(&q)?.append_done();
                Ok(())
            })
        }
        "remaining" => {
            let q = args.name()?;
            now(move |me| {
                let left = me.vars.get::<Queue>(&q)?.remaining().map(|entry| match entry {
                    hp::QueueEntry::Value(value) => value.to_string(),
                    hp::QueueEntry::Done => DONE.to_owned(),
                });
                let left: Vec<String> = left.collect();
                me.say(format_args!("{q} remaining [{}]", left.join(",")));
                Ok(())
            })
        }
        "drain" => {
            let (q, body) = (args.name()?, args.block()?);
            awaits(async move |me| {
                let mut values = me.vars.get::<Queue>(&q)?.iter();
                me.for_each(&body, async || {
                    let value = values.next().await?;
                    Ok(value.map(|value| format!("{q} gave {value}")))
                })
                .await?;
                me.say(format_args!("{q} is over"));
                Ok(())
            })
        }
        "queue_finish" => {
            let q = args.name()?;
            awaits(async move |me| {
                let _: () = me.vars.get::<Queue>(&q)?.finish().await;
                Ok(())
            })
        }
        _ => None,
    })
}
