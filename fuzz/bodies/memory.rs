//! The memory of a loop's tasks under hostile patterns: futures of all sizes that are made, woken,
//! cancelled and dropped in any order, wakers that outlive their tasks and their loop, and limits that
//! change meanwhile. Each future keeps its own bytes, none is left at the end, a refusal needs a
//! limit, and the memory never grows beyond one.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use callsoon::{EventLoop, LoopFuture, Task};

use super::common::{Census, Counted, Watched, all, below};

const OPERATIONS: usize = 80;
const TURNS: usize = 2_000;
/// The unit of limits: a page.
const PAGE: usize = 32 * 1024;
/// More than a loop at rest keeps for the next burst.
const KEPT: usize = 32 * PAGE;

type Make = fn(&mut World, &EventLoop);

/// Tasks of all sorts of size: two that share pages closely, one near a page's, and some beyond.
const SPAWNS: &[Make] = &[
    World::spawn::<1>,
    World::spawn::<40>,
    World::spawn::<200>,
    World::spawn::<1_000>,
    World::spawn::<4_000>,
    World::spawn::<20_000>,
    World::spawn::<33_000>,
    World::spawn::<70_000>,
];
const FUTURES: &[Make] = &[World::future::<8>, World::future::<300>, World::future::<5_000>];

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    /// Tasks with a future of one of the sizes in [`SPAWNS`].
    Spawn {
        size: u8,
        count: u8,
    },
    /// A future with a value of one of the sizes in [`FUTURES`].
    Future(u8),
    /// Lets the task end at its next step, and wakes it.
    Finish(u8),
    Wake(u8),
    Cancel(u8),
    /// Forgets the handle.
    Forget(u8),
    KeepWaker(u8),
    DropWaker(u8),
    Limit(Option<u8>),
    Turn,
    /// Lets the loop come to rest, which gives memory back.
    Rest,
}

/// Bytes of a known pattern, which must still be there at each look.
struct Pattern<const N: usize> {
    bytes: [u8; N],
    counted: Counted,
}

impl<const N: usize> Pattern<N> {
    fn new(counted: Counted) -> Pattern<N> {
        Pattern { bytes: [counted.number as u8; N], counted }
    }

    fn check(&self) {
        assert!(self.bytes == [self.counted.number as u8; N], "the bytes of another");
    }
}

impl<const N: usize> Drop for Pattern<N> {
    fn drop(&mut self) {
        self.check();
    }
}

/// One task, as the program sees it.
struct Kept {
    task: Option<Task<()>>,
    finishes: Rc<Cell<bool>>,
    waker: Rc<RefCell<Option<Waker>>>,
}

struct World {
    census: Census,
    made: usize,
    kept: Vec<Kept>,
    wakers: Vec<Waker>,
    futures: Vec<Box<dyn Any>>,
    limit: Option<usize>,
}

