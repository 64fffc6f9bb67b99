//! Queues between tasks that come, wait, give up and are cancelled: no value is lost, doubled or
//! out of order, no task waits for what is there, and all ends when the queue does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::helpers as hp;
use callsoon::{ErrorKind, LoopFuture, Queue, Result, Task, sleep};

use super::common::{Census, Counted, Watched, eighths};

const OPERATIONS: usize = 120;
const TURNS: usize = 20_000;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    /// Puts this many in, without waiting.
    Put(u8),
    /// A task that puts some in, waiting for room, and pausing between them.
    Putter {
        count: u8,
        pause: u8,
    },
    /// A task that takes some out, and pauses between them.
    Getter {
        count: u8,
        pause: u8,
    },
    Take,
    /// Tells one task to stop.
    Cancel(u8),
    /// The end for one reader.
    Done,
    /// One turn that waits this long at most.
    Turn(u8),
}

#[derive(Arbitrary, Debug)]
struct Input {
    photons: bool,
    empty_on_finished: bool,
    maxsize: u8,
    immediate: bool,
    ops: Vec<Op>,
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Put,
    Get,
}

/// Either of the two kinds of queue, as this target uses it.
#[derive(Clone)]
enum Either {
    Asyncio(Queue<Counted>),
    Photons(hp::Queue<Counted>, LoopFuture<()>),
}

/// The queue, and the record of its values, which all tasks share.
struct World {
    queue: Either,
    census: Census,
    put: RefCell<Vec<usize>>,
    got: RefCell<Vec<usize>>,
    made: Cell<usize>,
    ended: Cell<bool>,
}

impl World {
    fn value(&self) -> Counted {
        let number = self.made.get();
        self.made.set(number + 1);
        self.census.one(number)
    }

    fn put_nowait(&self) {
        let value = self.value();
        let number = value.number;
        let put = match &self.queue {
            Either::Asyncio(queue) => queue.put_nowait(value),
            Either::Photons(queue, _) => {
                queue.append(value);
                Ok(())
            }
        };
        match put {
            Ok(()) => self.put.borrow_mut().push(number),
            Err(error) => match error.kind() {
                ErrorKind::QueueFull => assert!(self.is_full()),
                ErrorKind::QueueShutDown => assert!(self.ended.get()),
                _ => panic!("put_nowait: {error}"),
            },
        }
    }

    fn is_full(&self) -> bool {
        matches!(&self.queue, Either::Asyncio(queue) if queue.full())
    }

    fn took(&self, value: &Counted) {
        self.got.borrow_mut().push(value.number);
        if let Either::Asyncio(queue) = &self.queue {
            queue.task_done().expect("no more than were put");
        }
    }

    fn take(&self) {
        match &self.queue {
            Either::Asyncio(queue) => {
                if let Ok(value) = queue.get_nowait() {
                    self.took(&value);
                }
            }
            Either::Photons(queue, _) => {
                if let Some(hp::QueueEntry::Value(value)) = queue.remaining().next() {
                    self.took(&value);
                }
            }
        }
    }

    async fn puts(self: Rc<World>, count: u8, pause: u8) -> Result<()> {
        for _ in 0..count {
            match &self.queue {
                Either::Asyncio(queue) => {
                    let value = self.value();
                    let number = value.number;
                    queue.put(value).await?;
                    self.put.borrow_mut().push(number);
                }
                Either::Photons(..) => self.put_nowait(),
            }
            sleep(eighths(pause)).await?;
        }
        Ok(())
    }

    async fn gets(self: Rc<World>, count: u8, pause: u8) -> Result<()> {
        let mut values = match &self.queue {
            Either::Photons(queue, _) => Some(queue.iter()),
            Either::Asyncio(_) => None,
        };
        for _ in 0..count {
            let value = match (&self.queue, &mut values) {
                (Either::Photons(..), Some(values)) => values.next().await?,
                (Either::Asyncio(queue), _) => match queue.get().await {
                    Ok(value) => Some(value),
                    Err(error) if error.kind() == ErrorKind::QueueShutDown => None,
                    Err(error) => return Err(error),
                },
                (Either::Photons(..), None) => None,
            };
            let Some(value) = value else { break };
            self.took(&value);
            drop(value);
            sleep(eighths(pause)).await?;
        }
        Ok(())
    }

