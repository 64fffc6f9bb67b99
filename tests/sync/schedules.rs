//! Thousands of random schedules: tasks that come, wait, are served, cancelled and dropped at
//! random times. Whatever happens, nothing is held twice, nothing is lost, and no task is served
//! before one that came earlier.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    Barrier, BoundedSemaphore, Condition, Error, ErrorKind, EventLoop, Lock, Queue, Result,
    Semaphore, Task, create_task, current_task, run_on, sleep,
};
use fastrand::Rng;

use crate::by_hand::unless;

const SCHEDULES: u64 = 2_000;

/// Runs `body` with many seeds, each on a loop of its own. `body` returns how many were served.
fn with_many_schedules<F: Future<Output = Result<u64>> + 'static>(body: impl Fn(Dice) -> F) {
    let mut served = 0;
    for seed in 0..SCHEDULES {
        match run_on(&EventLoop::with_virtual_time(), body(Dice::new(seed))) {
            Ok(count) => served += count,
            Err(error) => panic!("schedule {seed}: {error:?}"),
        }
    }
    assert!(served > SCHEDULES, "only {served} were served");
}

/// Clones throw the same dice.
#[derive(Clone)]
struct Dice {
    rng: Rc<RefCell<Rng>>,
    /// True if `patience` never drops a wait.
    patient: bool,
}

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice { rng: Rc::new(RefCell::new(Rng::with_seed(seed))), patient: false }
    }

    fn below(&self, limit: usize) -> usize {
        self.rng.borrow_mut().usize(..limit)
    }

    /// A short time, often none: what happens at once is where the trouble is.
    ///
    /// Ends a task that was cancelled. A race may have lost the cancellation: where one side had
    /// ended already, or is dropped while it cleans up.
    async fn pause(&self) -> Result<()> {
        if current_task().is_some_and(|task| task.cancelling() > 0) {
            return Err(Error::cancelled());
        }
        let millis = self.rng.borrow_mut().u64(..6).saturating_sub(2);
        sleep(Duration::from_millis(millis)).await
    }

    /// Awaits `wait`. Now and then it loses patience: then it drops it, and there is none.
    async fn patience<T>(&self, wait: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        if self.patient || self.below(3) > 0 {
            return wait.await.map(Some);
        }
        unless(wait, self.pause()).await
    }

    /// Starts `count` workers and cancels some of them, but never the first.
    async fn workers<F: Future<Output = Result<()>> + 'static>(
        &self,
        count: usize,
        worker: impl Fn() -> F,
    ) -> Result<Vec<Task<()>>> {
        let tasks: Vec<Task<()>> = (0..count).map(|_| create_task(worker())).collect();
        for _ in 0..self.below(2 * count) {
            self.pause().await?;
            tasks[1 + self.below(count - 1)].cancel();
        }
        Ok(tasks)
    }
}

