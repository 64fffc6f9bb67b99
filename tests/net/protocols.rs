//! The order in which a transport calls its protocol.

use std::cell::RefCell;
use std::rc::Rc;

use callsoon::net::{Protocol, Transport};
use callsoon::{Error, ErrorKind, EventLoop, Result, run_on, running_loop};

/// Notes its calls. Answers each chunk in a server; closes at `bye`.
struct Noting {
    name: &'static str,
    calls: Rc<RefCell<Vec<String>>>,
    transport: RefCell<Option<Transport>>,
    lost: callsoon::LoopFuture<()>,
}

impl Noting {
    fn note(&self, call: &str) {
        self.calls.borrow_mut().push(format!("{} {call}", self.name));
    }
}

impl Protocol for Noting {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.note("made");
        self.transport.replace(Some(transport.clone()));
        if self.name == "client" {
            transport.write(b"hello")?;
            transport.write_eof()?;
        }
        Ok(())
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.note(&String::from_utf8_lossy(data));
        if data == b"fail" {
            return Err(Error::new(ErrorKind::Value, "as told"));
        }
        Ok(())
    }

    fn eof_received(&self) -> Result<bool> {
        self.note("eof");
        if self.name == "server" {
            let transport = self.transport.borrow().clone().unwrap();
            transport.write(b"fail")?;
        }
        Ok(false)
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.note(&format!("lost {:?}", error.map(|error| error.message())));
        self.lost.set_result(())
    }
}

#[test]
fn protocol_callbacks_come_in_order() {
    run_on(&EventLoop::new(), async {
        let on = running_loop()?;
        let calls = Rc::new(RefCell::new(Vec::new()));
        let reports = calls.clone();
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            reports.borrow_mut().push(context.message.clone());
        })));
        let (lost, done) = (on.create_future(), on.create_future());
        let protocol = |name, lost: &callsoon::LoopFuture<()>| Noting {
            name,
            calls: calls.clone(),
            transport: RefCell::default(),
            lost: lost.clone(),
        };
        let (of_server, own) = (protocol("server", &lost), RefCell::new(None));
        own.replace(Some(of_server));
        let factory = move || own.take().expect("one connection");
        let server = on.create_server(factory, Some("127.0.0.1"), 0).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let client = protocol("client", &done);
        let (transport, client) = on.create_connection(|| client, "127.0.0.1", port).await?;
        assert!(transport.peername().unwrap().ip().unwrap().port() == port);
        lost.await?;
        done.await?;
        assert!(transport.is_closing());
        server.close();
        server.wait_closed().await?;
        drop(client);
        let of = |name: &str| {
            let calls = calls.borrow();
            calls.iter().filter(|call| call.starts_with(name)).cloned().collect::<Vec<_>>()
        };
        let server_calls = ["server made", "server hello", "server eof", "server lost None"];
        assert_eq!(of("server"), server_calls);
        let client_calls = ["client made", "client fail", "client lost Some(\"as told\")"];
        assert_eq!(of("client"), client_calls);
        assert_eq!(of("Fatal"), ["Fatal error: protocol.data_received() call failed."]);
        Ok(())
    })
    .unwrap();
}
