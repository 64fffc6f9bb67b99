//! The scripts of `scripts.txt` leave the trace that `oracle.py` left on CPython's streams.
//! `tests/net/goldens` makes the traces anew.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use callsoon::net::{IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter};
use callsoon::{
    Error, ErrorKind, EventLoop, Result, Task, create_task, run_on, running_loop, yield_now,
};

const SCRIPTS: &str = include_str!("scripts.txt");
const GOLDEN: &str = include_str!("golden.txt");

type End = (StreamReader, StreamWriter);

/// A close on Wine resets nothing.
fn can_run(head: &str) -> bool {
    cfg!(unix) || !head.starts_with("# reset_by_peer")
}

// CPython: test_streams.StreamTests.test_open_unix_connection
// CPython: test_streams.StreamTests.test_feed_nonempty_data
// CPython: test_streams.StreamTests.test_read_zero
// CPython: test_streams.StreamTests.test_read
// CPython: test_streams.StreamTests.test_read_line_breaks
// CPython: test_streams.StreamTests.test_read_until_eof
// CPython: test_streams.StreamTests.test_read_limit
// CPython: test_streams.StreamTests.test_readline
// CPython: test_streams.StreamTests.test_readline_limit_with_existing_data
// CPython: test_streams.StreamTests.test_at_eof
// CPython: test_streams.StreamTests.test_readline_limit
// CPython: test_streams.StreamTests.test_readline_nolimit_nowait
// CPython: test_streams.StreamTests.test_readline_eof
// CPython: test_streams.StreamTests.test_readline_empty_eof
// CPython: test_streams.StreamTests.test_readline_read_byte_count
// CPython: test_streams.StreamTests.test_readuntil_eof
// CPython: test_streams.StreamTests.test_readuntil_multi_separator
// CPython: test_streams.StreamTests.test_readuntil_multi_separator_limit
// CPython: test_streams.StreamTests.test_readexactly_zero_or_less
// CPython: test_streams.StreamTests.test_readexactly
// CPython: test_streams.StreamTests.test_readexactly_limit
// CPython: test_streams.StreamTests.test_readexactly_eof
// CPython: test_streams.StreamTests.test_multiple_drain
// CPython: test_streams.StreamTests.test_drain_raises
// CPython: test_streams.StreamTests.test_wait_closed_on_close
// CPython: test_streams.StreamTests.test_wait_closed_on_close_with_unread_data
// CPython: test_streams.StreamTests.test_async_writer_api
// CPython: test_streams.StreamTests.test_async_writer_api_exception_after_close
#[test]
fn streams_leave_the_traces_of_cpython() {
    let (mut trace, reports) = (Vec::new(), Rc::new(RefCell::new(Vec::new())));
    for (number, script) in SCRIPTS.trim().split("\n\n").enumerate() {
        let mut lines = script.lines();
        let head = lines.next().unwrap();
        if !can_run(head) {
            continue;
        }
        trace.push(head.to_owned());
        let limit = head.split(' ').nth(2).unwrap().parse().unwrap();
        let lines: Vec<&str> = lines.collect();
        let (event_loop, reported) = (EventLoop::new(), reports.clone());
        event_loop.set_exception_handler(Some(Rc::new(move |_, context| {
            reported.borrow_mut().push(context.message.to_string());
        })));
        let done = run_on(&event_loop, async move { script_trace(number, limit, &lines).await });
        trace.extend(done.unwrap_or_else(|error| panic!("{head}: {error}")));
    }
    let mut ran = true;
    let of_those_that_ran = |line: &&str| {
        if line.starts_with("# ") {
            ran = can_run(line);
        }
        ran
    };
    let golden: Vec<&str> = GOLDEN.lines().filter(of_those_that_ran).collect();
    compare(&trace, &golden);
    assert_eq!(reports.take(), [""; 0]);
}

