//! Each step of a connection is cancelled at its n-th await, for each n: no descriptor is left, and
//! nothing that was read or written is lost. Descriptors are counted, in a process of its own.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use callsoon::net::{
    DEFAULT_LIMIT, StreamReader, StreamWriter, open_connection, open_unix_connection, start_server,
    start_unix_server,
};
use callsoon::{
    AnyFuture, EventLoop, Result, all_tasks, create_task, current_task, run_on, yield_now,
};

use crate::child::is_child;
use crate::descriptors::descriptors;

pub(crate) async fn until_descriptors_are(count: usize) -> Result<()> {
    while descriptors() != count {
        yield_now().await?;
    }
    Ok(())
}

/// Runs `work` as a task, which is cancelled at its n-th await if it comes there.
async fn cancelled_at<T: Clone + 'static>(
    n: usize,
    work: impl Future<Output = Result<T>> + 'static,
) -> Result<T> {
    let running = async move {
        let (mut work, mut awaits) = (pin!(work), 0);
        let polling = poll_fn(move |cx| {
            let polled = work.as_mut().poll(cx);
            awaits += usize::from(polled.is_pending());
            if polled.is_pending() && awaits == n {
                current_task().expect("a task").cancel();
            }
            polled
        });
        polling.await
    };
    create_task(running).await
}

/// Cancels `step` at each of its awaits, until it is done before. Returns how many it has.
async fn cancel_at_each_await<F: Future<Output = Result<()>> + 'static>(
    step: impl Fn() -> F,
) -> Result<usize> {
    // The first makes what stays: the poller, and the threads of the executor.
    create_task(step()).await?;
    for _ in 0..10 {
        yield_now().await?;
    }
    let before = descriptors();
    for n in 1.. {
        let outcome = cancelled_at(n, step()).await;
        until_descriptors_are(before).await?;
        match outcome {
            Ok(()) => return Ok(n - 1),
            Err(error) => assert!(error.is_cancelled(), "{error:?}"),
        }
    }
    unreachable!("a step ends")
}

/// A loop that reports to none.
fn silent() -> EventLoop {
    let event_loop = EventLoop::new();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| {})));
    event_loop
}

/// Sends back all that comes.
pub(crate) async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let data = reader.read(10_000).await?;
        if data.is_empty() {
            return Ok(());
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
}

#[test]
fn connect_cancelled_at_any_await_leaves_nothing() {
    if !is_child("cancelling::connect_cancelled_at_any_await_leaves_nothing", ":") {
        return;
    }
    let connecting = async {
        let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let connect =
            move || async move { open_connection("localhost", port, 100).await.map(drop) };
        assert!(cancel_at_each_await(connect).await? > 2);
        server.close();
        Ok(())
    };
    run_on(&silent(), connecting).unwrap();
}

#[test]
fn start_of_a_server_cancelled_at_any_await_leaves_nothing() {
    if !is_child("cancelling::start_of_a_server_cancelled_at_any_await_leaves_nothing", ":") {
        return;
    }
    let starting = async {
        let start = async || {
            let server = start_server(echo, Some("localhost"), 0, DEFAULT_LIMIT).await?;
            server.close();
            Ok(())
        };
        assert!(cancel_at_each_await(start).await? > 1);
        let path = std::env::temp_dir().join(format!("callsoon-start-{}", std::process::id()));
        let to = path.clone();
        let start = move || {
            let to = to.clone();
            async move { start_unix_server(echo, to, 100).await.map(|server| server.close()) }
        };
        assert_eq!(cancel_at_each_await(start).await?, 1);
        assert!(!path.exists());
        Ok(())
    };
    run_on(&silent(), starting).unwrap();
}

#[test]
fn accept_cancelled_in_any_turn_leaves_nothing() {
    if !is_child("cancelling::accept_cancelled_in_any_turn_leaves_nothing", ":") {
        return;
    }
    let accepting = async {
        let path = std::env::temp_dir().join(format!("callsoon-accept-{}", std::process::id()));
        let count = Rc::new(Cell::new(0));
        let counting = count.clone();
        let serve = move |reader, writer| {
            counting.set(counting.get() + 1);
            echo(reader, writer)
        };
        let server = start_unix_server(serve, &path, 100).await?;
        let before = descriptors();
        for turns in 0..10 {
            let client = std::os::unix::net::UnixStream::connect(&path)?;
            for _ in 0..turns {
                yield_now().await?;
            }
            let own = current_task().expect("a task");
            for task in all_tasks() {
                if task.id() != own.id() {
                    task.cancel();
                }
            }
            yield_now().await?;
            drop(client);
            until_descriptors_are(before).await?;
        }
        assert!(count.get() > 5, "{}", count.get());
        server.close();
        Ok(())
    };
    run_on(&silent(), accepting).unwrap();
}

