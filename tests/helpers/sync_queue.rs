//! `SyncQueue`: values to threads, which block while there is none.

use std::sync::mpsc;
use std::thread;

use callsoon::helpers::{self as hp, SyncQueue};
use callsoon::{Result, yield_now};

use crate::driver::run;
use crate::parts::{ends, rest};

#[test]
fn waiting_thread_is_woken_by_a_value_and_by_the_final_future() -> Result<()> {
    for end in ends() {
        run(async move {
            let stop = hp::create_future::<()>();
            let queue = SyncQueue::new(&stop);
            let (theirs, (told, heard)) = (queue.clone(), mpsc::channel());
            let thread = thread::spawn(move || {
                for value in theirs.iter() {
                    told.send(value).unwrap();
                }
            });
            for value in 1..=3 {
                queue.append(value);
                assert_eq!(heard.recv(), Ok(value));
            }
            end(&stop)?;
            rest().await?;
            thread.join().unwrap();
            assert!(heard.recv().is_err());
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn items_left_at_the_end_are_yielded_only_if_emptied_on_finish() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let (plain, emptied) = (SyncQueue::new(&stop), SyncQueue::emptied_on_finished(&stop));
        for queue in [&plain, &emptied] {
            queue.append(1);
            queue.append(2);
        }
        stop.cancel();
        rest().await?;
        emptied.append(3);
        assert_eq!(plain.iter().next(), None);
        assert_eq!(plain.remaining().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(emptied.iter().collect::<Vec<_>>(), [1, 2, 3]);
        Ok(())
    })
}

#[test]
fn an_iteration_that_is_left_can_be_taken_up_by_another() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = SyncQueue::new(&stop);
        queue.append(1);
        queue.append(2);
        assert_eq!([queue.iter().next(), queue.iter().next()], [Some(1), Some(2)]);
        queue.finish();
        assert_eq!((queue.iter().next(), stop.done()), (None, false));
        Ok(())
    })
}

#[test]
fn each_value_goes_to_one_of_several_threads() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = SyncQueue::emptied_on_finished(&stop);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let theirs = queue.clone();
                thread::spawn(move || theirs.iter().collect::<Vec<u32>>())
            })
            .collect();
        for value in 0..1000 {
            queue.append(value);
        }
        queue.finish();
        let mut all: Vec<u32> = threads.into_iter().flat_map(|it| it.join().unwrap()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<u32>>());
        Ok(())
    })
}

#[test]
fn end_of_final_future_counts_a_turn_later_on_its_own_thread() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = SyncQueue::new(&stop);
        queue.append(1);
        queue.append(2);
        stop.cancel();
        assert_eq!(queue.iter().next(), Some(1));
        yield_now().await?;
        assert_eq!(queue.iter().next(), None);
        Ok(())
    })
}
