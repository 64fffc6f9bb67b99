//! Connections that talk TLS from some moment on.

use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use callsoon::net::{
    BufferedProtocol, DEFAULT_LIMIT, Protocol, StreamReader, StreamWriter, TlsOptions, Transport,
    open_connection, start_server,
};
use callsoon::{
    Error, ErrorKind, EventLoop, Result, create_task, run_on, running_loop, wait_for, yield_now,
};

use crate::run::{Noting, client_config, client_side, port, run, server_side};

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
        let transport = on.start_tls(&plain, one.clone(), &client_side("localhost")).await?;
        let served = serving.await?;
        let info = transport.tls().unwrap();
        assert_eq!((info.peer_certificates.len(), info.alpn_protocol), (1, None));
        assert!(info.protocol_version.is_some() && info.cipher_suite.is_some());
        assert!(served.tls().unwrap().peer_certificates.is_empty() && plain.tls().is_none());
        transport.write(b"12345678")?;
        transport.close();
        // The read of the next part is scheduled before the protocol is called, as in asyncio.
        let parts = ["data 123", "data 456", "next turn", "data 78", "next turn", "next turn"];
        assert_eq!(two.until_lost().await?, [&parts[..], &["lost None"]].concat());
        assert_eq!(one.until_lost().await?, ["eof", "lost None"]);
        // A connection that talks TLS, or is closed, can't be upgraded.
        for (refused, kind) in [(&transport, ErrorKind::Type), (&plain, ErrorKind::Runtime)] {
            let shared = one.clone();
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
        let upgraded = on.start_tls(&plain, one.clone(), &tls);
        let timed = wait_for(upgraded, Duration::from_millis(500)).await;
        assert_eq!(timed.map(drop).unwrap_err().kind(), ErrorKind::Timeout);
        assert_eq!(one.until_lost().await?, ["lost None"]);
        assert!(plain.is_closing());
        Ok(())
    });
}

/// The protocol is told of its end; CPython's is not, and its streams never end.
#[test]
fn upgrade_that_is_cancelled_sends_what_was_written_before() {
    const SIZE: usize = 8_000_000;
    run(async {
        let on = running_loop()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        for turns in 0..4 {
            let ours = TcpStream::connect(listener.local_addr()?)?;
            let mut theirs = listener.accept()?.0;
            let (plain, _) = on.connect_accepted_socket(Noting::default, ours).await?;
            plain.write(&vec![7; SIZE])?;
            assert!(plain.write_buffer_size() > 0);
            let (own, one) = (on.clone(), Rc::new(Noting::default()));
            let (lower, events) = (plain.clone(), one.clone());
            let upgrading = create_task(async move {
                own.start_tls(&lower, events, &client_side("localhost")).await
            });
            for _ in 0..turns {
                yield_now().await?;
            }
            upgrading.cancel();
            assert!(upgrading.await.is_err());
            if turns == 0 {
                // It has not begun.
                assert!(!plain.is_closing());
                plain.abort();
                continue;
            }
            assert!(plain.is_closing());
            theirs.set_nonblocking(true)?;
            let (mut received, mut buffer) = (0, vec![0; 1 << 20]);
            loop {
                match theirs.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => received += count,
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
                yield_now().await?;
            }
            // The client's first message may be among it.
            assert!((SIZE..SIZE + 1000).contains(&received), "{received} after {turns}");
            assert_eq!(one.until_lost().await?, ["lost None"]);
        }
        Ok(())
    });
}

#[test]
fn upgrade_goes_on_behind_earlier_data() {
    const SIZE: usize = 8_000_000;
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let ours = TcpStream::connect(listener.local_addr()?)?;
        let theirs = callsoon::io::TcpStream::from(listener.accept()?.0)?;
        let served = Rc::new(Noting::default());
        let (own, second) = (on.clone(), served.clone());
        let serving = create_task(async move {
            let (mut left, mut buffer) = (SIZE, vec![0; 100_000]);
            while left > 0 {
                let most = left.min(buffer.len());
                left -= theirs.read(&mut buffer[..most]).await?;
            }
            let (socket, tls) = (theirs.into_inner(), server_side());
            own.connect_accepted_socket_tls(|| second, socket, &tls).await
        });
        let (plain, _) = on.connect_accepted_socket(Noting::default, ours).await?;
        plain.write(&vec![7; SIZE])?;
        assert!(plain.write_buffer_size() > 0);
        let one = Rc::new(Noting::default());
        let transport = on.start_tls(&plain, one, &client_side("localhost")).await?;
        serving.await?;
        transport.write(b"hello")?;
        transport.close();
        assert_eq!(served.until_lost().await?, ["made", "data hello", "eof", "lost None"]);
        Ok(())
    })
    .unwrap();
}

/// More comes with the end of the handshake than the reader takes: it pauses the socket, and resumes it.
#[test]
fn upgraded_stream_reads_more_than_its_limit() {
    const SIZE: usize = 300_000;
    run_on(&EventLoop::new(), async {
        let serve = async |reader: StreamReader, writer: StreamWriter| {
            writer.start_tls(&server_side()).await?;
            assert_eq!(reader.read_to_end().await?.len(), SIZE);
            writer.close();
            writer.wait_closed().await
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, 1000).await?;
        let (reader, writer) = open_connection("127.0.0.1", port(&server), DEFAULT_LIMIT).await?;
        writer.start_tls(&client_side("localhost")).await?;
        writer.write(&vec![7; SIZE])?;
        writer.close();
        let read = wait_for(reader.read_to_end(), Duration::from_secs(30)).await?;
        assert!(read.is_empty());
        writer.wait_closed().await?;
        server.close();
        server.wait_closed().await
    })
    .unwrap();
}
