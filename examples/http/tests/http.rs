//! HTTP/1 by hyper on a loop: over sockets, with curl and with hyper's own client; what time
//! limits and cancellations do to it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net;
use std::process::{Command, Stdio};
use std::time::Duration;

use callsoon::bridges::LoopTimer;
use callsoon::io::{TcpListener, TcpStream, UnixStream};
use callsoon::{
    Error, EventLoop, Result, TaskGroup, create_task, run, run_on, running_loop, sleep, to_thread,
    wrap_future,
};
use http_body_util::{BodyExt, Full};
use http_hyper::{GRACE, GREETING, MOST_ECHOED, Stop, serve, serve_one, serve_until};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt;
use hyper::{Request, StatusCode};

/// Runs `main` on a loop with virtual time, where both ends of a connection are.
fn run_virtually<T: Clone + 'static>(main: impl Future<Output = Result<T>> + 'static) -> T {
    run_on(&EventLoop::with_virtual_time(), main).unwrap()
}

/// Lets everything happen that is ready, or becomes so by what is ready.
async fn settle() -> Result<()> {
    sleep(Duration::from_nanos(1)).await
}

/// Opens hyper's client on `stream`. Its connection runs in a task of its own.
async fn client(
    stream: impl rt::Read + rt::Write + Unpin + 'static,
) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(stream).await?;
    create_task(async move { Ok(connection.await?) });
    Ok(sender)
}

async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    method: &str,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes)> {
    let request = Request::builder().method(method).uri(path).body(Full::new(body))?;
    let response = wrap_future(sender.send_request(request)).await??;
    let status = response.status();
    Ok((status, wrap_future(response.into_body().collect()).await??.to_bytes()))
}

#[test]
fn hypers_client_and_server_talk_on_one_loop() {
    run_virtually(async {
        let (one, two) = UnixStream::pair()?;
        let server = create_task(serve_one(one, LoopTimer::new(), Stop::default()));
        let mut sender = client(two).await?;
        let nothing = Bytes::new;
        let (status, body) = ask(&mut sender, "GET", "/", nothing()).await?;
        assert_eq!((status, &body[..]), (StatusCode::OK, GREETING.as_bytes()));
        let sent: Bytes = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
        let (status, body) = ask(&mut sender, "POST", "/echo", sent.clone()).await?;
        assert!(status == StatusCode::OK && body == sent);
        let (status, _) = ask(&mut sender, "GET", "/elsewhere", nothing()).await?;
        assert_eq!(status, StatusCode::NOT_FOUND);
        let (status, body) = ask(&mut sender, "GET", "/later", nothing()).await?;
        assert_eq!((status, &body[..]), (StatusCode::OK, GREETING.as_bytes()));
        assert_eq!(running_loop()?.time(), Duration::from_secs(1));
        drop(sender);
        server.await
    });
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    run_virtually(async {
        let (one, two) = UnixStream::pair()?;
        create_task(serve_one(one, LoopTimer::new(), Stop::default()));
        let mut two = two.into_inner();
        write!(two, "POST /echo HTTP/1.1\r\ncontent-length: {}\r\n\r\n", MOST_ECHOED + 1)?;
        settle().await?;
        let mut answer = [0; 512];
        let count = two.read(&mut answer)?;
        assert!(answer[..count].starts_with(b"HTTP/1.1 413 "));
        Ok(())
    });
}

#[test]
fn many_clients_are_served_at_once_over_tcp() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = create_task(serve(listener));
        TaskGroup::scope(async |group| {
            for number in 0..64 {
                group.create_task(async move {
                    let mut sender = client(TcpStream::connect(address).await?).await?;
                    for round in 0..5 {
                        let said = Bytes::from(format!("{number} {round}"));
                        let heard = ask(&mut sender, "POST", "/echo", said.clone()).await?;
                        assert_eq!(heard, (StatusCode::OK, said));
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })
        .await?;
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

/// A request without the end of its body holds up an end for its grace.
#[test]
fn stopped_server_breaks_off_requests_after_their_grace() {
    run_virtually(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        let stop = Stop::default();
        let serving = create_task({
            let stop = stop.clone();
            async move { serve_until(listener, &stop).await }
        });
        stream.write_all(b"POST /echo HTTP/1.1\r\ncontent-length: 4\r\n\r\nbod").await?;
        settle().await?;
        let before = running_loop()?.time();
        stop.set();
        assert_eq!(serving.await?, 1);
        assert_eq!(running_loop()?.time() - before, GRACE);
        Ok(())
    });
}

#[test]
fn clients_that_reset_leave_the_server_to_others() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = create_task(serve(listener));
        for request in ["GET / HTTP/1.1\r\n\r\n", "GET /later HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n"]
        {
            // Each time something is there that the client has not read: so closing resets.
            let stream = TcpStream::connect(address).await?;
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
            stream.read_exact(&mut [0]).await?;
            stream.write_all(request.as_bytes()).await?;
            drop(stream);
            let mut sender = client(TcpStream::connect(address).await?).await?;
            let (status, _) = ask(&mut sender, "GET", "/", Bytes::new()).await?;
            assert_eq!(status, StatusCode::OK);
        }
        server.cancel();
        assert!(server.await.unwrap_err().is_cancelled());
        Ok(())
    })
    .unwrap();
}

