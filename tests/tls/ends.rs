//! The calls of a protocol over TLS, and the ends of a connection.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use callsoon::io::ConnectOptions;
use callsoon::net::{Protocol, Server, Transport};
use callsoon::{
    Error, ErrorKind, EventLoop, LoopRef, Result, run_on, running_loop, sleep, yield_now,
};

use crate::run::{Noting, client_side, connect, port, run, server_side};
use crate::support::log_lines::log_lines_of;

struct Pair {
    server: Server,
    transport: Transport,
    client: Rc<Noting>,
    served: Rc<Noting>,
}

/// A connection over which "hello" was sent, and sent back.
async fn pair(on: &LoopRef) -> Result<Pair> {
    let served = Rc::new(Noting { echoes: true, ..Noting::default() });
    let own = served.clone();
    let factory = move || own.clone();
    let server = on.create_server_tls(factory, Some("127.0.0.1"), 0, &server_side()).await?;
    let (transport, client) = connect(on, port(&server), &client_side("localhost")).await?;
    assert_eq!(*client.calls.borrow(), ["made"]);
    transport.write(b"hello")?;
    while client.calls.borrow().len() < 2 {
        yield_now().await?;
    }
    let begin = ["made", "data hello"];
    assert_eq!(
        (client.calls.take(), served.calls.take()),
        (begin.map(str::to_owned).into(), begin.map(str::to_owned).into())
    );
    Ok(Pair { server, transport, client, served })
}

/// The calls are those that CPython's protocols got, whichever closes.
// CPython: test_sslproto.SslProtoHandshakeTests.test_get_extra_info_on_closed_connection
// CPython: test_sslproto.SslProtoHandshakeTests.test_write_after_closing
#[test]
fn protocols_over_tls_are_called_in_order() {
    run(async {
        let on = running_loop()?;
        for by in ["client", "server", "abort"] {
            let Pair { server, transport, client, served } = pair(&on).await?;
            match by {
                "client" => transport.close(),
                "server" => served.transport.borrow().clone().unwrap().close(),
                _ => transport.abort(),
            }
            let expected = if by == "abort" { &["lost None"][..] } else { &["eof", "lost None"] };
            assert_eq!(client.until_lost().await?, expected, "{by}");
            assert_eq!(served.until_lost().await?, ["eof", "lost None"], "{by}");
            assert!(transport.is_closing() && transport.socket().is_none());
            assert!(transport.peername().is_some());
            // It is lost, and does nothing.
            transport.write(b"late")?;
            transport.close();
            transport.abort();
            server.close();
            server.wait_closed().await?;
        }
        Ok(())
    });
}

#[test]
fn end_of_the_socket_is_the_end_of_tls() {
    run(async {
        let on = running_loop()?;
        let Pair { server, transport, client, served } = pair(&on).await?;
        rustix::net::shutdown(transport.socket().unwrap(), rustix::net::Shutdown::Write)?;
        assert_eq!(served.until_lost().await?, ["eof", "lost None"]);
        assert_eq!(client.until_lost().await?, ["eof", "lost None"]);
        server.close();
        Ok(())
    });
}

#[test]
fn connection_that_is_not_read_to_its_end_is_closed() {
    run(async {
        let on = running_loop()?;
        let Pair { server, transport, client, served } = pair(&on).await?;
        let reading = served.transport.borrow().clone().unwrap();
        reading.pause_reading();
        transport.write(b"unread")?;
        rustix::net::shutdown(transport.socket().unwrap(), rustix::net::Shutdown::Write)?;
        while !reading.is_closing() {
            yield_now().await?;
        }
        reading.close();
        assert_eq!(served.until_lost().await?, ["eof", "lost None"]);
        assert_eq!(client.until_lost().await?, ["eof", "lost None"]);
        server.close();
        Ok(())
    });
}

