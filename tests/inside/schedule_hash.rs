//! The schedule hash: the same for the same run, another for another.

use std::time::Duration;

use callsoon::{AnyFuture, EventLoop, LoopFuture, create_task, run_on, running_loop, yield_now};

/// The difference between one run of [`hash_of`] and another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Disturbed {
    Nothing,
    /// One nanosecond more.
    ADeadline,
    ATurnMore,
    TheOrderOfTasks,
    ACallbackInPlaceOfATask,
    ATimerThatIsCancelled,
}

fn hash_of(disturbed: Disturbed) -> Option<u64> {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.start_schedule_hash();
    let delay = Duration::from_nanos(5_000 + u64::from(disturbed == Disturbed::ADeadline));
    let on = event_loop.clone();
    let main = async move {
        let future: LoopFuture<u8> = on.create_future();
        let (first, second) = match disturbed {
            Disturbed::TheOrderOfTasks => (2, 1),
            _ => (1, 2),
        };
        for turns in [first, second] {
            create_task(async move {
                for _ in 0..turns {
                    yield_now().await?;
                }
                Ok(())
            });
        }
        if disturbed == Disturbed::ATurnMore {
            yield_now().await?;
        }
        if disturbed == Disturbed::ACallbackInPlaceOfATask {
            on.call_soon(|| ())?;
        } else {
            create_task(async { Ok(()) });
        }
        let timer = on.call_later(Duration::from_nanos(1), || ())?;
        if disturbed == Disturbed::ATimerThatIsCancelled {
            timer.cancel();
        }
        let promise = future.clone();
        on.call_later(delay, move || promise.set_result(1))?;
        future.await
    };
    assert_eq!(run_on(&event_loop, main).unwrap(), 1);
    event_loop.schedule_hash()
}

#[test]
fn equal_programs_have_equal_hashes_and_changed_ones_others() {
    let kinds = [
        Disturbed::Nothing,
        Disturbed::ADeadline,
        Disturbed::ATurnMore,
        Disturbed::TheOrderOfTasks,
        Disturbed::ACallbackInPlaceOfATask,
        Disturbed::ATimerThatIsCancelled,
    ];
    let hashes = kinds.map(hash_of);
    assert_eq!(kinds.map(hash_of), hashes);
    for (at, hash) in hashes.iter().enumerate() {
        assert!(hash.is_some());
        assert_eq!(hashes.iter().position(|other| other == hash), Some(at), "{:?}", kinds[at]);
    }
}

#[test]
fn it_is_there_once_it_was_started_and_begins_anew() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.call_soon(|| ()).unwrap();
    event_loop.run_once(None).unwrap();
    assert_eq!(event_loop.schedule_hash(), None);
    let mut hashes = Vec::new();
    for _ in 0..2 {
        event_loop.start_schedule_hash();
        event_loop.call_soon(|| ()).unwrap();
        event_loop.run_once(None).unwrap();
        hashes.push(event_loop.schedule_hash());
    }
    assert_eq!(hashes[0], hashes[1]);
    assert!(hashes[0].is_some());
}

#[test]
fn on_the_machines_clock_the_time_does_not_count() {
    let hash_of = |tasks: u64| {
        let event_loop = EventLoop::new();
        event_loop.start_schedule_hash();
        let main = async move {
            for _ in 0..tasks {
                create_task(async { yield_now().await });
            }
            for _ in 0..3 {
                yield_now().await?;
            }
            running_loop().map(drop)
        };
        event_loop.run_until_complete(main).unwrap();
        event_loop.schedule_hash()
    };
    assert_eq!(hash_of(2), hash_of(2));
    assert_ne!(hash_of(2), hash_of(3));
}

#[test]
fn where_one_turn_ends_and_the_next_begins_counts() {
    let hash_of = |turns: &[usize]| {
        let event_loop = EventLoop::with_virtual_time();
        event_loop.start_schedule_hash();
        for &calls in turns {
            for _ in 0..calls {
                event_loop.call_soon(|| ()).unwrap();
            }
            event_loop.run_once(None).unwrap();
        }
        event_loop.schedule_hash()
    };
    assert_eq!(hash_of(&[1, 2]), hash_of(&[1, 2]));
    assert_ne!(hash_of(&[1, 2]), hash_of(&[2, 1]));
    assert_ne!(hash_of(&[1, 2]), hash_of(&[3]));
}

/// Of turns with as many entries, none of which is a task's.
#[test]
fn kind_of_an_entry_counts() {
    let hash_of = |schedule: fn(&EventLoop)| {
        let event_loop = EventLoop::with_virtual_time();
        event_loop.start_schedule_hash();
        schedule(&event_loop);
        assert_eq!(event_loop.run_once(None).unwrap(), 1);
        event_loop.schedule_hash()
    };
    let call = hash_of(|event_loop| drop(event_loop.call_soon(|| ()).unwrap()));
    let done_callback = hash_of(|event_loop| {
        let future = event_loop.create_future();
        future.add_done_callback(|_: &dyn AnyFuture| ());
        future.set_result(()).unwrap();
    });
    assert_ne!(call, done_callback);
}
