//! A cancellation goes through any graph of tasks, with circles in it and however deep, and ends.
//!
//! Nodes are tasks, each of which awaits others in its own way. Those that await each other never end
//! by themselves; cancelled they do.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{
    AnyFuture, EventLoop, Result, ReturnWhen, Task, TaskGroup, gather, gather_outcomes, run_on,
    shield, sleep, timeout, wait, wait_for, yield_now,
};

use crate::combinators::{boxed, join};
use crate::driver::secs;

/// A way for a task to await others.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    /// One after the other.
    Await,
    Gather,
    Outcomes,
    Timeout,
    WaitFor,
    Shield,
    Wait,
    /// All at once, in one task.
    Join,
    Group,
}

impl Way {
    const ALL: [Way; 9] = [
        Way::Await,
        Way::Gather,
        Way::Outcomes,
        Way::Timeout,
        Way::WaitFor,
        Way::Shield,
        Way::Wait,
        Way::Join,
        Way::Group,
    ];

    /// Those by which a task awaits one thing at a time, as it does in asyncio.
    const ONE_AT_A_TIME: &[Way] = Way::ALL.split_at(7).0;

    /// All but groups, where children wait for the parent that waits for them: a circle through a
    /// group is a deadlock, in CPython too.
    const WITHOUT_GROUPS: &[Way] = Way::ALL.split_at(8).0;

    /// Those that pass a cancellation on to what they await.
    fn passes_on(self) -> bool {
        !matches!(self, Way::Shield | Way::Wait)
    }

    async fn run(self, targets: Vec<Task<()>>) -> Result<()> {
        let Some(first) = targets.first().cloned() else { return sleep(secs(3_600)).await };
        match self {
            Way::Await => {
                for target in targets {
                    target.await?;
                }
                Ok(())
            }
            Way::Join => {
                let all = targets.iter().map(|target| boxed(target.into_future())).collect();
                join(all).await.into_iter().collect()
            }
            Way::Gather => gather(&targets).await.map(drop),
            Way::Outcomes => gather_outcomes(&targets).await.map(drop),
            Way::Timeout => timeout(secs(7_200), async |_| first.await).await,
            Way::WaitFor => wait_for(first, None).await,
            Way::Shield => shield(&first).await,
            Way::Wait => wait(targets, None, ReturnWhen::AllCompleted).await.map(drop),
            Way::Group => {
                TaskGroup::scope(async |group| {
                    for target in targets {
                        group.create_task(async move { target.await })?;
                    }
                    Ok(())
                })
                .await
            }
        }
    }
}

struct Node {
    way: Way,
    /// By their places.
    targets: Vec<usize>,
}

/// The tasks of a graph, each at what it awaits.
fn tasks_of(event_loop: &EventLoop, graph: &[Node]) -> Vec<Task<()>> {
    let places: Rc<RefCell<Vec<Task<()>>>> = Rc::default();
    for node in graph {
        let (way, targets, places_) = (node.way, node.targets.clone(), places.clone());
        let task = event_loop.create_task(async move {
            let targets = targets.into_iter().map(|target| places_.borrow()[target].clone());
            let targets = targets.collect();
            drop(places_);
            way.run(targets).await
        });
        places.borrow_mut().push(task.unwrap());
    }
    settle(event_loop, graph.len());
    places.take()
}

/// Runs what is ready, which is bounded work.
fn settle(event_loop: &EventLoop, size: usize) {
    for _ in 0..100 * size + 1_000 {
        if event_loop.run_once(Some(Duration::ZERO)).unwrap() == 0 {
            return;
        }
    }
    panic!("the loop does not come to rest");
}

