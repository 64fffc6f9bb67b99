//! Sockets in poll functions written by hand: the same promises as the methods that are awaited.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, Read, Write};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use callsoon::io::Async;
use callsoon::{ErrorKind, EventLoop, Lock, Result, create_task, run_on, wait_for, yield_now};

use crate::run::{run, settle};
use crate::support::sockets::{AsyncLocalStream, LocalStream, local_pair};
use crate::support::trace::Trace;

/// Of virtual time: it passes when nothing happens any more.
const LONG: Duration = Duration::from_secs(60);

/// Returns a connection. Its second side is a plain socket that never blocks.
fn pair() -> Result<(AsyncLocalStream, LocalStream)> {
    let (ours, theirs) = local_pair()?;
    theirs.set_nonblocking(true)?;
    Ok((AsyncLocalStream::from(ours)?, theirs))
}

async fn read(stream: &mut AsyncLocalStream, buffer: &mut [u8]) -> Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buffer)).await
}

/// Polls once, with the waker of the task that this runs in.
async fn poll_once<R>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>) -> Poll<R> {
    poll_fn(|cx| Poll::Ready(poll(cx))).await
}

#[test]
fn bytes_come_through_up_to_the_end_in_both_directions() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        let mut buffer = [0; 4];
        assert_eq!(read(&mut ours, &mut []).await?, 0);
        theirs.write_all(b"abcdef")?;
        assert_eq!(read(&mut ours, &mut buffer).await?, 4);
        assert_eq!(read(&mut ours, &mut buffer).await?, 2);
        assert_eq!(&buffer, b"efcd");
        let parts = [IoSlice::new(b"one"), IoSlice::new(b""), IoSlice::new(b", two")];
        assert_eq!(poll_fn(|cx| ours.poll_write(cx, &parts)).await?, 8);
        assert_eq!(poll_fn(|cx| ours.poll_write(cx, &[])).await?, 0);
        let mut answer = [0; 16];
        assert_eq!(theirs.read(&mut answer)?, 8);
        assert_eq!(&answer[..8], b"one, two");
        drop(theirs);
        assert_eq!(read(&mut ours, &mut buffer).await?, 0);
        Ok(())
    });
}

#[test]
fn a_list_is_written_in_its_order_however_long_it_is() {
    run(async {
        let (ours, mut theirs) = pair()?;
        let bytes: Vec<u8> = (0..5000).map(|at| (at % 251) as u8).collect();
        for lengths in [&[1][..], &[3, 0, 4], &[600, 424], &[600, 425], &[1, 4000, 999]] {
            let mut rest = &bytes[..];
            let parts = lengths.iter().map(|&length| {
                let (part, behind) = rest.split_at(length);
                rest = behind;
                IoSlice::new(part)
            });
            let (parts, length): (Vec<_>, usize) = (parts.collect(), lengths.iter().sum());
            assert_eq!(poll_fn(|cx| ours.poll_write(cx, &parts)).await?, length);
            let mut answer = vec![0; 5000];
            assert_eq!(theirs.read(&mut answer)?, length);
            assert_eq!(answer[..length], bytes[..length], "{lengths:?}");
        }
        Ok(())
    });
}

#[test]
fn polling_task_is_woken_when_readable_and_when_writable() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        let trace = Trace::new();
        let says = trace.clone();
        let task = create_task(async move {
            says.push(format!("read {}", read(&mut ours, &mut [0; 8]).await?));
            let much = [7; 65536];
            while let Poll::Ready(count) =
                poll_once(|cx| ours.poll_write(cx, &[IoSlice::new(&much)])).await
            {
                assert!(count? > 0);
            }
            says.push("full");
            poll_fn(|cx| ours.poll_write(cx, &[IoSlice::new(b"!")])).await?;
            says.push("written");
            Ok(())
        });
        settle().await?;
        trace.expect_nothing();
        theirs.write_all(b"go")?;
        settle().await?;
        trace.expect(["read 2", "full"]);
        let mut drain = vec![0; 1 << 20];
        while theirs.read(&mut drain).is_ok() {}
        task.await?;
        trace.expect(["written"]);
        Ok(())
    });
}

