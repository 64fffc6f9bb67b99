//! asyncio's locks, events, conditions, semaphores and barriers.

use callsoon::{Barrier, BoundedSemaphore, Condition, Error, Event, Lock, Semaphore};

use super::args::Args;
use super::failure::{Done, Flow};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Block, Statement, awaits, now};
use super::vars::{Name, Vars};

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    if let Some(statement) = decode_making(op, args)? {
        return Ok(Some(statement));
    }
    if let Some(statement) = decode_waiting(op, args)? {
        return Ok(Some(statement));
    }
    Ok(match op {
        "locked" => {
            let v = args.name()?;
            now(move |me| {
                me.say(format_args!("{v} locked {}", me.vars.lockable(&v)?.locked()));
                Ok(())
            })
        }
        "release" => {
            let v = args.name()?;
            now(move |me| Ok(me.vars.lockable(&v)?.release()?))
        }
        "set_event" => {
            let v = args.name()?;
            now(move |me| {
                me.vars.get::<Event>(&v)?.set();
                Ok(())
            })
        }
        "clear_event" => {
            let v = args.name()?;
            now(move |me| {
                me.vars.get::<Event>(&v)?.clear();
                Ok(())
            })
        }
        "is_set" => {
            let v = args.name()?;
            now(move |me| {
                me.say(format_args!("{v} set {}", me.vars.get::<Event>(&v)?.is_set()));
                Ok(())
            })
        }
        "barrier_state" => {
            let v = args.name()?;
            now(move |me| {
                let barrier = me.vars.get::<Barrier>(&v)?;
                let (waiting, parties) = (barrier.n_waiting(), barrier.parties());
                let broken = barrier.broken();
                me.say(format_args!("{v} waiting {waiting} of {parties}, broken {broken}"));
                Ok(())
            })
        }
        "notify" => {
            let (v, count) = (args.name()?, args.count()?);
            now(move |me| Ok(me.vars.get::<Condition>(&v)?.notify(count)?))
        }
        "notify_all" => {
            let v = args.name()?;
            now(move |me| Ok(me.vars.get::<Condition>(&v)?.notify_all()?))
        }
        _ => None,
    })
}

/// The statements that make something.
fn decode_making(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    fn made<T: 'static>(
        v: Name,
        make: impl Fn() -> Result<T, Error> + 'static,
    ) -> Option<Statement> {
        now(move |me| {
            me.vars.put(&v, make()?);
            Ok(())
        })
    }
    Ok(match op {
        "lock" => made(args.name()?, || Ok(Lock::new())),
        "event" => made(args.name()?, || Ok(Event::new())),
        "condition" => {
            let (v, lock) = (args.name()?, args.optional_name()?);
            now(move |me| {
                let made = match &lock {
                    Some(lock) => Condition::with_lock((*me.vars.get::<Lock>(lock)?).clone()),
                    None => Condition::new(),
                };
                me.vars.put(&v, made);
                Ok(())
            })
        }
        "semaphore" => {
            let (v, value) = (args.name()?, args.count()?);
            made(v, move || Ok(Semaphore::new(value)))
        }
        "bounded_semaphore" => {
            let (v, value) = (args.name()?, args.count()?);
            made(v, move || Ok(BoundedSemaphore::new(value)))
        }
        "barrier" => {
            let (v, parties) = (args.name()?, args.count()?);
            made(v, move || Barrier::new(parties))
        }
        _ => None,
    })
}