    /// Values come out in the order in which they went in, each once.
    fn check(&self) {
        let (put, got) = (self.put.borrow(), self.got.borrow());
        assert!(got.iter().eq(put.iter().take(got.len())), "{got:?} of {put:?}");
    }

    fn end(&self, immediate: bool) {
        self.ended.set(true);
        match &self.queue {
            Either::Asyncio(queue) if immediate => queue.shutdown_now(),
            Either::Asyncio(queue) => queue.shutdown(),
            Either::Photons(_, stop) => drop(stop.set_result(())),
        }
    }
}

pub(crate) fn bytes(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let watched = Watched::new();
    let queue = queue_of(&watched, &input);
    let world = Rc::new(World {
        queue,
        census: Census::default(),
        put: RefCell::default(),
        got: RefCell::default(),
        made: Cell::new(0),
        ended: Cell::new(false),
    });
    let mut tasks: Vec<(Does, Task<()>)> = Vec::new();
    for op in input.ops.into_iter().take(OPERATIONS) {
        perform(op, &watched, &world, &mut tasks);
        world.check();
    }
    assert!(watched.settles(TURNS), "the queue's users never rest");
    world.check();
    no_task_waits_in_vain(&world, &tasks);
    world.end(input.immediate);
    assert!(watched.settles(TURNS), "the queue's users never rest at its end");
    assert!(tasks.iter().all(|(_, task)| task.done()), "a task waits on a queue that is over");
    world.check();
    // Dropping a task reports the exception that was not read.
    drop(tasks);
    watched.check();
    let census = world.census.clone();
    drop((world, watched));
    assert_eq!(census.alive(), 0, "values are left");
}

/// Asserts that each task that still waits has a reason: it puts into a full queue, or takes from an
/// empty one.
fn no_task_waits_in_vain(world: &World, tasks: &[(Does, Task<()>)]) {
    let waits = |role| tasks.iter().any(|(does, task)| *does == role && !task.done());
    match &world.queue {
        Either::Asyncio(queue) => {
            let left = world.put.borrow().len() - world.got.borrow().len();
            assert_eq!(queue.qsize(), left);
            assert!(!waits(Does::Put) || queue.full(), "a putter waits, and there is room");
            assert!(!waits(Does::Get) || queue.empty(), "a getter waits for what is there");
        }
        Either::Photons(queue, _) => {
            assert!(!waits(Does::Put), "putting never waits");
            assert!(!waits(Does::Get) || queue.is_empty(), "a getter waits for what is there");
        }
    }
}

fn queue_of(watched: &Watched, input: &Input) -> Either {
    if !input.photons {
        return Either::Asyncio(Queue::new(usize::from(input.maxsize % 5)));
    }
    let stop = watched.event_loop.create_future::<()>();
    let (parent, empty) = (stop.clone(), input.empty_on_finished);
    let queue = watched.event_loop.run_until_complete(async move {
        Ok(Rc::new(if empty {
            hp::Queue::emptied_on_finished(&parent)
        } else {
            hp::Queue::new(&parent)
        }))
    });
    let queue = queue.expect("a loop runs");
    Either::Photons((*queue).clone(), stop)
}

fn perform(op: Op, watched: &Watched, world: &Rc<World>, tasks: &mut Vec<(Does, Task<()>)>) {
    let on = &watched.event_loop;
    match op {
        Op::Put(count) => (0..count % 8).for_each(|_| world.put_nowait()),
        Op::Putter { count, pause } => {
            let puts = world.clone().puts(count % 16, pause % 8);
            tasks.push((Does::Put, on.create_task(puts).unwrap()));
        }
        Op::Getter { count, pause } => {
            let gets = world.clone().gets(count % 16, pause % 8);
            tasks.push((Does::Get, on.create_task(gets).unwrap()));
        }
        Op::Take => world.take(),
        Op::Cancel(which) if !tasks.is_empty() => {
            tasks[usize::from(which) % tasks.len()].1.cancel();
        }
        Op::Cancel(_) => {}
        Op::Done => {
            if let Either::Photons(queue, _) = &world.queue {
                queue.append_done();
            }
        }
        Op::Turn(wait) => {
            on.run_once(Some(eighths(wait).min(Duration::from_secs(2)))).unwrap();
        }
    }
}