#[test]
fn pending_wait_does_not_try_the_source_until_it_is_ready() {
    run(async {
        let (ours, mut theirs) = local_pair()?;
        let ours = Async::new(ours)?;
        let tries = Rc::new(Cell::new(0));
        let counts = tries.clone();
        let mut poll = move |cx: &mut Context<'_>| {
            ours.poll_read_with(cx, |mut source| {
                counts.set(counts.get() + 1);
                source.read(&mut [0; 8])
            })
        };
        for _ in 0..3 {
            assert!(poll_once(&mut poll).await.is_pending());
        }
        assert_eq!(tries.get(), 1);
        theirs.write_all(b"now")?;
        assert_eq!(poll_fn(poll).await?, 3);
        assert_eq!(tries.get(), 2);
        Ok(())
    });
}

/// A read that left room in its buffer makes the next one wait first, unless more has come since.
#[test]
fn poll_after_an_alarm_that_nothing_waited_for_is_ready() {
    run(async {
        let ((mut ours, mut theirs), (mut other, _silent)) = (pair()?, pair()?);
        // The loop looks for events as long as something waits for one.
        let waits = create_task(async move { read(&mut other, &mut [0; 8]).await });
        let mut buffer = [0; 8];
        assert!(poll_once(|cx| ours.poll_read(cx, &mut buffer)).await.is_pending());
        theirs.write_all(b"a")?;
        assert_eq!(read(&mut ours, &mut buffer).await?, 1);
        theirs.write_all(b"bc")?;
        for _ in 0..3 {
            yield_now().await?;
        }
        let polled = poll_once(|cx| ours.poll_read(cx, &mut buffer)).await;
        assert!(matches!(polled, Poll::Ready(Ok(2))), "{polled:?}");
        waits.cancel();
        Ok(())
    });
}

#[test]
fn a_cancel_ends_the_wait_and_the_next_poll_goes_on() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        let trace = Trace::new();
        let says = trace.clone();
        let task = create_task(async move {
            let error = read(&mut ours, &mut [0; 8]).await.unwrap_err();
            says.push(format!("{error} {}", error.is_cancelled()));
            says.push(format!("read {}", read(&mut ours, &mut [0; 8]).await?));
            Err::<(), _>(error)
        });
        settle().await?;
        task.cancel_with("enough");
        settle().await?;
        trace.expect(["CancelledError: enough true"]);
        theirs.write_all(b"kept")?;
        assert!(task.await.unwrap_err().is_cancelled());
        trace.expect(["read 4"]);
        Ok(())
    });
}

#[test]
fn a_wait_that_another_method_took_over_is_begun_anew() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        let mut buffer = [0; 8];
        assert!(poll_once(|cx| ours.poll_read(cx, &mut buffer)).await.is_pending());
        let writes = create_task(async move {
            theirs.write_all(b"one")?;
            settle().await?;
            theirs.write_all(b"three")?;
            Ok(())
        });
        assert_eq!(ours.read(&mut buffer).await?, 3);
        // With a limit, because a read that was forgotten would never be woken.
        let again = wait_for(async move { read(&mut ours, &mut buffer).await }, LONG);
        assert_eq!(again.await?, 5);
        writes.await
    });
}

/// Its drop would end its wait.
#[test]
fn wait_of_a_forgotten_future_is_taken_over() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        let mut buffer = [0; 8];
        assert!(poll_once(|cx| ours.poll_read(cx, &mut buffer)).await.is_pending());
        let mut elsewhere = [0; 8];
        let mut forgotten = ManuallyDrop::new(Box::pin(ours.read(&mut elsewhere)));
        assert!(poll_once(|cx| forgotten.as_mut().poll(cx)).await.is_pending());
        // Its own wait has a signal that nothing completes any more.
        assert!(poll_once(|cx| ours.poll_read(cx, &mut buffer)).await.is_pending());
        theirs.write_all(b"one")?;
        let read = wait_for(async move { read(&mut ours, &mut buffer).await }, LONG);
        assert_eq!(read.await?, 3);
        Ok(())
    });
}

#[test]
fn peer_that_is_always_ready_does_not_starve_others() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        theirs.write_all(&[0; 200])?;
        let read_before = Rc::new(Cell::new(0));
        let (reads, seen) = (read_before.clone(), read_before.clone());
        let other = create_task(async move { Ok(seen.get()) });
        for _ in 0..200 {
            read(&mut ours, &mut [0]).await?;
            reads.set(reads.get() + 1);
        }
        assert_eq!(other.await?, 64);
        Ok(())
    });
}