/// The client's and the server's end of a connection.
async fn connection(number: usize, limit: usize) -> Result<(Rc<End>, Rc<End>)> {
    let accepted = running_loop()?.create_future::<Rc<End>>();
    let promise = accepted.clone();
    let connected = move |reader, writer| {
        let accepted = promise.set_result(Rc::new((reader, writer)));
        async { accepted }
    };
    #[cfg(unix)]
    let (client, served) = {
        use callsoon::net::{open_unix_connection, start_unix_server};
        let name = format!("callsoon-script-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let server = start_unix_server(connected, &path, limit).await?;
        let client = open_unix_connection(&path, limit).await?;
        let served = accepted.await?;
        server.close();
        assert!(!path.exists());
        (client, served)
    };
    #[cfg(not(unix))]
    let (client, served) = {
        use callsoon::net::{open_connection, start_server};
        let _ = number;
        let server = start_server(connected, Some("127.0.0.1"), 0, limit).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let client = open_connection("127.0.0.1", port, limit).await?;
        let served = accepted.await?;
        server.close();
        (client, served)
    };
    Ok((Rc::new(client), served))
}

async fn script_trace(number: usize, limit: usize, lines: &[&'static str]) -> Result<Vec<String>> {
    let (client, served) = connection(number, limit).await?;
    let mut started: HashMap<&str, Task<Outcome>> = HashMap::new();
    let mut trace = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let end_of = |name: &str| Rc::clone(if name == "c" { &client } else { &served });
        let outcome = match words[..] {
            ["spin", count] => {
                for _ in 0..count.parse().unwrap() {
                    yield_now().await?;
                }
                continue;
            }
            ["start", name, end, ref step @ ..] => {
                let (end, step) = (end_of(end), step.to_vec());
                let step = create_task(async move { perform(&end, &step).await });
                started.insert(name, step);
                continue;
            }
            ["cancel", name] => started[name].cancel().to_string(),
            ["done", name] => started[name].done().to_string(),
            ["join", name] => shown((&started[name]).await),
            [end, ref step @ ..] => shown(perform(&end_of(end), step).await),
            [] => unreachable!(),
        };
        trace.push(format!("{line} -> {outcome}"));
    }
    client.1.transport().abort();
    served.1.transport().abort();
    yield_now().await?;
    Ok(trace)
}

#[derive(Clone)]
enum Outcome {
    Done,
    Is(bool),
    Bytes(Vec<u8>),
}

/// Compares the lines of a trace with those of CPython's.
pub(crate) fn compare(trace: &[String], golden: &[&str]) {
    for (at, (own, other)) in trace.iter().zip(golden).enumerate() {
        assert_eq!(own, other, "line {}", at + 1);
    }
    assert_eq!(trace.len(), golden.len());
}

pub(crate) fn data(text: &str) -> Vec<u8> {
    match text.split_once('*') {
        Some((byte, count)) => byte.repeat(count.parse().unwrap()).into_bytes(),
        None => text.replace("\\n", "\n").into_bytes(),
    }
}

async fn perform((reader, writer): &End, step: &[&str]) -> Result<Outcome> {
    let done = |()| Outcome::Done;
    let number = |text: &str| text.parse::<usize>().unwrap();
    match *step {
        ["write", text] => writer.write(&data(text)).map(done),
        ["writelines", text] => writer.writelines(text.split('|')).map(done),
        ["eof"] => writer.write_eof().map(done),
        ["close"] => {
            writer.close();
            Ok(Outcome::Done)
        }
        ["abort"] => {
            writer.transport().abort();
            Ok(Outcome::Done)
        }
        ["drain"] => writer.drain().await.map(done),
        ["wait_closed"] => writer.wait_closed().await.map(done),
        ["is_closing"] => Ok(Outcome::Is(writer.is_closing())),
        ["buffered"] => Ok(Outcome::Is(writer.transport().write_buffer_size() > 0)),
        ["limits", high, low] => writer
            .transport()
            .set_write_buffer_limits(Some(number(high)), Some(number(low)))
            .map(done),
        ["at_eof"] => Ok(Outcome::Is(reader.at_eof())),
        ["read", count] => reader.read(number(count)).await.map(Outcome::Bytes),
        ["read_all"] => reader.read_to_end().await.map(Outcome::Bytes),
        ["exactly", count] => reader.readexactly(number(count)).await.map(Outcome::Bytes),
        ["line"] => reader.readline().await.map(Outcome::Bytes),
        ["until"] => reader.readuntil_any(&[]).await.map(Outcome::Bytes),
        ["until", text] => {
            let parts: Vec<Vec<u8>> = text.split('|').map(data).collect();
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            reader.readuntil_any(&parts).await.map(Outcome::Bytes)
        }
        _ => panic!("no such step: {step:?}"),
    }
}

fn shown(outcome: Result<Outcome>) -> String {
    match outcome {
        Ok(Outcome::Done) => "ok".to_owned(),
        Ok(Outcome::Is(is)) => is.to_string(),
        Ok(Outcome::Bytes(bytes)) => shown_bytes(&bytes),
        Err(error) => failed(&error),
    }
}

pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).replace('\n', "\\n");
    format!("{} <{begin}>", bytes.len())
}

fn failed(error: &Error) -> String {
    if let Some(incomplete) = error.downcast_ref::<IncompleteReadError>() {
        return format!("IncompleteReadError {} {incomplete}", shown_bytes(&incomplete.partial));
    }
    if let Some(overrun) = error.downcast_ref::<LimitOverrunError>() {
        return format!("LimitOverrunError {} {overrun}", overrun.consumed);
    }
    match error.kind() {
        ErrorKind::Cancelled => "CancelledError".to_owned(),
        ErrorKind::Io => {
            use std::io::ErrorKind as Kind;
            let name = match error.io_error().map(std::io::Error::kind) {
                Some(Kind::ConnectionReset) => "ConnectionResetError",
                Some(Kind::BrokenPipe) => "BrokenPipeError",
                _ => "OSError",
            };
            format!("OSError {name}")
        }
        ErrorKind::Value if !error.message().contains("Separator") => "ValueError".to_owned(),
        kind => format!("{} {}", kind.name(), error.message()),
    }
}
