//! Datagram endpoints with slow peers, and addresses.

use std::cell::RefCell;
use std::os::unix::net::UnixDatagram;
use std::rc::Rc;
use std::{env, fs, process};

use callsoon::net::{Address, DatagramProtocol};
use callsoon::{Error, ErrorKind, EventLoop, Result, create_task, run_on, running_loop, yield_now};

#[derive(Default)]
struct Says(Rc<RefCell<Vec<&'static str>>>);

impl DatagramProtocol for Says {
    fn pause_writing(&self) -> Result<()> {
        self.0.borrow_mut().push("pause");
        Ok(())
    }

    fn resume_writing(&self) -> Result<()> {
        self.0.borrow_mut().push("resume");
        Ok(())
    }

    fn error_received(&self, _error: Error) -> Result<()> {
        self.0.borrow_mut().push("error");
        Ok(())
    }
}

#[test]
fn datagrams_that_had_to_wait_go_out_in_order() {
    let folder = env::temp_dir().join(format!("callsoon-slow-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("receiver");
    let receiver = UnixDatagram::bind(&path).unwrap();
    receiver.set_nonblocking(true).unwrap();
    let body = async move {
        let on = running_loop()?;
        let endpoint = on.create_unix_datagram_endpoint(Says::default, None, Some(&path)).await?;
        let (transport, protocol) = endpoint;
        transport.set_write_buffer_limits(Some(4000), Some(1000))?;
        assert_eq!(transport.write_buffer_limits(), (1000, 4000));
        let mut sent = 0u32;
        while protocol.0.borrow().is_empty() {
            transport.sendto(&sent.to_le_bytes(), None)?;
            sent += 1;
        }
        let mut received = 0;
        while received < sent {
            let mut number = [0; 4];
            if receiver.recv(&mut number).is_ok() {
                assert_eq!(u32::from_le_bytes(number), received);
                received += 1;
            } else {
                yield_now().await?;
            }
        }
        assert_eq!(*protocol.0.borrow(), ["pause", "resume"]);
        assert_eq!(transport.write_buffer_size(), 0);
        transport.close();
        yield_now().await
    };
    let outcome = run_on(&EventLoop::with_virtual_time(), body);
    fs::remove_dir_all(&folder).unwrap();
    outcome.unwrap();
}

#[test]
fn error_of_a_datagram_that_had_to_wait_is_received() {
    let path = env::temp_dir().join(format!("callsoon-refusing-{}", process::id()));
    let receiver = UnixDatagram::bind(&path).unwrap();
    let own = path.clone();
    let body = async move {
        let on = running_loop()?;
        let endpoint = on.create_unix_datagram_endpoint(Says::default, None, Some(&own)).await?;
        let (transport, protocol) = endpoint;
        while transport.write_buffer_size() == 0 {
            transport.sendto(b"waits", None)?;
        }
        drop(receiver);
        for _ in 0..10 {
            yield_now().await?;
        }
        assert_eq!(protocol.0.borrow().first(), Some(&"error"));
        transport.abort();
        Ok(())
    };
    let outcome = run_on(&EventLoop::with_virtual_time(), body);
    fs::remove_file(&path).unwrap();
    outcome.unwrap();
}

#[test]
fn unix_addresses_are_equal_by_their_paths() {
    let folder = env::temp_dir().join(format!("callsoon-addresses-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let address = |name: &str| {
        let socket = UnixDatagram::bind(folder.join(name)).unwrap();
        Address::Unix(socket.local_addr().unwrap())
    };
    let (one, other) = (address("one"), address("other"));
    let unnamed = || Address::Unix(UnixDatagram::unbound().unwrap().local_addr().unwrap());
    assert!(one == one.clone() && one != other && one != unnamed() && unnamed() == unnamed());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn endpoint_is_closed_when_its_making_is_cancelled() {
    let body = async {
        let on = running_loop()?;
        let says = Rc::new(RefCell::new(Vec::new()));
        let own = Rc::clone(&says);
        let making = create_task(async move {
            on.create_unix_datagram_endpoint(|| Says(own), None, None).await.map(drop)
        });
        yield_now().await?;
        assert_eq!(Rc::strong_count(&says), 2);
        making.cancel();
        assert_eq!(making.await.unwrap_err().kind(), ErrorKind::Cancelled);
        yield_now().await?;
        assert_eq!(Rc::strong_count(&says), 1);
        Ok(())
    };
    run_on(&EventLoop::new(), body).unwrap();
}
