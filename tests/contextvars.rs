//! Context variables: contexts of tasks and callbacks, as Python's `contextvars` has them with asyncio.

use std::cell::RefCell;
use std::net::UdpSocket;
use std::rc::Rc;
use std::time::Duration;

use callsoon::net::{DEFAULT_LIMIT, StreamReader, StreamWriter, open_connection, start_server};
use callsoon::{
    AnyFuture, AsyncGenerator, Callback, Context, ContextVar, ErrorKind, EventLoop, LoopFuture,
    Result, Runner, TaskGroup, copy_context, create_eager_task, create_task, gather, generator,
    run_on, running_loop, sleep, timeout, to_thread, yield_now,
};

fn in_virtual_time<T: Clone + 'static>(
    main: impl Future<Output = Result<T>> + 'static,
) -> Result<T> {
    run_on(&EventLoop::with_virtual_time(), main)
}

/// Values in the order in which they were written down.
type Seen<T> = Rc<RefCell<Vec<T>>>;

fn seen<T>() -> (Seen<T>, Seen<T>) {
    let seen = Seen::default();
    (seen.clone(), seen)
}

static VAR: ContextVar<i32> = ContextVar::new("var");
static NAME: ContextVar<String> = ContextVar::with_default("name", || "nope".into());

fn set(value: i32) -> Result<()> {
    VAR.set(value);
    Ok(())
}

#[test]
fn a_variable_without_a_value_is_a_lookup_error() {
    let error = VAR.get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Lookup);
    assert_eq!(error.kind().name(), "LookupError");
    assert_eq!(error.to_string(), "LookupError: <ContextVar var> has no value");
    assert_eq!(VAR.get_or(3), 3);
    assert_eq!(
        (NAME.get().unwrap().as_str(), NAME.get_or("given".into()).as_str()),
        ("nope", "given")
    );
}

#[test]
fn a_reset_takes_one_set_back() {
    let first = VAR.set(1);
    let second = VAR.set(2);
    assert_eq!((first.old_value(), second.old_value()), (None, Some(1)));
    VAR.reset(second).unwrap();
    assert_eq!(VAR.get().unwrap(), 1);
    VAR.reset(first).unwrap();
    assert!(VAR.get().is_err());
    assert!(!copy_context().contains(&VAR));
}

#[test]
fn a_token_of_another_variable_or_context_is_refused() {
    static OTHER: ContextVar<i32> = ContextVar::new("other");
    let token = OTHER.set(1);
    assert_eq!(VAR.reset(token).unwrap_err().kind(), ErrorKind::Value);
    let token = VAR.set(1);
    let error = copy_context().run(|| VAR.reset(token)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(VAR.get().unwrap(), 1);
}

#[test]
fn a_context_keeps_what_runs_in_it_sets() {
    VAR.set(1);
    let context = copy_context();
    assert_eq!(context.run(|| VAR.set(2)).old_value(), Some(1));
    assert_eq!((VAR.get().unwrap(), context.get(&VAR)), (1, Some(2)));
    let copy = context.copy();
    copy.run(|| VAR.set(3));
    assert_eq!((context.get(&VAR), copy.get(&VAR)), (Some(2), Some(3)));
    assert_eq!(context.run(|| context.copy().run(|| VAR.get().unwrap())), 2);
    assert_eq!((context.len(), Context::new().is_empty()), (1, true));
    assert_eq!(format!("{context:?}"), "<Context {\"var\"}>");
}

#[test]
#[should_panic(expected = "is already entered")]
fn a_context_is_entered_once_at_a_time() {
    let context = Context::new();
    context.run(|| context.run(|| ()));
}

#[test]
fn a_context_is_left_by_a_panic_too() {
    let context = Context::new();
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        context.run(|| {
            VAR.set(1);
            panic!("out of it")
        })
    }));
    assert!(ran.is_err() && VAR.get().is_err());
    assert_eq!(context.run(|| VAR.get().unwrap()), 1);
}

