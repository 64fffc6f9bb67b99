//! [`TaskInfo`] and the task tree: all tasks, the wait of each, and the tasks that wait for it.
//!
//! Everything is read from what the tasks and futures know anyway. No coroutine is looked into and
//! none is polled, so it may be asked at any moment, also inside of a task's step.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::panic::Location;
use core::time::Duration;

use crate::asyncio::core::{
    AnyFuture, ErasedFuture, FutureId, Parked, TaskHeader, TaskRegistry, WaitReason,
};
use crate::event_loop::{LoopRef, Seconds, expect_running_loop};

/// The state of a task at one moment: asyncio's `FutureCallGraph` of a task.
///
/// It holds nothing of the task itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Which task it is.
    pub id: FutureId,
    /// Its name.
    pub name: String,
    /// Where it was made, if that is known.
    pub spawned_at: Option<&'static Location<'static>>,
    /// Its state at the time of the call.
    pub state: TaskState,
    /// The number of requests to cancel it, less those that were taken back.
    pub cancelling: usize,
    /// The things that it waits on: none, unless its state is [`Waiting`](TaskState::Waiting), but
    /// for the tasks of its groups.
    pub waits_on: Vec<Awaited>,
    /// The tasks that wait for it, be it by way of a future such as `gather`'s, oldest first.
    pub awaited_by: Vec<FutureId>,
}

/// The state of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TaskState {
    /// This is its step.
    Running,
    /// Its step is scheduled.
    Ready,
    /// Nothing, until something happens.
    Waiting,
}

/// The reason of a task's wait.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Awaited {
    /// Another task.
    Task(FutureId),
    /// The tasks of its [`TaskGroup`](crate::TaskGroup)s, which it may not wait for yet.
    Group(Vec<FutureId>),
    /// A time on the loop's clock; none when that has come.
    Sleep(Option<Duration>),
    /// A future that is not a task.
    #[non_exhaustive]
    Future {
        /// Which future it is.
        id: FutureId,
        /// Its purpose, as `Queue.get` or `gather`; `future` where the loop doesn't know.
        what: &'static str,
        /// Its name; empty if it has none.
        name: String,
        /// Where it was made, if the loop was in debug mode then and it was the program that
        /// made it.
        made_at: Option<&'static Location<'static>>,
        /// The tasks with callbacks that are to complete it, as far as they are known.
        tasks: Vec<FutureId>,
    },
    /// Another crate's future, which has a waker of the task.
    Foreign,
}

impl LoopRef {
    /// Returns the state of each task that is not over, oldest first: what it waits on, and which
    /// tasks wait for it. asyncio's `capture_call_graph`, for all tasks at once.
    ///
    /// It may be asked at any moment: nothing is polled for it. It takes a time in proportion to
    /// the number of tasks and pending timers.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::{Awaited, EventLoop, running_loop, sleep, yield_now, create_task};
    ///
    /// EventLoop::with_virtual_time().run_until_complete(async {
    ///     let _nap = create_task(sleep(Duration::from_secs(3)));
    ///     yield_now().await?;
    ///     let infos = running_loop()?.task_infos();
    ///     assert_eq!(infos[1].name, "Task-2");
    ///     assert_eq!(infos[1].waits_on, [Awaited::Sleep(Some(Duration::from_secs(3)))]);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    #[must_use]
    pub fn task_infos(&self) -> Vec<TaskInfo> {
        let tasks = TaskRegistry::of(self).all();
        let mut told: Told = BTreeMap::new();
        for task in &tasks {
            for awaiter in task.header().awaiters() {
                told.entry(awaiter).or_default().push(task.id());
            }
        }
        let deadlines = self.deadlines();
        let until = |address| deadlines.get(&address).copied();
        let info = |node: &ErasedFuture| Some(info(node, node.task()?, &told, &until));
        let mut infos: Vec<_> = tasks.iter().filter_map(info).collect();
        let mut awaited_by: BTreeMap<FutureId, Vec<FutureId>> = BTreeMap::new();
        for info in &infos {
            for task in info.tasks() {
                awaited_by.entry(task).or_default().push(info.id);
            }
        }
        for info in &mut infos {
            info.awaited_by = awaited_by.remove(&info.id).unwrap_or_default();
        }
        infos
    }

    /// The tasks that are not over, as text: a line for each, with its name, where it was made,
    /// and what it waits on; the tasks that it waits for stand below it. asyncio's
    /// `format_call_graph`, for all tasks at once.
    ///
    /// A task for which two others wait has its line once, and a mention in the other place; so
    /// have tasks that wait for each other. As [`task_infos`](LoopRef::task_infos), it may be asked
    /// at any moment.
    ///
    /// ```text
    /// 3 tasks at 1.500 s
    /// main made at src/main.rs:9: waits on gather of 2 tasks made at src/main.rs:14
    ///   Task-2 made at src/main.rs:12: waits on sleep until 3.200 s
    ///   Task-3 made at src/main.rs:13: waits on Queue.get
    /// ```
    #[must_use]
    pub fn task_tree(&self) -> String {
        Tree { infos: &self.task_infos(), time: self.time(), debug: self.debug() }.text()
    }

