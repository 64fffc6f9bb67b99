//! `Queue`: values from anywhere to the tasks that iterate it.

use callsoon::helpers::{self as hp, Queue, QueueEntry};
use callsoon::{ErrorKind, Result, Task, create_task, running_loop, sleep};

use crate::driver::{run, secs};
use crate::parts::{callbacks, ends, kind, poll_once_and_drop, rest, say};
use crate::support::trace::Trace;

/// Reads to the end, saying what it gets.
fn reader(queue: &Queue<i32>, trace: &Trace, name: &'static str) -> Task<()> {
    let (queue, trace) = (queue.clone(), trace.clone());
    create_task(async move {
        let mut values = queue.iter();
        while let Some(value) = values.next().await? {
            say(&trace, format_args!("{name} got {value}"))?;
        }
        assert_eq!(values.next().await?, None, "what is over stays over");
        say(&trace, format_args!("{name} is over"))
    })
}

#[test]
fn queue_yields_items_until_its_final_future_is_done() -> Result<()> {
    for end in ends() {
        let trace = Trace::new();
        run(async move {
            let stop = hp::create_future::<()>();
            let queue = Queue::new(&stop);
            let reads = reader(&queue, &trace, "it");
            sleep(secs(1)).await?;
            queue.append(1);
            queue.append(2);
            sleep(secs(1)).await?;
            queue.append(3);
            sleep(secs(1)).await?;
            end(&stop)?;
            (&reads).await?;
            trace.expect(["1000 it got 1", "1000 it got 2", "2000 it got 3", "3000 it is over"]);
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn items_left_at_the_final_future_are_not_yielded_but_remain() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = Queue::new(&stop);
        for value in 1..=3 {
            queue.append(value);
        }
        let mut values = queue.iter();
        assert_eq!(values.next().await?, Some(1));
        stop.cancel();
        queue.append(4);
        assert_eq!((values.next().await?, values.next().await?), (None, None));
        let left: Vec<QueueEntry<i32>> = queue.remaining().collect();
        assert_eq!(left, [2, 3, 4].map(QueueEntry::Value));
        assert!(queue.is_empty() && queue.remaining().next().is_none());
        Ok(())
    })
}

#[test]
fn one_that_is_emptied_gives_what_is_left_and_what_still_comes() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = Queue::emptied_on_finished(&stop);
        queue.append(1);
        queue.append(2);
        let mut values = queue.iter();
        assert_eq!(values.next().await?, Some(1));
        stop.cancel();
        queue.append(3);
        assert_eq!(values.next().await?, Some(2));
        assert_eq!(values.next().await?, Some(3));
        assert_eq!(values.next().await?, None);
        queue.append(4);
        assert_eq!(values.next().await?, None, "this iteration is over");
        assert_eq!(queue.iter().next().await?, Some(4), "another takes it");
        Ok(())
    })
}

#[test]
fn an_iteration_that_is_left_can_be_taken_up_by_another() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = Queue::new(&stop);
        for value in 1..=3 {
            queue.append(value);
        }
        for expected in 1..=3 {
            assert_eq!(queue.iter().next().await?, Some(expected));
        }
        queue.append(4);
        assert_eq!((queue.len(), queue.iter().next().await?), (1, Some(4)));
        Ok(())
    })
}

#[test]
fn an_end_that_was_appended_is_for_one_reader_alone() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let queue = Queue::new(&stop);
        queue.append(1);
        queue.append_done();
        queue.append(2);
        queue.append_done();
        let one = reader(&queue, &trace, "one");
        (&one).await?;
        assert_eq!(queue.len(), 2);
        (&reader(&queue, &trace, "two")).await?;
        trace.expect(["0 one got 1", "0 one is over", "0 two got 2", "0 two is over"]);
        queue.append_done();
        assert_eq!(queue.remaining().collect::<Vec<_>>(), [QueueEntry::Done]);
        Ok(())
    })
}

