//! [`Queue`]: asyncio's `Queue`, `LifoQueue` and `PriorityQueue`, which pass items from task to task.
//!
//! A waiter is woken, and not handed an item or room: a quicker task may take it, and then the
//! woken one waits again, behind all others.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use super::event::Event;
use super::heap::Heap;
use super::wait_queue::{LoopBinding, WaitQueue};
use crate::asyncio::core::WaitReason;
use crate::collections::RefCell;
use crate::error::{Error, ErrorKind, Result};
use crate::flat_drops::Flat;

/// The items of a queue, in the order of its kind.
enum Items<T> {
    /// First in, first out: asked without a detour, as it is the commonest.
    Fifo(RefCell<VecDeque<T>>),
    Other(Box<dyn Ordered<T>>),
}

impl<T> Items<T> {
    #[inline]
    fn put(&self, item: T) -> Result<()> {
        match self {
            Items::Fifo(items) => items.borrow_mut().push_back(item),
            Items::Other(items) => items.put(item)?,
        }
        Ok(())
    }

    #[inline]
    fn get(&self) -> Result<Option<T>> {
        match self {
            Items::Fifo(items) => Ok(items.borrow_mut().pop_front()),
            Items::Other(items) => items.get(),
        }
    }

    #[inline]
    fn len(&self) -> usize {
        match self {
            Items::Fifo(items) => items.borrow().len(),
            Items::Other(items) => items.len(),
        }
    }
}

/// Items in an order of their own.
trait Ordered<T> {
    fn put(&self, item: T) -> Result<()>;
    fn get(&self) -> Result<Option<T>>;
    fn len(&self) -> usize;
}

/// Last in, first out.
impl<T> Ordered<T> for RefCell<Vec<T>> {
    fn put(&self, item: T) -> Result<()> {
        self.borrow_mut().push(item);
        Ok(())
    }

    fn get(&self) -> Result<Option<T>> {
        Ok(self.borrow_mut().pop())
    }

    fn len(&self) -> usize {
        self.borrow().len()
    }
}

/// The least first.
impl<T: Ord> Ordered<T> for Heap<T> {
    fn put(&self, item: T) -> Result<()> {
        self.push(item)
    }

    fn get(&self) -> Result<Option<T>> {
        self.pop()
    }

    fn len(&self) -> usize {
        self.len()
    }
}

/// A queue through which tasks pass items to other tasks, first in, first out: asyncio's `Queue`.
/// Clones are the same queue.
///
/// It counts the items that were put and not reported done with
/// [`task_done`](Queue::task_done), and [`join`](Queue::join) waits until there are none.
///
/// It needs no loop until a task has to wait, and from then on only the loop of that task will do.
///
/// ```
/// use callsoon::{Queue, create_task, run};
///
/// run(async {
///     let orders = Queue::new(2);
///     let cook = create_task({
///         let orders = orders.clone();
///         async move {
///             let mut cooked = Vec::new();
///             for _ in 0..3 {
///                 cooked.push(orders.get().await?);
///                 orders.task_done()?;
///             }
///             Ok(cooked)
///         }
///     });
///     for order in ["soup", "bread", "pie"] {
///         orders.put(order).await?;
///     }
///     orders.join().await?;
///     assert_eq!(cook.await?, ["soup", "bread", "pie"]);
///     Ok(())
/// }).unwrap();
/// ```
pub struct Queue<T: 'static>(Rc<QueueState<T>>);

struct QueueState<T: 'static> {
    /// Which of the three it is.
    what: &'static str,
    items: Flat<Items<T>>,
    maxsize: usize,
    shut_down: Cell<bool>,
    /// It was shut down at once by a comparison of its items, and is to be emptied after it.
    discards_later: Cell<bool>,
    getters: WaitQueue,
    putters: WaitQueue,
    bound: LoopBinding,
    /// Items that were put and not reported done.
    unfinished: Cell<usize>,
    /// Set while there are none of those.
    finished: Event,
}

impl<T> QueueState<T> {
    #[inline]
    fn full(&self) -> bool {
        self.maxsize > 0 && self.items.len() >= self.maxsize
    }
}

