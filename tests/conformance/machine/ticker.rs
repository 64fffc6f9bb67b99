//! Tickers.

use std::rc::Rc;

use callsoon::{Error, Lock, Semaphore, helpers as hp};

use super::args::Args;
use super::failure::make_error;
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Statement, awaits, now};
use super::trace::millis;
use super::vars::Name;

type Ticker = hp::ATicker;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "ticker" => {
            let (t, every, options) = (args.name()?, args.seconds()?, args.options()?);
            let max_iterations = options.count("max_iterations")?;
            let max_time = options.seconds("max_time")?;
            let min_wait = options.seconds_or_false("min_wait")?;
            let (last, pauser) = (options.name("final")?, options.name("pauser")?);
            now(move |me| {
                let mut options =
                    hp::TickerOptions { max_iterations, max_time, ..Default::default() };
                match min_wait {
                    Some(Some(least)) => options.min_wait = hp::MinWait::AtLeast(least),
                    Some(None) => options.min_wait = hp::MinWait::None,
                    None => {}
                }
                if let Some(last) = &last {
                    options.final_future = Some(me.vars.any(last)?);
                }
                if let Some(pauser) = &pauser {
                    options.pauser = Some(me.pauser(pauser)?);
                }
                me.vars.put::<Ticker>(&t, hp::ATicker::new(every, options));
                Ok(())
            })
        }
        "change_after" => {
            let (t, every, options) = (args.name()?, args.seconds()?, args.options()?);
            let set_new_every = options.flag_or("set_new_every", true)?;
            now(move |me| {
                let ticker = me.vars.get::<Ticker>(&t)?;
                let change =
                    if set_new_every { Ticker::change_after } else { Ticker::change_next_after };
                Ok(change(&ticker, every)?)
            })
        }
        "with_ticker" => {
            let (t, body) = (args.name()?, args.block()?);
            awaits(async move |me| {
                let ticker = Ticker::clone(&*me.vars.get::<Ticker>(&t)?);
                let left = ticker.scope(async |_| me.inside(&body).await).await?;
                me.left(&t, left)
            })
        }
        "ticker_finish" => {
            let (t, error) = (args.name()?, args.optional_name()?);
            awaits(async move |me| {
                let ticker = me.vars.get::<Ticker>(&t)?;
                let error = error.as_ref().map(|name| make_error(name));
                me.outcome(format_args!("{t}.finish"), ticker.finish(error)).await
            })
        }
        "ticks" => {
            let (t, body) = (args.name()?, args.block()?);
            awaits(async move |me| {
                let ticks = me.vars.get::<Ticker>(&t)?.iter()?;
                me.for_each(&body, async || {
                    let tick = ticks.next().await?;
                    Ok(tick
                        .map(|(number, next)| format!("{t} tick {number} next {}", millis(next))))
                })
                .await?;
                me.say(format_args!("{t} is over"));
                Ok(())
            })
        }
        _ => None,
    })
}

impl Speaker {
    fn pauser(&self, name: &Name) -> Result<Rc<dyn hp::Pauser>, Error> {
        if let Ok(lock) = self.vars.get::<Lock>(name) {
            return Ok(lock);
        }
        Ok(self.vars.get::<Semaphore>(name)?)
    }
}
