//! Nothing is left of a connection, whatever is cancelled: each step is cancelled in its n-th turn, for
//! each n. Descriptors are counted, in a process of its own.

use std::fs;
use std::time::Duration;

use callsoon::net::{
    DEFAULT_LIMIT, StreamReader, StreamWriter, open_connection, open_unix_connection, start_server,
    start_unix_server,
};
use callsoon::{ErrorKind, EventLoop, Result, create_task, running_loop, timeout, yield_now};

use crate::cancelling::until_descriptors_are;
use crate::child::is_child;
use crate::descriptors::descriptors;

/// The most turns of a step that are tried: the number of all depends on the machine.
const MOST_TURNS: usize = 40;

/// Sends back a line of half a megabyte, by parts, and waits for the end.
async fn answer(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    let line = reader.readline().await?;
    for part in line.chunks(100_000) {
        writer.write(part)?;
        writer.drain().await?;
    }
    writer.close();
    writer.wait_closed().await
}

async fn converse((reader, writer): (StreamReader, StreamWriter)) -> Result<()> {
    let mut line = vec![b'x'; 500_000];
    line.push(b'\n');
    writer.write(&line)?;
    writer.drain().await?;
    assert_eq!(reader.readexactly(line.len()).await?, line);
    assert!(reader.readline().await?.is_empty());
    writer.close();
    writer.wait_closed().await
}

fn cancel_at_each_turn<F: Future<Output = Result<()>> + 'static>(
    event_loop: &EventLoop,
    step: impl Fn() -> F + 'static,
) {
    let cancelling = async move {
        // The first one makes what stays: the poller, and the threads of the executor.
        create_task(step()).await?;
        for _ in 0..10 {
            yield_now().await?;
        }
        let before = descriptors();
        for turns in 0..MOST_TURNS {
            let task = create_task(step());
            for _ in 0..turns {
                yield_now().await?;
            }
            let cancelled = task.cancel();
            let outcome = task.await;
            assert_eq!(outcome.is_err(), cancelled, "{outcome:?}");
            until_descriptors_are(before).await?;
            if !cancelled {
                assert!(turns > 5, "{turns}");
                break;
            }
        }
        Ok(())
    };
    event_loop.run_until_complete(cancelling).unwrap();
}

#[test]
fn cancelled_client_of_streams_leaves_nothing() {
    if !is_child("faults::cancelled_client_of_streams_leaves_nothing", ":") {
        return;
    }
    let event_loop = EventLoop::new();
    let start = async {
        running_loop()?.set_exception_handler(Some(std::rc::Rc::new(|_, _| {})));
        start_server(answer, Some("127.0.0.1"), 0, 1_000_000).await
    };
    let server = event_loop.run_until_complete(start).unwrap();
    let port = server.addresses()[0].ip().unwrap().port();
    cancel_at_each_turn(&event_loop, move || async move {
        converse(open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?).await
    });
}

// CPython: test_server.SelectorStartServerTests.test_start_unix_server_1
#[test]
fn cancelled_server_of_streams_leaves_nothing() {
    if !is_child("faults::cancelled_server_of_streams_leaves_nothing", ":") {
        return;
    }
    let event_loop = EventLoop::new();
    event_loop.set_exception_handler(Some(std::rc::Rc::new(|_, _| {})));
    let cancelling = async {
        let path = std::env::temp_dir().join(format!("callsoon-faults-{}", std::process::id()));
        let mut before = None;
        for turns in 1..=MOST_TURNS {
            let server = start_unix_server(answer, &path, 1_000_000).await?;
            let own = server.clone();
            let serving = create_task(async move { own.serve_forever().await });
            let to = path.clone();
            let client =
                create_task(async move { converse(open_unix_connection(to, 100).await?).await });
            for _ in 0..turns {
                yield_now().await?;
            }
            serving.cancel();
            assert!(serving.await.unwrap_err().is_cancelled());
            assert!(!server.is_serving() && server.sockets().is_empty() && !path.exists());
            let closed = server.serve_forever().await.unwrap_err();
            assert!(closed.message().ends_with("is closed"), "{closed}");
            // A connection that was accepted ends as if nothing had been; another one is refused.
            let conversed = client.await;
            assert!(turns < 20 || conversed.is_ok(), "{conversed:?}");
            // The first one makes what stays: the poller.
            until_descriptors_are(*before.get_or_insert_with(descriptors)).await?;
        }
        Ok(())
    };
    event_loop.run_until_complete(cancelling).unwrap();
}

