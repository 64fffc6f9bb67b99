//! Task holders.

use callsoon::helpers as hp;

use super::args::Args;
use super::failure::make_error;
use super::program::Malformed;
use super::statement::{Statement, awaits, now};

type Holder = hp::TaskHolder;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    if let Some(statement) = decode_asking(op, args)? {
        return Ok(Some(statement));
    }
    Ok(match op {
        "holder" => {
            let (h, last) = (args.name()?, args.name()?);
            now(move |me| {
                let last = me.vars.any(&last)?;
                me.vars.put::<Holder>(&h, Holder::new(&last));
                Ok(())
            })
        }
        "holder_add" => {
            let (h, v, coro) = (args.name()?, args.name()?, args.name()?);
            let silent = args.options()?.flag("silent")?;
            now(move |me| {
                let holder = me.vars.get::<Holder>(&h)?;
                let body = me.coroutine(&coro);
                let task = if silent { holder.add_silent(body) } else { holder.add(body) };
                me.vars.put_future(&v, &task);
                Ok(())
            })
        }
        "holder_add_task" => {
            let (h, v) = (args.name()?, args.name()?);
            now(move |me| {
                let holder = me.vars.get::<Holder>(&h)?;
                let task = me.vars.any(&v)?;
                let _: () = holder.add_task(&task);
                Ok(())
            })
        }
        "holder_finish" => {
            let (h, error) = (args.name()?, args.optional_name()?);
            awaits(async move |me| {
                let holder = me.vars.get::<Holder>(&h)?;
                let error = error.as_ref().map(|name| make_error(name));
                me.outcome(format_args!("{h}.finish"), holder.finish(error)).await
            })
        }
        "with_holder" => {
            let (h, last, body) = (args.name()?, args.name()?, args.block()?);
            awaits(async move |me| {
                let holder = Holder::new(&me.vars.any(&last)?);
                let inside = async |holder: &Holder| {
                    me.vars.put::<Holder>(&h, holder.clone());
                    me.inside(&body).await
                };
                let left = holder.scope(inside).await?;
                me.left(&h, left)
            })
        }
        _ => None,
    })
}

/// The statements that ask a holder something.
fn decode_asking(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "holder_pending" => {
            let h = args.name()?;
            now(move |me| {
                me.say(format_args!("{h} pending {}", me.vars.get::<Holder>(&h)?.pending()));
                Ok(())
            })
        }
        "holder_len" => {
            let h = args.name()?;
            now(move |me| {
                me.say(format_args!("{h} holds {}", me.vars.get::<Holder>(&h)?.iter().count()));
                Ok(())
            })
        }
        "holder_contains" => {
            let (h, v) = (args.name()?, args.name()?);
            now(move |me| {
                let task = me.vars.any(&v)?;
                let found = me.vars.get::<Holder>(&h)?.contains(&task);
                me.say(format_args!("{h} contains {v}: {found}"));
                Ok(())
            })
        }
        _ => None,
    })
}
