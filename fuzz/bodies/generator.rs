//! Async generators with several consumers at once that ask, send, throw, close, give up and forget:
//! values come in order and once, steps never overlap, and no body outlives its loop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::{AsyncGenerator, ErrorKind, Result, Task, Yielder, sleep, yield_now};

use super::common::{Census, Watched, eighths, failure, panic_on_purpose};

const OPERATIONS: usize = 80;
const TURNS: usize = 5_000;

/// A step of a generator's body.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Give,
    /// Gives a value, and goes on whatever it gets back.
    GiveAnyhow,
    Sleep(u8),
    /// Sleeps, and goes on if it is cancelled.
    SleepAnyhow(u8),
    Yield,
    Fail,
    Panic,
    Return,
}

/// One operation of a consumer.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Ask {
    Next,
    Send(u8),
    SendNothing,
    Throw,
    Close,
    Sleep(u8),
}

#[derive(Arbitrary, Debug)]
enum Op {
    /// A task that asks these, one after the other.
    Consumer(Vec<Ask>),
    Cancel(u8),
    /// Forgets the generator: consumers that are under way still have it.
    Forget,
    Turn(u8),
    Shutdown,
}

#[derive(Arbitrary, Debug)]
struct Input {
    body: Vec<Step>,
    ops: Vec<Op>,
}

/// The state that the body and its consumers share.
#[derive(Default)]
struct World {
    census: Census,
    /// The numbers that the body yielded, and those that came out.
    given: Cell<usize>,
    came: RefCell<Vec<usize>>,
    began: Cell<bool>,
    /// The number of asks under way.
    asking: Cell<usize>,
    over: Cell<bool>,
}

/// Counts an ask as under way while it lives.
struct Asking(Rc<World>);

impl Asking {
    fn begin(world: &Rc<World>) -> Asking {
        world.asking.set(world.asking.get() + 1);
        Asking(world.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.set(self.0.asking.get() - 1);
    }
}

type Generator = AsyncGenerator<usize, u8>;

async fn body(world: Rc<World>, steps: Vec<Step>, y: Yielder<usize, u8>) -> Result<()> {
    let _alive = world.census.one(0);
    assert!(!world.began.replace(true), "the body began twice");
    for step in steps {
        match step {
            Step::Give => drop(give(&world, &y).await?),
            Step::GiveAnyhow => drop(give(&world, &y).await),
            Step::Sleep(time) => sleep(eighths(time % 8)).await?,
            Step::SleepAnyhow(time) => drop(sleep(eighths(time % 8)).await),
            Step::Yield => yield_now().await?,
            Step::Fail => return Err(failure()),
            Step::Panic => panic_on_purpose(),
            Step::Return => return Ok(()),
        }
    }
    Ok(())
}

async fn give(world: &World, y: &Yielder<usize, u8>) -> Result<Option<u8>> {
    let number = world.given.get();
    world.given.set(number + 1);
    y.give(number).await
}

async fn consume(world: Rc<World>, generator: Generator, asks: Vec<Ask>) -> Result<()> {
    for ask in asks.into_iter().take(OPERATIONS) {
        let others = world.asking.get();
        let asking = (!matches!(ask, Ask::Sleep(_))).then(|| Asking::begin(&world));
        let came = match ask {
            Ask::Next => generator.next().await,
            Ask::Send(value) => generator.asend(Some(value)).await.map(Some),
            Ask::SendNothing => generator.asend(None).await.map(Some),
            Ask::Throw => generator.athrow(failure()).await,
            Ask::Close => generator.aclose().await.map(|()| None),
            Ask::Sleep(time) => sleep(eighths(time % 8)).await.map(|()| None),
        };
        drop(asking);
        match came {
            Err(error) if error.to_string().contains("already running") => {
                assert!(others > 0, "no other task steps it, and a step is under way");
            }
            Ok(Some(number)) => {
                assert!(!world.over.get(), "a value after the end");
                world.came.borrow_mut().push(number);
            }
            Ok(None) if matches!(ask, Ask::Next) => world.over.set(true),
            Ok(None) => {}
            // A cancelled consumer ends if it asked for the next value, and goes on otherwise.
            Err(error) if error.is_cancelled() && matches!(ask, Ask::Next) => return Err(error),
            Err(error) => assert!(allowed(error.kind()), "{ask:?}: {error}"),
        }
    }
    Ok(())
}

/// Returns true for the kinds of error that a generator may answer with.
fn allowed(kind: ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(kind, Cancelled | Value | Panic | Runtime | Type | StopAsyncIteration | GeneratorExit)
}

pub(crate) fn bytes(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (watched, world) = (Watched::new(), Rc::new(World::default()));
    let (shared, steps) = (world.clone(), input.body);
    let made: Generator = AsyncGenerator::new(async move |y| body(shared, steps, y).await);
    let mut generator = Some(made);
    let mut tasks: Vec<Task<()>> = Vec::new();
    for op in input.ops.into_iter().take(OPERATIONS) {
        match op {
            Op::Consumer(asks) => {
                if let Some(generator) = &generator {
                    let consumer = consume(world.clone(), generator.clone(), asks);
                    tasks.push(watched.event_loop.create_task(consumer).unwrap());
                }
            }
            Op::Cancel(which) if !tasks.is_empty() => {
                tasks[usize::from(which) % tasks.len()].cancel();
            }
            Op::Cancel(_) => {}
            Op::Forget => drop(generator.take()),
            Op::Turn(wait) => drop(watched.event_loop.run_once(Some(eighths(wait % 16))).unwrap()),
            Op::Shutdown => {
                let on = watched.event_loop.clone();
                let asks = world.clone();
                let shutdown = async move {
                    let _asking = Asking::begin(&asks);
                    on.shutdown_asyncgens().await
                };
                drop(watched.event_loop.create_task(shutdown).unwrap());
            }
        }
        check(&world);
    }
    drop(generator);
    assert!(watched.settles(TURNS), "the generator never rests");
    // Every ask ends by itself: no consumer waits for a generator that has nothing to do.
    assert!(tasks.iter().all(Task::done), "a consumer is stuck");
    assert_eq!(watched.event_loop.all_tasks().len(), 0, "a closing is stuck");
    check(&world);
    // An unread exception of a task is reported when the task is dropped.
    drop(tasks);
    watched.check();
    drop(watched);
    assert_eq!(world.census.alive(), 0, "the body outlived its loop");
}

/// Asserts that all values that came were yielded, in order, and came once. One may be on its way,
/// or lost with the consumer that asked for it and gave up.
fn check(world: &World) {
    let came = world.came.borrow();
    assert!(came.is_sorted_by(|a, b| a < b), "{came:?}");
    assert!(came.last().is_none_or(|last| *last < world.given.get()));
}