/// The statements that await.
fn decode_waiting(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "acquire" => {
            let v = args.name()?;
            awaits(async move |me| {
                me.vars.lockable(&v)?.acquire().await?;
                me.say(format_args!("acquired {v}"));
                Ok(())
            })
        }
        "with_lock" => {
            let (v, body) = (args.name()?, args.block()?);
            awaits(async move |me| me.with_lock(&v, &body).await)
        }
        "wait_event" => {
            let v = args.name()?;
            awaits(async move |me| {
                me.vars.get::<Event>(&v)?.wait().await?;
                me.say(format_args!("saw {v}"));
                Ok(())
            })
        }
        "cond_wait" => {
            let v = args.name()?;
            awaits(async move |me| {
                me.vars.get::<Condition>(&v)?.wait().await?;
                me.say(format_args!("notified {v}"));
                Ok(())
            })
        }
        "cond_wait_for" => {
            let (v, number, least) = (args.name()?, args.name()?, args.whole()?);
            awaits(async move |me| {
                let watched = me.number(&number)?;
                let is_enough = || {
                    me.say(format_args!("{number} is {} of {least}", watched.get()));
                    watched.get() >= least
                };
                Ok(me.vars.get::<Condition>(&v)?.wait_for(is_enough).await?)
            })
        }
        "barrier_abort" => {
            let v = args.name()?;
            awaits(async move |me| {
                let barrier = me.vars.get::<Barrier>(&v)?;
                me.outcome(format_args!("abort {v}"), barrier.abort()).await
            })
        }
        "barrier_reset" => {
            let v = args.name()?;
            awaits(async move |me| {
                let barrier = me.vars.get::<Barrier>(&v)?;
                me.outcome(format_args!("reset {v}"), barrier.reset()).await
            })
        }
        "barrier_wait" => {
            let v = args.name()?;
            awaits(async move |me| {
                let barrier = me.vars.get::<Barrier>(&v)?;
                me.outcome(format_args!("barrier {v}"), barrier.wait()).await
            })
        }
        _ => None,
    })
}

/// A primitive that can be acquired and released.
enum Lockable {
    Lock(Lock),
    Condition(Condition),
    Semaphore(Semaphore),
    Bounded(BoundedSemaphore),
}

impl Vars {
    fn lockable(&self, v: &Name) -> Result<Lockable, Error> {
        if let Ok(lock) = self.get::<Lock>(v) {
            return Ok(Lockable::Lock((*lock).clone()));
        }
        if let Ok(condition) = self.get::<Condition>(v) {
            return Ok(Lockable::Condition((*condition).clone()));
        }
        if let Ok(semaphore) = self.get::<Semaphore>(v) {
            return Ok(Lockable::Semaphore((*semaphore).clone()));
        }
        self.get::<BoundedSemaphore>(v).map(|bounded| Lockable::Bounded((*bounded).clone()))
    }
}

impl Lockable {
    fn locked(&self) -> bool {
        match self {
            Lockable::Lock(lock) => lock.locked(),
            Lockable::Condition(condition) => condition.locked(),
            Lockable::Semaphore(semaphore) => semaphore.locked(),
            Lockable::Bounded(bounded) => bounded.locked(),
        }
    }

    async fn acquire(&self) -> Result<(), Error> {
        match self {
            Lockable::Lock(lock) => lock.acquire().await,
            Lockable::Condition(condition) => condition.acquire().await,
            Lockable::Semaphore(semaphore) => semaphore.acquire().await,
            Lockable::Bounded(bounded) => bounded.acquire().await,
        }
    }

    fn release(&self) -> Result<(), Error> {
        match self {
            Lockable::Lock(lock) => lock.release(),
            Lockable::Condition(condition) => condition.release(),
            Lockable::Semaphore(semaphore) => {
                semaphore.release();
                Ok(())
            }
            Lockable::Bounded(bounded) => bounded.release(),
        }
    }
}

impl Speaker {
    /// The body may end by a `break` or a `return`, which the runtime's own scopes don't know.
    async fn with_lock(&self, v: &Name, body: &Block) -> Done {
        let lockable = self.vars.lockable(v)?;
        lockable.acquire().await?;
        self.say(format_args!("entered {v}"));
        let ended = self.run(body).await;
        lockable.release().map_err(Flow::Error)?;
        ended?;
        self.say(format_args!("left {v}"));
        Ok(())
    }
}