impl<T: 'static> Queue<T> {
    /// A queue that holds `maxsize` items; 0 sets no limit.
    #[must_use]
    pub fn new(maxsize: usize) -> Queue<T> {
        Queue::of("Queue", Items::Fifo(RefCell::default()), maxsize)
    }

    /// A queue from which the last item put comes first: asyncio's `LifoQueue`.
    ///
    /// ```
    /// let stack = callsoon::Queue::lifo(0);
    /// stack.put_nowait("plate")?;
    /// stack.put_nowait("bowl")?;
    /// assert_eq!(stack.get_nowait()?, "bowl");
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    #[must_use]
    pub fn lifo(maxsize: usize) -> Queue<T> {
        Queue::of("LifoQueue", Items::Other(Box::new(RefCell::new(Vec::new()))), maxsize)
    }

    /// A queue from which the least item comes first: asyncio's `PriorityQueue`. Items are often pairs
    /// of a priority and what it is about. Of equal items any may come first, the same in each run,
    /// and the same as in Python.
    ///
    /// A comparison of its items may look at the queue, which counts an item that is being put, and
    /// doesn't count one that is being taken. Putting and taking from inside of a comparison returns a
    /// [`Runtime`](crate::ErrorKind::Runtime) error, and a [`shutdown_now`](Queue::shutdown_now) drops
    /// the items after it. A comparison that panics has put or taken nothing.
    ///
    /// ```
    /// let chores = callsoon::Queue::priority(0);
    /// chores.put_nowait((2, "dishes"))?;
    /// chores.put_nowait((1, "fire"))?;
    /// assert_eq!(chores.get_nowait()?, (1, "fire"));
    /// # Ok::<(), callsoon::Error>(())
    /// ```
    #[must_use]
    pub fn priority(maxsize: usize) -> Queue<T>
    where
        T: Ord,
    {
        Queue::of("PriorityQueue", Items::Other(Box::new(Heap::new())), maxsize)
    }

    fn of(what: &'static str, items: Items<T>, maxsize: usize) -> Queue<T> {
        let finished = Event::new();
        finished.set();
        Queue(Rc::new(QueueState {
            what,
            items: Flat::new(items),
            maxsize,
            shut_down: Cell::new(false),
            discards_later: Cell::new(false),
            getters: WaitQueue::default(),
            putters: WaitQueue::default(),
            bound: LoopBinding::default(),
            unfinished: Cell::new(0),
            finished,
        }))
    }

    /// Returns the number of items in it.
    #[must_use]
    pub fn qsize(&self) -> usize {
        self.0.items.len()
    }

    /// The same as [`qsize`](Queue::qsize), by the name that Rust's collections have.
    #[must_use]
    pub fn len(&self) -> usize {
        self.qsize()
    }

    /// The same as [`empty`](Queue::empty), by the name that Rust's collections have.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.empty()
    }

    /// Returns the number of items that it may hold; 0 for any number.
    #[must_use]
    pub fn maxsize(&self) -> usize {
        self.0.maxsize
    }

    /// Returns true if nothing is in it.
    #[must_use]
    pub fn empty(&self) -> bool {
        self.qsize() == 0
    }

    /// Returns true if it has no room; a queue without a limit always has room.
    #[must_use]
    pub fn full(&self) -> bool {
        self.0.full()
    }

    /// Puts `item` in, once there is room; if there is, it doesn't yield.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`](crate::ErrorKind::QueueShutDown) after
    /// [`shutdown`](Queue::shutdown); the cancellation; [`Runtime`](crate::ErrorKind::Runtime)
    /// if it has to wait where no loop runs, or on another loop than those before. `item` is
    /// dropped then.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, nothing was put, and `item` is dropped. If room had come up for
    /// it, the next in line is woken.
    pub async fn put(&self, item: T) -> Result<()> {
        let state = &*self.0;
        while self.full() {
            self.check_open()?;
            let home = state.bound.running(state.what)?;
            let gone = |woken| {
                if woken && !state.full() {
                    state.putters.wake_next();
                }
            };
            state.putters.wait(home, WaitReason::QueuePut, gone).await?;
        }
        self.put_nowait(item)
    }

    /// Puts `item` in if there is room.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`](crate::ErrorKind::QueueShutDown) after [`shutdown`](Queue::shutdown);
    /// [`QueueFull`](crate::ErrorKind::QueueFull) if there is none. `item` is dropped then: to
    /// keep it, ask [`full`](Queue::full) first.
    pub fn put_nowait(&self, item: T) -> Result<()> {
        self.check_open()?;
        if self.full() {
            return Err(Error::new(ErrorKind::QueueFull, ""));
        }
        let state = &*self.0;
        state.items.put(item)?;
        state.unfinished.set(state.unfinished.get() + 1);
        state.finished.clear();
        self.discard_if_due();
        state.getters.wake_next();
        Ok(())
    }

    /// Takes the next item out, once there is one; if there is, it doesn't yield.
    ///
    /// # Errors
    ///
    /// [`QueueShutDown`](crate::ErrorKind::QueueShutDown) after [`shutdown`](Queue::shutdown),
    /// when nothing is left; the cancellation; [`Runtime`](crate::ErrorKind::Runtime) if it has
    /// to wait where no loop runs, or on another loop than those before.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, nothing was taken. If an item had come up for it, the next in
    /// line is woken.
    pub async fn get(&self) -> Result<T> {
        let state = &*self.0;
        loop {
            if let Some(item) = self.take()? {
                state.putters.wake_next();
                return Ok(item);
            }
            self.check_open()?;
            let home = state.bound.running(state.what)?;
            let gone = |woken| {
                if woken && state.items.len() > 0 {
                    state.getters.wake_next();
                }
            };
            state.getters.wait(home, WaitReason::QueueGet, gone).await?;
        }
    }

    /// Takes the next item out if there is one.
    ///
    /// # Errors
    ///
    /// [`QueueEmpty`](crate::ErrorKind::QueueEmpty) if there is none, or, after
    /// [`shutdown`](Queue::shutdown), [`QueueShutDown`](crate::ErrorKind::QueueShutDown).
    pub fn get_nowait(&self) -> Result<T> {
        let Some(item) = self.take()? else {
            self.check_open()?;
            return Err(Error::new(ErrorKind::QueueEmpty, ""));
        };
        self.0.putters.wake_next();
        Ok(item)
    }

    /// Reports that an item which was taken out is done with. To be called once for each.
    ///
    /// # Errors
    ///
    /// [`Value`](crate::ErrorKind::Value) if it was called for all that were put in already.
    pub fn task_done(&self) -> Result<()> {
        let state = &*self.0;
        if state.unfinished.get() == 0 {
            return Err(Error::new(ErrorKind::Value, "task_done() called too many times"));
        }
        state.unfinished.set(state.unfinished.get() - 1);
        if state.unfinished.get() == 0 {
            state.finished.set();
        }
        Ok(())
    }

    /// Waits until every item that was put in is reported done.
    ///
    /// # Errors
    ///
    /// As [`Event::wait`].
    ///
    /// # Cancellation
    ///
    /// As [`Event::wait`].
    pub async fn join(&self) -> Result<()> {
        if self.0.unfinished.get() > 0 {
            self.0.finished.wait().await?;
        }
        Ok(())
    }

    /// Shuts it down: nothing more can be put in, and what is left can be taken out. All tasks that wait
    /// are woken, and get [`QueueShutDown`](crate::ErrorKind::QueueShutDown) where nothing is left.
    pub fn shutdown(&self) {
        let state = &*self.0;
        state.shut_down.set(true);
        state.getters.wake_all();
        state.putters.wake_all();
    }

    /// Like [`shutdown`](Queue::shutdown), and what is left is dropped, and counts as done:
    /// `shutdown(immediate=True)`.
    pub fn shutdown_now(&self) {
        self.0.shut_down.set(true);
        self.discard();
        self.shutdown();
    }

    #[inline]
    fn take(&self) -> Result<Option<T>> {
        let item = self.0.items.get()?;
        self.discard_if_due();
        Ok(item)
    }

    /// Takes everything out, as done. It is dropped last: what a drop does may come back here.
    #[cold]
    fn discard(&self) {
        let state = &*self.0;
        let mut discarded = Vec::new();
        let emptied = loop {
            match state.items.get() {
                Ok(Some(item)) => discarded.push(item),
                Ok(None) => break true,
                Err(_compared) => break false,
            }
        };
        state.discards_later.set(!emptied);
        state.unfinished.set(state.unfinished.get().saturating_sub(discarded.len()));
        if state.unfinished.get() == 0 {
            state.finished.set();
        }
    }

    #[inline]
    fn discard_if_due(&self) {
        if self.0.discards_later.get() {
            self.discard();
        }
    }

    fn check_open(&self) -> Result<()> {
        match self.0.shut_down.get() {
            true => Err(Error::new(ErrorKind::QueueShutDown, "")),
            false => Ok(()),
        }
    }
}

impl<T: 'static> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue(Rc::clone(&self.0))
    }
}

/// Shown as `<Queue maxsize=2 items=1 getters=1 tasks=3 shutdown>`, where those that were woken don't count.
impl<T: 'static> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &*self.0;
        write!(f, "<{} maxsize={}", state.what, state.maxsize)?;
        let counts = [
            ("items", self.qsize()),
            ("getters", state.getters.unwoken()),
            ("putters", state.putters.unwoken()),
            ("tasks", state.unfinished.get()),
        ];
        for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, " {name}={count}")?;
        }
        f.write_str(if state.shut_down.get() { " shutdown>" } else { ">" })
    }
}
