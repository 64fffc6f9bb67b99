//! Cancellations in graphs of tasks that await each other at random: chains, trees, diamonds and
//! circles, through gatherings, shields, waits and limits, by tasks that swallow what they are told. A
//! cancel returns, whatever the graph; a task that has ended refuses it; and when all are told again
//! and again, all end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::{
    LoopFuture, Result, ReturnWhen, Task, current_task, gather, shield, sleep, timeout, wait,
    wait_for, yield_now,
};

use super::common::{Watched, all, below, eighths, failure};

const TASKS: u64 = 12;
const STEPS: usize = 4;
const OPERATIONS: usize = 80;
const TURNS: usize = 4_000;

/// An await of a task, of others by their numbers.
#[derive(Arbitrary, Clone, Debug)]
enum Step {
    Task(u8),
    Future(u8),
    Gather([u8; 2]),
    Shield(u8),
    WaitFor(u8, u8),
    Wait([u8; 2], bool),
    Timeout(u8, u8),
    Sleep(u8),
    Yield,
    /// Cancels another, or itself, amid a step.
    Cancel(u8),
    Uncancel,
    Fail,
}

#[derive(Arbitrary, Clone, Debug)]
struct Body {
    steps: [Step; STEPS],
    /// The number of errors and cancellations that it goes on after.
    swallows: u8,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Cancel(u8),
    CancelFuture(u8),
    SetFuture(u8),
    Turn(u8),
}

struct World {
    tasks: RefCell<Vec<Task<u8>>>,
    futures: Vec<LoopFuture<u8>>,
    /// The number of bodies that have been dropped.
    ended: Cell<usize>,
}

impl World {
    fn task(&self, which: u8) -> Task<u8> {
        let tasks = self.tasks.borrow();
        tasks[usize::from(which) % tasks.len()].clone()
    }

    fn future(&self, which: u8) -> &LoopFuture<u8> {
        &self.futures[usize::from(which) % self.futures.len()]
    }

    async fn step(&self, step: &Step) -> Result<()> {
        match step {
            Step::Task(which) => _ = self.task(*which).await?,
            Step::Future(which) => _ = self.future(*which).await?,
            Step::Gather(pair) => _ = gather(&pair.map(|it| self.task(it))).await?,
            Step::Shield(which) => _ = shield(&self.task(*which)).await?,
            Step::WaitFor(which, limit) => {
                _ = wait_for(self.task(*which), eighths(limit % 8)).await?;
            }
            Step::Wait(pair, first) => {
                let [one, other] = pair.map(|it| self.task(it));
                let when =
                    if *first { ReturnWhen::FirstCompleted } else { ReturnWhen::AllCompleted };
                _ = wait([&one, &other], None, when).await?;
            }
            Step::Timeout(which, limit) => {
                let task = self.task(*which);
                _ = timeout(eighths(limit % 8), async |_| task.await).await?;
            }
            Step::Sleep(count) => sleep(eighths(count % 8)).await?,
            Step::Yield => yield_now().await?,
            Step::Cancel(which) => tell(&self.task(*which)),
            Step::Uncancel => drop(current_task().map(|task| task.uncancel())),
            Step::Fail => return Err(failure()),
        }
        Ok(())
    }
}

/// Counts a body that is over, begun or not.
struct Counted(Rc<World>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.ended.set(self.0.ended.get() + 1);
    }
}

async fn run(counted: Counted, number: u8, body: Body) -> Result<u8> {
    let mut swallows = body.swallows % 4;
    for step in &body.steps {
        match counted.0.step(step).await {
            Err(_) if swallows > 0 => swallows -= 1,
            outcome => outcome?,
        }
    }
    Ok(number)
}

/// Cancels a task, which refuses if it has ended, and only then. In a circle it may be told more than once.
fn tell(task: &Task<u8>) {
    let done = task.done();
    let before = task.cancelling();
    let taken = task.cancel();
    assert_eq!(taken, !done, "{task:?}");
    assert_eq!(task.cancelling() > before, taken, "{task:?}");
}

pub(crate) fn bytes(data: &[u8]) {
    let data = &mut Unstructured::new(data);
    let drops_loop = below(data, 2) == 0;
    let count = below(data, TASKS) as u8 + 1;
    let watched = Watched::new();
    let on = &watched.event_loop;
    let futures = (0..4).map(|_| on.create_future()).collect();
    let world = Rc::new(World { tasks: RefCell::default(), futures, ended: Cell::new(0) });
    for number in 0..count {
        let Ok(body) = Body::arbitrary(data) else { return };
        let task = on.create_task(run(Counted(world.clone()), number, body)).expect("it is open");
        world.tasks.borrow_mut().push(task);
    }
    for op in all(data, OPERATIONS) {
        match op {
            Op::Cancel(which) => tell(&world.task(which)),
            Op::CancelFuture(which) => {
                let future = world.future(which);
                assert_ne!(future.done(), future.cancel());
            }
            // It may be done already.
            Op::SetFuture(which) => drop(world.future(which).set_result(which)),
            Op::Turn(limit) => drop(on.run_once(Some(eighths(limit % 8))).expect("it is open")),
        }
    }
    if drops_loop {
        drop(watched);
    } else {
        all_end(&watched, &world);
        watched.check();
    }
    assert_eq!(world.ended.get(), usize::from(count), "a body was not dropped");
    world.tasks.take();
    assert_eq!(Rc::strong_count(&world), 1, "a task is left");
}

/// Cancels all that go on until none does. Each time one of them gets further, or swallows one less.
fn all_end(watched: &Watched, world: &World) {
    for _ in 0..TASKS as usize * (STEPS + 4) {
        assert!(watched.settles(TURNS), "tasks never rest");
        let tasks = world.tasks.borrow().clone();
        if tasks.iter().all(Task::done) {
            return;
        }
        tasks.iter().for_each(tell);
    }
    panic!("tasks are left that were cancelled again and again: {:?}", world.tasks.borrow());
}
