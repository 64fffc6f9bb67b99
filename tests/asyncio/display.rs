//! How futures, tasks, awaits, generators and handles show themselves, in every state.

use std::pin::Pin;

use callsoon::{
    AnyFuture, Callback, Error, ErrorKind, EventLoop, Task, TaskGroup, as_completed, create_task,
    generator, running_loop, sleep, yield_now,
};

use crate::driver::{run, secs, settle, turn};

#[test]
fn a_future_shows_its_state_its_name_and_how_many_wait() {
    let event_loop = EventLoop::with_virtual_time();
    let shown = |end: fn(&callsoon::LoopFuture<i32>)| {
        let future = event_loop.create_future::<i32>();
        end(&future);
        format!("{future:?}")
    };
    assert_eq!(shown(|_| ()), "<Future pending>");
    assert_eq!(shown(|future| future.set_name("x")), "<Future pending name='x'>");
    assert_eq!(shown(|future| drop(future.set_result(1))), "<Future finished>");
    assert_eq!(shown(|future| assert!(future.cancel())), "<Future cancelled>");
    let failed = shown(|future| {
        future.set_name("x");
        future.set_exception(Error::new(ErrorKind::Value, "bad")).unwrap();
        let _ = future.exception();
    });
    assert_eq!(failed, r#"<Future finished exception=ValueError("bad") name='x'>"#);
    let waited = shown(|future| {
        for _ in 0..3 {
            future.add_done_callback(|_: &dyn AnyFuture| ());
        }
    });
    assert_eq!(waited, "<Future pending callbacks=3>");
    let on_their_way = shown(|future| {
        future.add_done_callback(|_: &dyn AnyFuture| ());
        future.set_result(1).unwrap();
    });
    assert_eq!(on_their_way, "<Future finished>");
}

#[test]
fn a_task_shows_its_state_and_its_name() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(secs(1))).unwrap();
    let unnamed = format!("{task:?}");
    assert!(unnamed.starts_with("<Task ") && unnamed.contains("pending"), "{unnamed}");
    assert!(unnamed.contains("'Task-1'"), "{unnamed}");
    task.set_name("x");
    assert_eq!(format!("{task:?}"), "<Task pending name='x'>");
    let awaited = task.clone();
    event_loop.create_task(async move { awaited.await }).unwrap();
    turn(&event_loop, 1);
    assert_eq!(format!("{task:?}"), "<Task pending name='x' callbacks=1>");
    assert_eq!(format!("{:?}", event_loop.all_tasks()[0]), format!("{task:?}"));
    task.cancel();
    settle(&event_loop);
    assert_eq!(format!("{task:?}"), "<Task cancelled name='x'>");
}

#[test]
fn a_task_shows_that_it_was_asked_to_cancel_until_that_is_taken_back_or_it_is_over() {
    let event_loop = EventLoop::with_virtual_time();
    let task = event_loop.create_task(sleep(secs(1))).unwrap();
    task.set_name("x");
    assert!(task.cancel());
    assert_eq!(format!("{task:?}"), "<Task cancelling name='x'>");
    task.uncancel();
    assert_eq!(format!("{task:?}"), "<Task pending name='x'>");
    turn(&event_loop, 1);
    task.cancel();
    task.cancel();
    task.uncancel();
    assert_eq!(format!("{:?}", event_loop.all_tasks()[0]), "<Task cancelling name='x'>");
    settle(&event_loop);
    assert_eq!(format!("{task:?}"), "<Task cancelled name='x'>");
}

#[test]
fn a_task_that_is_over_shows_how_it_ended() {
    let event_loop = EventLoop::with_virtual_time();
    let fine = event_loop.create_task(async { Ok(1) }).unwrap();
    let failed: Task<()> =
        event_loop.create_task(async { Err(Error::new(ErrorKind::Timeout, "late")) }).unwrap();
    let panicked: Task<()> = event_loop.create_task(async { panic!("oh") }).unwrap();
    for (task, name) in [(&failed, "failed"), (&panicked, "panicked")] {
        task.set_name(name);
    }
    fine.set_name("fine");
    settle(&event_loop);
    assert_eq!(format!("{fine:?}"), "<Task finished name='fine'>");
    assert_eq!(
        format!("{failed:?}"),
        r#"<Task finished exception=TimeoutError("late") name='failed'>"#
    );
    assert_eq!(format!("{panicked:?}"), r#"<Task finished exception=Panic("oh") name='panicked'>"#);
    let _ = (failed.exception(), panicked.exception());
}

#[test]
fn an_await_shows_what_it_awaits() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    future.set_name("x");
    let wait = (&future).into_future();
    assert_eq!(format!("{wait:?}"), "<Await of <Future pending name='x'>>");
}

