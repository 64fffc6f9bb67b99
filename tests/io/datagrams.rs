//! Datagrams of both families.

use std::net::{Ipv4Addr, SocketAddr};

use callsoon::io::UdpSocket;
#[cfg(unix)]
use callsoon::io::UnixDatagram;
use callsoon::{ErrorKind, create_task};

use crate::run::{run, settle};

#[test]
fn datagrams_come_with_the_address_of_their_sender() {
    run(async {
        let (ours, theirs) =
            (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
        let theirs_at = theirs.local_addr()?;
        let answering = create_task(async move {
            let mut buffer = [0; 16];
            let (count, from) = theirs.recv_from(&mut buffer).await?;
            assert_eq!(&buffer[..count], b"question");
            theirs.send_to(b"answer", from).await
        });
        settle().await?;
        assert_eq!(ours.send_to(b"question", theirs_at).await?, 8);
        let mut buffer = [0; 16];
        assert_eq!(ours.recv_from(&mut buffer).await?, (6, theirs_at));
        assert_eq!(&buffer[..6], b"answer");
        assert_eq!(answering.await?, 6);
        ours.get_ref().set_broadcast(true)?;
        assert!(ours.into_inner().broadcast()?);
        Ok(())
    });
}

#[test]
fn an_empty_datagram_is_one_too_and_a_long_one_is_cut() {
    run(async {
        let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let theirs_at = theirs.local_addr()?;
        assert_eq!(ours.send_to(b"", theirs_at).await?, 0);
        assert_eq!(ours.send_to(b"long", theirs_at).await?, 4);
        assert_eq!(ours.send_to(b"next", theirs_at).await?, 4);
        let mut buffer = [0; 2];
        assert_eq!(theirs.recv_from(&mut buffer).await?, (0, ours.local_addr()?));
        for begin in [b"lo", b"ne"] {
            let long = theirs.recv_from(&mut buffer).await;
            if cfg!(windows) {
                assert_eq!(long.unwrap_err().io_error().unwrap().raw_os_error(), Some(10040));
            } else {
                assert_eq!(long?, (2, ours.local_addr()?));
                assert_eq!(&buffer, begin);
            }
        }
        Ok(())
    });
}

#[test]
fn connected_sockets_hear_of_their_peer_only() {
    run(async {
        let [one, two, other] = [0; 3].map(|_| UdpSocket::bind("127.0.0.1:0"));
        let (one, two, other) = (one?, two?, other?);
        one.connect(two.local_addr()?)?;
        two.connect(one.local_addr()?)?;
        other.send_to(b"not for you", one.local_addr()?).await?;
        two.send(b"for you").await?;
        assert_eq!(one.recv(&mut [0; 16]).await?, 7);
        Ok(())
    });
}

/// In a process of its own: a child that another test forks may hold a socket for a moment.
#[cfg(unix)] // and on Windows, but not on Wine
#[test]
fn connected_sockets_hear_that_their_peer_is_gone() {
    const NAME: &str = "datagrams::connected_sockets_hear_that_their_peer_is_gone";
    if !crate::child::is_child(NAME, "true") {
        return;
    }
    run(async {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        one.connect(two.local_addr()?)?;
        let mut buffer = [0; 16];
        let gone = two.local_addr()?;
        drop(two);
        one.send(b"anybody there?").await?;
        let refused = one.recv(&mut buffer).await.unwrap_err();
        assert_eq!(refused.io_error().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
        let _socket = UdpSocket::from(std::net::UdpSocket::bind(gone)?)?;
        Ok(())
    });
}

#[test]
fn a_datagram_to_no_address_is_a_mistake() {
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let nowhere: &[SocketAddr] = &[];
        let refused = socket.send_to(b"", nowhere).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Value);
        Ok(())
    });
}

/// The burst waits at the socket, is larger than what is received without a pause, and in order.
#[test]
fn a_burst_of_datagrams_is_received_in_order() {
    run(async {
        let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let to = theirs.local_addr()?;
        let receiving = create_task(async move {
            let mut seen = Vec::new();
            for _ in 0..150 {
                let mut byte = [0];
                theirs.recv_from(&mut byte).await?;
                seen.push(byte[0]);
            }
            Ok(seen)
        });
        settle().await?;
        for number in 0..150 {
            ours.send_to(&[number], to).await?;
        }
        assert_eq!(receiving.await?, (0..150).collect::<Vec<u8>>());
        Ok(())
    });
}

#[cfg(target_os = "linux")] // elsewhere a full queue is an error
#[test]
fn unix_datagrams_wait_for_room_and_none_is_lost() {
    run(async {
        let (ours, theirs) = UnixDatagram::pair()?;
        let sending = create_task(async move {
            for number in 0..2000_u32 {
                assert_eq!(ours.send(&number.to_le_bytes()).await?, 4);
            }
            Ok(())
        });
        settle().await?;
        assert!(!sending.done(), "the system's queue holds 2000 datagrams");
        let mut buffer = [0; 8];
        for number in 0..2000_u32 {
            assert_eq!(theirs.recv(&mut buffer).await?, 4);
            assert_eq!(buffer[..4], number.to_le_bytes());
        }
        sending.await
    });
}

#[cfg(unix)]
#[test]
fn unix_datagrams_go_to_paths() {
    run(async {
        let path = std::env::temp_dir().join(format!("callsoon-datagram-{}", std::process::id()));
        let theirs = std::rc::Rc::new(UnixDatagram::bind(&path)?);
        assert_eq!(theirs.local_addr()?.as_pathname(), Some(path.as_path()));
        let ours = UnixDatagram::unbound()?;
        ours.send_to(b"first", &path).await?;
        ours.connect(&path)?;
        ours.send(b"second").await?;
        std::fs::remove_file(&path)?;
        let mut buffer = [0; 16];
        let (count, from) = theirs.recv_from(&mut buffer).await?;
        assert!(from.is_unnamed());
        assert_eq!(&buffer[..count], b"first");
        assert_eq!(theirs.recv(&mut buffer).await?, 6);
        Ok(())
    });
}

#[test]
fn datagram_can_be_peeked_and_tried_without_waiting() {
    run(async {
        let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let mut buffer = [0; 8];
        let empty = theirs.try_recv_from(&mut buffer).unwrap_err();
        assert_eq!(empty.kind(), std::io::ErrorKind::WouldBlock);
        let ours_at = ours.local_addr()?;
        assert_eq!(ours.try_send_to(b"hello", theirs.local_addr()?)?, 5);
        assert_eq!(theirs.peek_from(&mut buffer).await?, (5, ours_at));
        assert_eq!(theirs.try_recv_from(&mut buffer)?, (5, ours_at));
        assert_eq!(&buffer[..5], b"hello");
        Ok(())
    });
}
