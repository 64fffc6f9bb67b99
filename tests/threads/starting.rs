//! Starting a queue: it is ready when every thread is, or it has failed as a whole.

use std::rc::Rc;
use std::sync::Mutex;

use callsoon::helpers::{self as hp, ThreadHooks, ThreadToAsyncQueue};
use callsoon::{Error, ErrorKind, Result, create_task, yield_now};

use crate::driver::run;
use crate::parts::{Door, Keeper, Visitors, counted, door};

const THREADS: usize = 3;

/// Each thread stands at its own door before it has its args.
struct Waiting {
    doors: Vec<Mutex<Option<Door>>>,
    visitors: Visitors,
    /// Which threads get none.
    fails: fn(usize) -> Result<()>,
}

impl ThreadHooks for Waiting {
    type Args = usize;

    fn create_args(&self, number: usize, existing: Option<usize>) -> Result<usize> {
        if existing.is_none() {
            self.visitors.come();
            let door = self.doors[number].lock().unwrap().take();
            door.expect("args are made once").pass();
            (self.fails)(number)?;
        }
        Ok(number)
    }
}

type Queue = Rc<ThreadToAsyncQueue<Waiting>>;

fn waiting(fails: fn(usize) -> Result<()>) -> Result<(Queue, Vec<Keeper>, Visitors)> {
    let (doors, keepers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| door()).unzip();
    let doors = doors.into_iter().map(|door| Mutex::new(Some(door))).collect();
    let visitors = Visitors::default();
    let hooks = Waiting { doors, visitors: visitors.clone(), fails };
    let stop = hp::create_future::<()>();
    let queue = ThreadToAsyncQueue::builder(hooks).num_threads(THREADS).build(&stop)?;
    Ok((Rc::new(queue), keepers, visitors))
}

#[test]
fn a_start_is_over_when_each_thread_has_its_args_and_not_before() -> Result<()> {
    run(async {
        let (queue, keepers, visitors) = waiting(|_| Ok(()))?;
        let starting = queue.clone();
        let start = create_task(async move { starting.start().await });
        yield_now().await?;
        keepers.iter().for_each(|keeper| keeper.wait_for_arrival());
        for ready in [1, 0] {
            keepers[ready].open();
            // A thread's answer arrives after its notice that it is ready.
            queue.request(|_| Ok(())).await?;
            yield_now().await?;
            assert!(!start.done());
        }
        keepers[2].open();
        start.await?;
        queue.finish().await?;
        visitors.assert_all_have_left(THREADS);
        Ok(())
    })
}

#[test]
fn start_with_failing_args_fails_and_ends_all_threads() -> Result<()> {
    let fails: [fn(usize) -> Result<()>; 2] = [
        |number| match number {
            1 => Err(Error::new(ErrorKind::Value, "no lamp")),
            _ => Ok(()),
        },
        |number| if number == 1 { panic!("no lamp") } else { Ok(()) },
    ];
    for (fails, kind) in fails.into_iter().zip([ErrorKind::Value, ErrorKind::Panic]) {
        run(async move {
            let (queue, keepers, visitors) = waiting(fails)?;
            drop(keepers);
            let error = queue.start().await.unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, "no lamp".to_owned()));
            visitors.assert_all_have_left(THREADS);
            assert!(queue.request(|_| Ok(())).cancelled(), "it has finished");
            queue.finish().await
        })?;
    }
    Ok(())
}

/// No thread is left to take the request.
#[test]
fn start_where_no_thread_gets_args_cancels_the_requests() -> Result<()> {
    run(async {
        let (queue, keepers, visitors) = waiting(|_| Err(Error::new(ErrorKind::Value, "none")))?;
        drop(keepers);
        let early = queue.request(|_| Ok(()));
        assert_eq!(queue.start().await.unwrap_err().message(), "none");
        assert!(early.cancelled());
        visitors.assert_all_have_left(THREADS);
        Ok(())
    })
}

#[test]
fn requests_from_before_the_start_run_in_order() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(1)?;
        let early: Vec<_> = (0..5).map(|_| queue.request(|requests| Ok(*requests))).collect();
        early[1].cancel();
        for _ in 0..5 {
            yield_now().await?;
        }
        assert_eq!((early[0].done(), visitors.have_come()), (false, 0));
        queue.start().await?;
        let late = queue.request(|requests| Ok(*requests));
        assert_eq!(late.await?, 6, "one whose future was cancelled is run all the same");
        let results = [0, 2, 3, 4].map(|at| early[at].result());
        assert_eq!(results.map(Result::ok), [1, 3, 4, 5].map(Some));
        queue.finish().await
    })
}

#[test]
fn a_queue_is_started_once() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(2)?;
        queue.start().await?;
        assert_eq!(queue.start().await.unwrap_err().kind(), ErrorKind::Runtime);
        assert_eq!(queue.request(|requests| Ok(*requests)).await?, 1);
        queue.finish().await?;
        visitors.assert_all_have_left(2);
        Ok(())
    })
}

#[test]
fn a_queue_that_can_have_no_threads_says_so() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let none = ThreadToAsyncQueue::builder(()).num_threads(0).build(&stop).unwrap_err();
        assert_eq!(none.kind(), ErrorKind::Value);
        let queue = ThreadToAsyncQueue::builder(()).name("a\0b").build(&stop)?;
        let early = queue.request(|()| Ok(()));
        assert_eq!(queue.start().await.unwrap_err().kind(), ErrorKind::Value);
        assert!(early.cancelled());
        Ok(())
    })?;
    // Outside of a loop.
    let event_loop = callsoon::EventLoop::with_virtual_time();
    let stop = hp::create_future_on::<()>(&event_loop);
    let error = ThreadToAsyncQueue::builder(()).build(&stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Runtime);
    Ok(())
}

#[test]
fn a_start_that_is_cancelled_leaves_its_threads_to_finish() -> Result<()> {
    run(async {
        let (queue, keepers, visitors) = waiting(|_| Ok(()))?;
        let starting = queue.clone();
        let start = create_task(async move { starting.start().await });
        yield_now().await?;
        keepers.iter().for_each(|keeper| keeper.wait_for_arrival());
        start.cancel();
        assert!(start.await.unwrap_err().is_cancelled());
        let request = queue.request(|number| Ok(*number));
        keepers.iter().for_each(|keeper| keeper.open());
        assert!(request.await? < THREADS);
        queue.finish().await?;
        visitors.assert_all_have_left(THREADS);
        Ok(())
    })
}