    /// Turns debug mode on or off: asyncio's `set_debug`. In debug mode a callback or task
    /// step that takes [`slow_callback_duration`](LoopRef::slow_callback_duration) or longer
    /// is logged as a warning, and futures note where they were made. They and tasks say so
    /// wherever they are shown: in that warning, in what the
    /// [exception handler](LoopRef::set_exception_handler) is told of an exception that was never
    /// retrieved, and in the [`task_tree`](LoopRef::task_tree). From the first time on that it is
    /// turned on, a [stall](crate::ErrorKind::Stalled) logs that tree, at the level `debug`. With
    /// debug assertions, as in `cargo run`, it always does.
    pub fn set_debug(&self, debug: bool) {
        if debug {
            self.log_at_stalls(LoopRef::waits);
        }
        self.turn_debug(debug);
    }

    /// Returns the task tree, if there are tasks.
    pub(crate) fn waits(&self) -> Option<String> {
        TaskRegistry::of(self).has_tasks().then(|| self.task_tree())
    }
}

/// The [`task_tree`](LoopRef::task_tree) of the loop that runs on this thread.
///
/// # Panics
///
/// Where no loop runs.
#[must_use]
#[track_caller]
pub fn task_tree() -> String {
    expect_running_loop().task_tree()
}

/// The tasks that notify a future, or a group's parent, of their ends by callbacks, under its
/// identity.
type Told = BTreeMap<FutureId, Vec<FutureId>>;

fn info(
    node: &ErasedFuture,
    task: &TaskHeader,
    told: &Told,
    until: &dyn Fn(*const ()) -> Option<Duration>,
) -> TaskInfo {
    let state = match (task.parked(), task.scheduled()) {
        (Parked::Running, _) => TaskState::Running,
        (_, true) => TaskState::Ready,
        _ => TaskState::Waiting,
    };
    let mut waits_on = Vec::new();
    if state == TaskState::Waiting {
        if let Some(reason) = task.own_wait() {
            waits_on.push(own_wait(node, reason, until));
        }
        waits_on.extend(node.waits().iter().filter_map(|wait| awaited(wait, told, until)));
        if task.parked() == Parked::Foreign {
            waits_on.push(Awaited::Foreign);
        }
    }
    let id = node.id();
    waits_on.extend(told.get(&id).cloned().map(Awaited::Group));
    TaskInfo {
        id,
        name: node.name(),
        spawned_at: Some(task.created_at()),
        state,
        cancelling: task.cancelling(),
        waits_on,
        awaited_by: Vec::new(),
    }
}

/// Returns the wait of the task `node` that is no future's.
fn own_wait(
    node: &ErasedFuture,
    reason: WaitReason,
    until: &dyn Fn(*const ()) -> Option<Duration>,
) -> Awaited {
    let address = node.own_wait_address();
    if reason == WaitReason::Sleep {
        return Awaited::Sleep(until(address));
    }
    let (id, what, tasks) = (FutureId::at(address), reason.words(), Vec::new());
    Awaited::Future { id, what, name: String::new(), made_at: None, tasks }
}

/// Returns `node` as a wait of the task that awaits it. `None` for the future of a group: the
/// parent waits on the group itself.
fn awaited(
    node: &ErasedFuture,
    told: &Told,
    until: &dyn Fn(*const ()) -> Option<Duration>,
) -> Option<Awaited> {
    let id = node.id();
    if node.task().is_some() {
        return Some(Awaited::Task(id));
    }
    match node.header().reason() {
        WaitReason::Sleep => Some(Awaited::Sleep(until(node.address()))),
        WaitReason::Group => None,
        reason => Some(Awaited::Future {
            id,
            what: reason.words(),
            name: node.header().name().unwrap_or_default(),
            made_at: node.header().made_at(),
            tasks: told.get(&id).cloned().unwrap_or_default(),
        }),
    }
}

impl TaskInfo {
    /// The tasks that it waits for.
    fn tasks(&self) -> BTreeSet<FutureId> {
        let tasks = self.waits_on.iter().flat_map(|awaited| match awaited {
            Awaited::Task(task) => core::slice::from_ref(task),
            Awaited::Group(tasks) | Awaited::Future { tasks, .. } => tasks,
            Awaited::Sleep(_) | Awaited::Foreign => &[],
        });
        tasks.copied().collect()
    }
}

/// Deeper than this, a line says how deep it stands and isn't moved in any further: a chain of
/// tasks may be very long.
const DEEPEST: usize = 32;

struct Tree<'a> {
    infos: &'a [TaskInfo],
    time: Duration,
    debug: bool,
}

