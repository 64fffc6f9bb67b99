//! TLS by rustls over `futures-io`: what comes through, and what a cancellation does.

use callsoon::io::{TcpListener, TcpStream};
use callsoon::{Result, Task, TaskGroup, create_task, run};
use futures_rustls::rustls::RootCertStore;
use futures_rustls::{TlsConnector, client};
use futures_util::{AsyncReadExt, AsyncWriteExt, future};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tls_rustls::{connect, connector, echo, fresh_certificate, serve};

/// A client of a server that serves one, and the task that does.
/// They have said hello.
async fn one_served() -> Result<(client::TlsStream<TcpStream>, Task<()>)> {
    let (acceptor, connector) = fresh_certificate()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;
    let server = create_task(echo(acceptor, accepted));
    let mut client = connect(&connector, stream).await?;
    client.write_all(b"hello").await?;
    client.flush().await?;
    let mut heard = [0; 5];
    client.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"hello");
    Ok((client, server))
}

/// Sends `much` and receives it, both at once, since no buffer between holds it all.
async fn echoes(connector: TlsConnector, server: SocketAddr, much: Vec<u8>) -> Result<()> {
    let stream = connect(&connector, TcpStream::connect(server).await?).await?;
    let (mut reader, mut writer) = stream.split();
    let mut heard = Vec::new();
    let says = async {
        writer.write_all(&much).await?;
        writer.close().await
    };
    let (said, read) = future::join(says, reader.read_to_end(&mut heard)).await;
    said?;
    read?;
    assert!(heard == much);
    Ok(())
}

#[test]
fn many_clients_hear_what_they_say() {
    run(async {
        let (acceptor, connector) = fresh_certificate()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = create_task(serve(listener, acceptor));
        TaskGroup::scope(async |group| {
            for number in 0..8_usize {
                let much = (0..300_000 + number).map(|at| (at * number % 251) as u8).collect();
                group.create_task(echoes(connector.clone(), address, much))?;
            }
            Ok(())
        })
        .await?;
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn clients_that_break_off_leave_the_server_to_others() {
    run(async {
        let (acceptor, connector) = fresh_certificate()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = create_task(serve(listener, acceptor));
        for _ in 0..5 {
            // Before the handshake, by nonsense in its place, and after it.
            drop(TcpStream::connect(address).await?);
            let stream = TcpStream::connect(address).await?;
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
            stream.read_exact(&mut [0]).await?;
            drop(stream);
            let mut stream = connect(&connector, TcpStream::connect(address).await?).await?;
            stream.write_all(b"xx").await?;
            stream.flush().await?;
            drop(stream);
            echoes(connector.clone(), address, b"hello".to_vec()).await?;
        }
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

#[test]
fn cancelled_server_sends_close_notify_and_ends_the_connection() {
    run(async {
        let (mut stream, server) = one_served().await?;
        server.cancel_with("enough");
        let mut rest = String::new();
        // A connection that is cut, and not ended, is an error here.
        stream.read_to_string(&mut rest).await?;
        assert_eq!(rest, "goodbye");
        let error = server.await.unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(error.message(), "enough");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_client_that_just_goes_is_an_error() {
    run(async {
        let (stream, server) = one_served().await?;
        drop(stream);
        let error = server.await.unwrap_err();
        assert_eq!(error.io_error().unwrap().kind(), ErrorKind::UnexpectedEof);
        Ok(())
    })
    .unwrap();
}

#[test]
fn server_with_an_unknown_certificate_is_refused() {
    run(async {
        let (acceptor, _) = fresh_certificate()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let (accepted, _) = listener.accept().await?;
        let server = create_task(echo(acceptor, accepted));
        let refused = connect(&connector(RootCertStore::empty())?, stream).await.unwrap_err();
        assert_eq!(refused.io_error().unwrap().kind(), ErrorKind::InvalidData);
        assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
        assert!(server.await.is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_handshake_that_is_cancelled_says_so() {
    run(async {
        let (_, connector) = fresh_certificate()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let connecting = create_task(async move { connect(&connector, stream).await.map(drop) });
        // Its greeting has arrived, so it waits for an answer, which is never sent.
        let (accepted, _) = listener.accept().await?;
        accepted.read(&mut [0; 1]).await?;
        connecting.cancel();
        assert!(connecting.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}