/// The parts that the peer sends, each in turns of its own.
const PARTS: [&[u8]; 6] = [b"ab", b"c\nd", b"ef--g", b"\n", b"h--", b"ijklmnop\n"];

async fn send_parts(_reader: StreamReader, writer: StreamWriter) -> Result<()> {
    for part in PARTS {
        writer.write(part)?;
        for _ in 0..3 {
            yield_now().await?;
        }
    }
    Ok(())
}

#[test]
fn read_cancelled_at_any_await_loses_nothing() {
    if !is_child("cancelling::read_cancelled_at_any_await_loses_nothing", ":") {
        return;
    }
    let reading = async {
        let path = std::env::temp_dir().join(format!("callsoon-read-{}", std::process::id()));
        let server = start_unix_server(send_parts, &path, 100).await?;
        let before = descriptors();
        for method in 0..5 {
            for n in 1.. {
                let (reader, writer) = open_unix_connection(&path, 12).await?;
                let (reader, taken) = (Rc::new(reader), Rc::new(Cell::new(Vec::new())));
                let (own, takes) = (reader.clone(), taken.clone());
                let step = async move {
                    // Three in a row, so that there is something before the last.
                    for _ in 0..3 {
                        let read = match method {
                            0 => own.read(3).await?,
                            1 => own.readexactly(4).await?,
                            2 => own.readuntil(b"\n").await?,
                            3 => own.readline().await?,
                            _ => own.readuntil_any(&[b"--", b"\n"]).await?,
                        };
                        let mut all = takes.take();
                        all.extend(read);
                        takes.set(all);
                    }
                    Ok(())
                };
                let outcome = cancelled_at(n, step).await;
                let mut all = taken.take();
                all.extend(reader.read_to_end().await?);
                assert_eq!(all, PARTS.concat(), "method {method}, await {n}: {outcome:?}");
                drop((reader, writer));
                until_descriptors_are(before).await?;
                match outcome {
                    Ok(()) => {
                        assert!(n > 2, "method {method} has {n} awaits");
                        break;
                    }
                    Err(error) => assert!(error.is_cancelled(), "{error:?}"),
                }
            }
        }
        server.close();
        Ok(())
    };
    run_on(&silent(), reading).unwrap();
}

#[test]
fn drain_and_close_cancelled_at_any_await_lose_nothing() {
    if !is_child("cancelling::drain_and_close_cancelled_at_any_await_lose_nothing", ":") {
        return;
    }
    let writing = async {
        let path = std::env::temp_dir().join(format!("callsoon-drain-{}", std::process::id()));
        let (received, done) = (Rc::new(Cell::new(Vec::new())), Rc::new(Cell::new(false)));
        let (receives, ends) = (received.clone(), done.clone());
        let serve = move |reader: StreamReader, writer: StreamWriter| {
            let (receives, ends) = (receives.clone(), ends.clone());
            async move {
                receives.set(reader.read_to_end().await?);
                ends.set(true);
                drop(writer);
                Ok(())
            }
        };
        let server = start_unix_server(serve, &path, DEFAULT_LIMIT).await?;
        let before = descriptors();
        let mut awaits = 0;
        for n in 1.. {
            let (_reader, writer) = open_unix_connection(&path, 100).await?;
            let step = async move {
                for byte in b'a'..b'e' {
                    writer.write(&vec![byte; 200_000])?;
                    writer.drain().await?;
                }
                writer.close();
                writer.wait_closed().await
            };
            let outcome = cancelled_at(n, step).await;
            while !done.replace(false) {
                yield_now().await?;
            }
            let all = received.take();
            let whole = (b'a'..b'e').flat_map(|byte| vec![byte; 200_000]).collect::<Vec<_>>();
            // All that was written before the cancellation is sent, and nothing besides.
            assert!(whole.starts_with(&all) && all.len() % 200_000 == 0, "{n}: {}", all.len());
            assert!(!all.is_empty());
            drop(_reader);
            until_descriptors_are(before).await?;
            if outcome.is_ok() {
                assert_eq!(all.len(), whole.len());
                awaits = n - 1;
                break;
            }
        }
        assert!(awaits > 3, "{awaits}");
        server.close();
        Ok(())
    };
    run_on(&silent(), writing).unwrap();
}