/// A part of the walk that is still to be done. There is no recursion, so that deep trees need no
/// deep stack.
enum Step {
    Enter { at: usize, depth: usize },
    Leave { at: usize },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    NotYet,
    /// The tasks below it are being shown.
    Above,
    Done,
}

impl Tree<'_> {
    fn text(&self) -> String {
        let count = self.infos.len();
        let mut text = format!("{count} tasks at {} s\n", Seconds(self.time));
        let places: BTreeMap<_, _> =
            self.infos.iter().enumerate().map(|(at, info)| (info.id, at)).collect();
        let mut shown: Vec<_> = self.infos.iter().map(|_| Shown::NotYet).collect();
        // Tasks that wait in a circle have no root, and stand after the others.
        let roots = (0..count).filter(|at| self.infos[*at].awaited_by.is_empty());
        for root in roots.chain(0..count) {
            if shown[root] != Shown::NotYet {
                continue;
            }
            let mut steps = Vec::from([Step::Enter { at: root, depth: 0 }]);
            while let Some(step) = steps.pop() {
                let (at, depth) = match step {
                    Step::Enter { at, depth } => (at, depth),
                    Step::Leave { at } => {
                        shown[at] = Shown::Done;
                        continue;
                    }
                };
                // Writing to a String does not fail.
                let _ = self.line(&mut text, at, depth, shown[at], &places);
                if shown[at] != Shown::NotYet {
                    continue;
                }
                shown[at] = Shown::Above;
                steps.push(Step::Leave { at });
                let below = self.infos[at].tasks();
                let mut below: Vec<_> = below.iter().filter_map(|id| places.get(id)).collect();
                below.sort_unstable();
                let enter = |at: &usize| Step::Enter { at: *at, depth: depth + 1 };
                steps.extend(below.into_iter().rev().map(enter));
            }
        }
        text
    }

    fn line(
        &self,
        text: &mut String,
        at: usize,
        depth: usize,
        shown: Shown,
        places: &BTreeMap<FutureId, usize>,
    ) -> fmt::Result {
        for _ in 0..depth.min(DEEPEST) {
            text.push_str("  ");
        }
        if depth > DEEPEST {
            write!(text, "({depth} deep) ")?;
        }
        let info = &self.infos[at];
        text.push_str(&info.name);
        match shown {
            Shown::NotYet => {}
            Shown::Above => return text.write_str(": as above, in a circle\n"),
            Shown::Done => return text.write_str(": as above\n"),
        }
        self.site(text, info.spawned_at)?;
        text.push_str(match info.state {
            TaskState::Running => ": runs now",
            TaskState::Ready => ": is ready",
            TaskState::Waiting => ": waits on ",
        });
        for (number, awaited) in info.waits_on.iter().enumerate() {
            match (number, info.state) {
                (0, TaskState::Waiting) => {}
                (0, _) => text.push_str(", has "),
                _ => text.push_str(", "),
            }
            self.awaited(text, awaited, places)?;
        }
        if info.waits_on.is_empty() && info.state == TaskState::Waiting {
            text.push_str("nothing");
        }
        if info.cancelling > 0 {
            text.push_str(", is being cancelled");
        }
        text.write_str("\n")
    }

    fn awaited(
        &self,
        text: &mut String,
        awaited: &Awaited,
        places: &BTreeMap<FutureId, usize>,
    ) -> fmt::Result {
        match awaited {
            Awaited::Task(task) => match places.get(task) {
                Some(at) => text.write_str(&self.infos[*at].name),
                None => text.write_str("a task that is over"),
            },
            Awaited::Group(tasks) => write!(text, "a TaskGroup of {}", count(tasks)),
            Awaited::Sleep(Some(until)) => write!(text, "sleep until {} s", Seconds(*until)),
            Awaited::Sleep(None) => text.write_str("sleep, whose time has come"),
            Awaited::Foreign => text.write_str("another crate's future"),
            Awaited::Future { what, name, made_at, tasks, .. } => {
                text.write_str(what)?;
                if !name.is_empty() {
                    write!(text, " '{name}'")?;
                }
                if !tasks.is_empty() {
                    write!(text, " of {}", count(tasks))?;
                }
                match made_at {
                    None if *what != WaitReason::Future.words() => Ok(()),
                    site => self.site(text, *site),
                }
            }
        }
    }

    fn site(&self, text: &mut String, site: Option<&Location<'_>>) -> fmt::Result {
        match site {
            Some(site) => write!(text, " made at {}:{}", site.file(), site.line()),
            None if self.debug => text.write_str(" made before debug mode was on"),
            None => text.write_str(" made at unknown (debug mode is off)"),
        }
    }
}

fn count(tasks: &[FutureId]) -> String {
    match tasks.len() {
        1 => String::from("1 task"),
        count => format!("{count} tasks"),
    }
}
