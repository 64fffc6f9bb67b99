//! Streams over TLS.

use std::cell::{Cell, RefCell};
use std::io::Seek;
use std::rc::Rc;

use callsoon::io::Fallback;
use callsoon::net::{
    DEFAULT_LIMIT, ServerOptions, StreamReader, StreamWriter, open_connection, start_server,
    start_server_with,
};
use callsoon::{ErrorKind, EventLoop, Result, create_task, run_on, running_loop};

use crate::run::{client_side, connect_tls, port, serve_tls, server_side};

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

/// Sends back all that comes.
async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    loop {
        let data = reader.read(10_000).await?;
        if data.is_empty() {
            writer.close();
            return writer.wait_closed().await;
        }
        writer.write(&data)?;
        writer.drain().await?;
    }
}

// CPython: test_streams.StreamTests.test_open_connection_no_loop_ssl
#[test]
fn streams_talk_tls() {
    run(async {
        let server = serve_tls(echo).await?;
        let tls = client_side("localhost");
        // With the small limit, reading is paused and resumed.
        for limit in [DEFAULT_LIMIT, 100] {
            let (reader, writer) = connect_tls(port(&server), limit, &tls).await?;
            assert!(!writer.can_write_eof());
            let shown = format!("{writer:?}");
            assert!(
                shown.starts_with("StreamWriter { transport: TlsTransport { state: "),
                "{shown}"
            );
            assert_eq!(writer.write_eof().unwrap_err().kind(), ErrorKind::Runtime);
            let much = vec![b'x'; 1_000_000];
            writer.write(&much)?;
            writer.write(b"end\n")?;
            assert!(reader.readexactly(much.len()).await? == much);
            assert_eq!(reader.readline().await?, b"end\n");
            writer.drain().await?;
            writer.close();
            writer.wait_closed().await?;
            assert!(reader.read(1).await?.is_empty());
        }
        server.close();
        server.wait_closed().await
    });
}

