//! Waits that are cancelled, time out or are dropped leave nothing behind.

use std::rc::Rc;
use std::time::Duration;

use callsoon::io::{TcpListener, UdpSocket};
use callsoon::{ErrorKind, create_task, sleep, wait_for, yield_now};

use crate::run::{on, run, settle};
use crate::support::sockets::async_local_pair;

#[test]
fn a_read_that_is_cancelled_loses_nothing_however_late() {
    run(async {
        // Cancelled before anything came; when it was there; when the reader was told.
        for late in 0..3 {
            let (ours, theirs) = async_local_pair()?;
            let ours = Rc::new(ours);
            let reads = ours.clone();
            let reading = create_task(async move { reads.read(&mut [0; 8]).await });
            settle().await?;
            if late > 0 {
                theirs.write_all(b"kept").await?;
            }
            if late == 2 {
                // It runs when the reader was told, and before it has run.
                let cancels = reading.clone();
                on().call_soon(move || assert!(cancels.cancel()))?;
            } else {
                assert!(reading.cancel());
            }
            assert!(reading.await.unwrap_err().is_cancelled(), "{late}");
            if late == 0 {
                theirs.write_all(b"kept").await?;
            }
            let mut buffer = [0; 8];
            assert_eq!(ours.read(&mut buffer).await?, 4, "{late}");
            assert_eq!(&buffer[..4], b"kept");
        }
        Ok(())
    });
}

#[test]
fn an_accept_cancelled_in_any_turn_loses_no_connection() {
    run(async {
        for turns in 0.. {
            let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
            let address = listener.local_addr()?;
            let accept = || {
                let listener = listener.clone();
                create_task(async move { Ok(listener.accept().await?.1) })
            };
            let connect = || std::net::TcpStream::connect(address).unwrap();
            let (first, second) = (accept(), accept());
            settle().await?;
            let clients = [connect(), connect()];
            let [one, other] = clients.each_ref().map(|client| client.local_addr().unwrap());
            for _ in 0..turns {
                yield_now().await?;
            }
            if !first.cancel() {
                assert!(turns > 1, "{turns}");
                assert_eq!((first.await?, second.await?), (one, other));
                break;
            }
            assert!(first.await.unwrap_err().is_cancelled());
            assert_eq!((second.await?, accept().await?), (one, other), "{turns}");
        }
        Ok(())
    });
}

#[test]
fn a_read_may_be_limited_in_time_and_tried_again() {
    run(async {
        let (ours, theirs) = async_local_pair()?;
        let ours = Rc::new(ours);
        for _ in 0..3 {
            let reads = ours.clone();
            let limited =
                wait_for(async move { reads.read(&mut [0; 8]).await }, Duration::from_secs(5));
            assert_eq!(limited.await.unwrap_err().kind(), ErrorKind::Timeout);
        }
        assert_eq!(on().time(), Duration::from_secs(15));
        theirs.write_all(b"late").await?;
        assert_eq!(ours.read(&mut [0; 8]).await?, 4);
        Ok(())
    });
}

#[test]
fn clean_up_may_use_the_socket_of_the_cancelled_wait() {
    run(async {
        let (ours, theirs) = async_local_pair()?;
        let session = create_task(async move {
            let outcome = ours.read(&mut [0; 8]).await;
            ours.write_all(b"goodbye").await?;
            outcome
        });
        settle().await?;
        session.cancel();
        let mut last_words = [0; 7];
        theirs.read_exact(&mut last_words).await?;
        assert_eq!(&last_words, b"goodbye");
        assert!(session.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

/// The system uses the lowest number that is free: the next socket has the one of the last.
#[test]
fn socket_with_a_reused_number_is_another_socket() {
    run(async {
        let sender = std::net::UdpSocket::bind("127.0.0.1:0")?;
        for round in 0..3_u8 {
            let socket = Rc::new(UdpSocket::bind("127.0.0.1:0")?);
            let receives = socket.clone();
            let receiving = create_task(async move { receives.recv_from(&mut [0; 8]).await });
            settle().await?;
            receiving.cancel();
            assert!(receiving.await.unwrap_err().is_cancelled());
            let receives = socket.clone();
            let receiving = create_task(async move {
                let mut byte = [0];
                receives.recv_from(&mut byte).await?;
                Ok(byte[0])
            });
            settle().await?;
            sender.send_to(&[round], socket.local_addr()?)?;
            assert_eq!(receiving.await?, round);
        }
        Ok(())
    });
}

#[test]
fn registered_socket_without_a_wait_lets_the_loop_stall() {
    let event_loop = callsoon::EventLoop::with_virtual_time();
    let outcome = event_loop.run_until_complete(async {
        let (ours, theirs) = async_local_pair()?;
        let ours = Rc::new(ours);
        let reads = ours.clone();
        let reading = create_task(async move { reads.read(&mut [0; 8]).await });
        sleep(Duration::from_secs(1)).await?;
        reading.cancel();
        sleep(Duration::from_secs(1)).await?;
        drop(theirs);
        on().create_future::<()>().await?;
        drop(ours);
        Ok(())
    });
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stalled);
}
