//! asyncio's queues, under the name that the language has for them: channels.

use std::cmp::Ordering;

use callsoon::{Error, Queue};

use super::args::Args;
use super::program::Malformed;
use super::statement::{Statement, awaits, now};
use super::value::Value;
use super::vars::{Name, Vars};

/// An item of a channel.
#[derive(Clone)]
struct Item(Value);

impl Item {
    /// The least first. Only integers have an order; the rest comes before them.
    fn rank(&self) -> Option<i64> {
        match self.0 {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Item) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Item) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Item) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Item {}

type Channel = Queue<Item>;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    if let Some(statement) = decode_waiting(op, args)? {
        return Ok(Some(statement));
    }
    Ok(match op {
        "channel" => {
            let (v, maxsize, kind) = (args.name()?, args.count()?, args.name()?);
            let make: fn(usize) -> Channel = match &*kind {
                "fifo" => Queue::new,
                "lifo" => |maxsize| Queue::lifo(maxsize),
                "priority" => |maxsize| Queue::priority(maxsize),
                _ => return Err(Malformed::new(format!("channel: no kind {kind}"))),
            };
            now(move |me| {
                me.vars.put(&v, make(maxsize));
                Ok(())
            })
        }
        "put_nowait" => {
            let (v, value) = (args.name()?, args.value()?);
            now(move |me| Ok(me.vars.channel(&v)?.put_nowait(Item(value.clone()))?))
        }
        "get_nowait" => {
            let v = args.name()?;
            now(move |me| {
                let Item(value) = me.vars.channel(&v)?.get_nowait()?;
                me.say(format_args!("got {value}"));
                Ok(())
            })
        }
        "task_done" => {
            let v = args.name()?;
            now(move |me| Ok(me.vars.channel(&v)?.task_done()?))
        }
        "qsize" => {
            let v = args.name()?;
            now(move |me| {
                me.say(format_args!("{v} size {}", me.vars.channel(&v)?.qsize()));
                Ok(())
            })
        }
        "channel_state" => {
            let v = args.name()?;
            now(move |me| {
                let channel = me.vars.channel(&v)?;
                me.say(format_args!("{v} empty {} full {}", channel.empty(), channel.full()));
                Ok(())
            })
        }
        "shutdown" => {
            let (v, immediate) = (args.name()?, args.flag()?);
            now(move |me| {
                let channel = me.vars.channel(&v)?;
                if immediate {
                    channel.shutdown_now()
                } else {
                    channel.shutdown()
                }
                Ok(())
            })
        }
        _ => None,
    })
}

/// The statements that await.
fn decode_waiting(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "put" => {
            let (v, value) = (args.name()?, args.value()?);
            awaits(async move |me| {
                me.vars.channel(&v)?.put(Item(value.clone())).await?;
                me.say(format_args!("put {value}"));
                Ok(())
            })
        }
        "get" => {
            let v = args.name()?;
            awaits(async move |me| {
                let Item(value) = me.vars.channel(&v)?.get().await?;
                me.say(format_args!("got {value}"));
                Ok(())
            })
        }
        "join" => {
            let v = args.name()?;
            awaits(async move |me| {
                me.vars.channel(&v)?.join().await?;
                me.say(format_args!("joined {v}"));
                Ok(())
            })
        }
        _ => None,
    })
}

impl Vars {
    fn channel(&self, v: &Name) -> Result<Channel, Error> {
        self.get::<Channel>(v).map(|channel| (*channel).clone())
    }
}