#[test]
fn each_value_goes_to_one_of_several_readers() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = Queue::new(&stop);
        let collect = || {
            let queue = queue.clone();
            create_task(async move {
                let (mut values, mut got) = (queue.iter(), Vec::new());
                while let Some(value) = values.next().await? {
                    got.push(value);
                }
                Ok(got)
            })
        };
        let readers = [collect(), collect(), collect()];
        for value in 0..30 {
            queue.append(value);
            if value % 7 == 0 {
                rest().await?;
            }
        }
        rest().await?;
        stop.cancel();
        let mut all = Vec::new();
        for reader in &readers {
            all.extend(reader.await?);
        }
        all.sort_unstable();
        assert_eq!(all, (0..30).collect::<Vec<i32>>());
        Ok(())
    })
}

#[test]
fn finishing_ends_the_readers_and_leaves_the_final_future_alone() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let before = callbacks(&stop);
        let queue = Queue::new(&stop);
        let reads = reader(&queue, &trace, "it");
        sleep(secs(1)).await?;
        queue.finish().await;
        (&reads).await?;
        trace.expect(["1000 it is over"]);
        assert_eq!((stop.done(), callbacks(&stop)), (false, before));
        Ok(())
    })
}

#[test]
fn a_reader_that_is_cancelled_loses_nothing_and_another_goes_on() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let queue = Queue::new(&stop);
        let one = reader(&queue, &trace, "one");
        rest().await?;
        queue.append(1);
        one.cancel();
        assert_eq!(kind((&one).await), Some(ErrorKind::Cancelled));
        let two = reader(&queue, &trace, "two");
        rest().await?;
        trace.expect(["0 two got 1"]);
        queue.append(2);
        queue.append_done();
        (&two).await?;
        trace.expect(["0 two got 2", "0 two is over"]);
        Ok(())
    })
}

#[test]
fn iteration_ends_after_a_cancelled_or_dropped_wait() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = Queue::new(&stop);
        let mut values = queue.iter();
        assert!(!poll_once_and_drop(values.next()).await);
        queue.append(1);
        assert_eq!(values.next().await?, None);
        assert_eq!(queue.iter().next().await?, Some(1));
        Ok(())
    })
}

/// The original spins there for ever.
#[test]
fn reader_beside_one_that_took_the_end_waits_and_stalls() {
    let trace = Trace::new();
    let ran = run({
        let trace = trace.clone();
        async move {
            let stop = hp::create_future::<()>();
            let queue = Queue::new(&stop);
            let readers = [reader(&queue, &trace, "one"), reader(&queue, &trace, "two")];
            rest().await?;
            queue.append_done();
            hp::wait_for_all_futures(&readers).await
        }
    });
    assert_eq!(kind(ran), Some(ErrorKind::Stalled));
    trace.expect(["0 one is over"]);
}

#[test]
fn reader_beside_one_that_took_the_end_reads_later_items() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let queue = Queue::new(&stop);
        let readers = [reader(&queue, &trace, "one"), reader(&queue, &trace, "two")];
        rest().await?;
        queue.append_done();
        // Time passes, which it can't while a task spins.
        sleep(secs(5)).await?;
        queue.append(1);
        sleep(secs(5)).await?;
        queue.append_done();
        hp::wait_for_all_futures(&readers).await?;
        assert_eq!(running_loop()?.time(), secs(10));
        trace.expect(["0 one is over", "5000 two got 1", "10000 two is over"]);
        Ok(())
    })
}

/// The original spins here too.
#[test]
fn reader_of_an_item_taken_elsewhere_waits_for_later_items() -> Result<()> {
    let trace = Trace::new();
    run(async move {
        let stop = hp::create_future::<()>();
        let queue = Queue::new(&stop);
        let reads = reader(&queue, &trace, "it");
        rest().await?;
        queue.append(1);
        assert_eq!(queue.remaining().collect::<Vec<_>>(), [QueueEntry::Value(1)]);
        sleep(secs(5)).await?;
        queue.append(2);
        sleep(secs(5)).await?;
        stop.cancel();
        (&reads).await?;
        trace.expect(["5000 it got 2", "10000 it is over"]);
        Ok(())
    })
}
