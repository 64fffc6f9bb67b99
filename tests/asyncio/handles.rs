//! Handles of tasks, futures and callbacks in sets, and the names of tasks.

use std::collections::{BTreeSet, HashSet};

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use callsoon::{
    AnyFuture, Await, LoopFuture, Task, all_tasks, create_task, current_task, running_loop, sleep,
};

use crate::driver::run;

#[test]
fn handles_are_equal_by_the_identity_of_their_future() {
    run(async {
        let on = running_loop()?;
        let tasks: Vec<Task<u8>> = (0..3).map(|n| create_task(async move { Ok(n) })).collect();
        let set: HashSet<_> = tasks.iter().cloned().chain(tasks.iter().cloned()).collect();
        assert_eq!(set.len(), 3);
        assert!(set.contains(&tasks[1]) && tasks[0] == tasks[0].clone() && tasks[0] != tasks[1]);
        let sorted: BTreeSet<_> = tasks.iter().cloned().collect();
        assert!(sorted.iter().map(Task::id).is_sorted());
        let futures: Vec<LoopFuture<u8>> = (0..2).map(|_| on.create_future()).collect();
        assert!(futures[0] == futures[0].clone() && futures[0] != futures[1]);
        let known: HashSet<_> = all_tasks().into_iter().collect();
        assert_eq!(known.len(), 4);
        assert!(known.contains(&current_task().expect("a task runs")));
        Ok(())
    })
    .unwrap();
}

#[test]
fn handles_of_callbacks_are_equal_by_their_callback() {
    run(async {
        let on = running_loop()?;
        let (one, two) = (on.call_soon(|| ())?, on.call_soon(|| ())?);
        let set = HashSet::from([one.clone(), one.clone(), two.clone()]);
        assert!(set.len() == 2 && one == one.clone() && one != two);
        let later = on.call_later(std::time::Duration::from_secs(1), || ())?;
        assert!(HashSet::from([later.clone()]).contains(&later));
        later.cancel();
        Ok(())
    })
    .unwrap();
}

#[test]
fn tasks_take_names_of_any_kind_of_text() {
    run(async {
        let task = create_task(async { Ok(()) }).with_name(format!("worker {}", 7));
        assert_eq!(task.name(), "worker 7");
        task.set_name("plain");
        assert_eq!(AnyFuture::name(&task), "plain");
        Ok(())
    })
    .unwrap();
}

/// Like `select_all` of other crates: the place and the outcome of the first that is done.
async fn first_of<F: Future + Unpin>(mut futures: Vec<F>) -> (usize, F::Output) {
    poll_fn(|cx| {
        for (place, future) in futures.iter_mut().enumerate() {
            if let Poll::Ready(outcome) = Pin::new(future).poll(cx) {
                return Poll::Ready((place, outcome));
            }
        }
        Poll::Pending
    })
    .await
}

#[test]
fn tasks_can_be_waited_for_by_functions_that_take_futures() {
    run(async {
        let after = |seconds: u64| {
            create_task(async move {
                sleep(std::time::Duration::from_secs(seconds)).await?;
                Ok(seconds)
            })
        };
        let tasks = [after(3), after(1), after(2)];
        let waits: Vec<Await<u64>> = tasks.iter().map(Task::wait).collect();
        let (place, outcome) = first_of(waits).await;
        assert_eq!((place, outcome?), (1, 1));
        assert!(!tasks[2].done(), "the others go on");
        let future: LoopFuture<u8> = running_loop()?.create_future();
        future.set_result(9)?;
        assert_eq!(future.wait().await?, 9);
        Ok(())
    })
    .unwrap();
}
