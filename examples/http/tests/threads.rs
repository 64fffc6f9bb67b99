//! The server on several threads: each has its part, and all end by one interrupt.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use callsoon::{create_task, run, to_thread};
use http_hyper::{GREETING, Stop, listen, serve_on_threads};

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("a server")
}

/// Asks for the greeting, and reads exactly the response.
fn greet(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let said = read_until(stream, GREETING);
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let (mut said, mut byte) = (String::new(), [0]);
    while !said.ends_with(end) {
        stream.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    said
}

/// Returns what is still sent before the end of the stream.
fn rest(stream: &mut TcpStream) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    rest
}

#[test]
fn threads_share_the_connections() {
    run(async {
        let listeners = listen(SocketAddr::from(([127, 0, 0, 1], 0)), 4)?;
        let address = listeners[0].local_addr()?;
        let stop = Stop::default();
        let serving = create_task({
            let stop = stop.clone();
            async move { serve_on_threads(listeners, &stop).await }
        });
        to_thread(move || {
            for _ in 0..256 {
                greet(&mut connect(address));
            }
            Ok(())
        })
        .await?;
        stop.set();
        let counts = serving.await?;
        assert_eq!(counts.iter().sum::<usize>(), 256);
        // One of them has none in one run of 10^31.
        assert!(counts.len() == 4 && counts.iter().all(|&count| count > 0), "{counts:?}");
        Ok(())
    })
    .unwrap();
}

#[test]
fn stop_that_is_set_at_first_ends_all_threads() {
    run(async {
        let listeners = listen(SocketAddr::from(([127, 0, 0, 1], 0)), 3)?;
        let stop = Stop::default();
        stop.set();
        assert_eq!(serve_on_threads(listeners, &stop).await?, [0; 3]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn failure_of_one_thread_ends_the_others() {
    run(async {
        let mut listeners = listen(SocketAddr::from(([127, 0, 0, 1], 0)), 2)?;
        // A socket that doesn't listen: its accept fails.
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        listeners.push(
            std::net::UdpSocket::bind(address)
                .map(|socket| std::net::TcpListener::from(std::os::fd::OwnedFd::from(socket)))?,
        );
        let error = serve_on_threads(listeners, &Stop::default()).await.unwrap_err();
        assert!(error.group()[0].io_error().is_some(), "{error:?}");
        Ok(())
    })
    .unwrap();
}

/// A server program, ended with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn interrupt_ends_all_threads_after_their_requests() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.args(["--threads", "3"]).stdout(Stdio::piped());
    let mut server = Server(command.spawn().unwrap());
    let mut output = BufReader::new(server.0.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let address: SocketAddr = line.trim_end().trim_start_matches("http://").parse().unwrap();

    // So many that each thread has both kinds.
    let mut streams: Vec<TcpStream> = (0..64).map(|_| connect(address)).collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        greet(stream);
        if number % 2 == 0 {
            // The server has begun with the request: it says that it wants the body.
            let head = "POST /echo HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            assert_eq!(read_until(stream, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        }
    }
    let interrupt = |pid: u32| Command::new("kill").args(["-INT", &pid.to_string()]).status();
    assert!(interrupt(server.0.id()).unwrap().success());

    for stream in streams.iter_mut().skip(1).step_by(2) {
        assert_eq!(rest(stream), "", "an idle connection is closed");
    }
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(server.0.try_wait().unwrap().is_none(), "requests are in progress");
    for stream in streams.iter_mut().step_by(2) {
        stream.write_all(b"body").unwrap();
        let said = rest(stream);
        assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with("\r\n\r\nbody"), "{said}");
    }
    assert!(server.0.wait().unwrap().success());
    line.clear();
    output.read_to_string(&mut line).unwrap();
    assert!(line.starts_with("connections: ["), "{line}");
    let counts = line.trim_end().trim_start_matches("connections: [").trim_end_matches(']');
    let counts: Vec<usize> = counts.split(", ").map(|count| count.parse().unwrap()).collect();
    assert!(counts.len() == 3 && counts.iter().sum::<usize>() == 64, "{counts:?}");
}
