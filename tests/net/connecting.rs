//! Connections with options, and by protocol; the sockets of transports and servers.

use std::cell::RefCell;
use std::rc::Rc;

use callsoon::io::{ConnectOptions, TcpStream};
#[cfg(unix)]
use callsoon::io::{TcpListener, UdpSocket};
use callsoon::net::{
    DEFAULT_LIMIT, DatagramOptions, DatagramProtocol, Protocol, StreamReader, StreamWriter,
    Transport, open_connection, open_connection_with, start_server,
};
use callsoon::{ErrorKind, EventLoop, Result, create_task, run_on, running_loop, yield_now};

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

struct Nothing;

impl Protocol for Nothing {}
impl DatagramProtocol for Nothing {}

async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    writer.write(&reader.readline().await?)?;
    writer.drain().await
}

#[cfg(unix)]
#[test]
fn connection_is_made_from_a_local_address() {
    run(async {
        let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let options = ConnectOptions::new().local_addr("127.0.0.1", 0).interleave(1);
        let (reader, writer) =
            open_connection_with("127.0.0.1", port, DEFAULT_LIMIT, &options).await?;
        assert!(writer.sockname().unwrap().ip().unwrap().ip().is_loopback());
        assert_eq!(writer.peername(), server.addresses().pop());
        writer.write(b"hello\n")?;
        assert_eq!(reader.readline().await?, b"hello\n");
        let taken = writer.sockname().unwrap().ip().unwrap().port();

        let options = ConnectOptions::new().local_addr("127.0.0.1", taken);
        let on = running_loop()?;
        let made = on.create_connection_with(|| Nothing, "127.0.0.1", port, &options).await;
        let message = made.err().unwrap().message();
        let begin = format!("error while attempting to bind on address 127.0.0.1:{taken}: ");
        assert!(message.starts_with(&begin), "{message}");

        let options = ConnectOptions::new().local_addr("::1", 0);
        let made = on.create_connection_with(|| Nothing, "127.0.0.1", port, &options).await;
        let message = made.err().unwrap().message();
        assert!(message.ends_with("no matching local address of IPv4 found"), "{message}");
        drop(writer);
        server.close();
        server.wait_closed().await
    });
}