// CPython: test_tasks.BaseTaskTests.test_context_1
#[test]
fn a_task_runs_in_a_copy_of_its_makers_context() {
    in_virtual_time(async {
        assert_eq!(NAME.get()?, "nope");
        let task = create_task(async {
            sleep(Duration::from_millis(10)).await?;
            assert_eq!(NAME.get()?, "nope");
            NAME.set("something else".into());
            Ok(())
        });
        NAME.set("yes".into());
        assert_eq!(NAME.get()?, "yes");
        task.await?;
        assert_eq!(NAME.get()?, "yes");
        Ok(())
    })
    .unwrap();
    assert_eq!(NAME.get().unwrap(), "nope");
}

// CPython: test_tasks.BaseTaskTests.test_context_2
#[test]
fn a_done_callback_runs_in_a_copy_of_its_adders_context() {
    in_virtual_time(async {
        let (seen, written) = seen();
        for j in 0..2 {
            let future: LoopFuture<()> = running_loop()?.create_future();
            let written = written.clone();
            future.add_done_callback(move |_: &dyn AnyFuture| {
                written.borrow_mut().push(NAME.get().unwrap());
                NAME.set("something else".into());
            });
            NAME.set(format!("yes{j}"));
            let setting = future.clone();
            running_loop()?.call_soon(move || setting.set_result(()))?;
            future.await?;
            assert_eq!(NAME.get()?, format!("yes{j}"));
            for i in 0..3 {
                NAME.set(format!("yes{i}-{j}"));
                sleep(Duration::from_millis(1)).await?;
                assert_eq!(NAME.get()?, format!("yes{i}-{j}"));
            }
        }
        assert_eq!(*seen.borrow(), ["nope", "yes2-0"]);
        Ok(())
    })
    .unwrap();
    assert_eq!(NAME.get().unwrap(), "nope");
}

// CPython: test_tasks.BaseTaskTests.test_context_3
#[test]
fn tasks_side_by_side_have_a_context_each() {
    in_virtual_time(async {
        let tasks: Vec<_> = (0..100)
            .map(|n: i32| {
                create_task(async move {
                    for i in 0..10 {
                        VAR.set(n + i);
                        sleep(Duration::from_millis(((n * 7 + i * 3) % 50) as u64)).await?;
                        assert_eq!(VAR.get()?, n + i);
                    }
                    Ok(())
                })
            })
            .collect();
        gather(&tasks).await.map(drop)
    })
    .unwrap();
    assert!(VAR.get().is_err());
}

// CPython: test_tasks.BaseTaskTests.test_context_4
// CPython: test_tasks.BaseTaskTests.test_context_5
// CPython: test_tasks.BaseTaskTests.test_context_6
// CPython: test_tasks.BaseTaskTests.test_get_context
#[test]
fn tasks_that_are_given_a_context_share_it() {
    in_virtual_time(async {
        let context = copy_context();
        let set = |value| async move {
            yield_now().await?;
            set(value)
        };
        let mut read = vec![context.get(&VAR)];
        create_task(set(1)).with_context(&context).await?;
        read.push(context.get(&VAR));
        let task = running_loop()?.create_task(set(2))?.with_context(&context);
        assert!(task.get_context().ptr_eq(&context));
        task.await?;
        read.push(context.get(&VAR));
        assert_eq!(read, [None, Some(1), Some(2)]);
        Ok(())
    })
    .unwrap();
}

// CPython: test_taskgroups.TestTaskGroup.test_taskgroup_task_context
#[test]
fn a_task_group_makes_tasks_in_copies_or_a_given_context() {
    in_virtual_time(async {
        VAR.set(1);
        let context = copy_context();
        let given = context.clone();
        TaskGroup::scope(async move |group| {
            let add = |by| async move { VAR.get().and_then(|before| set(before + by)) };
            group.create_task(add(1))?.await?;
            assert_eq!((VAR.get()?, given.get(&VAR)), (1, Some(1)));
            group.create_task(add(1))?.with_context(&given).await?;
            group.create_task(add(10))?.with_context(&given).await?;
            Ok(())
        })
        .await?;
        assert_eq!((VAR.get()?, context.get(&VAR)), (1, Some(12)));
        Ok(())
    })
    .unwrap();
}

