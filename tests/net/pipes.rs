//! Pipes as transports.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Read, Write};
use std::rc::Rc;

use callsoon::net::Protocol;
use callsoon::{Error, EventLoop, Result, run_on, running_loop, yield_now};
use rustix::pipe::{PipeFlags, pipe_with};

/// Keeps what it receives.
#[derive(Default)]
struct Received {
    data: RefCell<Vec<u8>>,
    lost: Cell<bool>,
}

impl Protocol for Received {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.data.borrow_mut().extend_from_slice(data);
        Ok(())
    }

    fn connection_lost(&self, _error: Option<Error>) -> Result<()> {
        self.lost.set(true);
        Ok(())
    }
}

/// Other readers of the pipe are ready in the same turn, one of them before the transport.
#[test]
fn read_pipe_goes_on_after_a_false_alarm() {
    let body = async {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (first, last) = (reading.try_clone()?, reading.try_clone()?);
        let on = running_loop()?;
        let taken = Rc::new(RefCell::new(Vec::new()));
        let takes = |file: Rc<File>| {
            let taken = taken.clone();
            move || {
                // The transport has set the pipe to never block.
                let _ = (&*file).read_to_end(&mut taken.borrow_mut());
            }
        };
        let (first, last) = (Rc::new(File::from(first)), Rc::new(File::from(last)));
        on.add_reader(first.clone(), takes(first.clone()))?;
        let (transport, protocol) = on.connect_read_pipe(Received::default, reading).await?;
        on.add_reader(last.clone(), takes(last.clone()))?;
        let mut writing = File::from(writing);
        writing.write_all(b"other's")?;
        while taken.borrow().is_empty() {
            yield_now().await?;
        }
        yield_now().await?;
        assert_eq!(*taken.borrow(), b"other's");
        on.remove_reader(&first)?;
        on.remove_reader(&last)?;
        assert!(transport.is_reading() && !protocol.lost.get());
        writing.write_all(b"own")?;
        while protocol.data.borrow().is_empty() {
            yield_now().await?;
        }
        assert_eq!(*protocol.data.borrow(), b"own");
        transport.close();
        yield_now().await
    };
    run_on(&EventLoop::new(), body).unwrap();
}

/// Each write to a pipe of packets is a packet.
// CPython: test_transports.TransportTests.test_writelines
#[test]
fn writelines_is_one_write() {
    let body = async {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::DIRECT).unwrap();
        let on = running_loop()?;
        let (transport, _) = on.connect_write_pipe(Received::default, writing).await?;
        transport.writelines(["line1", "line2", "line3"])?;
        transport.write(b"next")?;
        let mut reading = File::from(reading);
        for expected in [&b"line1line2line3"[..], b"next"] {
            let mut packet = [0; 100];
            let length = reading.read(&mut packet)?;
            assert_eq!(&packet[..length], expected);
        }
        transport.abort();
        Ok(())
    };
    run_on(&EventLoop::new(), body).unwrap();
}
