//! Nothing is left of a connection over TLS, whatever is cancelled. Descriptors are counted, in a
//! process of its own.

use std::rc::Rc;

use callsoon::net::{StreamReader, StreamWriter};
use callsoon::{EventLoop, Result, create_task, yield_now};

use crate::child::is_child;
use crate::descriptors::descriptors;
use crate::run::{client_side, connect_tls, port, serve_tls};

async fn echo_line(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    writer.write(&reader.readline().await?)?;
    writer.drain().await
}

// CPython: test_sslproto.SslProtoHandshakeTests.test_close_during_handshake
#[test]
fn tls_client_cancelled_in_any_turn_leaves_nothing() {
    if !is_child("leaks::tls_client_cancelled_in_any_turn_leaves_nothing", ":") {
        return;
    }
    let event_loop = EventLoop::new();
    event_loop.set_exception_handler(Some(Rc::new(|_, _| {})));
    let cancelling = async {
        let server = serve_tls(echo_line).await?;
        let port = port(&server);
        let tls = client_side("localhost");
        let step = move || {
            let tls = tls.clone();
            async move {
                let (reader, writer) = connect_tls(port, 100, &tls).await?;
                writer.write(b"line\n")?;
                assert_eq!(reader.readline().await?, b"line\n");
                writer.close();
                writer.wait_closed().await
            }
        };
        let before = descriptors();
        for turns in 0.. {
            let task = create_task(step());
            for _ in 0..turns {
                yield_now().await?;
            }
            let cancelled = task.cancel();
            assert_eq!(task.await.is_err(), cancelled);
            while descriptors() != before {
                yield_now().await?;
            }
            if !cancelled {
                assert!(turns > 5, "{turns}");
                break;
            }
        }
        server.close();
        server.wait_closed().await
    };
    event_loop.run_until_complete(cancelling).unwrap();
}

// CPython: test_sslproto.BaseStartTLS.test_create_connection_memory_leak
#[test]
fn tls_connections_end_with_their_loop() {
    if !is_child("leaks::tls_connections_end_with_their_loop", ":") {
        return;
    }
    let before = descriptors();
    for paused in [false, true] {
        let event_loop = EventLoop::new();
        let opening = async move {
            let server = serve_tls(echo_line).await?;
            let tls = client_side("localhost");
            let (reader, writer) = connect_tls(port(&server), 100, &tls).await?;
            if paused {
                writer.transport().pause_reading();
            }
            Ok(Rc::new((reader, writer)))
        };
        let streams = event_loop.run_until_complete(opening).unwrap();
        event_loop.close().unwrap();
        drop((streams, event_loop));
        assert_eq!(descriptors(), before);
    }
}