// CPython: test_runners.RunnerTests.test_run_keeps_context
#[test]
fn a_runner_keeps_its_context_from_main_to_main() {
    let runner = Runner::with_loop_factory(EventLoop::with_virtual_time);
    let main = |value| async move {
        let old = VAR.get_or(-1);
        yield_now().await?;
        VAR.set(value);
        Ok(old)
    };
    assert_eq!(runner.run(main(1)).unwrap(), -1);
    assert_eq!(runner.run(main(2)).unwrap(), 1);
    let context = runner.run(async { Ok(copy_context()) }).unwrap();
    assert_eq!(context.get(&VAR), Some(2));
    runner.close().unwrap();
    assert!(VAR.get().is_err());
}

#[test]
fn a_main_task_reads_what_was_set_outside() {
    VAR.set(7);
    let inside = in_virtual_time(async {
        let read = VAR.get()?;
        VAR.set(8);
        Ok(read)
    });
    assert_eq!((inside.unwrap(), VAR.get().unwrap()), (7, 7));
}

#[test]
fn the_first_set_of_a_step_stays_with_its_task() {
    // Nothing has used contexts on this thread before.
    in_virtual_time(async {
        let other = create_task(async {
            yield_now().await?;
            Ok(VAR.get().is_err())
        });
        yield_now().await?;
        VAR.set(1);
        assert!(other.await?);
        assert_eq!(VAR.get()?, 1);
        Ok(())
    })
    .unwrap();
    assert!(VAR.get().is_err());
}

#[test]
fn the_first_set_of_a_callback_ends_with_it() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.call_soon(|| drop(VAR.set(1))).unwrap();
    event_loop.call_soon(|| assert!(VAR.get().is_err())).unwrap();
    let stop = event_loop.clone();
    event_loop
        .call_soon(move || {
            assert!(VAR.get().is_err());
            VAR.set(2);
            stop.stop();
        })
        .unwrap();
    event_loop.run_forever().unwrap();
    assert!(VAR.get().is_err());
}

#[test]
fn callbacks_and_timers_run_in_copies_of_their_makers_context() {
    in_virtual_time(async {
        let (seen, written) = seen();
        let write = move || written.borrow_mut().push(VAR.replace_by(100));
        let on = running_loop()?;
        VAR.set(1);
        on.call_soon(write.clone())?;
        VAR.set(2);
        on.call_later(Duration::from_secs(1), write.clone())?;
        VAR.set(3);
        on.call_at(Duration::from_secs(1), write.clone())?;
        VAR.set(4);
        sleep(Duration::from_secs(2)).await?;
        assert_eq!((seen.take(), VAR.get()?), (vec![1, 2, 3], 4));
        Ok(())
    })
    .unwrap();
}

#[test]
fn callbacks_in_a_context_are_known_by_their_own_names() {
    in_virtual_time(async {
        let (seen, written) = seen();
        let on = running_loop()?;
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            written.borrow_mut().push(context.handle.clone().unwrap());
        })));
        fn fault() -> Result<()> {
            Err(callsoon::Error::new(ErrorKind::Runtime, "fault"))
        }
        VAR.set(1);
        let name = format!("{}>", std::any::type_name_of_val(&fault));
        let handle = on.call_soon(fault)?;
        let timer = on.call_later(Duration::from_secs(2), fault)?;
        assert_eq!(format!("{handle:?}"), format!("<Handle {name}"));
        assert_eq!(format!("{timer:?}"), format!("<TimerHandle when=2s {name}"));
        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0")?);
        on.add_writer(socket.clone(), fault)?;
        yield_now().await?;
        on.remove_writer(&socket)?;
        sleep(Duration::from_secs(2)).await?;
        let mut seen = seen.take();
        seen.dedup();
        assert_eq!(seen, [format!("<Handle {name}"), format!("<TimerHandle {name}")]);
        Ok(())
    })
    .unwrap();
}

trait ReplaceBy {
    /// Sets the variable, and returns the value before.
    fn replace_by(&self, value: i32) -> i32;
}

