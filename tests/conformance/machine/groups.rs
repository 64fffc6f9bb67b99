//! Many futures at once: `gather`, `shield`, `wait` and task groups.

use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    AnyFuture, Error, FutureId, FutureLike, LoopFuture, ReturnWhen, Task, TaskGroup, helpers as hp,
};

use super::args::{Args, Options};
use super::failure::{Done, Flow, is_exception};
use super::program::Malformed;
use super::speaker::Speaker;
use super::statement::{Block, Statement, awaits, now};
use super::value::{Listed, Value};
use super::vars::Name;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "shield" => {
            let (v, inner) = (args.name()?, args.name()?);
            now(move |me| {
                let shield = callsoon::shield(&*me.vars.future(&inner)?);
                me.vars.put_future(&v, &shield);
                shield.add_done_callback(hp::silent_reporter());
                Ok(())
            })
        }
        "gather" => {
            let (v, names, options) = (args.name()?, args.names()?, args.options()?);
            let tolerant = options.flag("return_exceptions")?;
            now(move |me| Ok(me.gather(&v, &names, tolerant)?))
        }
        "group_add" => {
            let (g, v, coro) = (args.name()?, args.name()?, args.name()?);
            now(move |me| {
                let group = me.vars.get::<TaskGroup>(&g)?;
                let task: Task<Value> = group.create_task(me.coroutine(&coro))?;
                me.vars.put_future(&v, &task);
                Ok(())
            })
        }
        "wait" => {
            let (names, options) = (args.names()?, args.options()?);
            let (limit, return_when) = (options.seconds("timeout")?, return_when(&options)?);
            awaits(async move |me| {
                let done = async {
                    let futures = me.all_of(&names)?;
                    let (done, _) = callsoon::wait(&futures, limit, return_when).await?;
                    let done: Vec<FutureId> = done.iter().map(|future| future.id()).collect();
                    // A name may stand for another future by now, which wasn't waited for.
                    let mut named = Vec::new();
                    for name in &names {
                        if done.contains(&me.vars.any(name)?.id()) {
                            named.push(Value::Text(name.to_string()));
                        }
                    }
                    Ok(named)
                };
                me.outcome("wait", done).await
            })
        }
        "as_completed" => {
            let (names, options, body) = (args.names()?, args.options()?, args.block()?);
            let limit = options.seconds("timeout")?;
            awaits(async move |me| me.as_completed(&names, limit, &body).await)
        }
        "each_completed" => {
            let (names, options, body) = (args.names()?, args.options()?, args.block()?);
            let (limit, tolerant) = (options.seconds("timeout")?, options.flag("tolerant")?);
            awaits(async move |me| me.each_completed(&names, limit, tolerant, &body).await)
        }
        "task_group" => {
            let (g, body) = (args.name()?, args.block()?);
            awaits(async move |me| me.task_group(&g, &body).await)
        }
        _ => None,
    })
}

fn return_when(options: &Options<'_>) -> Result<ReturnWhen, Malformed> {
    Ok(match options.name("return_when")?.as_deref() {
        None | Some("ALL_COMPLETED") => ReturnWhen::AllCompleted,
        Some("FIRST_COMPLETED") => ReturnWhen::FirstCompleted,
        Some("FIRST_EXCEPTION") => ReturnWhen::FirstException,
        Some(other) => {
            return Err(Malformed::new(format!("wait: return_when can't be {other:?}")));
        }
    })
}

/// A future that `gather` made. Its results are lists, and values of the language once they are read.
pub(crate) trait Gathered {
    fn to_any(&self) -> Rc<dyn AnyFuture>;
    fn wait(&self) -> Pin<Box<dyn Future<Output = callsoon::Result<Value>>>>;
    fn cancel_with(&self, message: &str) -> bool;
    /// Sets a list of `value`, or a list of such lists.
    fn set_result(&self, value: Value) -> callsoon::Result<()>;
    fn set_exception(&self, error: Error) -> callsoon::Result<()>;
}

impl<R: Listed> Gathered for LoopFuture<R> {
    fn to_any(&self) -> Rc<dyn AnyFuture> {
        AnyFuture::to_any(self)
    }

