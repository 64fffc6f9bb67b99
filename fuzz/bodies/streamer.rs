//! A streamer with tasks, coroutines, generators and values that end in every way there is, and
//! consumers that give up: each result comes once, and all that was added has ended when it has.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::helpers::{self as hp, Adding, ResultStreamer, StreamResult, StreamValue};
use callsoon::{Error, LoopFuture, Result, Task, create_task, generator, sleep, yield_now};

use super::common::{Census, Counted, Watched, eighths, failure, panic_on_purpose};

const ADDED: usize = 40;
const TURNS: usize = 20_000;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Ends {
    Well,
    Fails,
    Panics,
    /// Swallows a cancellation, sleeps again and ends well.
    Late,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Work {
    sleeps: u8,
    yields: u8,
    ends: Ends,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Coroutine(Work),
    Generator {
        gives: u8,
        between: u8,
        work: Work,
    },
    Value,
    Task {
        work: Work,
        force: bool,
    },
    NoMoreWork,
    Sleep(u8),
    /// Takes this many results out.
    Take(u8),
    Finish,
    /// Ends the future that the streamer stands on.
    Stop,
    CancelOne(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Catches {
    None,
    List,
    Exceptions,
}

#[derive(Arbitrary, Debug)]
struct Input {
    catches: Catches,
    ops: Vec<Op>,
    /// When the task with the streamer is cancelled, if at all.
    cancelled_after: Option<u8>,
}

/// The number of results with a context that came out, and of those that should have.
struct Came {
    times: usize,
    most: usize,
    /// The number that must have come by the end. For a generator it is not known.
    least: usize,
}

type Streamer = ResultStreamer<Rc<Counted>, usize>;

#[derive(Default)]
struct World {
    census: Census,
    made: Cell<usize>,
    /// The counts of each context's results. A context is an index of this list.
    came: RefCell<Vec<Came>>,
    tasks: RefCell<Vec<Task<Rc<Counted>>>>,
    finished: Cell<bool>,
    /// No more work was said, and all that comes is being taken out.
    emptying: Cell<bool>,
}

impl World {
    /// The context of what is added next.
    fn context(&self, least: usize, most: usize) -> usize {
        let mut came = self.came.borrow_mut();
        came.push(Came { times: 0, most, least });
        came.len() - 1
    }

    fn value(&self) -> Rc<Counted> {
        self.made.set(self.made.get() + 1);
        Rc::new(self.census.one(self.made.get()))
    }

    fn see(&self, result: &StreamResult<Rc<Counted>, usize>) {
        assert!(!matches!(result.value, StreamValue::GeneratorComplete));
        assert_eq!(result.successful, matches!(result.value, StreamValue::Value(_)));
        let context = *result.context.get().expect("each was added with one");
        let came = &mut self.came.borrow_mut()[context];
        came.times += 1;
        assert!(came.times <= came.most, "more results of {context} than it can have");
    }
}

async fn works(world: Rc<World>, work: Work) -> Result<Rc<Counted>> {
    let value = world.value();
    for _ in 0..work.yields % 4 {
        yield_now().await?;
    }
    let slept = sleep(eighths(work.sleeps % 16)).await;
    match work.ends {
        Ends::Well => slept.map(|()| value),
        Ends::Fails => Err(failure()),
        Ends::Panics => panic_on_purpose(),
        Ends::Late => {
            let _ = sleep(eighths(work.sleeps % 16)).await;
            Ok(value)
        }
    }
}

async fn add(world: &Rc<World>, streamer: &Streamer, op: Op) -> Result<()> {
    match op {
        Op::Coroutine(work) => {
            let adding = Adding::new().context(world.context(1, 1));
            let task = streamer.add_coroutine(works(world.clone(), work), adding).await?;
            world.tasks.borrow_mut().push(task);
        }
        Op::Value => {
            let adding = Adding::new().context(world.context(1, 1));
            drop(streamer.add_value(world.value(), adding).await?);
        }
        Op::Task { work, force } => {
            let adding = Adding::new().context(world.context(1, 1)).force(force);
            let task = create_task(works(world.clone(), work));
            world.tasks.borrow_mut().push(task.clone());
            streamer.add_task(&task, adding).await?;
        }
        Op::Generator { gives, between, work } => {
            let gives = usize::from(gives % 5);
            let adding = Adding::new().context(world.context(0, gives + 1));
            let shared = world.clone();
            let body = generator(async move |y| {
                for _ in 0..gives {
                    y.give(shared.value()).await?;
                    sleep(eighths(between % 4)).await?;
                }
                works(shared, work).await.map(drop)
            });
            drop(streamer.add_generator(body, adding).await?);
        }
        _ => {}
    }
    Ok(())
}

async fn uses(
    world: Rc<World>,
    streamer: Streamer,
    stop: LoopFuture<()>,
    ops: Vec<Op>,
) -> Result<()> {
    let mut added = 0;
    let mut results = streamer.iter();
    for op in ops {
        match op {
            Op::NoMoreWork => streamer.no_more_work(),
            Op::Sleep(time) => sleep(eighths(time % 16)).await?,
            Op::Take(count) => {
                for _ in 0..count % 16 {
                    let Some(result) = results.next().await? else { break };
                    world.see(&result);
                }
            }
            Op::Finish => {
                world.finished.set(true);
                streamer.finish(None).await?;
            }
            Op::Stop => {
                world.finished.set(true);
                let _ = stop.set_result(());
            }
            Op::CancelOne(which) => {
                let tasks = world.tasks.borrow().clone();
                if !tasks.is_empty() {
                    tasks[usize::from(which) % tasks.len()].cancel();
                }
            }
            op if added < ADDED => {
                added += 1;
                add(&world, &streamer, op).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The whole life of a streamer: used, emptied, finished.
async fn lives(
    world: Rc<World>,
    streamer: Streamer,
    stop: LoopFuture<()>,
    ops: Vec<Op>,
) -> Result<()> {
    let (shared, own) = (world.clone(), streamer.clone());
    streamer
        .scope(async move |_| {
            uses(shared.clone(), own.clone(), stop, ops).await?;
            own.no_more_work();
            shared.emptying.set(true);
            let mut results = own.iter();
            while let Some(result) = results.next().await? {
                shared.see(&result);
            }
            if !shared.finished.get() {
                everything_came(&shared);
            }
            Ok(())
        })
        .await
}

/// Of a streamer that was emptied, and never finished before, a result of each task was seen.
fn everything_came(world: &World) {
    let came = world.came.borrow();
    assert!(came.iter().all(|it| it.times >= it.least), "a task whose result never came");
}

fn streamer(stop: &LoopFuture<()>, catches: Catches) -> Streamer {
    match catches {
        Catches::None => ResultStreamer::new(stop),
        Catches::List => ResultStreamer::with_error_catcher(
            stop,
            Rc::new(RefCell::new(Vec::<StreamResult<Rc<Counted>, usize>>::new())),
        ),
        Catches::Exceptions => {
            ResultStreamer::with_exception_catcher(stop, |error: Error| drop(error))
        }
    }
}

pub(crate) fn bytes(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (watched, world) = (Watched::new(), Rc::new(World::default()));
    let (shared, catches, ops) = (world.clone(), input.catches, input.ops);
    let main = async move {
        let stop = hp::create_future::<()>();
        let streamer = streamer(&stop, catches);
        lives(shared, streamer, stop, ops).await
    };
    let main = watched.event_loop.create_task(main).unwrap();
    if let Some(time) = input.cancelled_after {
        let task = main.clone();
        let cancel = move || {
            task.cancel();
        };
        watched.event_loop.call_later(eighths(time % 64), cancel).unwrap();
    }
    assert!(watched.settles(TURNS), "the streamer never rests");
    if !main.done() {
        assert!(!world.emptying.get(), "no more work was said, and the iteration never ends");
        // An iteration of a streamer to which nothing is added waits until it is cancelled.
        main.cancel();
        assert!(watched.settles(TURNS), "the streamer never rests when it is cancelled");
    }
    assert!(main.done(), "the streamer is stuck");
    let tasks = world.tasks.take();
    assert!(tasks.iter().all(Task::done), "a task that was streamed is stuck");
    assert_eq!(watched.event_loop.all_tasks().len(), 0, "a task of the streamer's is stuck");
    drop((tasks, main));
    watched.check();
    drop(watched);
    assert_eq!(world.census.alive(), 0, "values are left");
}
