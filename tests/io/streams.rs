//! Streams of both families: what comes through, what a peer's end looks like, big writes.

use std::future::poll_fn;
use std::io::ErrorKind as IoErrorKind;
use std::net::Shutdown;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use callsoon::io::{TcpListener, TcpStream};
#[cfg(unix)]
use callsoon::io::{UnixListener, UnixStream};
use callsoon::{ErrorKind, Result, create_task};

use crate::run::{run, settle};

async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let ours = TcpStream::connect(listener.local_addr()?).await?;
    let (theirs, peer) = listener.accept().await?;
    assert_eq!((peer, theirs.peer_addr()?), (ours.local_addr()?, ours.local_addr()?));
    assert_eq!(ours.peer_addr()?, theirs.local_addr()?);
    Ok((ours, theirs))
}

/// Each stream is of its own type, and does the same.
macro_rules! for_each_stream {
    ($($name:ident($ours:ident, $theirs:ident) $body:block)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn over_tcp() {
                run(async {
                    let ($ours, $theirs) = tcp_pair().await?;
                    $body
                });
            }

            #[cfg(unix)]
            #[test]
            fn over_unix() {
                run(async {
                    let ($ours, $theirs) = UnixStream::pair()?;
                    $body
                });
            }
        })*
    };
}

for_each_stream! {
    a_second_read_at_the_end_gives_no_turn_away(ours, theirs) {
        drop(theirs);
        let mut buffer = [0; 8];
        for _ in 0..3 {
            let mut read = pin!(ours.read(&mut buffer));
            let polled = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await;
            assert!(matches!(polled, Poll::Ready(Ok(0))), "{polled:?}");
        }
        Ok(())
    }

    bytes_come_through_in_both_directions(ours, theirs) {
        ours.write_all(b"question").await?;
        let mut question = [0; 8];
        theirs.read_exact(&mut question).await?;
        assert_eq!(&question, b"question");
        assert_eq!(theirs.write(b"answer").await?, 6);
        let mut answer = [0; 32];
        assert_eq!(ours.read(&mut answer).await?, 6);
        assert_eq!(&answer[..6], b"answer");
        assert_eq!(ours.read(&mut []).await?, 0);
        Ok(())
    }

    a_peer_that_closes_is_the_end_also_for_who_waits(ours, theirs) {
        let waiting = create_task(async move {
            let mut buffer = [0; 32];
            let last = ours.read(&mut buffer).await?;
            Ok((last, ours.read(&mut buffer).await?, ours.read(&mut buffer).await?))
        });
        settle().await?;
        // The last words and the end may come together.
        theirs.write_all(b"bye").await?;
        drop(theirs);
        assert_eq!(waiting.await?, (3, 0, 0));
        Ok(())
    }

    a_side_that_is_shut_down_is_the_end_for_the_peer_and_the_other_side_goes_on(ours, theirs) {
        ours.write_all(b"last").await?;
        ours.shutdown(Shutdown::Write)?;
        let mut last = [0; 8];
        assert_eq!(theirs.read(&mut last).await?, 4);
        assert_eq!(theirs.read(&mut last).await?, 0);
        theirs.write_all(b"answer").await?;
        assert_eq!(ours.read(&mut last).await?, 6);
        let refused = ours.write(b"more").await.unwrap_err();
        let refused = refused.io_error().unwrap();
        // The standard library has no kind for Windows' `WSAESHUTDOWN`.
        let shut_down = cfg!(windows) && refused.raw_os_error() == Some(10058);
        assert!(shut_down || refused.kind() == IoErrorKind::BrokenPipe, "{refused}");
        Ok(())
    }

    an_end_before_the_buffer_is_full_says_how_far_it_came(ours, theirs) {
        theirs.write_all(b"123").await?;
        drop(theirs);
        let refused = ours.read_exact(&mut [0; 8]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Io);
        assert_eq!(refused.io_error().unwrap().kind(), IoErrorKind::UnexpectedEof);
        assert_eq!(refused.message(), "the peer closed after 3 of 8 bytes");
        Ok(())
    }

    a_write_waits_for_a_slow_reader(ours, theirs) {
        const SIZE: usize = 8 << 20;
        let sent: Rc<Vec<u8>> = Rc::new((0..SIZE).map(|n| (n / 251) as u8).collect());
        let writes = sent.clone();
        let writing = create_task(async move { ours.write_all(&writes).await });
        settle().await?;
        assert!(!writing.done(), "the system's buffers hold 8 MiB");
        let mut all = vec![0; SIZE];
        for part in all.chunks_mut(SIZE / 16) {
            theirs.read_exact(part).await?;
        }
        writing.await?;
        assert!(all == *sent);
        assert_eq!(theirs.read(&mut [0]).await?, 0);
        Ok(())
    }

    a_writer_whose_peer_goes_is_told(ours, theirs) {
        let writing = create_task(async move { ours.write_all(&vec![0; 16 << 20]).await });
        settle().await?;
        drop(theirs);
        let kind = writing.await.unwrap_err().io_error().unwrap().kind();
        assert!(matches!(kind, IoErrorKind::BrokenPipe | IoErrorKind::ConnectionReset), "{kind}");
        Ok(())
    }

    a_write_that_is_cancelled_half_way_has_written_the_front(ours, theirs) {
        let ours = Rc::new(ours);
        let writes = ours.clone();
        let bytes: Vec<u8> = (0..8 << 20).map(|n| (n / 251) as u8).collect();
        let expected = bytes.clone();
        let writing = create_task(async move { writes.write_all(&bytes).await });
        settle().await?;
        writing.cancel();
        assert!(writing.await.unwrap_err().is_cancelled());
        drop(ours);
        let mut all = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match theirs.read(&mut buffer).await? {
                0 => break,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
        assert!(!all.is_empty() && all.len() < expected.len());
        assert!(all == expected[..all.len()]);
        Ok(())
    }

    the_standard_librarys_stream_comes_back(ours, theirs) {
        theirs.write_all(b"!").await?;
        assert_eq!(ours.read(&mut [0]).await?, 1);
        let ours = ours.into_inner();
        ours.shutdown(Shutdown::Both)?;
        assert_eq!(theirs.read(&mut [0]).await?, 0);
        Ok(())
    }
}

#[cfg(unix)] // a close on Wine resets nothing
#[test]
fn a_connection_that_is_reset_is_an_error_for_the_reader() {
    run(async {
        let (ours, theirs) = tcp_pair().await?;
        ours.write_all(b"never read").await?;
        settle().await?;
        drop(theirs); // with something unread, which resets the connection
        let refused = ours.read(&mut [0]).await.unwrap_err();
        assert_eq!(refused.io_error().unwrap().kind(), IoErrorKind::ConnectionReset);
        Ok(())
    });
}

#[test]
fn small_writes_go_out_at_once_where_that_is_set() {
    run(async {
        let (ours, _theirs) = tcp_pair().await?;
        assert!(!ours.nodelay()?);
        ours.set_nodelay(true)?;
        assert!(ours.nodelay()?);
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn unix_sockets_have_paths() {
    run(async {
        let path = std::env::temp_dir().join(format!("callsoon-stream-{}", std::process::id()));
        let listener = UnixListener::bind(&path)?;
        assert_eq!(listener.local_addr()?.as_pathname(), Some(path.as_path()));
        let taken = UnixListener::bind(&path).unwrap_err();
        assert_eq!(taken.io_error().unwrap().kind(), IoErrorKind::AddrInUse);
        let ours = UnixStream::connect(&path).await?;
        std::fs::remove_file(&path)?;
        assert_eq!(ours.peer_addr()?.as_pathname(), Some(path.as_path()));
        let (theirs, peer) = listener.accept().await?;
        assert!(peer.is_unnamed());
        ours.write_all(b"!").await?;
        assert_eq!(theirs.read(&mut [0; 8]).await?, 1);
        let missing = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(missing.io_error().unwrap().kind(), IoErrorKind::NotFound);
        Ok(())
    });
}

#[test]
fn try_read_and_try_write_never_wait() {
    run(async {
        let (ours, theirs) = tcp_pair().await?;
        let mut buffer = [0; 8];
        assert_eq!(ours.try_read(&mut buffer).unwrap_err().kind(), IoErrorKind::WouldBlock);
        assert_eq!(theirs.try_write(b"hello")?, 5);
        ours.peek(&mut [0]).await?;
        assert_eq!(ours.try_read(&mut buffer)?, 5);
        assert_eq!(&buffer[..5], b"hello");
        while theirs.try_write(&[0; 65536]).is_ok() {}
        assert_eq!(theirs.try_write(b"!").unwrap_err().kind(), IoErrorKind::WouldBlock);
        Ok(())
    });
}

#[test]
fn peek_leaves_the_bytes_to_be_read() {
    run(async {
        let (client, server) = tcp_pair().await?;
        let peeking = create_task(async move {
            let mut buffer = [0; 8];
            assert_eq!(server.peek(&mut buffer).await?, 5);
            assert_eq!(server.read(&mut buffer).await?, 5);
            Ok(buffer[..5].to_vec())
        });
        client.write_all(b"hello").await?;
        assert_eq!(peeking.await?, b"hello");
        Ok(())
    });
}
