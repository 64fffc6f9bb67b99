//! Streams and servers over sockets of one machine.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use callsoon::net::{
    DEFAULT_LIMIT, Server, StreamReader, StreamWriter, open_connection, start_server,
};
use callsoon::{
    AnyFuture, Error, ErrorKind, EventLoop, Result, Task, create_task, run_on, running_loop,
    yield_now,
};

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

fn port(server: &Server) -> u16 {
    server.addresses()[0].ip().unwrap().port()
}

/// The messages, errors and transports that the loop's exception handler is called with.
fn reports() -> Rc<RefCell<Vec<String>>> {
    let reports = Rc::new(RefCell::new(Vec::new()));
    let kept = reports.clone();
    let keep = move |_: &_, context: &callsoon::ExceptionContext| {
        let error = context.exception.as_ref().map(Error::message).unwrap_or_default();
        let of = if context.transport.is_some() { " of a transport" } else { "" };
        assert!(context.socket.is_none(), "that is for sockets that listen");
        kept.borrow_mut().push(format!("{}: {error}{of}", context.message));
    };
    running_loop().unwrap().set_exception_handler(Some(Rc::new(keep)));
    reports
}

// CPython: test_streams.StreamTests.test_start_server
// CPython: test_streams.StreamTests.test_unhandled_exception
#[test]
fn server_reports_a_client_that_fails_and_serves_on() {
    run(async {
        let reports = reports();
        let count = Rc::new(Cell::new(0));
        let serve = move |reader: StreamReader, writer: StreamWriter| {
            count.set(count.get() + 1);
            let is_first = count.get() == 1;
            async move {
                let line = reader.readline().await?;
                if is_first {
                    return Err(Error::new(ErrorKind::Runtime, "the first"));
                }
                writer.write(&line)
            }
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        for expected in [&b""[..], b"x\n"] {
            let (reader, writer) = open_connection("localhost", port(&server), 100).await?;
            writer.write(b"x\n")?;
            assert_eq!(reader.readline().await?, expected);
        }
        assert_eq!(
            *reports.borrow(),
            ["Unhandled exception in client_connected_cb: the first of a transport"]
        );
        server.close();
        server.wait_closed().await
    });
}

// CPython: test_streams.StreamTests.test_open_connection
#[test]
fn frames_of_two_tasks_are_never_mixed() {
    run(async {
        let received = running_loop()?.create_future::<Vec<u8>>();
        let promise = received.clone();
        let serve = move |reader: StreamReader, writer: StreamWriter| {
            let promise = promise.clone();
            async move {
                let all = reader.read_to_end().await?;
                writer.close();
                promise.set_result(all)
            }
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let (_reader, writer) = open_connection("127.0.0.1", port(&server), 100).await?;
        let writer = Rc::new(writer);
        let send = |byte: u8| {
            let writer = writer.clone();
            create_task(async move {
                for _ in 0..5 {
                    writer.write(&[b'H', byte])?;
                    writer.write(&vec![byte; 200_000])?;
                    writer.drain().await?;
                }
                Ok(())
            })
        };
        let tasks = [send(b'a'), send(b'b')];
        for task in tasks {
            task.await?;
        }
        drop(writer);
        let all = received.await?;
        assert_eq!(all.len(), 10 * 200_002);
        for frame in all.chunks(200_002) {
            assert!(frame[0] == b'H' && frame[2..].iter().all(|byte| *byte == frame[1]));
        }
        server.close();
        server.wait_closed().await
    });
}

// CPython: test_server.BaseStartServer.test_start_server_1
#[test]
fn serve_forever_closes_the_server_when_it_is_cancelled() {
    run(async {
        let cancel = running_loop()?.create_future::<()>();
        let asks = cancel.clone();
        let serve = move |reader: StreamReader, writer: StreamWriter| {
            let asks = asks.clone();
            async move {
                reader.readline().await?;
                asks.set_result(())?;
                writer.write(b"1")
            }
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let own = server.clone();
        let serving = create_task(async move { own.serve_forever().await });
        yield_now().await?;
        assert_eq!(server.serve_forever().await.unwrap_err().kind(), ErrorKind::Runtime);
        assert!(server.is_serving());
        let (reader, writer) = open_connection("127.0.0.1", port(&server), 100).await?;
        writer.write(&[&[b'1'; 5 * 1024][..], b"\n"].concat())?;
        cancel.await?;
        assert!(!serving.done());
        serving.cancel();
        assert!(serving.await.unwrap_err().is_cancelled());
        assert_eq!(reader.read_to_end().await?, b"1");
        assert!(!server.is_serving() && server.addresses().is_empty());
        let closed = server.serve_forever().await.unwrap_err();
        assert_eq!(closed.message(), "server Server { addresses: [], .. } is closed");
        server.wait_closed().await
    });
}

// CPython: test_streams.StreamTests.test_start_unix_server
#[cfg(unix)]
#[test]
fn unix_server_echoes_and_closes_without_a_report() {
    use callsoon::net::{open_unix_connection, start_unix_server};

    run(async {
        let reports = reports();
        let path = std::env::temp_dir().join(format!("callsoon-echo-{}", std::process::id()));
        let serve = async |reader: StreamReader, writer: StreamWriter| {
            let line = reader.readline().await?;
            writer.write(&line)?;
            writer.drain().await?;
            writer.close();
            writer.wait_closed().await
        };
        let server = start_unix_server(serve, &path, DEFAULT_LIMIT).await?;
        let (reader, writer) = open_unix_connection(&path, DEFAULT_LIMIT).await?;
        writer.write(b"hello world!\n")?;
        assert_eq!(reader.readline().await?, b"hello world!\n");
        assert!(!writer.is_closing());
        writer.close();
        assert!(writer.is_closing());
        writer.wait_closed().await?;
        server.close();
        server.wait_closed().await?;
        assert_eq!((reports.take(), path.exists()), (Vec::new(), false));
        Ok(())
    });
}

// CPython: test_server.TestServer2.test_wait_closed_basic
// CPython: test_server.TestServer2.test_close_clients
#[test]
fn wait_closed_waits_for_the_last_connection() {
    run(async {
        let serve = async |reader: StreamReader, _: StreamWriter| reader.read(1).await.map(drop);
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let waits = || {
            let own = server.clone();
            create_task(async move { own.wait_closed().await })
        };
        let mut waiting = vec![waits()];
        yield_now().await?;
        assert!(!waiting[0].done(), "it is not closed");
        let (reader, writer) = open_connection("127.0.0.1", port(&server), 100).await?;
        waiting.push(waits());
        for _ in 0..5 {
            yield_now().await?;
        }
        assert!(!waiting.iter().any(Task::done));
        server.close();
        waiting.push(waits());
        yield_now().await?;
        assert!(!waiting.iter().any(Task::done), "a connection is left");
        server.close_clients();
        yield_now().await?;
        yield_now().await?;
        assert!(waiting.iter().all(Task::done));
        assert_eq!(reader.read(1).await?, b"");
        server.wait_closed().await?;
        writer.close();
        writer.wait_closed().await
    });
}

// CPython: test_server.TestServer2.test_wait_closed_race
#[test]
fn wait_closed_ends_where_server_and_client_close_at_once() {
    for turns in 0..5 {
        run(async move {
            let serve =
                async |reader: StreamReader, _: StreamWriter| reader.read(1).await.map(drop);
            let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
            let (_reader, writer) = open_connection("127.0.0.1", port(&server), 100).await?;
            for _ in 0..turns {
                yield_now().await?;
            }
            let (on, own) = (running_loop()?, server.clone());
            on.call_soon(move || own.close())?;
            on.call_soon(move || writer.close())?;
            server.wait_closed().await
        });
    }
}

#[test]
fn taken_address_is_named_in_the_error() {
    run(async {
        let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
        let serve = async |_: StreamReader, _: StreamWriter| Ok(());
        let port = taken.local_addr()?.port();
        let error = start_server(serve, Some("127.0.0.1"), port, 100).await.unwrap_err();
        let begin = format!("error while attempting to bind on address 127.0.0.1:{port}: ");
        assert!(error.message().starts_with(&begin), "{error}");
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_open_connection_error
#[test]
fn open_connection_refused_closes_nothing_else() {
    run(async {
        let gone = std::net::TcpListener::bind("127.0.0.1:0")?;
        let port = gone.local_addr()?.port();
        drop(gone);
        let error = open_connection("127.0.0.1", port, 100).await.unwrap_err();
        assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
        assert_eq!(
            open_connection("127.0.0.1", port, 0).await.unwrap_err().kind(),
            ErrorKind::Value
        );
        Ok(())
    });
}

#[test]
fn read_that_ends_leaves_the_wait_of_the_next_alone() {
    run(async {
        let reader = std::rc::Rc::new(StreamReader::new()?);
        let own = reader.clone();
        let first = create_task(async move { own.read(10).await });
        yield_now().await?;
        reader.feed_data(b"x");
        assert_eq!(reader.read(10).await?, b"x");
        let own = reader.clone();
        let mut next = std::pin::pin!(async move { own.read(10).await });
        let waits =
            std::future::poll_fn(|cx| std::task::Poll::Ready(next.as_mut().poll(cx).is_pending()));
        assert!(waits.await);
        assert_eq!(first.await?, b"");
        reader.feed_data(b"y");
        assert_eq!(next.await?, b"y");
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_eof_feed_when_closing_writer
// CPython: test_streams.StreamTests.test_unhandled_cancel
#[test]
fn server_task_that_is_cancelled_closes_its_connection() {
    run(async {
        let reports = reports();
        let serve = async |_: StreamReader, writer: StreamWriter| {
            callsoon::current_task().unwrap().cancel();
            yield_now().await?;
            writer.write(b"never")
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let (reader, writer) = open_connection("127.0.0.1", port(&server), 100).await?;
        assert_eq!(reader.read_to_end().await?, b"");
        writer.close();
        writer.wait_closed().await?;
        assert!(reader.at_eof() && reader.read_to_end().await?.is_empty());
        assert!(reports.borrow().is_empty());
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn reading_rests_until_no_more_than_the_limit_is_left() {
    run(async {
        let serve = async |_: StreamReader, writer: StreamWriter| writer.write(&[b'x'; 100]);
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        // Twice the limit is not too much yet.
        let (reader, writer) = open_connection("127.0.0.1", port(&server), 50).await?;
        assert_eq!(reader.readexactly(1).await?, b"x");
        assert!(writer.transport().is_reading());
        writer.transport().abort();
        let (reader, writer) = open_connection("127.0.0.1", port(&server), 10).await?;
        assert_eq!(reader.readexactly(1).await?, b"x");
        assert!(!writer.transport().is_reading());
        for (count, is_reading) in [(50, false), (38, false), (1, true)] {
            assert_eq!(reader.readexactly(count).await?.len(), count);
            assert_eq!(writer.transport().is_reading(), is_reading, "{count}");
        }
        writer.transport().abort();
        server.close();
        server.wait_closed().await
    });
}

// CPython: test_server.TestServer2.test_abort_clients
#[test]
fn aborted_clients_are_gone_in_two_turns() {
    run(async {
        let started = running_loop()?.create_future::<Rc<StreamWriter>>();
        let promise = started.clone();
        let serve = move |_: StreamReader, writer: StreamWriter| {
            let promise = promise.clone();
            async move {
                let writer = Rc::new(writer);
                promise.set_result(writer.clone())?;
                writer.wait_closed().await
            }
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let (_reader, writer) = open_connection("127.0.0.1", port(&server), 4096).await?;
        let served = started.await?;
        // More than both sides and the system hold.
        while served.transport().write_buffer_size() < 1_000_000 {
            served.write(&[b'x'; 100_000])?;
            yield_now().await?;
        }
        assert!(!writer.transport().is_reading());
        let own = server.clone();
        let waiting = create_task(async move { own.wait_closed().await });
        yield_now().await?;
        assert!(!waiting.done());
        server.close();
        server.abort_clients();
        yield_now().await?;
        yield_now().await?;
        assert!(waiting.done());
        waiting.await
    });
}

#[test]
fn serve_forever_ends_with_the_last_of_two_cancellations() {
    run(async {
        let serve = async |reader: StreamReader, _writer: StreamWriter| {
            reader.read_to_end().await.map(drop)
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let (_reader, writer) = open_connection("127.0.0.1", port(&server), 100).await?;
        while callsoon::all_tasks().len() < 2 {
            yield_now().await?;
        }
        let own = server.clone();
        let serving = create_task(async move { own.serve_forever().await });
        yield_now().await?;
        serving.cancel_with("first");
        yield_now().await?;
        serving.cancel_with("second");
        assert_eq!(serving.await.unwrap_err().message(), "second");
        drop(writer);
        server.wait_closed().await
    });
}