/// A cancel that comes while the loop has its turn is returned, and nothing was read.
#[test]
fn cancel_reaches_a_reader_that_yields() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        theirs.write_all(&[0; 65])?;
        let task = create_task(async move {
            for _ in 0..64 {
                read(&mut ours, &mut [0]).await?;
            }
            let error = read(&mut ours, &mut [0; 8]).await.unwrap_err();
            assert!(error.is_cancelled());
            read(&mut ours, &mut [0; 8]).await
        });
        let cancels = task.clone();
        create_task(async move { Ok(cancels.cancel()) });
        assert_eq!(task.await?, 1);
        Ok(())
    });
}

#[test]
fn a_wait_that_is_left_goes_with_its_source() {
    let event_loop = EventLoop::with_virtual_time();
    let stalled = run_on(&event_loop, async {
        let (ours, theirs) = pair()?;
        assert!(poll_once(|cx| ours.poll_read(cx, &mut [0])).await.is_pending());
        drop(ours);
        let (ours, _theirs) = pair()?;
        assert!(poll_once(|cx| ours.poll_read(cx, &mut [0])).await.is_pending());
        drop(ours.into_inner());
        drop(theirs);
        // No task waits for a socket any more: else the loop would wait, too.
        callsoon::running_loop()?.create_future::<()>().await
    });
    assert_eq!(stalled.unwrap_err().kind(), ErrorKind::Stalled);
}

#[test]
fn after_the_loop_has_closed_a_wait_is_refused() {
    let event_loop = EventLoop::with_virtual_time();
    let (ours, _theirs) = local_pair().unwrap();
    let ours = Async::new_on(&event_loop, ours).unwrap();
    event_loop.close().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let blocks = |_: &LocalStream| Err::<(), _>(io::ErrorKind::WouldBlock.into());
    let Poll::Ready(Err(refused)) = ours.poll_write_with(&mut cx, blocks) else {
        panic!("it waits on a loop that has closed");
    };
    assert_eq!(refused.kind(), ErrorKind::Closed);
}

#[test]
fn both_directions_can_be_polled_by_a_shared_reference() {
    run(async {
        let (ours, mut theirs) = pair()?;
        let ours = Rc::new(ours);
        let reader = ours.clone();
        let reads = create_task(async move {
            let mut buffer = [0; 4];
            let count = poll_fn(|cx| reader.poll_read(cx, &mut buffer)).await?;
            Ok(buffer[..count].to_vec())
        });
        settle().await?;
        assert_eq!(poll_fn(|cx| ours.poll_write(cx, &[IoSlice::new(b"out")])).await?, 3);
        let mut answer = [0; 4];
        assert_eq!(theirs.read(&mut answer)?, 3);
        theirs.write_all(b"in")?;
        assert_eq!(reads.await?, b"in");
        Ok(())
    });
}

#[test]
fn operation_that_polls_its_own_direction_disturbs_nothing() {
    run(async {
        let (ours, mut theirs) = local_pair()?;
        let ours = Async::new(ours)?;
        let poll = |cx: &mut Context<'_>| {
            let waker = cx.waker().clone();
            ours.poll_read_with(cx, |mut source| {
                let mut cx = Context::from_waker(&waker);
                let inner = ours.poll_read_with(&mut cx, |mut source| source.read(&mut [0; 1]));
                assert!(inner.is_pending());
                source.read(&mut [0; 8])
            })
        };
        assert!(poll_once(poll).await.is_pending());
        theirs.write_all(b"now")?;
        assert_eq!(poll_fn(|cx| ours.poll_read(cx, &mut [0; 8])).await?, 3);
        Ok(())
    });
}

#[test]
fn nested_poll_does_not_end_a_later_wait_of_its_task() {
    run(async {
        let (ours, mut theirs) = local_pair()?;
        let (ours, lock) = (Async::new(ours)?, Lock::new());
        lock.acquire().await?;
        let (trace, wanted) = (Trace::new(), lock.clone());
        let says = trace.clone();
        let task = create_task(async move {
            let poll = |cx: &mut Context<'_>| {
                let waker = cx.waker().clone();
                ours.poll_read_with(cx, |_| {
                    let mut cx = Context::from_waker(&waker);
                    let inner = ours.poll_read_with(&mut cx, |mut source| source.read(&mut [0; 1]));
                    assert!(inner.is_pending());
                    Ok(())
                })
            };
            poll_fn(poll).await?;
            says.push("waits");
            wanted.acquire().await?;
            says.push("has it");
            Ok(())
        });
        settle().await?;
        trace.expect(["waits"]);
        // The byte for the inner poll comes when the task waits for something else.
        theirs.write_all(b"x")?;
        settle().await?;
        trace.expect_nothing();
        lock.release()?;
        task.await?;
        trace.expect(["has it"]);
        Ok(())
    });
}
