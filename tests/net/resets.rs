//! A peer resets its connection in the n-th turn of a conversation, for each n: that connection ends with an
//! error, and another goes on. Descriptors are counted, in a process of its own.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use callsoon::net::{DEFAULT_LIMIT, StreamReader, StreamWriter, open_connection, start_server};
use callsoon::{EventLoop, Result, create_task, run_on, yield_now};

use crate::cancelling::{echo, until_descriptors_are};
use crate::child::is_child;
use crate::descriptors::descriptors;

const TURNS: usize = 30;

/// The outcomes of the conversations that have ended.
type Ends = Rc<RefCell<Vec<Result<()>>>>;

/// Sends back all that comes, and notes how that ends.
async fn noted_echo(reader: StreamReader, writer: StreamWriter, ends: Ends) -> Result<()> {
    let outcome = echo(reader, writer).await;
    ends.borrow_mut().push(outcome);
    Ok(())
}

/// Talks to a `noted_echo` for `turns` turns, reads half of what comes back, and resets the connection.
async fn talk_and_reset(mut peer: TcpStream, turns: usize, ends: &Ends) -> Result<()> {
    peer.set_nonblocking(true)?;
    for _ in 0..turns {
        // Either may have no room, or no data.
        let _ = peer.write(&[b'x'; 50_000]);
        let _ = peer.read(&mut [0; 25_000]);
        yield_now().await?;
    }
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    while ends.borrow().is_empty() {
        yield_now().await?;
    }
    let error = ends.take().remove(0).unwrap_err();
    let kind = error.io_error().map(io::Error::kind);
    let expected = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe].map(Some);
    assert!(expected.contains(&kind), "after {turns} turns: {error:?}");
    Ok(())
}

#[test]
fn reset_of_a_client_in_any_turn_leaves_the_others() {
    if !is_child("resets::reset_of_a_client_in_any_turn_leaves_the_others", ":") {
        return;
    }
    let serving = async {
        let ends = Ends::default();
        let own = ends.clone();
        let serve = move |reader, writer| noted_echo(reader, writer, own.clone());
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let address = server.addresses()[0].ip().unwrap();
        let (reader, writer) = open_connection("127.0.0.1", address.port(), DEFAULT_LIMIT).await?;
        writer.write(b"made\n")?;
        assert_eq!(reader.readline().await?, b"made\n");
        let before = descriptors();
        for turns in 0..TURNS {
            talk_and_reset(TcpStream::connect(address)?, turns, &ends).await?;
            writer.write(b"still here\n")?;
            assert_eq!(reader.readline().await?, b"still here\n");
            until_descriptors_are(before).await?;
        }
        server.close();
        Ok(())
    };
    run_on(&EventLoop::new(), serving).unwrap();
}

#[test]
fn reset_of_a_server_in_any_turn_ends_its_client() {
    if !is_child("resets::reset_of_a_server_in_any_turn_ends_its_client", ":") {
        return;
    }
    let connecting = async {
        let ends = Ends::default();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let mut before = None;
        for turns in 0..TURNS {
            let (reader, writer) = open_connection("127.0.0.1", port, DEFAULT_LIMIT).await?;
            let client = create_task(noted_echo(reader, writer, ends.clone()));
            talk_and_reset(listener.accept()?.0, turns, &ends).await?;
            client.await?;
            // The first one makes what stays: the poller.
            until_descriptors_are(*before.get_or_insert_with(descriptors)).await?;
        }
        Ok(())
    };
    run_on(&EventLoop::new(), connecting).unwrap();
}