#[test]
fn end_that_is_not_answered_is_given_up_after_its_time() {
    let event_loop = EventLoop::with_virtual_time();
    let clock = event_loop.clone();
    let waiting = async move {
        let on = running_loop()?;
        let Pair { server, transport, client, served } = pair(&on).await?;
        let reading = served.transport.borrow().clone().unwrap();
        reading.pause_reading();
        assert!(!reading.is_reading());
        transport.write(b"unread")?;
        transport.close();
        sleep(Duration::from_secs(29)).await?;
        assert!(!client.lost.get());
        sleep(Duration::from_secs(2)).await?;
        assert_eq!(client.until_lost().await?, ["lost Some(\"SSL shutdown timed out\")"]);
        assert_eq!(clock.time().as_secs(), 31);
        // All that had come is read, and the end after it.
        reading.resume_reading()?;
        assert_eq!(served.until_lost().await?, ["data unread", "eof", "lost None"]);
        server.close();
        server.wait_closed().await
    };
    run_on(&event_loop, waiting).unwrap();
}

// CPython: test_sslproto.SslProtoHandshakeTests.test_data_received_after_closing
/// The calls are those that CPython's protocols got.
#[test]
fn data_that_comes_after_the_close_is_the_error_of_the_end() {
    run(async {
        let on = running_loop()?;
        let Pair { server, transport, client, served } = pair(&on).await?;
        served.transport.borrow().clone().unwrap().write(b"on its way")?;
        transport.close();
        let lost = ["lost Some(\"application data after close notify\")"];
        assert_eq!(client.until_lost().await?, lost);
        assert_eq!(served.until_lost().await?, ["eof", "lost None"]);
        server.close();
        server.wait_closed().await
    });
}

