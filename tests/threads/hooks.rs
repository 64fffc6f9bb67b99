//! A program's hooks for its threads are called when they should be, on the right thread.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use callsoon::helpers::{self as hp, ThreadHooks, ThreadToAsyncQueue};
use callsoon::{Error, ErrorKind, Result, gather};

use crate::driver::run;
use crate::parts::{Visitors, door, error_of};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

/// The args of a thread: a numbered connection, and the number of requests that have used it.
struct Connection {
    number: u32,
    uses: u32,
    trace: Trace,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.trace.push(format!("{} closed", self.number));
    }
}

/// Connections are good for two requests.
struct Refreshing(Trace, Mutex<u32>);

impl ThreadHooks for Refreshing {
    type Args = Connection;

    fn create_args(&self, number: usize, existing: Option<Connection>) -> Result<Connection> {
        self.0.push(format!("thread {number} has {:?}", existing.as_ref().map(|c| c.number)));
        match existing {
            Some(existing) if existing.uses < 2 => Ok(existing),
            old => {
                drop(old);
                let mut made = self.1.lock().unwrap();
                *made += 1;
                Ok(Connection { number: *made, uses: 0, trace: self.0.clone() })
            }
        }
    }
}

#[test]
fn args_are_made_once_at_the_start_and_before_each_request() -> Result<()> {
    let trace = Trace::new();
    let hooks = Refreshing(trace.clone(), Mutex::default());
    let said = trace.clone();
    run(async move {
        let stop = hp::create_future::<()>();
        ThreadToAsyncQueue::builder(hooks)
            .build(&stop)?
            .scope(async |queue| {
                said.expect(["thread 0 has None"]);
                for expected in [1, 1, 2, 2, 3] {
                    let used = queue.request(|connection| {
                        connection.uses += 1;
                        Ok(connection.number)
                    });
                    assert_eq!(used.await?, expected);
                }
                said.expect([
                    "thread 0 has Some(1)",
                    "thread 0 has Some(1)",
                    "thread 0 has Some(1)",
                    "1 closed",
                    "thread 0 has Some(2)",
                    "thread 0 has Some(2)",
                    "2 closed",
                ]);
                Ok(())
            })
            .await
    })?;
    trace.expect(["3 closed"]);
    Ok(())
}

/// A thread's own: neither sent nor shared.
struct Own {
    uses: Rc<Cell<u32>>,
    home: ThreadId,
    strayed: Arc<Mutex<Vec<ThreadId>>>,
}

impl Drop for Own {
    fn drop(&mut self) {
        if thread::current().id() != self.home {
            self.strayed.lock().unwrap().push(thread::current().id());
        }
    }
}

struct Owners(Arc<Mutex<Vec<ThreadId>>>);

impl ThreadHooks for Owners {
    type Args = Own;

    fn create_args(&self, _: usize, existing: Option<Own>) -> Result<Own> {
        Ok(existing.unwrap_or_else(|| Own {
            uses: Rc::default(),
            home: thread::current().id(),
            strayed: self.0.clone(),
        }))
    }
}

#[test]
fn args_that_are_not_send_stay_on_their_own_thread() -> Result<()> {
    const THREADS: usize = 3;
    let strayed = Arc::default();
    let hooks = Owners(Arc::clone(&strayed));
    run(async move {
        let stop = hp::create_future::<()>();
        ThreadToAsyncQueue::builder(hooks)
            .num_threads(THREADS)
            .build(&stop)?
            .scope(async |queue| {
                for round in 1..=3 {
                    let (doors, keepers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| door()).unzip();
                    let uses: Vec<_> = doors
                        .into_iter()
                        .map(|door| {
                            queue.request(move |own: &mut Own| {
                                door.pass();
                                let uses = own.uses.clone();
                                uses.set(uses.get() + 1);
                                Ok((uses.get(), own.home == thread::current().id()))
                            })
                        })
                        .collect();
                    // Each is at a thread of its own.
                    keepers.iter().for_each(|keeper| keeper.wait_for_arrival());
                    keepers.iter().for_each(|keeper| keeper.open());
                    for used in uses {
                        assert_eq!(used.await?, (round, true));
                    }
                }
                Ok(())
            })
            .await
    })?;
    assert!(strayed.lock().unwrap().is_empty(), "args were dropped on another thread");
    Ok(())
}

struct Numbers(Arc<Mutex<Vec<(usize, Option<String>)>>>);

impl ThreadHooks for Numbers {
    type Args = usize;

    fn create_args(&self, number: usize, existing: Option<usize>) -> Result<usize> {
        assert!(existing.is_none_or(|existing| existing == number));
        let name = thread::current().name().map(str::to_owned);
        self.0.lock().unwrap().push((number, name));
        Ok(number)
    }
}

#[test]
fn threads_are_numbered_from_zero_and_named_after_the_queue() -> Result<()> {
    let seen = Arc::default();
    let hooks = Numbers(Arc::clone(&seen));
    run(async move {
        let stop = hp::create_future::<()>();
        let builder = ThreadToAsyncQueue::builder(hooks).num_threads(3).name("lamps");
        assert!(format!("{builder:?}").contains("lamps"), "{builder:?}");
        let queue = builder.build(&stop)?;
        queue
            .scope(async |queue| {
                assert!(format!("{queue:?}").contains("threads: 3"), "{queue:?}");
                Ok(())
            })
            .await
    })?;
    let mut seen = seen.lock().unwrap().clone();
    seen.sort();
    let named = |number: usize| (number, Some(format!("lamps-{number}")));
    assert_eq!(seen, [named(0), named(1), named(2)]);
    Ok(())
}

