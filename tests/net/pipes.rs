//! Pipes as transports.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use callsoon::net::Protocol;
use callsoon::{Error, EventLoop, Result, run_on, running_loop, yield_now};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::protocols::logged_by;

/// Keeps what it receives.
#[derive(Default)]
struct Received {
    data: RefCell<Vec<u8>>,
    error: RefCell<Option<Error>>,
    lost: Cell<bool>,
}

impl Protocol for Received {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.data.borrow_mut().extend_from_slice(data);
        Ok(())
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.error.replace(error);
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

/// The peer closes with data unread, which resets the connection.
#[test]
fn read_pipe_ends_with_the_error_of_its_read() {
    let body = async {
        let (mut reading, peer) = UnixStream::pair()?;
        let on = running_loop()?;
        let reports = Rc::new(RefCell::new(Vec::new()));
        let kept = reports.clone();
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            kept.borrow_mut().push(context.message.clone());
        })));
        reading.write_all(b"unread")?;
        let (transport, protocol) = on.connect_read_pipe(Received::default, reading).await?;
        drop(peer);
        while !protocol.lost.get() {
            yield_now().await?;
        }
        let error = protocol.error.take().expect("the system's error");
        assert_eq!(error.io_error().unwrap().kind(), ErrorKind::ConnectionReset);
        assert_eq!(*reports.borrow(), ["Fatal read error on pipe transport"]);
        assert!(transport.is_closing() && !transport.is_reading());
        Ok(())
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
        assert_eq!(transport.write_buffer_limits(), (16 * 1024, 64 * 1024));
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

#[test]
fn pipes_lend_their_descriptors_until_they_are_lost() {
    let body = async {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let expected = [reading.as_raw_fd(), writing.as_raw_fd()];
        let on = running_loop()?;
        let (reading, _) = on.connect_read_pipe(Received::default, reading).await?;
        let (writing, _) = on.connect_write_pipe(Received::default, writing).await?;
        for (transport, expected) in [reading, writing].iter().zip(expected) {
            assert_eq!(transport.socket().map(|socket| socket.as_raw_fd()), Some(expected));
            transport.abort();
            yield_now().await?;
            assert!(transport.socket().is_none());
        }
        Ok(())
    };
    run_on(&EventLoop::new(), body).unwrap();
}

/// Other writers fill the pipe in the same turn, one of them before the transport.
#[test]
fn write_pipe_goes_on_after_a_false_alarm() {
    let body = async {
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        let mut reading = File::from(reading);
        let other = || writing.try_clone().map(|other| Rc::new(File::from(other)));
        let (first, last) = (other()?, other()?);
        let on = running_loop()?;
        let fills = Rc::new(Cell::new(0));
        let fill = |file: &Rc<File>| {
            let (file, fills) = (file.clone(), fills.clone());
            move || {
                while (&*file).write(&[2; 4096]).is_ok() {}
                fills.set(fills.get() + 1);
            }
        };
        fill(&first)();
        on.add_writer(first.clone(), fill(&first))?;
        let (transport, protocol) = on.connect_write_pipe(Received::default, writing).await?;
        let own = vec![1; 100_000];
        transport.write(&own)?;
        on.add_writer(last.clone(), fill(&last))?;
        let mut received = Vec::new();
        _ = reading.read_to_end(&mut received);
        while fills.get() < 3 {
            yield_now().await?;
        }
        on.remove_writer(&first)?;
        on.remove_writer(&last)?;
        while transport.write_buffer_size() > 0 {
            _ = reading.read_to_end(&mut received);
            yield_now().await?;
        }
        _ = reading.read_to_end(&mut received);
        received.retain(|byte| *byte == 1);
        assert!(received == own && !protocol.lost.get());
        transport.close();
        yield_now().await
    };
    run_on(&EventLoop::new(), body).unwrap();
}

/// The peer has ended its reading alone, of which only a write is told.
#[test]
fn write_pipe_ends_with_the_error_of_its_write() {
    let body = async {
        let (writing, mut peer) = UnixStream::pair()?;
        let on = running_loop()?;
        let (transport, protocol) = on.connect_write_pipe(Received::default, writing).await?;
        transport.write(&[1; 1_000_000])?;
        assert!(transport.write_buffer_size() > 0);
        peer.set_nonblocking(true)?;
        _ = peer.read_to_end(&mut Vec::new());
        peer.shutdown(Shutdown::Read)?;
        for _ in 0..5 {
            yield_now().await?;
        }
        assert!(protocol.lost.get() && transport.is_closing());
        let error = protocol.error.take().expect("the system's error");
        assert_eq!(error.io_error().unwrap().kind(), ErrorKind::BrokenPipe);
        Ok(())
    };
    run_on(&EventLoop::new(), body).unwrap();
}

/// In CPython `connection_lost` is called a second time, and fails.
#[test]
fn pipe_that_is_ended_twice_is_lost_once() {
    let body = async {
        let (_reading, writing) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let on = running_loop()?;
        let told = Rc::new(Cell::new(0));
        let tells = told.clone();
        on.set_exception_handler(Some(Rc::new(move |_, _| tells.set(1))));
        let (transport, _) = on.connect_write_pipe(Received::default, writing).await?;
        transport.close();
        transport.abort();
        transport.abort();
        yield_now().await?;
        assert!(transport.socket().is_none() && told.get() == 0);
        Ok(())
    };
    run_on(&EventLoop::new(), body).unwrap();
}

#[test]
fn writes_to_a_closed_pipe_are_logged_behind_the_fifth() {
    let logged = logged_by(async {
        let (_reading, writing) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (transport, _) = running_loop()?.connect_write_pipe(Received::default, writing).await?;
        transport.close();
        for _ in 0..7 {
            transport.write(b"lost")?;
        }
        Ok(())
    });
    let lost = "WARN: pipe closed by peer or os.write(pipe, data) raised exception.";
    assert_eq!(logged, [lost; 2]);
}
