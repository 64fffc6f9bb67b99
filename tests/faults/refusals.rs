//! Requests that the system refuses: the error names the thing that it is about.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use callsoon::io::{
    Async, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
};
use callsoon::{Error, Result, run, running_loop};

use crate::child::is_child;

const EMFILE: i32 = 24;

/// Asserts that `outcome` is the system's error, and begins with what it is about, in each form.
#[track_caller]
fn assert_about<T>(outcome: Result<T>, code: i32, about: &str) {
    let Err(error) = outcome else { panic!("not refused: {about}") };
    assert_eq!(error.io_error().and_then(std::io::Error::raw_os_error), Some(code), "{error}");
    let texts = [error.to_string(), error.message(), format!("{error:?}")];
    for text in &texts {
        assert!(
            text.starts_with(&format!("{about}: ")) && text.contains(&code.to_string()),
            "{text}"
        );
    }
    // It passes through other crates as the system's own.
    assert_eq!(std::io::Error::from(error.clone()).raw_os_error(), Some(code));
    let foreign: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert_eq!(foreign.to_string(), texts[0]);
    assert!(Error::find_in(&*foreign).is_some_and(|error| error.io_error().is_some()));
}

#[test]
fn io_errors_without_descriptors_say_of_what() {
    if !is_child("refusals::io_errors_without_descriptors_say_of_what", "ulimit -n 48") {
        return;
    }
    let refused = run(async {
        let watched = Rc::new(std::net::UdpSocket::bind("127.0.0.1:0")?);
        let eaten: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let any = "127.0.0.1:0";
        assert_about(TcpListener::bind(any), EMFILE, "can't listen at 127.0.0.1:0");
        assert_about(UdpSocket::bind(any), EMFILE, "can't bind a UDP socket");
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
        assert_about(TcpStream::connect(to).await, EMFILE, "can't connect to 127.0.0.1:9");
        assert_about(UnixStream::pair(), EMFILE, "no pair of sockets");
        assert_about(UnixStream::connect("/none").await, EMFILE, "can't connect to \"/none\"");
        assert_about(UnixListener::bind("/none/x"), EMFILE, "can't listen at \"/none/x\"");
        assert_about(UnixDatagram::pair(), EMFILE, "no pair of sockets");
        assert_about(UnixDatagram::unbound(), EMFILE, "no datagram socket");
        assert_about(UnixDatagram::bind("/none/x"), EMFILE, "can't bind to \"/none/x\"");
        let on = running_loop()?;
        assert_about(on.add_reader(watched.clone(), || ()), EMFILE, "no poller for the loop");
        #[cfg(feature = "signals")]
        assert_about(on.add_signal_handler(10, || ()), EMFILE, "no pipe for signal 10");
        drop(eaten);
        Ok(())
    });
    refused.unwrap();
}

#[test]
fn io_errors_say_of_which_address_or_descriptor() {
    const EPERM: i32 = 1;
    const EADDRINUSE: i32 = 98;
    const ECONNREFUSED: i32 = 111;
    const ENOENT: i32 = 2;
    let refused = run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let taken = listener.local_addr()?;
        assert_about(TcpListener::bind(taken), EADDRINUSE, &format!("can't listen at {taken}"));
        drop(listener);
        let refused = TcpStream::connect(taken).await;
        assert_about(refused, ECONNREFUSED, &format!("can't connect to {taken}"));
        let none = "can't connect to \"/none\"";
        assert_about(UnixStream::connect("/none").await, ENOENT, none);
        let socket = UnixDatagram::unbound()?;
        assert_about(socket.connect("/none"), ENOENT, none);
        assert_about(socket.send_to(b"x", "/none").await, ENOENT, "can't send to \"/none\"");
        // A regular file can't be watched.
        let file = Rc::new(File::open("/proc/self/exe")?);
        let about = format!("can't watch descriptor {}", file.as_raw_fd());
        assert_about(running_loop()?.add_reader(file.clone(), || ()), EPERM, &about);
        let file = Async::new(File::open("/proc/self/exe")?)?;
        let about = format!("can't watch descriptor {}", file.get_ref().as_raw_fd());
        let waited = file.read_with(|_| Err::<(), _>(std::io::ErrorKind::WouldBlock.into())).await;
        assert_about(waited, EPERM, &about);
        Ok(())
    });
    refused.unwrap();
}
