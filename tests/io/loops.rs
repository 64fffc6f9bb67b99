//! Sockets and the end of their loop.

use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use callsoon::io::Async;
use callsoon::{ErrorKind, EventLoop, create_task, sleep};

use crate::run::{NOW, on, run};
use crate::support::on_drop::on_drop;
use crate::support::sockets::{AsyncLocalStream, assert_closed, async_local_pair, local_pair};
use crate::support::trace::Trace;

#[test]
fn a_loop_that_is_dropped_with_sockets_waiting_closes_them() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let mut peers = Vec::new();
    for _ in 0..3 {
        let (ours, peer) = local_pair().unwrap();
        let gone = on_drop(trace.says("task goes"));
        peers.push(peer);
        let waits = async move {
            let _gone = gone;
            AsyncLocalStream::from(ours)?.read(&mut [0]).await
        };
        event_loop.create_task(waits).unwrap();
    }
    event_loop.run_once(NOW).unwrap();
    drop(event_loop);
    trace.expect(["task goes"; 3]);
    peers.into_iter().for_each(assert_closed);
}

#[test]
fn socket_outlives_its_loop_and_fails_when_it_has_to_wait() {
    let event_loop = EventLoop::with_virtual_time();
    let (ours, mut peer) = local_pair().unwrap();
    let ours = Rc::new(Async::new_on(&event_loop, ours).unwrap());
    let waits = ours.clone();
    event_loop.create_task(async move { waits.readable().await }).unwrap();
    event_loop.run_once(NOW).unwrap();
    event_loop.close().unwrap();
    peer.write_all(b"!").unwrap();
    run(async move {
        assert_eq!(ours.read_with(|mut ours| ours.read(&mut [0; 8])).await?, 1);
        let refused = ours.read_with(|mut ours| ours.read(&mut [0; 8])).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Closed);
        assert_eq!(ours.readable().await.unwrap_err().kind(), ErrorKind::Closed);
        let ours = Rc::into_inner(ours).unwrap().into_inner();
        drop(ours);
        assert_closed(peer);
        Ok(())
    });
}

#[test]
fn closing_drops_the_wakers_of_waits() {
    struct Gone(Arc<AtomicBool>);
    impl Wake for Gone {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let event_loop = EventLoop::with_virtual_time();
    let (ours, _peer) = local_pair().unwrap();
    let ours = Async::new_on(&event_loop, ours).unwrap();
    let gone = Arc::new(AtomicBool::new(false));
    let waker = Waker::from(Arc::new(Gone(gone.clone())));
    assert!(ours.poll_read(&mut Context::from_waker(&waker), &mut [0]).is_pending());
    drop(waker);
    assert!(!gone.load(Ordering::Relaxed));
    event_loop.close().unwrap();
    assert!(gone.load(Ordering::Relaxed));
}

#[test]
fn a_closed_loop_takes_no_sockets() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.close().unwrap();
    let (ours, _peer) = local_pair().unwrap();
    let refused = Async::new_on(&event_loop, ours).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
}

#[test]
fn a_socket_of_another_loop_can_not_be_waited_for() {
    let other = EventLoop::with_virtual_time();
    let (ours, _peer) = local_pair().unwrap();
    let ours = Async::new_on(&other, ours).unwrap();
    run(async move {
        let refused = ours.readable().await.unwrap_err();
        assert!(refused.message().ends_with(" attached to a different loop"), "{refused}");
        Ok(())
    });
}

#[test]
fn sockets_take_no_virtual_time() {
    run(async {
        let (ours, theirs) = async_local_pair()?;
        let echo = create_task(async move {
            let mut byte = [0];
            while theirs.read(&mut byte).await? == 1 {
                theirs.write_all(&byte).await?;
            }
            Ok(())
        });
        let hour = create_task(sleep(Duration::from_secs(3600)));
        for byte in 0..100 {
            ours.write_all(&[byte]).await?;
            let mut back = [0];
            ours.read_exact(&mut back).await?;
            assert_eq!(back, [byte]);
        }
        drop(ours);
        echo.await?;
        assert_eq!(on().time(), Duration::ZERO);
        hour.cancel();
        Ok(())
    });
}