/// Wraps requests in two lines, and refuses every other.
struct Wrapping(Trace, Mutex<u32>);

impl ThreadHooks for Wrapping {
    type Args = u32;

    fn create_args(&self, _: usize, existing: Option<u32>) -> Result<u32> {
        Ok(existing.unwrap_or(0))
    }

    fn wrap_request<R>(
        &self,
        request: impl FnOnce(&mut u32) -> Result<R>,
        args: &mut u32,
    ) -> Result<R> {
        *args += 1;
        if *args % 2 == 0 {
            return Err(Error::new(ErrorKind::Value, "an even one"));
        }
        self.0.push("before");
        let outcome = request(args);
        self.0.push(format!("after {}", outcome.is_ok()));
        outcome
    }

    fn setup(&mut self) -> Result<()> {
        self.0.push("setup");
        *self.1.get_mut().unwrap() = 7;
        Ok(())
    }
}

#[test]
fn what_wraps_a_request_sees_it_begin_and_end_and_may_refuse_it() -> Result<()> {
    let trace = Trace::new();
    let hooks = Wrapping(trace.clone(), Mutex::default());
    run(async move {
        let stop = hp::create_future::<()>();
        let (says, dropped) = (trace.says("within"), trace.says("dropped"));
        let queue = ThreadToAsyncQueue::builder(hooks).build(&stop)?;
        trace.expect(["setup"]);
        queue
            .scope(async |queue| {
                let first = queue.request(move |args| {
                    says();
                    Ok(*args)
                });
                let refused = queue.request({
                    let captured = on_drop(dropped);
                    move |_| {
                        let _captured = captured;
                        Ok(())
                    }
                });
                let failed = queue.request(|_| -> Result<()> { Err(Error::cancelled_with("no")) });
                assert_eq!(first.await?, 1);
                assert_eq!((&refused).await.unwrap_err().message(), "an even one");
                assert_eq!((&failed).await.unwrap_err().message(), "no");
                assert!(failed.cancelled(), "a cancellation cancels");
                trace.expect([
                    "before",
                    "within",
                    "after true",
                    "dropped",
                    "before",
                    "after false",
                ]);
                Ok(())
            })
            .await
    })
}

struct Unfit(Option<Error>);

impl ThreadHooks for Unfit {
    type Args = ();

    fn create_args(&self, _: usize, _: Option<()>) -> Result<()> {
        Ok(())
    }

    fn setup(&mut self) -> Result<()> {
        Err(self.0.take().expect("setup panics"))
    }
}

#[test]
fn a_setup_that_fails_or_panics_leaves_no_queue() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        let build = |hooks| ThreadToAsyncQueue::builder(hooks).build(&stop).unwrap_err();
        let error = Error::new(ErrorKind::Value, "no lamps");
        assert!(build(Unfit(Some(error.clone()))).ptr_eq(&error));
        let panic = build(Unfit(None));
        assert_eq!((panic.kind(), panic.message()), (ErrorKind::Panic, "setup panics".to_owned()));
        Ok(())
    })
}

/// Fails where its visitors have come twice.
struct Failing(Visitors);

impl ThreadHooks for Failing {
    type Args = u32;

    fn create_args(&self, _: usize, existing: Option<u32>) -> Result<u32> {
        self.0.come();
        match self.0.have_come() {
            3 => Err(Error::new(ErrorKind::Value, "the third")),
            4 => panic!("the fourth"),
            _ => Ok(existing.map_or(100, |existing| existing + 1)),
        }
    }
}

#[test]
fn onerror_is_called_on_the_thread_before_the_future_fails() -> Result<()> {
    let trace = Trace::new();
    let told = trace.clone();
    let onerror = move |error: &Error| {
        let thread = thread::current();
        told.push(format!("{} on {}", error.message(), thread.name().unwrap_or_default()));
    };
    run(async move {
        let stop = hp::create_future::<()>();
        let builder = ThreadToAsyncQueue::builder(Failing(Visitors::default()));
        let queue = builder.name("ears").onerror(onerror).build(&stop)?;
        queue
            .scope(async |queue| {
                let request = |fails: bool| {
                    queue.request(move |args| match fails {
                        true => Err(Error::new(ErrorKind::Value, format!("failed with {args}"))),
                        false => Ok(*args),
                    })
                };
                let requests = [true, false, false, false, true].map(request);
                hp::wait_for_all_futures(&requests).await?;
                let messages = [0, 1, 2, 4].map(|at| error_of(&requests[at]).message());
                assert_eq!(
                    messages,
                    ["failed with 101", "the third", "the fourth", "failed with 101"]
                );
                assert_eq!(error_of(&requests[2]).kind(), ErrorKind::Panic);
                // The args from before the failure were dropped with it, so these are new.
                assert_eq!(requests[3].result()?, 100);
                trace.expect([
                    "failed with 101 on ears-0",
                    "the third on ears-0",
                    "the fourth on ears-0",
                    "failed with 101 on ears-0",
                ]);
                Ok(())
            })
            .await
    })
}

#[test]
fn each_request_has_its_own_future() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        ThreadToAsyncQueue::builder(())
            .num_threads(4)
            .build(&stop)?
            .scope(async |queue| {
                let futures: Vec<_> =
                    (0..500u32).map(|n| queue.request(move |()| Ok(n * 2))).collect();
                let results = gather(&futures).await?;
                assert_eq!(results, (0..500).map(|n| n * 2).collect::<Vec<_>>());
                Ok(())
            })
            .await
    })
}
