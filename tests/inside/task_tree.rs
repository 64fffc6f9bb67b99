//! The task tree: each wait by its name, each task with its place in the source, at any moment.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use callsoon::{
    Awaited, Condition, ErrorKind, Event, EventLoop, Lock, LoopFuture, Queue, Result, Semaphore,
    Task, TaskGroup, TaskState, create_task, gather, running_loop, shield, sleep, task_tree,
    to_thread, wait, wait_for, wrap_future, yield_now,
};

use crate::support::log_lines::log_lines_of;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[track_caller]
fn run<T: Clone + 'static>(main: impl Future<Output = Result<T>> + 'static) -> Result<T> {
    EventLoop::with_virtual_time().run_until_complete(main)
}

fn named<T: 'static>(
    name: &str,
    future: impl Future<Output = Result<T>> + 'static,
) -> Result<Task<T>> {
    let task = create_task(future);
    task.set_name(name);
    Ok(task)
}

/// The tree without its first line, and without the places of the tasks, which are this file's.
fn shape(tree: &str) -> Vec<String> {
    let own = format!(" made at {}:", file!());
    let plain = |line: &str| {
        let mut parts = line.split(&own);
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            plain += part.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        plain
    };
    tree.lines().skip(1).map(plain).collect()
}

/// The tree's lines of all tasks but main.
fn others() -> Result<Vec<String>> {
    let lines = shape(&task_tree());
    Ok(lines.into_iter().filter(|line| !line.starts_with("Task-1:")).collect())
}

#[test]
fn tree_has_each_tasks_name_place_and_awaited_future() {
    let tree = run(async {
        let line = line!() + 1;
        let task = create_task(sleep(Duration::from_millis(3200)));
        sleep(secs(1)).await?;
        let tree = task_tree();
        drop(task);
        Ok((line, tree))
    });
    let (line, tree) = tree.unwrap();
    let expected = format!("Task-2 made at {}:{line}: waits on sleep until 3.200 s", file!());
    assert_eq!(tree.lines().next(), Some("2 tasks at 1.000 s"));
    assert_eq!(tree.lines().last(), Some(&*expected), "{tree}");
}

// CPython: test_tasks.BaseTaskTests.test_task_repr_wait_for
#[test]
fn every_wait_has_its_name() {
    run(async {
        let queue = Queue::<u8>::new(1);
        let full = Queue::new(1);
        full.put_nowait(1)?;
        let (lock, event, semaphore) = (Lock::new(), Event::new(), Semaphore::new(0));
        let held = lock.lock().await?;
        let condition = Condition::new();
        let inner = running_loop()?.create_future::<u8>();
        let (takes, puts, locks) = (queue.clone(), full.clone(), lock.clone());
        let (waits, shielded) = (event.clone(), inner.clone());
        let awaits = inner.clone();
        awaits.set_name("inner");
        let tasks = [
            named("get", async move { takes.get().await.map(drop) })?,
            named("put", async move { puts.put(2).await })?,
            named("lock", async move { locks.acquire().await })?,
            named("event", async move { waits.wait().await })?,
            named(
                "condition",
                async move { condition.scope(async || condition.wait().await).await },
            )?,
            named("semaphore", async move { semaphore.acquire().await })?,
            named("shield", async move { shield(&shielded).await.map(drop) })?,
            named("future", async move { awaits.await.map(drop) })?,
            named("foreign", async { pending().await })?,
            named("wrapped", async { wrap_future(pending::<()>()).await })?,
            named("sleep", sleep(secs(9)))?,
            named("yield", async {
                loop {
                    yield_now().await?
                }
            })?,
        ];
        yield_now().await?;
        assert_eq!(
            others()?,
            [
                "get: waits on Queue.get",
                "put: waits on Queue.put",
                "lock: waits on Lock.acquire",
                "event: waits on Event.wait",
                "condition: waits on Condition.wait",
                "semaphore: waits on Semaphore.acquire",
                "shield: waits on shield",
                "future: waits on future 'inner' made at unknown (debug mode is off)",
                "foreign: waits on another crate's future",
                "wrapped: waits on wrap_future",
                "sleep: waits on sleep until 9.000 s",
                "yield: is ready",
            ]
        );
        drop((held, tasks));
        Ok(())
    })
    .unwrap();
}

