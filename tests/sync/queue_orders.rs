//! The orders in which items leave a `Queue`, a `LifoQueue` and a `PriorityQueue`.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::rc::Rc;

use callsoon::{Queue, create_task};

use crate::by_hand::{run, turns};
use crate::support::on_drop::on_drop;

fn drain<T>(queue: &Queue<T>) -> Vec<T> {
    std::iter::from_fn(|| queue.get_nowait().ok()).collect()
}

fn fill(queue: &Queue<i32>) {
    for item in [3, 1, 4, 1, 5] {
        queue.put_nowait(item).unwrap();
    }
}

// CPython: test_queues.QueueBasicTests.test_repr
// CPython: test_queues.QueueBasicTests.test_order
// CPython: test_queues.QueuePutTests.test_nonblocking_put
// CPython: test_queues.LifoQueueTests.test_order
// CPython: test_queues.PriorityQueueTests.test_order
#[test]
fn first_last_or_least_comes_first() {
    let orders: [(Queue<i32>, _, _); 3] = [
        (Queue::new(5), "Queue", [3, 1, 4, 1, 5]),
        (Queue::lifo(5), "LifoQueue", [5, 1, 4, 1, 3]),
        (Queue::priority(5), "PriorityQueue", [1, 1, 3, 4, 5]),
    ];
    for (queue, name, expected) in orders {
        fill(&queue);
        assert!(queue.full());
        assert_eq!(format!("{queue:?}"), format!("<{name} maxsize=5 items=5 tasks=5>"));
        assert_eq!(drain(&queue), expected, "{name}");
    }
}

// CPython: test_queues._QueueJoinTestMixin.test_format
#[test]
fn a_queue_of_another_order_is_a_queue() {
    run(async {
        let stack = Queue::lifo(1);
        let filling = {
            let stack = stack.clone();
            create_task(async move { stack.put(2).await })
        };
        stack.put(1).await?;
        turns(1).await?;
        assert_eq!(format!("{stack:?}"), "<LifoQueue maxsize=1 items=1 putters=1 tasks=1>");
        assert_eq!(stack.get().await?, 1);
        filling.await?;
        stack.shutdown_now();
        assert!(stack.empty());

        let chores = Queue::priority(0);
        chores.put("b").await?;
        chores.clone().put("a").await?;
        assert_eq!(format!("{chores:?}"), "<PriorityQueue maxsize=0 items=2 tasks=2>");
        assert_eq!(chores.get_nowait()?, "a");
        Ok(())
    });
}

/// Of two with one rank neither is less.
struct Chore {
    rank: u32,
    made: usize,
}

impl Ord for Chore {
    fn cmp(&self, other: &Chore) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Chore {
    fn partial_cmp(&self, other: &Chore) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Chore {
    fn eq(&self, other: &Chore) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Chore {}

/// Ties come out as CPython's `heapq` has them. A digit puts a chore of that rank, a dot gets.
#[test]
fn equals_come_in_the_order_of_the_original_heap() {
    let steps = "2220.2222.0.2020.2....20.01.2.1221.....1..2...02.001..2.2100";
    let expected = [
        3, 2, 8, 10, 12, 7, 9, 13, 15, 16, 17, 19, 22, 18, 4, 21, 23, 6, 1, 0, 5, 25, 27, 28, 29,
        33, 34, 32, 26, 31, 30, 24, 20, 14, 11,
    ];
    let queue = Queue::priority(0);
    let (mut made, mut seen) = (0, Vec::new());
    for step in steps.chars() {
        if let Some(rank) = step.to_digit(10) {
            queue.put_nowait(Chore { rank, made }).unwrap();
            made += 1;
        } else {
            seen.push(queue.get_nowait().unwrap().made);
        }
    }
    seen.extend(drain(&queue).iter().map(|chore| chore.made));
    assert_eq!(seen, expected);
}

/// Nothing of the queue is borrowed while it drops items.
#[test]
fn an_item_that_is_dropped_may_come_back_to_its_queue() {
    let queue = Queue::new(0);
    let seen = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..2 {
        let (back, seen) = (queue.clone(), seen.clone());
        let item: Box<dyn std::any::Any> = Box::new(on_drop(move || {
            seen.borrow_mut().push((back.qsize(), back.get_nowait().is_err()));
        }));
        queue.put_nowait(item).unwrap();
    }
    queue.shutdown_now();
    assert_eq!(*seen.borrow(), [(0, true), (0, true)]);
}
