//! A wait that was forgotten keeps a loop awake as long as its source may still report something,
//! and no longer.

use std::future::poll_fn;
use std::io::Write;
use std::mem;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;

use callsoon::io::Async;
use callsoon::{ErrorKind, Event, EventLoop, Result, create_task, yield_now};

use crate::support::sockets::{LocalStream, async_local_pair, local_pair};

/// Begins to wait for `source`, and forgets the wait.
async fn forget_wait(source: &Async<LocalStream>, reads: bool) {
    let mut wait =
        Box::pin(
            async move { if reads { source.readable().await } else { source.writable().await } },
        );
    poll_fn(|cx| {
        assert!(wait.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    mem::forget(wait);
}

/// Runs `main` and then waits for what can't come.
fn stalls_after(main: impl Future<Output = Result<()>> + 'static) {
    let event_loop = EventLoop::with_virtual_time();
    let ended = event_loop.run_until_complete(async move {
        main.await?;
        create_task(async { Event::new().wait().await }).await
    });
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::Stalled);
}

#[test]
fn stalled_returns_when_a_forgotten_waits_source_is_dropped() {
    stalls_after(async {
        let (ours, _theirs) = local_pair()?;
        forget_wait(&Async::new(ours)?, true).await;
        Ok(())
    });
}

#[test]
fn stalled_comes_back_when_a_forgotten_wait_is_over() {
    for reads in [true, false] {
        let (ours, mut theirs) = local_pair().unwrap();
        stalls_after(async move {
            let ours = Async::new(ours)?;
            forget_wait(&ours, reads).await;
            if reads {
                theirs.write_all(b"x")?;
            }
            yield_now().await?;
            mem::forget((ours, theirs));
            Ok(())
        });
    }
}

#[test]
fn stalled_returns_when_a_forgotten_waits_task_is_cancelled() {
    stalls_after(async {
        let (ours, theirs) = local_pair()?;
        let ours = Rc::new(Async::new(ours)?);
        let source = ours.clone();
        let task = create_task(async move {
            forget_wait(&source, true).await;
            pin!(Event::new().wait()).await
        });
        yield_now().await?;
        assert!(task.cancel());
        assert!(task.await.unwrap_err().is_cancelled());
        mem::forget((ours, theirs));
        Ok(())
    });
}

#[test]
fn stalled_returns_when_a_pending_operation_was_dropped() {
    stalls_after(async {
        let (ours, theirs) = async_local_pair()?;
        let mut buffer = [0];
        let mut read = Box::pin(ours.read(&mut buffer));
        poll_fn(|cx| {
            assert!(read.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(read);
        mem::forget((ours, theirs));
        Ok(())
    });
}

/// The source that is dropped has no wait left that would count.
#[test]
fn loop_waits_for_one_source_when_another_is_dropped() {
    for _ in 0..20 {
        let ((used, mut fills), (waits, mut late)) = (local_pair().unwrap(), local_pair().unwrap());
        let event_loop = EventLoop::with_virtual_time();
        let main = async move {
            let (used, waits) = (Async::new(used)?, Async::new(waits)?);
            let task = create_task(async move { waits.readable().await });
            yield_now().await?;
            for _ in 0..3 {
                fills.write_all(b"x")?;
                used.readable().await?;
            }
            drop(used);
            thread::spawn(move || late.write_all(b"x"));
            task.await
        };
        event_loop.run_until_complete(main).unwrap();
    }
}