/// The places that a cancellation of `root` must end: all tasks on its way that are not done.
fn reach(graph: &[Node], tasks: &[Task<()>], root: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut further = vec![root];
    while let Some(place) = further.pop() {
        if tasks[place].done() || !reached.insert(place) {
            continue;
        }
        let Node { way, targets } = &graph[place];
        match way {
            _ if !way.passes_on() => {}
            // They are at the first that is not done.
            Way::Await => further.extend(targets.iter().find(|target| !tasks[**target].done())),
            Way::WaitFor | Way::Timeout => further.extend(targets.first()),
            _ => further.extend(targets),
        }
    }
    reached
}

fn random_graph(random: &mut fastrand::Rng, ways: &[Way], size: usize) -> Vec<Node> {
    let node = |place| {
        let way = ways[random.usize(..ways.len())];
        let mut targets: Vec<usize> =
            (0..random.usize(..4)).map(|_| random.usize(..size)).collect();
        // An await of itself is an error at once, and no circle.
        targets.retain(|target| *target != place || matches!(way, Way::Gather | Way::Outcomes));
        targets.dedup();
        Node { way, targets }
    };
    (0..size).map(node).collect()
}

/// Cancels one or two tasks of a random graph.
fn cancel_in_random_graph(seed: u64, ways: &[Way], most: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let size = random.usize(1..=most);
    let graph = random_graph(&mut random, ways, size);
    let event_loop = EventLoop::with_virtual_time();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
    let tasks = tasks_of(&event_loop, &graph);
    let mut reached = BTreeSet::new();
    for _ in 0..random.usize(1..=2) {
        let root = random.usize(..size);
        reached.extend(reach(&graph, &tasks, root));
        let pending = !tasks[root].done();
        assert_eq!(tasks[root].cancel(), pending, "seed {seed}");
        assert!(!pending || tasks[root].cancelling() > 0, "seed {seed}");
        // In between, a task may be about to go on from what it no longer awaits.
        if random.bool() {
            settle(&event_loop, size);
        }
    }
    settle(&event_loop, size);
    if !ways.contains(&Way::Group) {
        let left = reached.iter().filter(|place| !tasks[**place].done());
        assert_eq!(left.count(), 0, "seed {seed}: told and not done");
    }
}

#[test]
fn a_cancel_ends_what_it_reaches_in_a_random_graph() {
    for seed in 0..3_000 {
        cancel_in_random_graph(seed, Way::ONE_AT_A_TIME, 8);
    }
    for seed in 0..30 {
        cancel_in_random_graph(seed, Way::ONE_AT_A_TIME, 300);
    }
}

/// Of several awaits in a task, the one in the circle is to return the cancellation.
#[test]
fn a_cancel_ends_what_it_reaches_through_joins() {
    for seed in 0..3_000 {
        cancel_in_random_graph(seed, &[Way::Await, Way::Timeout, Way::Shield, Way::Join], 8);
    }
    for seed in 0..3_000 {
        cancel_in_random_graph(seed, Way::WITHOUT_GROUPS, 8);
    }
}

#[test]
fn a_cancel_returns_from_a_random_graph_with_groups() {
    for seed in 0..3_000 {
        cancel_in_random_graph(seed, &Way::ALL, 8);
    }
    for seed in 0..30 {
        cancel_in_random_graph(seed, &Way::ALL, 300);
    }
}

#[test]
fn a_cancel_ends_what_it_reaches_without_gatherings() {
    let ways = [Way::Await, Way::Timeout, Way::WaitFor, Way::Shield, Way::Wait];
    for seed in 0..1_000 {
        cancel_in_random_graph(seed, &ways, 12);
    }
}

#[test]
fn run_ends_whatever_graph_its_main_leaves() {
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let graph = random_graph(&mut random, Way::ONE_AT_A_TIME, 8);
        let event_loop = EventLoop::with_virtual_time();
        event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
        let tasks = tasks_of(&event_loop, &graph);
        run_on(&event_loop, yield_now()).unwrap();
        assert!(tasks.iter().all(AnyFuture::done), "seed {seed}");
    }
}