    fn wait(&self) -> Pin<Box<dyn Future<Output = callsoon::Result<Value>>>> {
        let results = FutureLike::wait(self);
        Box::pin(async move { results.await.map(Listed::into_value) })
    }

    fn cancel_with(&self, message: &str) -> bool {
        LoopFuture::cancel_with(self, message)
    }

    fn set_result(&self, value: Value) -> callsoon::Result<()> {
        LoopFuture::set_result(self, R::of_value(value))
    }

    fn set_exception(&self, error: Error) -> callsoon::Result<()> {
        LoopFuture::set_exception(self, error)
    }
}

/// Gathers futures of one type.
fn gathered<T: Listed>(
    children: impl IntoIterator<Item = impl Deref<Target = impl FutureLike<T> + ?Sized>>,
    tolerant: bool,
) -> Result<Rc<dyn Gathered>, Error> {
    Ok(if tolerant {
        Rc::new(callsoon::gather_outcomes(children))
    } else {
        Rc::new(callsoon::gather(children))
    })
}

/// Gathers gatherings, if all have results of this type.
fn nested<R: Listed>(
    children: &[Rc<dyn Gathered>],
    tolerant: bool,
) -> Option<Result<Rc<dyn Gathered>, Error>> {
    let typed =
        |child: &Rc<dyn Gathered>| child.to_any().as_any().downcast_ref::<LoopFuture<R>>().cloned();
    let children: Vec<LoopFuture<R>> = children.iter().map(typed).collect::<Option<_>>()?;
    Some(gathered(&children, tolerant))
}

impl Speaker {
    fn gather(&self, v: &Name, names: &[Name], tolerant: bool) -> Result<(), Error> {
        let inner: Vec<_> = names.iter().filter_map(|name| self.vars.gathered(name)).collect();
        let gathered = if inner.is_empty() {
            let children: Result<Vec<_>, Error> =
                names.iter().map(|name| self.vars.awaitable(name)).collect();
            gathered(children?, tolerant)?
        } else {
            let same = Some(inner).filter(|inner| inner.len() == names.len()).and_then(|inner| {
                nested::<Vec<Value>>(&inner, tolerant)
                    .or_else(|| nested::<Vec<Result<Value, Error>>>(&inner, tolerant))
            });
            same.unwrap_or_else(|| Err(self.vars.unsupported("gather")))?
        };
        self.vars.put_gathered(v, gathered.clone());
        gathered.to_any().add_callback(hp::silent_reporter());
        Ok(())
    }

    async fn as_completed(&self, names: &[Name], limit: Option<Duration>, body: &Block) -> Done {
        let futures = self.values_of(names)?;
        let mut completed = callsoon::as_completed(&futures, limit);
        self.for_each(body, async || {
            let Some(done) = completed.next().await? else { return Ok(None) };
            let place = futures.iter().position(|future| future.id() == done.id());
            let name = &names[place.expect("it is one of them")];
            Ok(Some(format!("completed {name}")))
        })
        .await?;
        self.say("as_completed is over");
        Ok(())
    }

    async fn each_completed(
        &self,
        names: &[Name],
        limit: Option<Duration>,
        tolerant: bool,
        body: &Block,
    ) -> Done {
        let mut completed = callsoon::as_completed(self.values_of(names)?, limit);
        loop {
            let result = match completed.next().await {
                Ok(None) => break,
                Ok(Some(future)) => future.result(),
                Err(error) => Err(error),
            };
            match self.outcome("completed", async { result }).await {
                Err(Flow::Error(error)) if tolerant && is_exception(&error) => {}
                said => said?,
            }
            match self.run(body).await {
                Err(Flow::Break) => break,
                ended => ended?,
            }
        }
        self.say("each_completed is over");
        Ok(())
    }

    async fn task_group(&self, g: &Name, body: &Block) -> Done {
        let ended = TaskGroup::scope(async |group| {
            self.vars.put(g, group);
            self.inside(body).await
        });
        match ended.await {
            Ok(None) => {
                self.say(format_args!("group {g} -> left"));
                Ok(())
            }
            Ok(Some(left)) => Err(left),
            Err(error) => self.failed(format_args!("group {g}"), error),
        }
    }
}
