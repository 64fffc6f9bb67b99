//! The scripts of `scripts.txt` have a child process make the calls that `oracle.py` left on CPython.
//! `tests/process/goldens` makes them anew.

use std::cell::RefCell;
use std::rc::Rc;

use callsoon::process::{SubprocessOptions, SubprocessProtocol, SubprocessTransport};
use callsoon::{Error, ErrorKind, EventLoop, Result, run_on, running_loop, yield_now};

const SCRIPTS: &str = include_str!("scripts.txt");
const GOLDEN: &str = include_str!("golden.txt");

// CPython: test_subprocess.SubprocessTransportTests.test_proc_exited
// CPython: test_subprocess.SubprocessMixin.test_send_signal
// CPython: test_subprocess.SubprocessMixin.test_subprocess_protocol_events
#[test]
fn processes_make_the_calls_of_cpython() {
    let mut trace = Vec::new();
    for script in SCRIPTS.trim().split("\n\n") {
        let mut lines = script.lines();
        trace.push(lines.next().unwrap().to_owned());
        let command = lines.next().unwrap();
        let lines: Vec<&str> = lines.collect();
        let done = run_on(&EventLoop::new(), async move { run(command, &lines).await });
        trace.extend(done.unwrap());
    }
    let golden: Vec<&str> = GOLDEN.lines().collect();
    for (own, other) in trace.iter().zip(&golden) {
        assert_eq!(own, other);
    }
    assert_eq!(trace.len(), golden.len());
}

/// Notes its calls, each with a mark behind it.
#[derive(Default)]
struct Noting(Rc<RefCell<Vec<String>>>, &'static str);

impl Noting {
    fn note(&self, call: String) -> Result<()> {
        self.0.borrow_mut().push(call + self.1);
        Ok(())
    }
}

impl SubprocessProtocol for Noting {
    fn connection_made(&self, _transport: &SubprocessTransport) -> Result<()> {
        self.note("made".into())
    }

    fn pipe_data_received(&self, fd: usize, data: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(data).replace('\n', "\\n");
        self.note(format!("data {fd} {} <{text}>", data.len()))
    }

    fn pipe_connection_lost(&self, fd: usize, error: Option<Error>) -> Result<()> {
        self.note(format!("pipe_lost {fd} {}", error_name(error.as_ref())))
    }

    fn process_exited(&self) -> Result<()> {
        self.note("exited".into())
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.note(format!("lost {}", error_name(error.as_ref())))
    }

    fn pause_writing(&self) -> Result<()> {
        self.note("pause".into())
    }

    fn resume_writing(&self) -> Result<()> {
        self.note("resume".into())
    }
}

fn error_name(error: Option<&Error>) -> &'static str {
    const ESRCH: i32 = 3;
    let Some(error) = error else { return "none" };
    match error.io_error().and_then(std::io::Error::raw_os_error) {
        Some(ESRCH) => "ProcessLookupError",
        _ if error.kind() == ErrorKind::Io => "OSError",
        _ => error.kind().name(),
    }
}

/// The place of a call's pipe: what comes by several pipes comes in any order.
fn channel(call: &str) -> usize {
    match *call.split(' ').collect::<Vec<_>>() {
        ["made"] => 0,
        [_, fd @ ("0" | "1" | "2"), ..] => 1 + fd.parse::<usize>().unwrap(),
        ["pause" | "resume", ..] => 1,
        ["exited", ..] => 4,
        _ => 5,
    }
}

async fn run(command: &str, lines: &[&str]) -> Result<Vec<String>> {
    let on = running_loop()?;
    let options = SubprocessOptions::piped();
    let (transport, noting) = on.subprocess_shell(Noting::default, command, options).await?;
    let mut trace = Vec::new();
    for line in lines {
        let Some(wanted) = line.strip_prefix("until ") else {
            let words: Vec<&str> = line.split(' ').collect();
            let outcome = match step(&transport, &noting, &words) {
                Ok(outcome) => outcome,
                Err(error) => error_name(Some(&error)).to_owned(),
            };
            trace.push(format!("{line} -> {outcome}"));
            continue;
        };
        let wanted: Vec<&str> = wanted.split(" & ").collect();
        while !wanted.iter().all(|call| noting.0.borrow().iter().any(|own| own == call)) {
            yield_now().await?;
        }
        let mut calls = noting.0.take();
        calls.sort_by_key(|call| channel(call));
        trace.push(format!("{line} -> {}", calls.join("; ")));
    }
    assert!(transport.returncode().is_some());
    Ok(trace)
}

fn step(transport: &SubprocessTransport, noting: &Noting, words: &[&str]) -> Result<String> {
    let done = |()| "ok".to_owned();
    let pipe = |fd: &str| transport.pipe_transport(fd.parse().unwrap()).expect("a pipe");
    match *words {
        ["write", text] => pipe("0").write(text.replace("\\n", "\n").as_bytes()).map(done),
        ["write_much", count] => pipe("0").write(&vec![b'x'; count.parse().unwrap()]).map(done),
        ["close_pipe", fd] => did(|| pipe(fd).close()),
        ["pipe_is_closing", fd] => Ok(pipe(fd).is_closing().to_string()),
        ["close"] => did(|| transport.close()),
        ["is_closing"] => Ok(transport.is_closing().to_string()),
        ["returncode"] => {
            Ok(transport.returncode().map_or("None".to_owned(), |code| code.to_string()))
        }
        ["signal", number] => transport.send_signal(number.parse().unwrap()).map(done),
        ["terminate"] => transport.terminate().map(done),
        ["kill"] => transport.kill().map(done),
        ["switch"] => did(|| transport.set_protocol(Rc::new(Noting(noting.0.clone(), " (next)")))),
        ["protocol"] => match transport.get_protocol() {
            Some(own) => own.pause_writing().map(done),
            None => Ok("none".to_owned()),
        },
        _ => panic!("no such step: {words:?}"),
    }
}

fn did(action: impl FnOnce()) -> Result<String> {
    action();
    Ok("ok".to_owned())
}
