//! Protocols over TLS that take each other's place, and those of sockets that were made elsewhere. The calls are
//! those that CPython's protocols got.

use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

use callsoon::net::{BufferedProtocol, Protocol, Transport};
use callsoon::{Error, EventLoop, Result, create_task, run_on, running_loop, yield_now};

use crate::run::{Noting, client_side, port, server_side};

/// Receives into buffers of three bytes, and has another protocol take its place when it is given a `>`.
struct Small(Rc<Noting>, Rc<dyn Protocol>);

impl Protocol for Small {
    fn buffered(&self) -> Option<&dyn BufferedProtocol> {
        Some(self)
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.connection_lost(error)
    }
}

impl BufferedProtocol for Small {
    fn get_buffer(&self) -> Result<Vec<u8>> {
        Ok(vec![0; 3])
    }

    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()> {
        self.0.note(format!("updated {}", String::from_utf8_lossy(&buffer[..count])));
        if buffer.contains(&b'>') {
            let transport = self.0.transport.borrow().clone().unwrap();
            transport.set_protocol(self.1.clone());
        }
        Ok(())
    }
}

async fn sent(from: &Transport, data: &[u8], noting: &Noting, until: &str) -> Result<Vec<String>> {
    from.write(data)?;
    while !noting.calls.borrow().iter().any(|call| call == until) {
        yield_now().await?;
    }
    Ok(noting.calls.take())
}

// CPython: test_sslproto.SslProtoHandshakeTests.test_set_new_app_protocol
#[test]
fn protocol_over_tls_is_switched_amid_its_data() {
    run_on(&EventLoop::new(), async {
        let (on, first) = (running_loop()?, Rc::new(Noting::default()));
        let made = first.clone();
        let factory = move || made.clone();
        let server = on.create_server_tls(factory, Some("127.0.0.1"), 0, &server_side()).await?;
        let (options, tls) = (Default::default(), client_side("localhost"));
        let client =
            on.create_connection_tls(Noting::default, "127.0.0.1", port(&server), &options, &tls);
        let (client, _) = client.await?;
        assert_eq!(sent(&client, b"first", &first, "data first").await?, ["made", "data first"]);
        let (served, next) = (first.transport.borrow().clone().unwrap(), Noting::default());
        next.transport.replace(Some(served.clone()));
        let next = Rc::new(next);
        let last: Rc<dyn Protocol> = next.clone();
        let small: Rc<dyn Protocol> = Rc::new(Small(next.clone(), last.clone()));
        served.set_protocol(small.clone());
        assert!(Rc::ptr_eq(&served.get_protocol().unwrap(), &small));
        let calls = sent(&client, b"123>56789", &next, "data 789").await?;
        assert_eq!(calls, ["updated 123", "updated >56", "data 789"]);
        assert!(Rc::ptr_eq(&served.get_protocol().unwrap(), &last));
        assert!(first.calls.borrow().is_empty());
        client.close();
        assert_eq!(next.until_lost().await?, ["eof", "lost None"]);
        assert!(served.get_protocol().is_none() && first.calls.take().is_empty());
        served.set_protocol(small);
        assert!(served.get_protocol().is_none());
        server.close();
        server.wait_closed().await
    })
    .unwrap();
}

#[test]
fn sockets_made_elsewhere_call_their_protocols_over_tls() {
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let socket = TcpStream::connect(listener.local_addr()?)?;
        let (own, accepted) = (on.clone(), listener.accept()?.0);
        let serving = create_task(async move {
            let factory = || Noting { echoes: true, ..Noting::default() };
            own.connect_accepted_socket_tls(factory, accepted, &server_side()).await
        });
        let side = client_side("localhost");
        let made = on.connect_accepted_socket_tls(Noting::default, socket, &side).await?;
        let ((client, own), (_served, other)) = (made, serving.await?);
        // Both are made after the handshake.
        assert_eq!(own.calls.take(), ["made"]);
        assert_eq!(sent(&client, b"hello", &own, "data hello").await?, ["data hello"]);
        client.close();
        assert_eq!(other.until_lost().await?, ["made", "data hello", "eof", "lost None"]);
        Ok(())
    })
    .unwrap();
}