/// Waits for all. They may have been cancelled, and nothing else may have gone wrong.
async fn ends_of(tasks: Vec<Task<()>>) -> Result<()> {
    for task in tasks {
        match task.await {
            Err(error) if !error.is_cancelled() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Sleeps until no task moves any more unless something else happens.
async fn rest() -> Result<()> {
    sleep(Duration::from_secs(1)).await
}

/// The tasks that are inside, in number and order.
#[derive(Clone)]
struct Room(Rc<RoomState>);

struct RoomState {
    limit: usize,
    /// True if tasks must enter in the order in which they came.
    in_order: bool,
    inside: Cell<usize>,
    came: Cell<u64>,
    last_in: Cell<u64>,
    served: Cell<u64>,
}

/// The stay of a task inside, until it is dropped.
struct Inside(Room);

impl Room {
    fn for_at_most(limit: usize, in_order: bool) -> Room {
        let (inside, came, last_in, served) = Default::default();
        Room(Rc::new(RoomState { limit, in_order, inside, came, last_in, served }))
    }

    /// Counts a task that comes to the door, and returns its number.
    fn come(&self) -> u64 {
        self.0.came.set(self.0.came.get() + 1);
        self.0.came.get()
    }

    fn enter(&self, number: u64) -> Inside {
        let last = self.0.last_in.replace(number);
        assert!(last < number || !self.0.in_order, "{number} is served after {last}");
        self.be_inside()
    }

    fn be_inside(&self) -> Inside {
        self.0.inside.set(self.0.inside.get() + 1);
        assert!(self.0.inside.get() <= self.0.limit, "{} are inside", self.0.inside.get());
        self.0.served.set(self.0.served.get() + 1);
        Inside(self.clone())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let state = &self.0.0;
        state.inside.set(state.inside.get() - 1);
    }
}

/// Workers that come three times to a door which `open` stands for, and stay a while.
async fn visits<G, F: Future<Output = Result<G>>>(
    dice: Dice,
    room: Room,
    open: impl Fn() -> F + Clone + 'static,
) -> Result<()> {
    let worker = || {
        let (dice, room, open) = (dice.clone(), room.clone(), open.clone());
        async move {
            for _ in 0..3 {
                dice.pause().await?;
                let number = room.come();
                // Dropped in this order: out of the room first, then the door.
                let Some(_guard) = dice.patience(open()).await? else { continue };
                let _inside = room.enter(number);
                dice.pause().await?;
            }
            Ok(())
        }
    };
    ends_of(dice.workers(6, worker).await?).await
}

#[test]
fn a_lock_is_never_held_twice_and_taken_in_order() {
    with_many_schedules(async |dice| {
        let (lock, room) = (Lock::new(), Room::for_at_most(1, true));
        let door = lock.clone();
        let open = move || {
            let door = door.clone();
            async move { door.lock().await }
        };
        visits(dice, room.clone(), open).await?;
        assert_eq!(format!("{lock:?}"), "<Lock [unlocked]>");
        Ok(room.0.served.get())
    });
}

#[test]
fn a_semaphore_lets_no_more_in_than_it_should_and_in_order() {
    with_many_schedules(async |mut dice| {
        let permits = 1 + dice.below(3);
        // Permits are given in order, but a task that waits for something else, too, may run
        // earlier than others that were given theirs in the same turn.
        dice.patient = dice.below(2) == 0;
        let room = Room::for_at_most(permits, dice.patient);
        let semaphore = Semaphore::new(permits);
        let door = semaphore.clone();
        let open = move || {
            let door = door.clone();
            async move { door.permit().await }
        };
        visits(dice, room.clone(), open).await?;
        let expected = format!("<Semaphore [unlocked, value:{permits}]>");
        assert_eq!(format!("{semaphore:?}"), expected);
        Ok(room.0.served.get())
    });
}

#[test]
fn bounded_semaphore_ends_with_its_first_number_of_permits() {
    with_many_schedules(async |dice| {
        let (bounded, room) = (BoundedSemaphore::new(2), Room::for_at_most(2, false));
        let door = bounded.clone();
        let open = move || {
            let door = door.clone();
            async move { door.permit().await }
        };
        visits(dice, room.clone(), open).await?;
        assert_eq!(bounded.release().unwrap_err().kind(), ErrorKind::Value);
        Ok(room.0.served.get())
    });
}

#[test]
fn condition_loses_no_notification_and_its_lock_has_one_holder() {
    with_many_schedules(async |dice| {
        let (condition, room) = (Condition::new(), Room::for_at_most(1, true));
        let stock = Rc::new(Cell::new(0));
        let buy = || {
            let (condition, room) = (condition.clone(), room.clone());
            let (dice, stock) = (dice.clone(), stock.clone());
            async move {
                loop {
                    dice.pause().await?;
                    let bought = dice.patience(async {
                        let _guard = condition.lock().await?;
                        condition.wait_for(|| stock.get() > 0).await?;
                        let _inside = room.be_inside();
                        stock.set(stock.get() - 1);
                        dice.pause().await
                    });
                    bought.await?;
                }
            }
        };
        let buyers: Vec<Task<()>> = (0..3).map(|_| create_task(buy())).collect();
        let sell = || {
            let (condition, dice, stock) = (condition.clone(), dice.clone(), stock.clone());
            async move {
                for _ in 0..3 {
                    dice.pause().await?;
                    let _guard = condition.lock().await?;
                    let count = dice.below(3);
                    stock.set(stock.get() + count);
                    condition.notify(count)?;
                    dice.pause().await?;
                }
                Ok(())
            }
        };
        let sellers = dice.workers(3, sell).await?;
        for buyer in &buyers[1..] {
            dice.pause().await?;
            buyer.cancel();
        }
        ends_of(sellers).await?;
        rest().await?;
        // The first waits, though not for what is there.
        assert_eq!(stock.get(), 0, "a notification is lost");
        buyers[0].cancel();
        ends_of(buyers).await?;
        assert_eq!(format!("{condition:?}"), "<Condition [unlocked]>");
        Ok(room.0.served.get())
    });
}

/// Puts the numbers from 1 on through `queue`. Returns what was put and what came out, each in
/// that order.
async fn traffic(dice: Dice, queue: Queue<u64>) -> Result<(Vec<u64>, Vec<u64>)> {
    let (put, got) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    let next = Rc::new(Cell::new(0));
    let get = || {
        let (dice, queue, got) = (dice.clone(), queue.clone(), got.clone());
        async move {
            loop {
                if let Some(item) = dice.patience(queue.get()).await? {
                    got.borrow_mut().push(item);
                    queue.task_done()?;
                }
                dice.pause().await?;
            }
        }
    };
    let getters: Vec<Task<()>> = (0..3).map(|_| create_task(get())).collect();
    let put_some = || {
        let (dice, queue) = (dice.clone(), queue.clone());
        let (put, next) = (put.clone(), next.clone());
        async move {
            for _ in 0..4 {
                next.set(next.get() + 1);
                let item = next.get();
                if dice.patience(queue.put(item)).await?.is_some() {
                    put.borrow_mut().push(item);
                }
                dice.pause().await?;
            }
            Ok(())
        }
    };
    let putters = dice.workers(4, put_some).await?;
    for getter in &getters[1..] {
        dice.pause().await?;
        getter.cancel();
    }
    // The first getter goes on: if it didn't, the loop would have nothing left to do.
    ends_of(putters).await?;
    queue.join().await?;
    rest().await?;
    assert!(queue.empty(), "an item waits, and so does a getter");
    queue.shutdown();
    for getter in getters {
        match getter.await.unwrap_err() {
            error if error.is_cancelled() => {}
            error => assert_eq!(error.kind(), ErrorKind::QueueShutDown),
        }
    }
    let shown = format!("{queue:?}");
    assert!(shown.ends_with(&format!("maxsize={} shutdown>", queue.maxsize())), "{shown}");
    Ok((put.take(), got.take()))
}

// CPython: test_queues.QueueGetTests.test_why_are_getters_waiting
#[test]
fn a_queue_loses_nothing_and_keeps_the_order() {
    with_many_schedules(async |dice| {
        let queue = Queue::new(dice.below(3));
        let (put, got) = traffic(dice, queue).await?;
        assert_eq!(put, got);
        Ok(got.len() as u64)
    });
}

#[test]
fn queues_of_other_orders_lose_nothing() {
    with_many_schedules(async |dice| {
        let maxsize = dice.below(3);
        let queue = match dice.below(2) {
            0 => Queue::lifo(maxsize),
            _ => Queue::priority(maxsize),
        };
        let (mut put, mut got) = traffic(dice, queue).await?;
        put.sort_unstable();
        got.sort_unstable();
        assert_eq!(put, got);
        Ok(got.len() as u64)
    });
}

#[test]
fn a_barrier_is_left_empty_and_works_again() {
    with_many_schedules(async |dice| {
        let parties = 2 + dice.below(2);
        let (barrier, met) = (Barrier::new(parties)?, Rc::new(Cell::new(0)));
        let come = || {
            let (dice, barrier, met) = (dice.clone(), barrier.clone(), met.clone());
            async move {
                loop {
                    dice.pause().await?;
                    if let Some(index) = dice.patience(barrier.wait()).await? {
                        assert!(index < parties, "{index} of {parties}");
                        met.set(met.get() + 1);
                    }
                }
            }
        };
        let tasks = dice.workers(5, come).await?;
        sleep(Duration::from_millis(50)).await?;
        for task in &tasks {
            task.cancel();
        }
        ends_of(tasks).await?;
        assert_eq!(format!("{barrier:?}"), format!("<Barrier [filling, waiters:0/{parties}]>"));
        let again = (0..parties).map(|_| {
            let barrier = barrier.clone();
            create_task(async move { barrier.wait().await.map(drop) })
        });
        ends_of(again.collect()).await?;
        Ok(met.get())
    });
}