impl ReplaceBy for ContextVar<i32> {
    fn replace_by(&self, value: i32) -> i32 {
        self.set(value).old_value().unwrap_or_default()
    }
}

#[test]
fn a_callback_added_in_a_context_can_be_removed() {
    in_virtual_time(async {
        VAR.set(1);
        let future: LoopFuture<()> = running_loop()?.create_future();
        let own = 5;
        let callback =
            future.add_done_callback(move |_: &dyn AnyFuture| assert_eq!(own, 0, "was removed"));
        fn plain(_: &dyn AnyFuture) {
            panic!("removed")
        }
        future.add_done_callback(plain);
        assert!(future.has_callback(&callback) && future.has_callback(&Callback::new(plain)));
        assert_eq!(future.remove_done_callback(&callback), 1);
        assert_eq!(future.remove_done_callback(&Callback::new(plain)), 1);
        future.set_result(())?;
        yield_now().await
    })
    .unwrap();
}

// CPython: test_futures2.FutureTests.test_task_exc_handler_correct_context
// CPython: test_futures2.FutureTests.test_handle_exc_handler_correct_context
#[test]
fn an_exception_handler_is_called_in_the_context_of_the_fault() {
    in_virtual_time(async {
        let (seen, written) = seen();
        let on = running_loop()?;
        on.set_exception_handler(Some(Rc::new(move |_, _| {
            written.borrow_mut().push(NAME.get().unwrap());
        })));
        let fail = || callsoon::Error::new(ErrorKind::Runtime, "fault");
        drop(create_task(async move {
            NAME.set("task".into());
            Err::<(), _>(fail())
        }));
        on.call_soon(move || {
            NAME.set("callback".into());
            Err::<(), _>(fail())
        })?;
        NAME.set("outside".into());
        on.call_soon(move || Err::<(), _>(fail()))?;
        yield_now().await?;
        assert_eq!(*seen.borrow(), ["task", "callback", "outside"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn handler_of_an_error_in_context_run_is_called_outside() {
    in_virtual_time(async {
        let (seen, written) = seen();
        let on = running_loop()?;
        on.set_exception_handler(Some(Rc::new(move |_, _| {
            written.borrow_mut().push(NAME.get().unwrap());
        })));
        let context = Context::new();
        NAME.set("outside".into());
        on.call_soon(move || {
            context.run(|| {
                NAME.set("inside".into());
                Err::<(), _>(callsoon::Error::new(ErrorKind::Runtime, "fault"))
            })
        })?;
        yield_now().await?;
        assert_eq!(*seen.borrow(), ["outside"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn exception_handler_is_called_in_the_context_of_a_panic() {
    fn panics_in(name: &str) {
        NAME.set(name.into());
        panic!("fault");
    }
    in_virtual_time(async {
        let (seen, written) = seen();
        let on = running_loop()?;
        on.set_exception_handler(Some(Rc::new(move |_, _| {
            written.borrow_mut().push(NAME.get().unwrap());
        })));
        NAME.set("outside".into());
        on.call_soon(|| panics_in("callback"))?;
        let future = on.create_future::<()>();
        future.add_done_callback(|_: &dyn AnyFuture| panics_in("done callback"));
        future.set_result(())?;
        yield_now().await?;
        assert_eq!(*seen.borrow(), ["callback", "done callback"]);
        assert_eq!(NAME.get()?, "outside");
        Ok(())
    })
    .unwrap();
}

#[test]
fn awaits_in_a_task_run_in_its_context() {
    in_virtual_time(async {
        VAR.set(1);
        let limited = timeout(Duration::from_secs(1), async |_| {
            VAR.set(2);
            sleep(Duration::from_millis(1)).await
        });
        limited.await?;
        assert_eq!(VAR.get()?, 2);
        let numbers: AsyncGenerator<i32> = generator(async |out| {
            out.give(VAR.get()?).await?;
            VAR.set(3);
            out.give(VAR.get()?).await.map(drop)
        });
        assert_eq!(numbers.anext().await?, 2);
        VAR.set(4);
        assert_eq!((numbers.anext().await?, VAR.get()?), (3, 3));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_wait_for_runs_a_coroutine_in_the_tasks_own_context() {
    in_virtual_time(async {
        callsoon::wait_for(async { set(5) }, Duration::from_secs(1)).await?;
        assert_eq!(VAR.get()?, 5);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_reader_runs_in_one_copy_of_its_adders_context() {
    let event_loop = EventLoop::new();
    let reader = event_loop.clone();
    run_on(&event_loop, async move {
        let socket = Rc::new(UdpSocket::bind("127.0.0.1:0")?);
        let (seen, written) = seen();
        VAR.set(1);
        let (receiver, on) = (socket.clone(), reader.clone());
        let done: LoopFuture<()> = reader.create_future();
        let end = done.clone();
        reader.add_reader(socket.clone(), move || {
            let mut byte = [0];
            receiver.recv(&mut byte)?;
            written.borrow_mut().push(VAR.get()?);
            VAR.set(VAR.get()? + 1);
            if written.borrow().len() < 2 {
                receiver.send_to(&byte, receiver.local_addr()?)?;
                return Ok(());
            }
            on.remove_reader(&receiver)?;
            end.set_result(())
        })?;
        VAR.set(10);
        socket.send_to(b"!", socket.local_addr()?)?;
        done.await?;
        assert_eq!((seen.take(), VAR.get()?), (vec![1, 2], 10));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_server_serves_in_copies_of_its_makers_context() {
    callsoon::run(async {
        VAR.set(1);
        let serve = |_reader: StreamReader, writer: StreamWriter| async move {
            writer.write(VAR.get()?.to_string().as_bytes())?;
            VAR.set(100);
            writer.drain().await
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        VAR.set(2);
        let port = server.addresses()[0].ip().unwrap().port();
        for _ in 0..2 {
            let (reader, _writer) = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?;
            assert_eq!(reader.read_to_end().await?, b"1");
        }
        server.close();
        server.wait_closed().await
    })
    .unwrap();
}

// CPython: test_eager_task_factory.EagerTaskFactoryLoopTests.test_context_vars
#[test]
fn an_eager_task_steps_in_its_own_context_at_once() {
    in_virtual_time(async {
        // The first set on this thread is that of the eager step.
        let first = create_eager_task(async { set(9) });
        assert!(first.done() && VAR.get().is_err());
        VAR.set(1);
        let task = create_eager_task(async {
            assert_eq!(VAR.get()?, 1);
            VAR.set(2);
            sleep(Duration::from_millis(100)).await?;
            assert_eq!(VAR.get()?, 2);
            VAR.set(3);
            Ok(())
        });
        assert_eq!((VAR.get()?, task.get_context().get(&VAR)), (1, Some(2)));
        task.await?;
        assert_eq!(VAR.get()?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_worker_thread_has_a_context_of_its_own() {
    in_virtual_time(async {
        VAR.set(1);
        assert!(to_thread(|| Ok(VAR.get().is_err())).await?);
        let value = VAR.get()?;
        let there = move || {
            VAR.set(value + 1);
            VAR.get()
        };
        assert_eq!(to_thread(there).await?, 2);
        assert_eq!(VAR.get()?, 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_context_ends_with_its_task_and_handles() {
    static HELD: ContextVar<Rc<()>> = ContextVar::new("held");
    let value = Rc::new(());
    let given = value.clone();
    in_virtual_time(async move {
        let task = create_task({
            let given = given.clone();
            async move {
                HELD.set(given);
                Ok(())
            }
        });
        task.clone().await?;
        assert_eq!(Rc::strong_count(&given), 3);
        drop(task);
        assert_eq!(Rc::strong_count(&given), 2);
        Ok(())
    })
    .unwrap();
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn a_loop_inside_a_context_leaves_it_as_it_was() {
    let context = Context::new();
    let read = context.run(|| {
        VAR.set(1);
        let read = in_virtual_time(async { VAR.get() });
        (read.unwrap(), VAR.get().unwrap())
    });
    assert_eq!((read, context.get(&VAR)), ((1, 1), Some(1)));
}