/// Notes its name when its connection is made.
struct Named(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Protocol for Named {
    fn connection_made(&self, _: &Transport) -> Result<()> {
        self.1.borrow_mut().push(self.0);
        Ok(())
    }
}

/// The order is CPython's, in which the reports of both sockets come in one turn.
#[cfg(target_os = "linux")]
#[test]
fn client_is_connected_behind_its_server() {
    run(async {
        let (on, made) = (running_loop()?, Rc::new(RefCell::default()));
        let own = Rc::clone(&made);
        let factory = move || Named("server", Rc::clone(&own));
        let server = on.create_server(factory, Some("127.0.0.1"), 0).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let factory = || Named("client", Rc::clone(&made));
        let (transport, _) = on.create_connection(factory, "127.0.0.1", port).await?;
        assert_eq!(*made.borrow(), ["server", "client"]);
        transport.abort();
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn happy_eyeballs_connect_to_a_name() {
    run(async {
        let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let options = ConnectOptions::new();
        let options = options.happy_eyeballs_delay(std::time::Duration::from_secs(3600));
        // It stands for `::1` too, where nothing listens.
        let (reader, writer) = open_connection_with("localhost", port, 100, &options).await?;
        writer.write(b"hello\n")?;
        assert_eq!(reader.readline().await?, b"hello\n");
        drop(writer);
        server.close();
        server.wait_closed().await
    });
}

#[test]
fn connecting_task_says_so_in_the_task_tree() {
    run(async {
        let on = running_loop()?;
        let full = full_listener();
        let address = full.0.local_addr()?;
        let connecting = create_task(async move { TcpStream::connect(address).await.map(drop) });
        for _ in 0..3 {
            yield_now().await?;
        }
        let tree = on.task_tree();
        assert!(tree.contains("on connect"), "{tree}");
        connecting.cancel();
        assert!(connecting.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

/// A listener that answers nothing, for its queue is full.
fn full_listener() -> (std::net::TcpListener, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let first = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener, first)
}

#[test]
fn name_that_does_not_resolve_is_an_error() {
    run(async {
        let error = open_connection("name.invalid", 80, DEFAULT_LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.message().starts_with("can't look up \"name.invalid\": "), "{error}");
        let error = start_server(echo, Some("name.invalid"), 0, 100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        let on = running_loop()?;
        let remote = Some(("name.invalid", 1));
        let options = DatagramOptions::new();
        let made = on.create_datagram_endpoint(|| Nothing, None, remote, options).await;
        assert_eq!(made.err().unwrap().kind(), ErrorKind::Io);
        Ok(())
    });
}

// CPython: test_transports.TransportTests.test_get_extra_info
#[cfg(unix)]
#[test]
fn sockets_of_transports_and_servers_take_options() {
    use std::os::fd::{AsFd, AsRawFd};
    run(async {
        use rustix::net::sockopt;
        let on = running_loop()?;
        let server = on.create_server(|| Nothing, Some("127.0.0.1"), 0).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let sockets = server.sockets();
        assert_eq!(sockets.len(), 1);
        assert!(sockopt::socket_reuseaddr(&sockets[0]).unwrap());
        let (transport, _) = on.create_connection(|| Nothing, "127.0.0.1", port).await?;
        let socket = transport.socket().unwrap();
        assert!(sockopt::tcp_nodelay(&socket).unwrap());
        sockopt::set_socket_keepalive(&socket, true).unwrap();
        assert!(sockopt::socket_keepalive(socket.as_fd()).unwrap());
        assert_eq!(format!("{socket:?}"), format!("TransportSocket({})", socket.as_raw_fd()));
        // Held here, it would keep the connection open.
        drop(socket);
        transport.abort();
        yield_now().await?;
        assert!(transport.socket().is_none());
        server.close();
        assert!(server.sockets().is_empty());
        server.wait_closed().await
    });
}

#[cfg(unix)]
#[test]
fn sockets_convert_from_those_of_std_and_lend_descriptors() {
    use std::os::fd::{AsFd, AsRawFd};
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let (address, raw) = (listener.local_addr()?, listener.as_raw_fd());
        let listener = TcpListener::try_from(listener)?;
        assert_eq!((listener.as_raw_fd(), listener.as_fd().as_raw_fd()), (raw, raw));
        let client = TcpStream::try_from(std::net::TcpStream::connect(address)?)?;
        let (served, _) = listener.accept().await?;
        client.write_all(b"hello").await?;
        let mut buffer = [0; 5];
        served.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"hello");
        let udp = std::net::UdpSocket::bind("127.0.0.1:0")?;
        let raw = udp.as_raw_fd();
        assert_eq!(UdpSocket::try_from(udp)?.as_fd().as_raw_fd(), raw);
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn datagram_tells_whether_it_was_truncated() {
    run(async {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let mut buffer = [0; 4];
        for (sent, count, truncated) in
            [(&b"1234"[..], 4, false), (b"12345", 4, true), (b"", 0, false)]
        {
            one.send_to(sent, two.local_addr()?).await?;
            let received = two.recv_datagram(&mut buffer).await?;
            assert_eq!((received.count, received.truncated), (count, truncated));
            assert_eq!(received.from, one.local_addr()?);
            assert_eq!(&buffer[..count], &sent[..count]);
        }
        Ok(())
    });
}

/// Keeps the last datagram.
#[cfg(unix)]
struct Keeping(callsoon::LoopFuture<Vec<u8>>);

#[cfg(unix)]
impl DatagramProtocol for Keeping {
    fn datagram_received(&self, data: &[u8], _from: &callsoon::net::Address) -> Result<()> {
        self.0.set_result(data.to_vec())
    }
}

#[cfg(unix)]
#[test]
fn datagram_endpoints_of_unix_paths() {
    run(async {
        let on = running_loop()?;
        let path = std::env::temp_dir().join(format!("callsoon-datagrams-{}", std::process::id()));
        // One that is left there is no obstacle.
        drop(std::os::unix::net::UnixDatagram::bind(&path)?);
        let keeping = || Keeping(on.create_future());
        let (bound, kept) = on.create_unix_datagram_endpoint(keeping, Some(&path), None).await?;
        let (other, _) = on.create_unix_datagram_endpoint(|| Nothing, None, Some(&path)).await?;
        other.sendto(b"hello", None)?;
        assert_eq!((&kept.0).await?, b"hello");
        let elsewhere = callsoon::net::Address::Ip(([127, 0, 0, 1], 1).into());
        assert_eq!(other.sendto(b"", Some(&elsewhere)).unwrap_err().kind(), ErrorKind::Value);
        assert_eq!(bound.sendto(b"", None).unwrap_err().kind(), ErrorKind::Value);
        assert!(other.peername().is_some() && bound.peername().is_none());
        bound.close();
        other.close();
        std::fs::remove_file(&path)?;
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn datagram_endpoints_have_options() {
    run(async {
        let on = running_loop()?;
        let options = DatagramOptions::new().reuse_port(true).allow_broadcast(true);
        let local = Some(("127.0.0.1", 0));
        let (one, _) = on.create_datagram_endpoint(|| Nothing, local, None, options).await?;
        let port = one.sockname().unwrap().ip().unwrap().port();
        let local = Some(("127.0.0.1", port));
        let (two, _) = on.create_datagram_endpoint(|| Nothing, local, local, options).await?;
        let socket = two.socket().unwrap();
        assert!(rustix::net::sockopt::socket_broadcast(&socket).unwrap());
        // Not connected, so that answers of any address arrive.
        assert!(two.peername().is_none());
        two.sendto(b"to itself or its twin", None)?;
        let plain = DatagramOptions::new();
        let made = on.create_datagram_endpoint(|| Nothing, local, None, plain).await;
        let error = made.err().unwrap();
        assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::AddrInUse);
        let made = on.create_datagram_endpoint(|| Nothing, None, None, plain).await;
        assert_eq!(made.err().unwrap().kind(), ErrorKind::Value);
        let six = Some(("::1", 1));
        let made = on.create_datagram_endpoint(|| Nothing, local, six, plain).await;
        assert_eq!(made.err().unwrap().message(), "can not get address information");
        one.abort();
        two.abort();
        Ok(())
    });
}

// CPython: test_server.UnixServerCleanupTests.test_unix_server_addr_cleanup
#[cfg(unix)]
#[test]
fn unix_server_is_in_the_way_of_no_other() {
    run(async {
        let on = running_loop()?;
        let path = std::env::temp_dir().join(format!("callsoon-taken-{}", std::process::id()));
        std::fs::write(&path, "no socket")?;
        let made = on.create_unix_server(|| Nothing, &path).await;
        assert_eq!(made.err().unwrap().io_error().unwrap().kind(), std::io::ErrorKind::AddrInUse);
        std::fs::remove_file(&path)?;
        let server = on.create_unix_server(|| Nothing, &path).await?;
        let made = on.create_unix_connection(|| Nothing, &path).await?;
        assert!(std::rc::Rc::strong_count(&made.1) > 0);
        server.close();
        assert!(!path.exists());
        Ok(())
    });
}

// CPython: test_server.UnixServerCleanupTests.test_unix_server_cleanup_gone
// CPython: test_server.UnixServerCleanupTests.test_unix_server_cleanup_replaced
// CPython: test_streams.StreamTests.test_open_unix_connection_error
#[cfg(unix)]
#[test]
fn unix_server_removes_its_own_path_only() {
    run(async {
        let on = running_loop()?;
        let path = std::env::temp_dir().join(format!("callsoon-path-{}", std::process::id()));
        let server = on.create_unix_server(|| Nothing, &path).await?;
        std::fs::remove_file(&path)?;
        server.close();
        let gone = callsoon::net::open_unix_connection(&path, 100).await.unwrap_err();
        assert_eq!(gone.io_error().unwrap().kind(), std::io::ErrorKind::NotFound);
        let server = on.create_unix_server(|| Nothing, &path).await?;
        std::fs::remove_file(&path)?;
        let _other = std::os::unix::net::UnixListener::bind(&path)?;
        server.close();
        assert!(path.exists());
        std::fs::remove_file(&path)?;
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn address_is_told_by_its_names() {
    // `NI_NUMERICHOST | NI_NUMERICSERV`
    let numeric = if cfg!(any(target_os = "linux", target_os = "android")) { 1 | 2 } else { 2 | 8 };
    run(async move {
        let on = running_loop()?;
        for address in ["127.0.0.1:80", "[::1]:443"] {
            let address: std::net::SocketAddr = address.parse().unwrap();
            let names = on.getnameinfo(address, numeric).await?;
            assert_eq!(names, (address.ip().to_string(), address.port().to_string()));
        }
        let refused = on.getnameinfo(([127, 0, 0, 1], 80).into(), -1).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Io);
        let message = refused.message();
        assert!(message.starts_with("can't look up 127.0.0.1:80: failed to look up"), "{message}");
        Ok(())
    });
}

struct Answers;

impl Protocol for Answers {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        transport.write(b"made\n")
    }
}

#[test]
fn sockets_accepted_elsewhere_call_a_protocol() {
    run(async {
        let on = running_loop()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (reader, _writer) = open_connection("127.0.0.1", address.port(), 100).await?;
        let (transport, _) = on.connect_accepted_socket(|| Answers, listener.accept()?.0).await?;
        assert_eq!(transport.sockname(), Some(address.into()));
        assert_eq!(reader.readline().await?, b"made\n");
        transport.close();
        assert!(reader.readline().await?.is_empty());
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn unix_sockets_accepted_elsewhere_call_a_protocol() {
    run(async {
        let on = running_loop()?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (transport, _) = on.connect_accepted_unix_socket(|| Answers, ours).await?;
        let theirs = callsoon::io::UnixStream::try_from(theirs)?;
        let mut line = [0; 5];
        theirs.read_exact(&mut line).await?;
        assert_eq!(&line, b"made\n");
        transport.close();
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_unix_names_serve_streams_and_datagrams() {
    use callsoon::net::{open_unix_connection, start_unix_server};
    run(async {
        let on = running_loop()?;
        let name = format!("\0callsoon-net-{}", std::process::id());
        let echo = |reader: callsoon::net::StreamReader, writer: callsoon::net::StreamWriter| async move {
            writer.write(&reader.read(16).await?)?;
            writer.close();
            writer.wait_closed().await
        };
        let server = start_unix_server(echo, &name, 100).await?;
        let (reader, writer) = open_unix_connection(&name, 100).await?;
        writer.write(b"hello")?;
        assert_eq!(reader.read_to_end().await?, b"hello");
        writer.close();
        server.close();
        server.wait_closed().await?;
        assert!(open_unix_connection(&name, 100).await.is_err());
        let name = std::path::PathBuf::from(name + "-datagrams");
        let keeping = || Keeping(on.create_future());
        let (bound, kept) = on.create_unix_datagram_endpoint(keeping, Some(&name), None).await?;
        let (other, _) = on.create_unix_datagram_endpoint(|| Nothing, None, Some(&name)).await?;
        other.sendto(b"hello", None)?;
        assert_eq!((&kept.0).await?, b"hello");
        bound.close();
        other.close();
        Ok(())
    });
}

#[test]
fn write_buffer_limits_follow_from_each_other() {
    run(async {
        let on = running_loop()?;
        let server = start_server(echo, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let (transport, _) = on.create_connection(|| Nothing, "127.0.0.1", port).await?;
        assert_eq!(transport.write_buffer_limits(), (16_384, 65_536));
        for (high, low, limits) in [
            (Some(100), Some(10), (10, 100)),
            (Some(100), None, (25, 100)),
            (None, Some(100), (100, 400)),
            (None, None, (16_384, 65_536)),
        ] {
            transport.set_write_buffer_limits(high, low)?;
            assert_eq!(transport.write_buffer_limits(), limits);
        }
        transport.abort();
        server.close();
        server.wait_closed().await
    });
}

#[cfg(unix)]
#[test]
fn server_of_an_empty_host_serves_on_all_interfaces() {
    run(async {
        let server = start_server(echo, Some(""), 0, DEFAULT_LIMIT).await?;
        let addresses: Vec<_> =
            server.addresses().iter().filter_map(|address| address.ip()).collect();
        assert!(addresses.iter().all(|address| address.ip().is_unspecified()), "{addresses:?}");
        let port = addresses.iter().find(|address| address.is_ipv4()).unwrap().port();
        let (reader, writer) = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?;
        writer.write(b"hello\n")?;
        assert_eq!(reader.readline().await?, b"hello\n");
        drop(writer);
        server.close();
        server.wait_closed().await
    });
}