// CPython: test_sslproto.BaseStartTLS.test_create_connection_ssl_failed_certificate
#[test]
fn handshake_with_another_name_fails() {
    run(async {
        let (on, reports) = (running_loop()?, Rc::new(RefCell::new(Vec::new())));
        on.set_debug(true);
        let own = reports.clone();
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            own.borrow_mut().push(format!("{:?}", context.exception));
        })));
        let server = serve_tls(echo).await?;
        let tls = client_side("example.org");
        let opened = connect_tls(port(&server), 100, &tls);
        let error = opened.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.message().contains("certificate"), "{error:?}");
        server.close();
        server.wait_closed().await?;
        // The client has told the server why.
        let reports = reports.take();
        assert!(reports.len() == 1 && reports[0].contains("AlertReceived(BadCertificate)"));
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_start_tls
#[test]
fn stream_is_upgraded_to_tls() {
    run(async {
        let serve = async |reader: StreamReader, writer: StreamWriter| {
            assert_eq!(reader.readline().await?, b"STARTTLS\n");
            writer.write(b"go ahead\n")?;
            writer.start_tls(&server_side()).await?;
            assert_eq!(writer.start_tls(&server_side()).await.unwrap_err().kind(), ErrorKind::Type);
            echo(reader, writer).await
        };
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let (reader, writer) = open_connection("127.0.0.1", port(&server), DEFAULT_LIMIT).await?;
        writer.write(b"STARTTLS\n")?;
        assert_eq!(reader.readline().await?, b"go ahead\n");
        writer.start_tls(&client_side("localhost")).await?;
        writer.write(b"secret\n")?;
        assert_eq!(reader.readline().await?, b"secret\n");
        writer.close();
        writer.wait_closed().await?;
        assert!(reader.read(1).await?.is_empty());
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn server_aborts_its_clients_over_tls() {
    run(async {
        let server = serve_tls(echo).await?;
        let (reader, writer) = connect_tls(port(&server), 100, &client_side("localhost")).await?;
        writer.write(b"line\n")?;
        assert_eq!(reader.readline().await?, b"line\n");
        server.abort_clients();
        assert!(reader.read(1).await.is_ok_and(|data| data.is_empty()));
        writer.close();
        server.close();
        server.wait_closed().await
    });
}

// CPython: test_sendfile.SendfileMixin.test_sendfile_ssl
// CPython: test_sendfile.SendfileMixin.test_sendfile_ssl_pre_and_post_data
// CPython: test_sendfile.SendfileMixin.test_sendfile_ssl_partial
// CPython: test_sendfile.SendfileMixin.test_sendfile_no_fallback_for_fallback_transport
#[test]
fn file_is_sent_over_tls() {
    run(async {
        let on = running_loop()?;
        let server = serve_tls(echo).await?;
        let tls = client_side("localhost");
        let (reader, writer) = connect_tls(port(&server), 100, &tls).await?;
        let own = std::env::current_exe()?;
        let (file, length) = (std::fs::File::open(&own)?, 400_000);
        let mut expected = b"before".to_vec();
        expected.extend_from_slice(&std::fs::read(own)?[1000..1000 + length as usize]);
        expected.extend_from_slice(b"after");
        // The peer echoes, so that both directions are used at once.
        let (transport, whole) = (writer.transport().clone(), expected.len());
        writer.write(b"before")?;
        let sending = create_task(async move {
            let refused =
                on.sendfile(&transport, &file, 0, None, Fallback::Forbidden).await.unwrap_err();
            assert!(refused.message().starts_with("fallback is disabled"), "{refused}");
            assert_eq!((&file).stream_position()?, 0);
            let sent =
                on.sendfile(&transport, &file, 1000, Some(length), Fallback::Allowed).await?;
            assert_eq!((&file).stream_position()?, 1000 + length);
            transport.write(b"after").map(|()| sent)
        });
        assert!(reader.readexactly(whole).await? == expected);
        assert_eq!(sending.await?, length);
        writer.close();
        server.close();
        server.wait_closed().await
    });
}

// CPython: test_sendfile.SendfileMixin.test_sendfile_fallback_close_peer_in_the_middle_of_receiving
// CPython: test_sendfile.SendfileMixin.test_sendfile_ssl_close_peer_after_receiving
#[test]
fn file_over_tls_fails_when_the_peer_goes_away() {
    run(async {
        let on = running_loop()?;
        let takes = Rc::new(Cell::new(1024));
        let taken = takes.clone();
        let serve = move |reader: StreamReader, writer: StreamWriter| {
            let count = taken.get();
            async move {
                reader.readexactly(count).await?;
                writer.close();
                Ok(())
            }
        };
        let server = serve_tls(serve).await?;
        let own = std::env::current_exe()?;
        let tls = client_side("localhost");
        for (count, is_whole) in [(1024, false), (50_000, true)] {
            takes.set(count);
            let (_reader, writer) = connect_tls(port(&server), 100, &tls).await?;
            let mut file = std::fs::File::open(&own)?;
            let part = is_whole.then_some(count as u64);
            let sent = on.sendfile(writer.transport(), &file, 0, part, Fallback::Allowed).await;
            if is_whole {
                assert_eq!((sent?, file.stream_position()?), (50_000, 50_000));
            } else {
                assert_eq!(sent.unwrap_err().kind(), ErrorKind::Io);
                assert!(file.stream_position()? < file.metadata()?.len());
            }
        }
        server.close();
        Ok(())
    });
}

async fn answered(reader: &StreamReader, writer: &StreamWriter) -> Result<()> {
    writer.write(b"hello\n")?;
    assert_eq!(reader.readline().await?, b"hello\n");
    writer.close();
    // The end of TLS is the peer's answer.
    let _ = writer.wait_closed().await;
    Ok(())
}

#[test]
fn server_over_tls_starts_later() {
    run(async {
        let options = ServerOptions::new().tls(server_side()).start_serving(false);
        let at = (["127.0.0.1", "127.0.0.1"], 0);
        let server = start_server_with(echo, at, DEFAULT_LIMIT, &options).await?;
        assert_eq!((server.addresses().len(), server.is_serving()), (1, false));
        server.start_serving().await?;
        let (reader, writer) = connect_tls(port(&server), 100, &client_side("localhost")).await?;
        answered(&reader, &writer).await?;
        server.close();
        server.wait_closed().await
    });
}

#[cfg(unix)]
#[test]
fn unix_server_talks_tls() {
    use callsoon::net::{
        Protocol, open_unix_connection, open_unix_connection_tls, start_unix_server_with,
    };
    struct Nothing;
    impl Protocol for Nothing {}
    run(async {
        let name = format!("callsoon-tls-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let options = ServerOptions::new().tls(server_side());
        let server = start_unix_server_with(echo, &path, DEFAULT_LIMIT, &options).await?;
        let (reader, writer) = open_unix_connection(&path, DEFAULT_LIMIT).await?;
        writer.start_tls(&client_side("localhost")).await?;
        answered(&reader, &writer).await?;
        let tls = client_side("localhost");
        let (reader, writer) = open_unix_connection_tls(&path, DEFAULT_LIMIT, &tls).await?;
        answered(&reader, &writer).await?;
        let on = running_loop()?;
        let (transport, _) = on.create_unix_connection_tls(|| Nothing, &path, &tls).await?;
        assert_eq!(transport.tls().unwrap().peer_certificates.len(), 1);
        transport.close();
        let other = client_side("elsewhere");
        let failed = open_unix_connection_tls(&path, DEFAULT_LIMIT, &other).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Io);
        server.close();
        assert!(!path.exists());
        server.wait_closed().await
    });
}
