//! The calls of a protocol over TLS, and the ends of a connection.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use callsoon::io::ConnectOptions;
use callsoon::net::{BufferedProtocol, Protocol, Server, TlsOptions, Transport};
use callsoon::{
    Error, ErrorKind, EventLoop, LoopRef, Result, create_task, run_on, running_loop, sleep,
    wait_for, yield_now,
};

use crate::run::{Noting, Shared, client_config, client_side, port, server_side};
use crate::support::log_lines::log_lines_of;

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::with_virtual_time(), main).unwrap();
}

async fn connect(on: &LoopRef, port: u16, tls: &TlsOptions) -> Result<(Transport, Rc<Noting>)> {
    let options = ConnectOptions::new();
    on.create_connection_tls(Noting::default, "127.0.0.1", port, &options, tls).await
}

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
    let factory = move || Shared(own.clone());
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

// CPython: test_sslproto.BaseStartTLS.test_handshake_timeout
// CPython: test_sslproto.BaseStartTLS.test_create_connection_ssl_slow_handshake
#[test]
fn silent_peer_is_given_up_after_its_time() {
    let event_loop = EventLoop::with_virtual_time();
    let clock = event_loop.clone();
    let waiting = async move {
        let on = running_loop()?;
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let port = silent.local_addr()?.port();
        let tls = client_side("localhost");
        let error = connect(&on, port, &tls).await.unwrap_err();
        assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::ConnectionAborted);
        let said = "SSL handshake is taking longer than 60.0 seconds: aborting the connection";
        assert_eq!((error.message(), clock.time().as_secs()), (said.into(), 60));
        let tls = tls.handshake_timeout(Duration::from_millis(500));
        connect(&on, port, &tls).await.unwrap_err();
        assert_eq!(clock.time().as_millis(), 60_500);
        for (name, tls) in [
            ("handshake", tls.clone().handshake_timeout(Duration::ZERO)),
            ("shutdown", tls.shutdown_timeout(Duration::ZERO)),
        ] {
            let refused = connect(&on, port, &tls).await.unwrap_err();
            let said = format!("ssl_{name}_timeout should be a positive number, got 0");
            assert_eq!((refused.kind(), refused.message()), (ErrorKind::Value, said));
        }
        Ok(())
    };
    run_on(&event_loop, waiting).unwrap();
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

// CPython: test_sslproto.SslProtoHandshakeTests.test_eof_received_waiter
#[test]
fn handshake_fails_with_what_the_peer_sends() {
    run(async {
        let on = running_loop()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        for bytes in [&b""[..], b"this is no TLS at all, and that is said at once"] {
            let listener = listener.try_clone()?;
            let answering = on.run_in_executor(None, move || {
                let (mut peer, _) = listener.accept()?;
                peer.write_all(bytes)?;
                if bytes.is_empty() {
                    // Unread bytes would reset the connection.
                    assert!(peer.read(&mut [0; 4096])? > 0);
                }
                Ok(())
            })?;
            let connected = connect(&on, port, &client_side("localhost")).await;
            let error = connected.map(drop).unwrap_err();
            answering.await?;
            let kind = error.io_error().unwrap().kind();
            let expected = if bytes.is_empty() {
                io::ErrorKind::ConnectionReset
            } else {
                io::ErrorKind::InvalidData
            };
            assert_eq!(kind, expected, "{error:?}");
        }
        Ok(())
    });
}

/// Receives into buffers of three bytes.
struct Small(Rc<Noting>);

impl Protocol for Small {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.0.connection_made(transport)
    }

    fn buffered(&self) -> Option<&dyn BufferedProtocol> {
        Some(self)
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.connection_lost(error)
    }
}

impl BufferedProtocol for Small {
    fn get_buffer(&self) -> Result<Vec<u8>> {
        Ok(vec![0; 3])
    }

    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()> {
        self.0.data_received(&buffer[..count])?;
        let own = self.0.clone();
        running_loop()?.call_soon(move || own.note("next turn".to_owned())).map(drop)
    }
}

// CPython: test_sslproto.BaseStartTLS.test_buf_feed_data
// CPython: test_sslproto.BaseStartTLS.test_start_tls_client_reg_proto_1
// CPython: test_sslproto.BaseStartTLS.test_start_tls_client_buf_proto_1
// CPython: test_sslproto.BaseStartTLS.test_start_tls_server_1
// CPython: test_sslproto.BaseStartTLS.test_start_tls_wrong_args
#[test]
fn connection_is_upgraded_by_its_loop() {
    run(async {
        let on = running_loop()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let ours = TcpStream::connect(listener.local_addr()?)?;
        let theirs = listener.accept()?.0;
        let [one, two] = [(); 2].map(|()| Rc::new(Noting::default()));
        let (plain, _) = on.connect_accepted_socket(Noting::default, ours).await?;
        let (other, _) = on.connect_accepted_socket(Noting::default, theirs).await?;
        let (own, second) = (on.clone(), two.clone());
        let serving = create_task(async move {
            own.start_tls(&other, Rc::new(Small(second)), &server_side()).await
        });
        let transport =
            on.start_tls(&plain, Rc::new(Shared(one.clone())), &client_side("localhost")).await?;
        let served = serving.await?;
        let info = transport.tls().unwrap();
        assert_eq!((info.peer_certificates.len(), info.alpn_protocol), (1, None));
        assert!(info.protocol_version.is_some() && info.cipher_suite.is_some());
        assert!(served.tls().unwrap().peer_certificates.is_empty() && plain.tls().is_none());
        transport.write(b"12345678")?;
        transport.close();
        let parts = ["data 123", "data 456", "data 78"];
        let expected: Vec<&str> =
            parts.iter().flat_map(|part| [*part, "next turn"]).chain(["lost None"]).collect();
        assert_eq!(two.until_lost().await?, expected);
        assert_eq!(one.until_lost().await?, ["eof", "lost None"]);
        // A connection that talks TLS, or is closed, can't be upgraded.
        for (refused, kind) in [(&transport, ErrorKind::Type), (&plain, ErrorKind::Runtime)] {
            let shared = Rc::new(Shared(one.clone()));
            let upgraded = on.start_tls(refused, shared, &client_side("localhost")).await;
            assert_eq!(upgraded.unwrap_err().kind(), kind);
        }
        assert_eq!(
            TlsOptions::client(client_config(), "no name").unwrap_err().kind(),
            ErrorKind::Value
        );
        Ok(())
    });
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

// CPython: test_sslproto.BaseStartTLS.test_start_tls_slow_client_cancel
#[test]
fn upgrade_that_is_cancelled_closes_the_connection() {
    run(async {
        let on = running_loop()?;
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let ours = TcpStream::connect(silent.local_addr()?)?;
        let _theirs = silent.accept()?.0;
        let (plain, _) = on.connect_accepted_socket(Noting::default, ours).await?;
        let one = Rc::new(Noting::default());
        let tls = client_side("localhost");
        let upgraded = on.start_tls(&plain, Rc::new(Shared(one.clone())), &tls);
        let timed = wait_for(upgraded, Duration::from_millis(500)).await;
        assert_eq!(timed.map(drop).unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(one.until_lost().await?, ["lost None"]);
        assert!(plain.is_closing());
        Ok(())
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
            (Error::cancelled(), 0),
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
            assert_eq!(reports.take(), vec!["Fatal error on SSL protocol"; reported]);
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