// CPython: test_sslproto.BaseStartTLS.test_start_tls_client_corrupted_ssl
#[cfg(unix)]
#[test]
fn connection_over_tls_is_lost_with_what_breaks_it() {
    use std::os::fd::AsFd;

    run(async {
        let on = running_loop()?;
        let Pair { server, client, served, .. } = pair(&on).await?;
        let raw = served.transport.borrow().as_ref().unwrap().socket().unwrap();
        let mut raw = TcpStream::from(raw.as_fd().try_clone_to_owned()?);
        raw.write_all(b"please corrupt the SSL connection")?;
        let calls = client.until_lost().await?;
        assert!(calls.len() == 1 && calls[0].starts_with("lost Some("), "{calls:?}");
        drop(raw);
        served.until_lost().await?;
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn connection_over_tls_leaves_no_timer() {
    let event_loop = EventLoop::with_virtual_time();
    let main = async {
        let on = running_loop()?;
        let Pair { server, transport, client, served } = pair(&on).await?;
        transport.close();
        client.until_lost().await?;
        served.until_lost().await?;
        server.close();
        server.wait_closed().await?;
        on.create_future::<()>().await
    };
    assert_eq!(run_on(&event_loop, main).unwrap_err().kind(), ErrorKind::Stalled);
    assert_eq!(event_loop.time(), Duration::ZERO);
}

#[test]
fn connection_over_tls_that_was_closed_twice_can_be_aborted() {
    run(async {
        let on = running_loop()?;
        let Pair { server, transport, client, served } = pair(&on).await?;
        let reading = served.transport.borrow().clone().unwrap();
        reading.pause_reading();
        transport.write(b"unread")?;
        for _ in 0..2 {
            transport.close();
            yield_now().await?;
            assert!(client.calls.borrow().is_empty());
        }
        transport.abort();
        assert_eq!(client.until_lost().await?, ["lost None"]);
        reading.abort();
        assert_eq!(served.until_lost().await?, ["lost None"]);
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn writes_to_a_closed_tls_are_logged_behind_the_fifth() {
    let logged = log_lines_of(|| {
        run(async {
            let on = running_loop()?;
            on.set_exception_handler(Some(Rc::new(|_, context| panic!("{context:?}"))));
            let Pair { server, transport, client, .. } = pair(&on).await?;
            transport.close();
            for _ in 0..7 {
                transport.write(b"lost")?;
            }
            client.until_lost().await?;
            server.close();
            server.wait_closed().await
        });
    });
    assert_eq!(logged, ["WARN: SSL connection is closed"; 2]);
}

/// Fails as soon as it receives anything.
struct Failing(Rc<Noting>, Error);

impl Protocol for Failing {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.0.connection_made(transport)
    }

    fn data_received(&self, _data: &[u8]) -> Result<()> {
        Err(self.1.clone())
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.connection_lost(error)
    }
}

#[test]
fn failing_protocol_over_tls_loses_its_connection() {
    run(async {
        let on = running_loop()?;
        let reports = Rc::new(RefCell::new(Vec::new()));
        let own = reports.clone();
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            own.borrow_mut().push(context.message.to_string());
        })));
        let failures = [
            (Error::new(ErrorKind::Value, "on purpose"), 1),
            (Error::from(io::Error::other("on purpose")), 0),
            (Error::cancelled(), 1),
        ];
        for (error, reported) in failures {
            let served = Rc::new(Noting::default());
            let (own, fails) = (served.clone(), error.clone());
            let factory = move || Failing(own.clone(), fails.clone());
            let server =
                on.create_server_tls(factory, Some("127.0.0.1"), 0, &server_side()).await?;
            let (transport, client) =
                connect(&on, port(&server), &client_side("localhost")).await?;
            transport.write(b"hello")?;
            let lost = format!("lost {:?}", Some(error.message()));
            assert_eq!(served.until_lost().await?, ["made", &*lost]);
            // asyncio's own layer catches an `Exception`, and the socket's a cancellation, too.
            let report = match error.is_cancelled() {
                true => "Fatal error: protocol.buffer_updated() call failed.",
                false => "Fatal error on SSL protocol",
            };
            assert_eq!(reports.take(), vec![report; reported]);
            client.until_lost().await?;
            server.close();
            server.wait_closed().await?;
        }
        Ok(())
    });
}

/// Counts what it receives, and notes the pauses of its writing.
#[derive(Default)]
struct Counts {
    transport: RefCell<Option<Transport>>,
    received: Cell<usize>,
    calls: RefCell<Vec<&'static str>>,
}

struct Counting(Rc<Counts>);

impl Protocol for Counting {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.0.transport.replace(Some(transport.clone()));
        Ok(())
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.received.set(self.0.received.get() + data.len());
        Ok(())
    }

    fn pause_writing(&self) -> Result<()> {
        self.0.calls.borrow_mut().push("pause");
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.0.calls.borrow_mut().push("resume");
        Ok(())
    }
}

#[test]
fn writing_over_tls_rests_while_the_peer_does_not_read() {
    run(async {
        let on = running_loop()?;
        let (served, client) = (Rc::new(Counts::default()), Rc::new(Counts::default()));
        let (own, other) = (served.clone(), client.clone());
        let factory = move || Counting(own.clone());
        let server = on.create_server_tls(factory, Some("127.0.0.1"), 0, &server_side()).await?;
        let (options, tls) = (ConnectOptions::new(), client_side("localhost"));
        let factory = || Counting(other);
        let connecting =
            on.create_connection_tls(factory, "127.0.0.1", port(&server), &options, &tls);
        let transport = connecting.await?.0;
        assert_eq!(transport.write_buffer_limits(), (128 * 1024, 512 * 1024));
        while served.transport.borrow().is_none() {
            yield_now().await?;
        }
        let peer = served.transport.take().unwrap();
        peer.pause_reading();
        let mut written = 0;
        while client.calls.borrow().is_empty() {
            assert!(written < 100_000_000, "the peer reads");
            transport.write(&[7; 100_000])?;
            written += 100_000;
            yield_now().await?;
        }
        assert!(transport.write_buffer_size() >= 512 * 1024);
        peer.resume_reading()?;
        while served.received.get() < written {
            yield_now().await?;
        }
        assert_eq!(*client.calls.borrow(), ["pause", "resume"]);
        assert_eq!(transport.write_buffer_size(), 0);
        transport.abort();
        server.close();
        server.wait_closed().await
    });
}
