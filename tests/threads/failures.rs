//! A failure on a thread is reported to a caller or in the log, and ends nothing else.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use callsoon::helpers::{self as hp, ThreadHooks, ThreadToAsyncQueue};
use callsoon::{AnyFuture, Error, ErrorKind, EventLoop, Result, run_on, yield_now};

use crate::driver::{Reports, run};
use crate::parts::{Bomb, Visitors, counted, door, error_of};
use crate::support::log_lines::{keep_log, logged_by, logged_here};

struct Touchy(AtomicBool);

impl ThreadHooks for Touchy {
    type Args = u32;

    fn create_args(&self, _: usize, existing: Option<u32>) -> Result<u32> {
        Ok(existing.unwrap_or(1))
    }

    fn wrap_request<R>(
        &self,
        request: impl FnOnce(&mut u32) -> Result<R>,
        args: &mut u32,
    ) -> Result<R> {
        if self.0.swap(false, SeqCst) {
            panic!("wrapped badly");
        }
        request(args)
    }
}

#[test]
fn panic_of_a_request_or_wrapper_fails_its_future_alone() -> Result<()> {
    run(async {
        let stop = hp::create_future::<()>();
        ThreadToAsyncQueue::builder(Touchy(AtomicBool::new(true)))
            .build(&stop)?
            .scope(async |queue| {
                let wrapped = queue.request(|_| Ok(()));
                let panics = queue.request(|args| -> Result<()> {
                    *args += 1;
                    panic!("asked for {args}")
                });
                hp::wait_for_all_futures([&wrapped, &panics]).await?;
                for (future, message) in [(wrapped, "wrapped badly"), (panics, "asked for 2")] {
                    let error = error_of(&future);
                    assert_eq!((error.kind(), error.message()), (ErrorKind::Panic, message.into()));
                }
                assert_eq!(queue.request(|args| Ok(*args)).await?, 2, "its args are still there");
                Ok(())
            })
            .await
    })
}

#[test]
fn an_onerror_that_panics_is_logged_and_the_request_answered() -> Result<()> {
    keep_log();
    run(async {
        let stop = hp::create_future::<()>();
        ThreadToAsyncQueue::builder(())
            .name("deaf")
            .onerror(|error| panic!("can't bear {}", error.message()))
            .build(&stop)?
            .scope(async |queue| {
                let failed = queue
                    .request(|()| -> Result<()> { Err(Error::new(ErrorKind::Value, "a lamp")) });
                assert_eq!((&failed).await.unwrap_err().message(), "a lamp");
                queue.request(|()| Ok(())).await
            })
            .await
    })?;
    assert_eq!(logged_by("deaf"), ["ERROR: onerror failed: Panic(\"can't bear a lamp\")"]);
    Ok(())
}

struct Brittle;

impl ThreadHooks for Brittle {
    type Args = Bomb;

    fn create_args(&self, _: usize, existing: Option<Bomb>) -> Result<Bomb> {
        Ok(existing.unwrap_or_else(|| Bomb("the args")))
    }
}

#[test]
fn panic_in_the_drop_of_args_ends_the_thread_and_is_logged() -> Result<()> {
    keep_log();
    run(async {
        let stop = hp::create_future::<()>();
        let queue = ThreadToAsyncQueue::builder(Brittle).name("brittle").build(&stop)?;
        queue.scope(async |queue| queue.request(|_| Ok(())).await).await
    })?;
    assert_eq!(logged_by("brittle"), ["ERROR: a thread has ended: Panic(\"the args\")"]);
    Ok(())
}

#[test]
fn panic_in_the_drop_of_an_untaken_result_is_reported() -> Result<()> {
    let event_loop = EventLoop::with_virtual_time();
    let reports = Reports::of(&event_loop);
    run_on(&event_loop, async move {
        let (queue, visitors, _stop) = counted(1)?;
        queue.start().await?;
        let cancelled = queue.request(|_| Ok(Bomb("the result")));
        cancelled.cancel();
        queue.request(|_| Ok(())).await?;
        let told = reports.take();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].exception.as_ref().map(Error::message).as_deref(), Some("the result"));
        queue.finish().await?;
        visitors.assert_all_have_left(1);
        Ok(())
    })
}