/// hyper's limit for the head of a request, on the loop's clock.
#[test]
fn peer_that_never_ends_its_request_is_cut_after_half_a_minute() {
    run_virtually(async {
        let (one, two) = net::UnixStream::pair()?;
        let server =
            create_task(serve_one(UnixStream::from(one)?, LoopTimer::new(), Stop::default()));
        let mut two = two;
        two.write_all(b"GET / HTTP/1.1\r\nhost:")?;
        server.await?;
        assert_eq!(running_loop()?.time(), Duration::from_secs(30));
        assert_eq!(running_loop()?.pending_timers(), 0);
        let mut rest = String::new();
        match two.read_to_string(&mut rest) {
            Ok(_) => {}
            // The server closed with bytes that it hadn't read.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        Ok(())
    });
}

/// Cancelled in the middle of a request's head, and while it answers.
#[test]
fn a_connection_that_is_cancelled_at_work_says_so() {
    for sent in ["GET / HTTP/1.1\r\nhost:", "GET /later HTTP/1.1\r\n\r\n"] {
        run_virtually(async move {
            let (one, mut two) = net::UnixStream::pair()?;
            let server =
                create_task(serve_one(UnixStream::from(one)?, LoopTimer::new(), Stop::default()));
            two.write_all(sent.as_bytes())?;
            settle().await?;
            assert!(server.cancel_with("enough"));
            let error = server.await.unwrap_err();
            assert!(error.is_cancelled(), "{sent:?}");
            assert_eq!(error.message(), "enough", "{sent:?}");
            assert_eq!(running_loop()?.pending_timers(), 0);
            Ok(())
        });
    }
}

/// To hyper, whatever ends a connection between two requests is its orderly end.
#[test]
fn a_connection_that_is_cancelled_while_idle_just_ends() {
    for requests in [0, 1] {
        run_virtually(async move {
            let (one, mut two) = net::UnixStream::pair()?;
            let server =
                create_task(serve_one(UnixStream::from(one)?, LoopTimer::new(), Stop::default()));
            for _ in 0..requests {
                two.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
            }
            settle().await?;
            assert!(server.cancel());
            server.await?;
            assert_eq!(running_loop()?.pending_timers(), 0);
            let mut answers = String::new();
            two.read_to_string(&mut answers)?;
            assert_eq!(answers.matches(GREETING).count(), requests);
            Ok(())
        });
    }
}

#[test]
fn a_request_that_is_cancelled_returns_at_its_await() {
    run_virtually(async {
        let (one, two) = UnixStream::pair()?;
        create_task(serve_one(one, LoopTimer::new(), Stop::default()));
        let mut sender = client(two).await?;
        let asking = create_task(async move {
            let outcome = ask(&mut sender, "GET", "/later", Bytes::new()).await;
            settle().await?; // cleaning up may await
            outcome
        });
        settle().await?;
        asking.cancel();
        assert!(asking.await.unwrap_err().is_cancelled());
        Ok(())
    });
}

/// Runs curl on a thread and returns its output; `None` where there is no curl.
async fn curl(arguments: Vec<String>, input: Vec<u8>) -> Result<Option<Vec<u8>>> {
    to_thread(move || {
        let started = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "*"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut curl = match started {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            started => started?,
        };
        let mut stdin = curl.stdin.take().ok_or_else(Error::cancelled)?;
        let writing = std::thread::spawn(move || stdin.write_all(&input));
        let output = curl.wait_with_output()?;
        assert!(output.status.success(), "curl: {}", output.status);
        assert!(writing.join().is_ok());
        Ok(Some(output.stdout))
    })
    .await
}

#[test]
fn curl_gets_and_posts_over_one_connection() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = format!("http://{}", listener.local_addr()?);
        create_task(serve(listener));
        let url = |path: &str| format!("{server}{path}");
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();

        let format = "%{http_code} %{num_connects}\n";
        let twice = words(&["--write-out", format, &url("/"), &url("/nowhere")]);
        let Some(said) = curl(twice, Vec::new()).await? else {
            eprintln!("skipped: there is no curl");
            return Ok(());
        };
        let said = String::from_utf8(said)?;
        assert_eq!(said, format!("{GREETING}200 1\nthere is nothing here\n404 0\n"));

        let sent: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
        let post = words(&["--data-binary", "@-", &url("/echo")]);
        assert!(curl(post, sent.clone()).await? == Some(sent));
        Ok(())
    })
    .unwrap();
}