/// Tasks each of which awaits the next, in one of several ways by turns; the last awaits the first.
fn circle(ways: &[Way], size: usize) -> Vec<Node> {
    let node = |place| Node { way: ways[place % ways.len()], targets: vec![(place + 1) % size] };
    (0..size).map(node).collect()
}

fn cancel_in_circle(ways: &[Way], size: usize) {
    let graph = circle(ways, size);
    let event_loop = EventLoop::with_virtual_time();
    let tasks = tasks_of(&event_loop, &graph);
    assert!(tasks.iter().all(|task| !task.done()));
    let reached = reach(&graph, &tasks, 0);
    assert!(tasks[0].cancel());
    settle(&event_loop, size);
    assert!(reached.iter().all(|place| tasks[*place].done()), "{ways:?}");
    // Tasks that a shield has kept the cancel from are cancelled by themselves.
    for task in &tasks {
        task.cancel();
    }
    settle(&event_loop, size);
    assert!(tasks.iter().all(AnyFuture::done), "{ways:?}");
}

#[test]
fn a_cancel_ends_small_circles_of_each_way() {
    for one in Way::WITHOUT_GROUPS {
        for other in Way::WITHOUT_GROUPS {
            for size in 2..6 {
                cancel_in_circle(&[*one, *other], size);
            }
        }
    }
}

#[test]
fn a_cancel_ends_a_circle_of_a_hundred_thousand() {
    const DEEP: usize = 100_000;
    cancel_in_circle(&[Way::Gather], DEEP);
    cancel_in_circle(&[Way::Await, Way::Gather, Way::Timeout, Way::Outcomes, Way::Join], DEEP);
    cancel_in_circle(Way::WITHOUT_GROUPS, DEEP);
}

#[test]
fn a_gathering_that_waits_for_itself_is_cancelled() {
    let event_loop = EventLoop::with_virtual_time();
    let place = Rc::new(RefCell::new(None));
    let own = place.clone();
    let task = event_loop
        .create_task(async move {
            yield_now().await?;
            let gathering: callsoon::LoopFuture<Vec<()>> = own.take().expect("it was made");
            gathering.await.map(drop)
        })
        .unwrap();
    let gathering = gather([&task]);
    place.replace(Some(gathering.clone()));
    settle(&event_loop, 2);
    assert!(gathering.cancel());
    settle(&event_loop, 2);
    assert!(task.cancelled());
    // Asyncio's rule: a gathering that was asked to cancel ends with that as its exception.
    assert!(gathering.exception().unwrap().is_some_and(|error| error.is_cancelled()));
}

/// Each level awaits the next twice, so that there are as many ways down as two to the power of the
/// levels.
#[test]
fn a_cancel_of_a_lattice_takes_no_step_for_each_way_down() {
    const LEVELS: usize = 60;
    for way in [Way::Join, Way::Gather, Way::Outcomes] {
        let node = |place: usize| match place {
            _ if place + 2 >= 2 * LEVELS => Node { way, targets: vec![] },
            _ => {
                let below = (place / 2 + 1) * 2;
                Node { way, targets: vec![below, below + 1] }
            }
        };
        let graph: Vec<Node> = (0..2 * LEVELS).map(node).collect();
        let event_loop = EventLoop::with_virtual_time();
        let tasks = tasks_of(&event_loop, &graph);
        assert!(tasks[0].cancel());
        settle(&event_loop, graph.len());
        // The second task of the top level was not cancelled: what it awaits was.
        assert!(tasks.iter().all(AnyFuture::done), "{way:?}");
    }
}

#[test]
fn a_cancel_in_a_circle_through_a_group_returns() {
    for size in 1..5 {
        let event_loop = EventLoop::with_virtual_time();
        let tasks = tasks_of(&event_loop, &circle(&[Way::Group], size));
        assert_eq!(tasks[0].cancel(), !tasks[0].done());
        settle(&event_loop, size);
    }
}