/// The request runs, and what it had captured goes with it.
#[test]
fn panic_in_the_drop_of_captures_fails_the_request_alone() -> Result<()> {
    run(async {
        let (queue, visitors, _stop) = counted(1)?;
        queue.start().await?;
        let bomb = Bomb("captured");
        let request = queue.request(move |_| {
            let _bomb = &bomb;
            Ok(())
        });
        hp::wait_for_all_futures([&request]).await?;
        assert_eq!(error_of(&request).message(), "captured");
        assert_eq!(queue.request(|requests| Ok(*requests)).await?, 2);
        queue.finish().await?;
        visitors.assert_all_have_left(1);
        Ok(())
    })
}

#[test]
fn untaken_requests_are_all_cancelled_though_drops_panic() -> Result<()> {
    keep_log();
    for finishes in [true, false] {
        run(async move {
            let (queue, _visitors, _stop) = counted(1)?;
            let requests = [(); 3].map(|()| {
                let bomb = Bomb("never taken");
                queue.request(move |_| {
                    let _bomb = &bomb;
                    Ok(())
                })
            });
            if finishes {
                queue.finish().await?;
            } else {
                drop(queue);
                yield_now().await?;
            }
            assert!(requests.iter().all(AnyFuture::cancelled));
            Ok(())
        })?;
        let line = "ERROR: a panic in a drop of a request: Panic(\"never taken\")";
        assert_eq!(logged_here(), [line; 3]);
    }
    Ok(())
}

struct Absent;

impl ThreadHooks for Absent {
    type Args = ();

    fn create_args(&self, _: usize, _: Option<()>) -> Result<()> {
        Err(Error::new(ErrorKind::Value, "absent"))
    }
}

/// They were on the threads' own queue already.
#[test]
fn requests_of_threads_without_args_are_all_cancelled() -> Result<()> {
    keep_log();
    run(async {
        let stop = hp::create_future::<()>();
        let queue = ThreadToAsyncQueue::builder(Absent).num_threads(2).build(&stop)?;
        let requests = [(); 3].map(|()| {
            let bomb = Bomb("untaken");
            queue.request(move |_| {
                let _bomb = &bomb;
                Ok(())
            })
        });
        assert_eq!(queue.start().await.unwrap_err().message(), "absent");
        assert!(requests.iter().all(AnyFuture::cancelled));
        Ok(())
    })?;
    let line = "ERROR: a panic in a drop of a request: Panic(\"untaken\")";
    assert_eq!(logged_here(), [line; 3]);
    Ok(())
}

struct LeavingBadly(Visitors);

impl Drop for LeavingBadly {
    fn drop(&mut self) {
        panic!("the hooks");
    }
}

impl ThreadHooks for LeavingBadly {
    type Args = ();

    fn create_args(&self, _: usize, existing: Option<()>) -> Result<()> {
        if existing.is_none() {
            self.0.come();
        }
        Ok(())
    }
}

/// Their last holder is a thread, as its queue is gone.
#[test]
fn panic_in_the_drop_of_hooks_ends_the_thread_and_is_logged() -> Result<()> {
    keep_log();
    let visitors = Visitors::default();
    let come = visitors.clone();
    run(async move {
        let stop = hp::create_future::<()>();
        let queue = ThreadToAsyncQueue::builder(LeavingBadly(come)).name("badly").build(&stop)?;
        queue.start().await?;
        let (at_it, keeper) = door();
        let request = queue.request(move |()| {
            at_it.pass();
            Ok(())
        });
        keeper.wait_for_arrival();
        drop(queue);
        keeper.open();
        request.await
    })?;
    visitors.wait_until_left(1);
    assert_eq!(logged_by("badly"), ["ERROR: a thread has ended: Panic(\"the hooks\")"]);
    Ok(())
}
