//! Options of connections, and connections over sockets that the program has made.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use callsoon::io::{ConnectOptions, Family};
use callsoon::net::{
    DEFAULT_LIMIT, Protocol, StreamReader, StreamWriter, open_connection_on, open_connection_with,
    start_server,
};
use callsoon::{ErrorKind, EventLoop, Result, run_on, running_loop};

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    writer.write(&reader.readline().await?)?;
    writer.drain().await
}

struct Nothing;

impl Protocol for Nothing {}

/// CPython: `ExceptionGroup('create_connection failed', [ConnectionRefusedError(111, "Connect call failed ...")])`.
#[test]
fn connection_fails_with_the_errors_of_all_attempts() {
    run(async {
        let on = running_loop()?;
        let unused = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let one_by_one = ConnectOptions::new().family(Family::V4);
        let racing = one_by_one.clone().happy_eyeballs_delay(Duration::from_secs(3600));
        for options in [one_by_one, racing] {
            let failed = open_connection_with("localhost", unused, 100, &options).await;
            assert_eq!(failed.unwrap_err().kind(), ErrorKind::Io);
            let all = options.all_errors(true);
            let failed = on.create_connection_with(|| Nothing, "localhost", unused, &all).await;
            let failed = failed.err().unwrap();
            assert_eq!(failed.kind(), ErrorKind::Group);
            assert_eq!(failed.message(), "create_connection failed");
            assert_eq!(failed.group().len(), 1);
            let refused = failed.group()[0].io_error().unwrap().kind();
            assert_eq!(refused, std::io::ErrorKind::ConnectionRefused);
        }
        Ok(())
    });
}

#[test]
fn connection_is_made_in_its_family() {
    run(async {
        let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let four = ConnectOptions::new().family(Family::V4);
        let (reader, writer) = open_connection_with("localhost", port, 100, &four).await?;
        assert!(writer.peername().unwrap().ip().unwrap().is_ipv4());
        writer.write(b"hello\n")?;
        assert_eq!(reader.readline().await?, b"hello\n");
        drop(writer);
        for (host, options) in [
            ("127.0.0.1", ConnectOptions::new().family(Family::V6)),
            ("::1", four.clone()),
            ("127.0.0.1", four.local_addr("::1", 0)),
        ] {
            let failed = open_connection_with(host, port, 100, &options).await.unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::Io);
            let message = failed.message();
            assert!(message.ends_with("Address family for hostname not supported"), "{message}");
        }
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn streams_are_opened_on_sockets_that_are_connected() {
    run(async {
        let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let address = server.addresses()[0].ip().unwrap();
        let (reader, writer) = open_connection_on(TcpStream::connect(address)?, 100).await?;
        writer.write(b"hello\n")?;
        assert_eq!(reader.readline().await?, b"hello\n");
        let refused = open_connection_on(TcpStream::connect(address)?, 0).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Value);
        drop(writer);
        server.close();
        server.wait_closed().await
    });
}

#[cfg(unix)]
#[test]
fn socket_of_another_kind_is_refused_as_a_connection() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::{UnixDatagram, UnixStream};
    run(async {
        let on = running_loop()?;
        let datagrams = || UdpSocket::bind("127.0.0.1:0").map(OwnedFd::from);
        let unix_datagrams = || UnixDatagram::unbound().map(OwnedFd::from);
        let expected = "A Stream Socket was expected, got TcpStream";
        let made = open_connection_on(TcpStream::from(datagrams()?), 100).await.map(drop);
        let other = on.connect_accepted_socket(|| Nothing, TcpStream::from(datagrams()?)).await;
        for refused in [made, other.map(drop)] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Value);
            assert!(refused.message().starts_with(expected), "{refused}");
        }
        let expected = "A UNIX Domain Stream Socket was expected, got UnixStream";
        for socket in [unix_datagrams()?, datagrams()?, TcpListener::bind("[::]:0")?.into()] {
            let socket = UnixStream::from(socket);
            let made = callsoon::net::open_unix_connection_on(socket, 100).await;
            let refused = made.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Value);
            assert!(refused.message().starts_with(expected), "{refused}");
        }
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn streams_are_opened_on_a_pair_of_sockets() {
    use callsoon::net::open_unix_connection_on;
    run(async {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        let (reader, _writer) = open_unix_connection_on(one, 100).await?;
        let (_, writer) = open_unix_connection_on(other, 100).await?;
        writer.write(b"hello\n")?;
        assert_eq!(reader.readline().await?, b"hello\n");
        drop(writer);
        assert_eq!(reader.readline().await?, b"");
        Ok(())
    });
}
