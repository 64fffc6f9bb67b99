//! Protocols with buffers of their own that are smaller than what comes over TLS.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use callsoon::net::{BufferedProtocol, Protocol, Server, Transport};
use callsoon::{Error, LoopRef, Result, running_loop, yield_now};

use crate::run::{Noting, client_side, connect, port, run, server_side};

/// The action of a protocol that has got its first data.
type Act = fn(&Transport);

/// Has buffers of four bytes.
struct Small {
    act: Act,
    fails_then: bool,
    noting: Rc<Noting>,
    updates: Cell<usize>,
    /// The number of buffers that were given, and didn't come back.
    given: Cell<usize>,
}

impl Protocol for Small {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.noting.connection_made(transport)
    }

    fn buffered(&self) -> Option<&dyn BufferedProtocol> {
        Some(self)
    }

    fn eof_received(&self) -> Result<bool> {
        self.noting.eof_received()
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.noting.connection_lost(error)
    }
}

impl BufferedProtocol for Small {
    fn get_buffer(&self) -> Result<Vec<u8>> {
        self.given.set(self.given.get() + 1);
        Ok(vec![0; 4])
    }

    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()> {
        assert_eq!(self.given.replace(0), 1, "no buffer is kept");
        self.noting.note(String::from_utf8_lossy(&buffer[..count]).into_owned());
        if self.updates.replace(self.updates.get() + 1) == 0 {
            let transport = self.noting.transport.borrow().clone();
            transport.iter().for_each(self.act);
        } else if self.fails_then {
            return Err(Error::cancelled());
        }
        Ok(())
    }
}

struct Pair {
    server: Server,
    served: Rc<Noting>,
    client: Rc<Noting>,
    transport: Transport,
}

/// A client, and a server with small buffers that has sent what ends the handshake.
async fn pair(on: &LoopRef, act: Act, fails_then: bool) -> Result<Pair> {
    let served = Rc::new(Noting::default());
    let own = RefCell::new(Some(served.clone()));
    let factory = move || {
        let noting = own.take().expect("one connection");
        Small { act, fails_then, noting, updates: Cell::new(0), given: Cell::new(0) }
    };
    let server = on.create_server_tls(factory, Some("127.0.0.1"), 0, &server_side()).await?;
    let (transport, client) = connect(on, port(&server), &client_side("localhost")).await?;
    while served.calls.borrow().is_empty() {
        yield_now().await?;
    }
    Ok(Pair { server, served, client, transport })
}

impl Pair {
    /// Returns the calls of the server's protocol.
    async fn end(self) -> Result<Vec<String>> {
        let calls = self.served.until_lost().await?;
        self.client.until_lost().await?;
        self.server.close();
        self.server.wait_closed().await?;
        Ok(calls)
    }
}

/// The calls are those that CPython's protocol got, whether the peer closes right behind its data or not.
#[test]
fn small_buffers_over_tls_end_with_their_connection() {
    run(async {
        let on = running_loop()?;
        let late = "lost Some(\"application data after close notify\")";
        let acts: [(Act, &[&str]); 3] = [
            (|transport| transport.close(), &["made", "0123", "4567", late]),
            (|transport| transport.abort(), &["made", "0123", "lost None"]),
            (
                |transport| {
                    transport.pause_reading();
                    transport.close();
                },
                &["made", "0123", late],
            ),
        ];
        for (act, calls) in acts {
            for closes in [false, true] {
                let pair = pair(&on, act, false).await?;
                pair.transport.write(b"0123456789")?;
                if closes {
                    pair.transport.close();
                }
                assert_eq!(pair.end().await?, calls, "{closes}");
            }
        }
        Ok(())
    });
}

#[test]
fn small_buffers_over_tls_get_all_before_the_sockets_end() {
    run(async {
        let on = running_loop()?;
        let pair = pair(&on, |_| (), false).await?;
        pair.transport.write(b"0123456789")?;
        let socket = pair.transport.socket().unwrap();
        rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?;
        assert_eq!(pair.end().await?, ["made", "0123", "4567", "89", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn cancellation_amid_a_close_over_tls_is_reported() {
    run(async {
        let on = running_loop()?;
        let reports = Rc::new(RefCell::new(Vec::new()));
        let own = reports.clone();
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            own.borrow_mut().push(format!("{}: {:?}", context.message, context.exception));
        })));
        let pair = pair(&on, |transport| transport.close(), true).await?;
        pair.transport.write(b"0123456789")?;
        let lost = format!("lost {:?}", Some(Error::cancelled().message()));
        assert_eq!(pair.end().await?, ["made", "0123", "4567", &*lost]);
        assert_eq!(reports.take(), ["Fatal error on SSL protocol: Some(CancelledError())"]);
        Ok(())
    });
}
