//! Handshakes that fail, or are ended by the protocol.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use callsoon::io::ConnectOptions;
use callsoon::net::{Protocol, Transport};
use callsoon::{Error, ErrorKind, EventLoop, Result, run_on, running_loop};

use crate::run::{Noting, client_side, connect, port, run, server_side};

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

/// Refuses each connection, as a client does that knows another certificate.
struct Refusing {
    noting: Rc<Noting>,
    aborts: bool,
}

impl Protocol for Refusing {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.noting.note("made".to_owned());
        if !self.aborts {
            return Err(Error::new(ErrorKind::Value, "another certificate"));
        }
        transport.abort();
        Ok(())
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.noting.connection_lost(error)
    }
}

/// The calls are those that CPython's protocols got: what ends the handshake is sent behind `connection_made`.
#[test]
fn connection_that_its_client_refuses_is_none_of_the_server() {
    run(async {
        let on = running_loop()?;
        let reports = Rc::new(RefCell::new(Vec::new()));
        let own = reports.clone();
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            own.borrow_mut().push(context.message.to_string());
        })));
        let refused = "lost Some(\"another certificate\")";
        let failed = "Fatal error: protocol.buffer_updated() call failed.";
        for (aborts, ends, reported) in
            [(false, refused, vec![failed]), (true, "lost None", vec![])]
        {
            let served = Rc::new(Noting::default());
            let own = served.clone();
            let factory = move || own.clone();
            let server =
                on.create_server_tls(factory, Some("127.0.0.1"), 0, &server_side()).await?;
            let noting = Rc::new(Noting::default());
            let own = noting.clone();
            let factory = || Refusing { noting: own, aborts };
            let (options, tls) = (ConnectOptions::new(), client_side("localhost"));
            let connecting =
                on.create_connection_tls(factory, "127.0.0.1", port(&server), &options, &tls);
            assert_eq!(connecting.await.is_ok(), aborts);
            assert_eq!(noting.until_lost().await?, ["made", ends]);
            server.close();
            server.wait_closed().await?;
            assert!(served.calls.borrow().is_empty());
            assert_eq!(reports.take(), reported);
        }
        Ok(())
    });
}