#[test]
fn in_debug_mode_a_future_has_its_place() {
    run(async {
        running_loop()?.set_debug(true);
        let line = line!() + 1;
        let future = running_loop()?.create_future::<()>();
        let task = create_task(async move { future.await });
        yield_now().await?;
        let expected = format!(": waits on future made at {}:{line}", file!());
        let tree = task_tree();
        assert!(tree.lines().any(|line| line.ends_with(&expected)), "{tree}");
        drop(task);
        Ok(())
    })
    .unwrap();
}

#[test]
fn tree_has_awaited_tasks_below_their_awaiter() {
    run(async {
        let naps: Vec<_> =
            (1..=3).map(|n| named(&format!("nap-{n}"), sleep(secs(n)))).collect::<Result<_>>()?;
        let gathered = naps.clone();
        let waited = naps.clone();
        named("gathers", async move { gather(&gathered[..2]).await.map(drop) })?;
        let last =
            named(
                "waits",
                async move { wait(&waited[2..], None, Default::default()).await.map(drop) },
            )?;
        named("awaits", async move { last.await })?;
        named("limited", async { wait_for(named("child", sleep(secs(7)))?, secs(8)).await })?;
        named("group", async {
            TaskGroup::scope(async |group| {
                group.create_task(sleep(secs(5)))?.set_name("of-group");
                sleep(secs(4)).await
            })
            .await
        })?;
        yield_now().await?;
        yield_now().await?;
        assert_eq!(
            others()?,
            [
                "gathers: waits on gather of 2 tasks",
                "  nap-1: waits on sleep until 1.000 s",
                "  nap-2: waits on sleep until 2.000 s",
                "awaits: waits on waits",
                "  waits: waits on wait of 1 task",
                "    nap-3: waits on sleep until 3.000 s",
                "limited: waits on child",
                "  child: waits on sleep until 7.000 s",
                "group: waits on sleep until 4.000 s, a TaskGroup of 1 task",
                "  of-group: waits on sleep until 5.000 s",
            ]
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_task_for_which_two_wait_stands_once_and_a_circle_ends() {
    run(async {
        let shared = named("shared", sleep(secs(1)))?;
        for name in ["first", "second"] {
            let shared = shared.clone();
            named(name, async move { shared.await })?;
        }
        let ring: Rc<RefCell<Vec<Task<()>>>> = Rc::default();
        for at in 0..3 {
            let own = ring.clone();
            let next = async move {
                let next = own.borrow()[(at + 1) % 3].clone();
                next.await
            };
            ring.borrow_mut().push(named(&format!("ring-{at}"), next)?);
        }
        yield_now().await?;
        assert_eq!(
            others()?,
            [
                "first: waits on shared",
                "  shared: waits on sleep until 1.000 s",
                "second: waits on shared",
                "  shared: as above",
                "ring-0: waits on ring-1",
                "  ring-1: waits on ring-2",
                "    ring-2: waits on ring-0",
                "      ring-0: as above, in a circle",
            ]
        );
        let infos = running_loop()?.task_infos();
        let shared = infos.iter().find(|info| info.name == "shared").unwrap();
        let by = |id| infos.iter().find(|info| info.id == id).unwrap().name.as_str();
        assert_eq!(
            shared.awaited_by.iter().map(|id| by(*id)).collect::<Vec<_>>(),
            ["first", "second"]
        );
        ring.borrow()[0].cancel();
        Ok(())
    })
    .unwrap();
}

#[test]
fn several_waits_of_one_task_are_all_there() {
    run(async {
        named("joins", async {
            let (mut one, mut two) = (pin!(sleep(secs(1))), pin!(sleep(secs(2))));
            poll_fn(|cx| {
                let (one, two) = (one.as_mut().poll(cx), two.as_mut().poll(cx));
                if one.is_ready() && two.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
            })
            .await
        })?;
        yield_now().await?;
        let both = "joins: waits on sleep until 1.000 s, sleep until 2.000 s";
        assert_eq!(others()?, [both]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn of_a_long_chain_no_line_grows_with_its_depth() {
    const LENGTH: usize = 5_000;
    run(async {
        let mut last = named("link-0", sleep(secs(1)))?;
        for at in 1..LENGTH {
            let next = last.clone();
            last = named(&format!("link-{at}"), async move { next.await })?;
        }
        yield_now().await?;
        let lines = others()?;
        assert_eq!(lines.len(), LENGTH);
        assert!(lines.iter().all(|line| line.len() < 200));
        let deepest = format!("({} deep) link-0: waits on sleep until 1.000 s", LENGTH - 1);
        assert_eq!(lines[LENGTH - 1].trim_start(), deepest);
        last.await
    })
    .unwrap();
}

#[test]
fn tree_can_be_read_inside_a_step_poll_callback_and_drop() {
    struct AsksInDrop(Rc<RefCell<Vec<String>>>);
    impl Drop for AsksInDrop {
        fn drop(&mut self) {
            let tree = task_tree();
            self.0.borrow_mut().push(tree);
        }
    }
    let seen = Rc::new(RefCell::new(Vec::new()));
    let trees = seen.clone();
    let event_loop = EventLoop::with_virtual_time();
    assert_eq!(event_loop.task_tree(), "0 tasks at 0.000 s\n");
    event_loop
        .run_until_complete(async move {
            let asks = AsksInDrop(trees.clone());
            let task = named("held", async move {
                let _asks = asks;
                sleep(secs(1)).await
            })?;
            let on = running_loop()?;
            let state = |name: &str| {
                on.task_infos().into_iter().find(|info| info.name == name).map(|info| info.state)
            };
            poll_fn(|_| {
                assert_eq!(state("Task-1"), Some(TaskState::Running));
                assert_eq!(state("held"), Some(TaskState::Ready));
                Poll::Ready(())
            })
            .await;
            let in_callback = trees.clone();
            on.call_soon(move || in_callback.borrow_mut().push(task_tree()))?;
            task.await
        })
        .unwrap();
    let seen: Vec<_> = seen.borrow().iter().map(|tree| shape(tree)).collect();
    let in_callback = ["Task-1: waits on held", "  held: waits on sleep until 1.000 s"];
    assert_eq!(seen[0], in_callback);
    assert_eq!(seen[1][1], "  held: runs now", "{seen:?}");
    assert!(event_loop.task_infos().is_empty());
}

#[test]
fn tree_marks_a_sleep_that_is_due() {
    let event_loop = EventLoop::with_virtual_time();
    let seen = Rc::new(RefCell::new(String::new()));
    let tree = seen.clone();
    // Due in the turn of the sleep's end, and before it.
    event_loop.call_at(secs(1), move || *tree.borrow_mut() = task_tree()).unwrap();
    event_loop.run_until_complete(sleep(secs(1))).unwrap();
    assert_eq!(shape(&seen.borrow()), ["Task-1: waits on sleep, whose time has come"]);
}

#[test]
fn a_task_that_is_being_cancelled_says_so() {
    run(async {
        let stubborn = named("stubborn", async {
            let _ = sleep(secs(9)).await;
            sleep(secs(5)).await
        })?;
        yield_now().await?;
        stubborn.cancel();
        assert_eq!(others()?, ["stubborn: is ready, is being cancelled"]);
        yield_now().await?;
        assert_eq!(others()?, ["stubborn: waits on sleep until 5.000 s, is being cancelled"]);
        assert_eq!(running_loop()?.task_infos()[1].cancelling, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_a_thread_does_is_waited_on_by_its_name() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    run(async move {
        let task = named("threads", async move {
            to_thread(move || gone.recv().map_err(|_| callsoon::Error::cancelled())).await
        })?;
        yield_now().await?;
        assert_eq!(others()?, ["threads: waits on run_in_executor"]);
        go.send(()).unwrap();
        task.await
    })
    .unwrap();
}

#[test]
fn a_stall_has_the_tree_in_the_debug_log() {
    let event_loop = EventLoop::with_virtual_time();
    let future: LoopFuture<()> = event_loop.create_future();
    let awaited = future.clone();
    let task = event_loop.create_task(async move { awaited.await }).unwrap();
    if !cfg!(debug_assertions) {
        let lines = log_lines_of(|| drop(event_loop.run_forever()));
        assert!(lines.is_empty(), "it was not requested: {lines:?}");
        event_loop.set_debug(true);
        event_loop.set_debug(false);
    }
    let lines = log_lines_of(|| {
        let stalled = event_loop.run_forever().unwrap_err();
        assert_eq!(stalled.kind(), ErrorKind::Stalled);
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (first, tree) = lines[0].split_once('\n').unwrap();
    assert_eq!(first, "DEBUG: nothing is left that could ever happen on this loop");
    assert_eq!(shape(tree), ["Task-1: waits on future made at unknown (debug mode is off)"]);
    let infos = event_loop.task_infos();
    assert!(matches!(&infos[0].waits_on[..], [Awaited::Future { id, .. }] if *id == future.id()));
    drop(task);
    future.cancel();
    event_loop.run_once(None).unwrap();
    let lines = log_lines_of(|| drop(event_loop.run_forever()));
    assert!(lines.is_empty(), "no task waits: {lines:?}");
}
