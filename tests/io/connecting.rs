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
        let nobody = listener.local_addr()?;
        drop(listener);
        let refused = TcpStream::connect(nobody).await.unwrap_err();
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
fn a_connection_that_is_made_for_nobody_is_closed() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let connecting = create_task(async move { TcpStream::connect(address).await.map(drop) })?;
        yield_now().await?;
        let in_time = connecting.cancel();
        assert_eq!(connecting.await.is_err_and(|error| error.is_cancelled()), in_time);
        let (stream, _peer) = listener.accept().await?;
        assert_eq!(stream.read(&mut [0]).await?, 0);
        Ok(())
    });
}
