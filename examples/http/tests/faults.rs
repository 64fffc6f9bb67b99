//! The server as a program on a machine that refuses, and with clients that talk no HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use http_hyper::GREETING;

/// The server while it runs. It is killed when this goes.
struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    address: SocketAddr,
}

impl Server {
    /// Starts it by a shell that does `first` before.
    fn after(first: &str) -> Server {
        let script = format!("{first} exec {}", env!("CARGO_BIN_EXE_server"));
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.trim_end().trim_start_matches("http://").parse().unwrap();
        Server { child, output, address }
    }

    fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Stops it, and returns once it has stopped.
    fn stop(&self) {
        self.signal("-STOP");
        let state = || {
            let mut ps = Command::new("ps");
            ps.args(["-o", "state=", "-p", &self.child.id().to_string()]).output().unwrap().stdout
        };
        while !state().trim_ascii().starts_with(b"T") {
            thread::yield_now();
        }
    }

    /// A connection that is served.
    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// Interrupts it, and returns how many connections it says that it had.
    fn end(mut self) -> usize {
        self.signal("-INT");
        assert!(self.child.wait().unwrap().success());
        let mut line = String::new();
        self.output.read_to_string(&mut line).unwrap();
        let count = line.trim_end().strip_prefix("connections: [").unwrap().strip_suffix(']');
        count.unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Reads to the end, which is the greeting.
fn assert_greeted(mut stream: TcpStream) {
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200 ") && said.ends_with(GREETING), "{said}");
}

fn greet(server: &Server) {
    let mut stream = server.connect();
    stream.write_all(REQUEST).unwrap();
    assert_greeted(stream);
}

/// Runs it to its end: its exit code, and its error output.
fn refused(arguments: &[&str], output: Stdio) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    let child = command.args(arguments).stdout(output).stderr(Stdio::piped()).spawn().unwrap();
    let done = child.wait_with_output().unwrap();
    (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn port_in_use_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, errors) = refused(&[&address], Stdio::null());
    assert_eq!(code, 1);
    assert!(errors.starts_with(&format!("server: can't listen on {address}: ")), "{errors}");
    assert!(errors.contains("in use"), "{errors}");
}

#[test]
fn output_that_is_read_no_more_is_an_error() {
    let (reads, writes) = std::io::pipe().unwrap();
    drop(reads);
    let (code, errors) = refused(&[], writes.into());
    assert_eq!(code, 1);
    assert!(errors.starts_with("server: can't print \"http://127.0.0.1:"), "{errors}");
    assert!(errors.contains("Broken pipe"), "{errors}");
}

#[test]
fn garbage_leaves_the_server_to_others() {
    let server = Server::after("");
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..100 {
        let mut stream = server.connect();
        let mut bytes = REQUEST.to_vec();
        match rng.u8(0..3) {
            0 => bytes = (0..rng.usize(1..4000)).map(|_| rng.u8(..)).collect(),
            1 => bytes.truncate(rng.usize(1..bytes.len())),
            _ => (0..rng.usize(1..9)).for_each(|_| bytes[rng.usize(0..REQUEST.len())] = rng.u8(..)),
        }
        // It may have closed the connection by then.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        // It says what is wrong, or nothing; the connection ends in any case.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    greet(&server);
    assert_eq!(server.end(), 101);
}

/// Connections wait where there are no descriptors for them, and are served when others end.
#[test]
fn few_descriptors_delay_connections() {
    let server = Server::after("ulimit -n 24;");
    let mut streams: Vec<_> = (0..64).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(REQUEST).unwrap();
    }
    streams.into_iter().for_each(assert_greeted);
    assert_eq!(server.end(), 64);
}

/// Requests that come while it is stopped are served when it goes on.
#[test]
fn stop_and_continue_loses_no_request() {
    let server = Server::after("");
    let mut idle = server.connect();
    server.stop();
    let mut streams: Vec<_> = (0..16).map(|_| server.connect()).collect();
    for stream in streams.iter_mut().chain([&mut idle]) {
        stream.write_all(REQUEST).unwrap();
    }
    server.signal("-CONT");
    streams.into_iter().chain([idle]).for_each(assert_greeted);
    assert_eq!(server.end(), 17);
}
