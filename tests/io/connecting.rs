//! Connecting over TCP.

use std::io::ErrorKind as IoErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use callsoon::io::{TcpListener, TcpStream};
use callsoon::{ErrorKind, EventLoop, create_task, run_on, running_loop, timeout, yield_now};

use crate::child::is_child;
use crate::run::run;

/// In a process of its own: a child that another test forks may hold the listener for a moment.
#[test]
fn a_connection_that_is_refused_says_so() {
    if !is_child("connecting::a_connection_that_is_refused_says_so", "true") {
        return;
    }
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let closed = listener.local_addr()?;
        drop(listener);
        let refused = TcpStream::connect(closed).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Io);
        assert_eq!(refused.io_error().unwrap().kind(), IoErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn an_address_that_makes_no_sense_is_an_error() {
    run(async {
        let nowhere = SocketAddr::from((Ipv4Addr::new(255, 255, 255, 255), 9));
        assert_eq!(TcpStream::connect(nowhere).await.unwrap_err().kind(), ErrorKind::Io);
        Ok(())
    });
}

#[test]
fn a_connection_takes_no_virtual_time() {
    run_on(&EventLoop::with_virtual_time(), async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        for _ in 0..100 {
            let limit = Duration::from_millis(1);
            timeout(limit, async |_| TcpStream::connect(address).await).await?;
            listener.accept().await?;
        }
        assert_eq!(running_loop()?.time(), Duration::ZERO);
        Ok(())
    })
    .unwrap();
}

/// The thread may be done before the cancel comes, or go on after it: the peer sees the same.
#[test]
fn connection_of_a_cancelled_connect_is_closed() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let connecting = create_task(async move { TcpStream::connect(address).await.map(drop) });
        yield_now().await?;
        let in_time = connecting.cancel();
        assert_eq!(connecting.await.is_err_and(|error| error.is_cancelled()), in_time);
        let (stream, _peer) = listener.accept().await?;
        assert_eq!(stream.read(&mut [0]).await?, 0);
        Ok(())
    });
}

#[cfg(target_os = "linux")]
fn count(of: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{of}")).unwrap().count()
}

/// In a process of its own, where no other test opens a descriptor or starts a thread.
#[cfg(target_os = "linux")]
#[test]
fn connect_takes_no_thread_and_leaves_no_descriptor() {
    if !is_child("connecting::connect_takes_no_thread_and_leaves_no_descriptor", "true") {
        return;
    }
    run(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr()?;
        // So that the poller is open before descriptors are counted.
        drop(TcpStream::connect(address).await?);
        yield_now().await?;
        let (threads, open) = (count("task"), count("fd"));
        let connect =
            |_| create_task(async move { TcpStream::connect(address).await.map(std::rc::Rc::new) });
        let pending: Vec<_> = (0..20).map(connect).collect();
        for _ in 0..20 {
            yield_now().await?;
        }
        assert!(pending.iter().filter(|task| !task.done()).count() > 10);
        assert_eq!(count("task"), threads);
        for task in pending {
            task.cancel();
            drop(task.await);
        }
        assert_eq!(count("fd"), open);
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn unix_connect_waits_for_a_full_listener() {
    use callsoon::io::{UnixListener, UnixStream};
    run_on(&EventLoop::with_virtual_time(), async {
        let path = std::env::temp_dir().join(format!("callsoon-full-{}", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path)?;
        rustix::net::listen(&listener, 2).unwrap();
        let listener = UnixListener::from(listener)?;
        let connect = |_| {
            let path = path.clone();
            create_task(async move { UnixStream::connect(path).await?.write_all(b"x").await })
        };
        let clients: Vec<_> = (0..20).map(connect).collect();
        for _ in 0..20 {
            let (stream, _) = listener.accept().await?;
            assert_eq!(stream.read(&mut [0; 8]).await?, 1);
        }
        for client in clients {
            client.await?;
        }
        std::fs::remove_file(&path)?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn connect_takes_an_address_and_a_host_with_a_port() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let port = address.port();
        let connected = [
            TcpStream::connect(address).await?,
            TcpStream::connect(&address).await?,
            TcpStream::connect(("127.0.0.1", port)).await?,
            TcpStream::connect(("localhost".to_owned(), port)).await?,
            TcpStream::connect(&*format!("localhost:{port}")).await?,
            TcpStream::connect(&format!("127.0.0.1:{port}")).await?,
        ];
        for stream in &connected {
            assert_eq!(stream.peer_addr()?, address);
        }
        for text in ["localhost", "localhost:", "localhost:http", ""] {
            let refused = TcpStream::connect(text).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Value, "{text}");
        }
        Ok(())
    });
}
