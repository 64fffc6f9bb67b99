//! The helpers' own futures: resettable ones, and children of others.

use callsoon::{AnyFuture, Error, helpers as hp};

use super::args::Args;
use super::failure::{Flow, named};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Block, Statement, awaits, now};
use super::value::Value;
use super::vars::Name;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "resettable" => {
            let v = args.name()?;
            now(move |me| {
                me.vars.put_future(&v, &hp::ResettableFuture::<Value>::named(&v));
                Ok(())
            })
        }
        "reset" => {
            let (v, force) = (args.name()?, args.flag()?);
            now(move |me| {
                let future = me.vars.future(&v)?;
                let resettable = future.as_any().downcast_ref::<hp::ResettableFuture<Value>>();
                let resettable = resettable.ok_or_else(|| named("AttributeError"))?;
                if force {
                    resettable.force_reset()
                } else {
                    resettable.reset()
                }
                Ok(())
            })
        }
        "child" => {
            let (v, parent) = (args.name()?, args.name()?);
            now(move |me| {
                me.make_child(&v, &parent)?;
                Ok(())
            })
        }
        "cancel_parent" => {
            let v = args.name()?;
            now(move |me| {
                let future = me.vars.future(&v)?;
                let child = future.as_any().downcast_ref::<hp::ChildOfFuture<Value>>();
                child.ok_or_else(|| named("AttributeError"))?.cancel_parent();
                Ok(())
            })
        }
        "with_child" => {
            let (v, parent, body) = (args.name()?, args.name()?, args.block()?);
            awaits(async move |me| {
                let child = me.make_child(&v, &parent)?;
                child.scope(async |_| me.run(&body).await).await
            })
        }
        _ => None,
    })
}

impl Speaker {
    fn make_child(&self, v: &Name, parent: &Name) -> Result<hp::ChildOfFuture<Value>, Error> {
        let parent = self.vars.any(parent)?;
        let child = hp::ChildOfFuture::named(&parent, v);
        self.vars.put_future(v, &child);
        Ok(child)
    }

    /// Runs the body of a context manager, to which only an error is one: whatever else
    /// leaves it early comes back to be raised once the context is left.
    pub(crate) async fn inside(&self, body: &Block) -> callsoon::Result<Option<Flow>> {
        match self.run(body).await {
            Ok(()) => Ok(None),
            Err(Flow::Error(error)) => Err(error),
            Err(left) => Ok(Some(left)),
        }
    }

    /// Says that a context was left, or raises what left it early.
    pub(crate) fn left(&self, v: &Name, left: Option<Flow>) -> Result<(), Flow> {
        if let Some(left) = left {
            return Err(left);
        }
        self.say(format_args!("left {v}"));
        Ok(())
    }
}