impl World {
    fn spawn<const N: usize>(&mut self, event_loop: &EventLoop) {
        let pattern = Pattern::<N>::new(self.census.one(self.made));
        self.made += 1;
        let (finishes, waker) =
            (Rc::<Cell<bool>>::default(), Rc::<RefCell<Option<Waker>>>::default());
        let (ends, keeps) = (finishes.clone(), waker.clone());
        let made = event_loop.create_task(async move {
            poll_fn(|cx| {
                pattern.check();
                drop(keeps.borrow_mut().replace(cx.waker().clone()));
                if ends.get() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            Ok(())
        });
        match made {
            Ok(task) => self.kept.push(Kept { task: Some(task), finishes, waker }),
            Err(error) => assert!(self.limit.is_some(), "refused without a limit: {error}"),
        }
    }

    fn future<const N: usize>(&mut self, event_loop: &EventLoop) {
        // To make a future beyond the limit panics.
        if self.limit.is_none() {
            let future: LoopFuture<Pattern<N>> = event_loop.create_future();
            let pattern = Pattern::new(self.census.one(self.made));
            self.made += 1;
            future.set_result(pattern).expect("it is pending");
            self.futures.push(Box::new(future));
        }
    }

    fn one(&mut self, which: u8) -> Option<&mut Kept> {
        let count = self.kept.len();
        (count > 0).then(|| &mut self.kept[usize::from(which) % count])
    }
}

pub(crate) fn bytes(data: &[u8]) {
    let data = &mut Unstructured::new(data);
    let drops_loop = below(data, 2) == 0;
    let watched = Watched::new();
    let mut world = World {
        census: Census::default(),
        made: 0,
        kept: Vec::new(),
        wakers: Vec::new(),
        futures: Vec::new(),
        limit: None,
    };
    for op in all(data, OPERATIONS) {
        let before = watched.event_loop.memory();
        perform(op, &watched, &mut world);
        let most = world.limit.map_or(usize::MAX, |limit| limit.max(before));
        assert!(watched.event_loop.memory() <= most, "{op:?} takes more than the limit");
    }
    let World { census, kept, wakers, futures, .. } = world;
    drop(futures);
    if drops_loop {
        drop(watched);
        wakers.iter().for_each(Waker::wake_by_ref);
        drop((kept, wakers));
    } else {
        kept.iter().filter_map(|it| it.task.as_ref()).for_each(|task| _ = task.cancel());
        assert!(watched.rests(TURNS), "tasks never rest");
        assert!(kept.iter().filter_map(|it| it.task.as_ref()).all(Task::done));
        // Those without a handle still wait.
        kept.iter().for_each(|it| it.finishes.set(true));
        let all = kept.iter().filter_map(|it| it.waker.take());
        all.chain(wakers).for_each(Waker::wake);
        assert!(watched.rests(TURNS), "tasks never rest");
        drop(kept);
        assert_eq!(census.alive(), 0, "a task is left that was woken at its end");
        watched.check();
        // The first rest finds idle memory, the next gives it back.
        let rests = (0..3).all(|_| watched.rests(TURNS));
        assert!(rests && watched.event_loop.memory() <= KEPT, "memory is kept");
    }
    assert_eq!(census.alive(), 0, "a future or a value is left");
}

fn perform(op: Op, watched: &Watched, world: &mut World) {
    let event_loop = &watched.event_loop;
    match op {
        Op::Spawn { size, count } => {
            let spawn = SPAWNS[usize::from(size) % SPAWNS.len()];
            (0..=count % 12).for_each(|_| spawn(world, event_loop));
        }
        Op::Future(size) => FUTURES[usize::from(size) % FUTURES.len()](world, event_loop),
        Op::Finish(which) => {
            if let Some(kept) = world.one(which) {
                kept.finishes.set(true);
                kept.waker.borrow().iter().for_each(Waker::wake_by_ref);
            }
        }
        Op::Wake(which) => {
            if let Some(kept) = world.one(which) {
                kept.waker.borrow().iter().for_each(Waker::wake_by_ref);
            }
        }
        Op::Cancel(which) => {
            if let Some(task) = world.one(which).and_then(|it| it.task.as_ref()) {
                assert_ne!(task.cancel(), task.done(), "a task that is done takes a cancellation");
            }
        }
        Op::Forget(which) => drop(world.one(which).and_then(|it| it.task.take())),
        Op::KeepWaker(which) => {
            let waker = world.one(which).and_then(|it| it.waker.borrow().clone());
            world.wakers.extend(waker);
        }
        Op::DropWaker(which) if !world.wakers.is_empty() => {
            let place = usize::from(which) % world.wakers.len();
            drop(world.wakers.swap_remove(place));
        }
        Op::DropWaker(_) => {}
        Op::Limit(pages) => {
            world.limit = pages.map(|pages| usize::from(pages) * PAGE);
            event_loop.set_memory_limit(world.limit);
        }
        Op::Turn => drop(event_loop.run_once(Some(Duration::ZERO)).expect("it is open")),
        Op::Rest => assert!(watched.rests(TURNS), "tasks never rest"),
    }
}
