//! Statements that end things: `stop`, interrupts, the drop and the shutdown of generators.

use super::args::Args;
use super::program::Malformed;
use super::statement::{Statement, awaits, now};

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    #[cfg(feature = "signals")]
    if let Some(statement) = decode_interrupts(op, args)? {
        return Ok(Some(statement));
    }
    Ok(match op {
        "stop" => now(|me| {
            me.event_loop.stop();
            Ok(())
        }),
        "drop" => {
            let g = args.name()?;
            now(move |me| Ok(me.vars.remove(&g)?))
        }
        "shutdown_gens" => awaits(async |me| {
            let on = me.event_loop.clone();
            me.outcome("shutdown_gens", on.shutdown_asyncgens()).await
        }),
        _ => None,
    })
}

#[cfg(feature = "signals")]
fn decode_interrupts(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    use callsoon::Error;
    use signal_hook::consts::SIGINT;
    use signal_hook::low_level::raise;

    use super::machine::Armed;

    Ok(match op {
        "interrupt" => {
            let times = args.count_or(1)?;
            now(move |me| {
                match me.armed.get() {
                    Armed::No => {
                        me.say("no interrupt");
                        return Ok(());
                    }
                    Armed::Runner if times > 0 => me.armed.set(Armed::No),
                    Armed::Runner | Armed::Program => {}
                }
                for _ in 0..times {
                    raise(SIGINT).map_err(Error::from)?;
                }
                Ok(())
            })
        }
        "on_interrupt" => {
            let cb = args.name()?;
            now(move |me| {
                let body = me.callback_body(&cb)?;
                let by = me.alone(cb.clone());
                me.event_loop.add_signal_handler(SIGINT, move || {
                    by.say("called");
                    by.run_callback(&body)
                })?;
                me.armed.set(Armed::Program);
                Ok(())
            })
        }
        "off_interrupt" => now(|me| {
            let removed = me.event_loop.remove_signal_handler(SIGINT)?;
            if removed {
                me.armed.set(Armed::No);
            }
            me.say(format_args!("off_interrupt -> {removed}"));
            Ok(())
        }),
        _ => None,
    })
}