#[test]
fn a_generator_shows_where_it_is() {
    run(async {
        let numbers = generator(async |y| {
            sleep(secs(1)).await?;
            y.give(1).await?;
            Ok(())
        });
        assert_eq!(format!("{numbers:?}"), "<async_generator unstarted>");
        let consumed = numbers.clone();
        let consumer = create_task(async move { consumed.next().await });
        yield_now().await?;
        assert_eq!(format!("{numbers:?}"), "<async_generator running>");
        consumer.await?;
        assert_eq!(format!("{numbers:?}"), "<async_generator suspended>");
        assert!(numbers.next().await?.is_none());
        assert_eq!(format!("{numbers:?}"), "<async_generator finished>");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_handle_shows_its_callback_and_whether_it_is_cancelled() {
    fn tick() {}
    let event_loop = EventLoop::with_virtual_time();
    let handle = event_loop.call_soon(tick).unwrap();
    let shown = format!("{handle:?}");
    assert!(shown.starts_with("<Handle ") && shown.contains("tick"), "{shown}");
    handle.cancel();
    assert!(format!("{handle:?}").starts_with("<Handle cancelled "), "{handle:?}");
    let timer = event_loop.call_later(secs(2), tick).unwrap();
    let shown = format!("{timer:?}");
    assert!(shown.starts_with("<TimerHandle when=2s ") && shown.contains("tick"), "{shown}");
    timer.cancel();
    assert!(format!("{timer:?}").starts_with("<TimerHandle cancelled when=2s "), "{timer:?}");
}

#[test]
fn a_callback_shows_its_function() {
    fn on_done(_: &dyn AnyFuture) {}
    let shown = format!("{:?}", callsoon::Callback::new(on_done));
    assert!(shown.starts_with("<Callback ") && shown.contains("on_done"), "{shown}");
}

#[test]
fn showing_a_task_inside_of_its_own_step_is_fine() {
    run(async {
        let me = callsoon::current_task().expect("main is one");
        me.set_name("main");
        assert_eq!(format!("{me:?}"), "<Task pending name='main' callbacks=1>");
        assert_eq!(
            format!("{:?}", running_loop()?),
            "<EventLoop running=true closed=false debug=false>"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_stands_for_others_shows_how_many() {
    run(async {
        let on = running_loop()?;
        let futures = [on.create_future::<i32>(), on.create_future()];
        let mut completed = as_completed(&futures, None);
        assert_eq!(format!("{completed:?}"), "<AsCompleted left=2>");
        futures[1].set_result(1)?;
        completed.next().await?;
        assert_eq!(format!("{completed:?}"), "<AsCompleted left=1>");
        let group = TaskGroup::scope(async |group| {
            group.create_task(std::future::pending::<callsoon::Result<()>>())?;
            assert_eq!(format!("{group:?}"), "<TaskGroup tasks=1>");
            group.create_task(async { Err::<(), _>(Error::new(ErrorKind::Value, "bad")) })?;
            let own = group.clone();
            group.create_task(async move {
                let cancelled = sleep(secs(1)).await;
                assert_eq!(format!("{own:?}"), "<TaskGroup tasks=2 cancelling>");
                cancelled
            })?;
            Ok(())
        });
        assert_eq!(group.await.unwrap_err().kind(), ErrorKind::Group);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_sleep_shows_how_far_it_is() {
    run(async {
        let mut nap = sleep(secs(2));
        assert_eq!(format!("{nap:?}"), "<Sleep of 2s>");
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut nap).poll(&mut context).is_pending());
        assert_eq!(format!("{nap:?}"), "<Sleep asleep>");
        let mut rest = sleep(secs(0));
        assert!(Pin::new(&mut rest).poll(&mut context).is_pending());
        assert_eq!(format!("{rest:?}"), "<Sleep yields>");
        (&mut rest).await?;
        assert_eq!(format!("{rest:?}"), "<Sleep over>");
        nap.await
    })
    .unwrap();
}

#[test]
fn weak_handles_say_no_more_than_that_they_are_weak() {
    let event_loop = EventLoop::with_virtual_time();
    let future = event_loop.create_future::<i32>();
    let callback = Callback::new(|_: &dyn AnyFuture| ());
    assert_eq!(format!("{:?}", AnyFuture::downgrade(&future)), "(WeakFuture)");
    assert_eq!(format!("{:?}", callback.downgrade()), "(WeakCallback)");
}