#[test]
fn server_without_descriptors_rests_and_serves_on() {
    if !is_child("faults::server_without_descriptors_rests_and_serves_on", "ulimit -n 40") {
        return;
    }
    let event_loop = EventLoop::with_virtual_time();
    let clock = event_loop.clone();
    let serving = async move {
        let on = running_loop()?;
        let reported = on.create_future::<()>();
        let report = reported.clone();
        on.set_exception_handler(Some(std::rc::Rc::new(move |_, context| {
            assert_eq!(context.message, "socket.accept() out of system resource");
            let _ = report.set_result(());
        })));
        let server = start_server(answer, Some("127.0.0.1"), 0, 1_000_000).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let client = std::net::TcpStream::connect(("127.0.0.1", port))?;
        client.set_nonblocking(true)?;
        let eaten: Vec<fs::File> =
            std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        reported.await?;
        assert_eq!(clock.time().as_secs(), 0);
        drop(eaten);
        let client = callsoon::io::TcpStream::try_from(client)?;
        client.write_all(b"line\n").await?;
        let mut line = [0; 5];
        client.read_exact(&mut line).await?;
        assert_eq!((&line, clock.time().as_secs()), (b"line\n", 1));
        Ok(())
    };
    event_loop.run_until_complete(serving).unwrap();
}

#[test]
fn server_that_cannot_serve_leaves_no_path() {
    if !is_child("faults::server_that_cannot_serve_leaves_no_path", "ulimit -n 40") {
        return;
    }
    let path = std::env::temp_dir().join(format!("callsoon-no-path-{}", std::process::id()));
    let own = path.clone();
    let serving = async move {
        assert_eq!(start_unix_server(answer, &own, 0).await.unwrap_err().kind(), ErrorKind::Value);
        assert!(!own.exists());
        // There is room for the socket, and none for a poller.
        let mut eaten: Vec<fs::File> =
            std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        eaten.pop();
        let error = start_unix_server(answer, &own, 1).await.unwrap_err();
        assert_eq!((error.kind(), own.exists()), (ErrorKind::Io, false), "{error}");
        drop(eaten);
        start_unix_server(answer, &own, 1).await.map(|server| server.close())
    };
    EventLoop::new().run_until_complete(serving).unwrap();
}

#[test]
fn connecting_without_descriptors_leaves_nothing() {
    if !is_child("faults::connecting_without_descriptors_leaves_nothing", "ulimit -n 40") {
        return;
    }
    let connecting = async move {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        // The first one makes what stays: the poller.
        drop(open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?);
        yield_now().await?;
        let before = descriptors();
        let eaten: Vec<fs::File> =
            std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        let error = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        drop(eaten);
        assert_eq!(descriptors(), before);
        open_connection("127.0.0.1", port, DEFAULT_LIMIT).await.map(drop)
    };
    EventLoop::new().run_until_complete(connecting).unwrap();
}

#[test]
fn writer_to_a_peer_that_never_reads_stays_below_its_limit() {
    const PIECE: usize = 10_000;

    let event_loop = EventLoop::with_virtual_time();
    let writing = async move {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let (_reader, writer) = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?;
        let (_peer, _) = listener.accept()?;
        let (_, high) = writer.transport().write_buffer_limits();
        let filling = async |_| -> Result<()> {
            loop {
                writer.write(&[b'x'; PIECE])?;
                assert!(writer.transport().write_buffer_size() <= high + PIECE);
                writer.drain().await?;
            }
        };
        let limit = Duration::from_secs(1);
        let outcome = timeout(limit, filling).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Timeout);
        assert!(writer.transport().write_buffer_size() > high);
        writer.transport().abort();
        Ok(())
    };
    event_loop.run_until_complete(writing).unwrap();
}
