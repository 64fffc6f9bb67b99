//! Processes on every platform: each child is this test program.

use std::cell::RefCell;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::process::exit;
use std::rc::Rc;

use callsoon::process::{
    Process, Stdio, SubprocessOptions, SubprocessProtocol, create_subprocess_exec,
    create_subprocess_shell,
};
use callsoon::{Error, ErrorKind, EventLoop, Result, run_on, running_loop, yield_now};

use crate::support::itself::words_of_itself;
use crate::support::log_lines::log_lines_of;

/// Says what the child does.
const PART: &str = "CALLSOON_TEST_PART";

/// The program of each child: it ends within.
#[test]
fn child() {
    let Ok(part) = env::var(PART) else { return };
    let mut line = String::new();
    let code = match part.as_str() {
        "echo" => io::copy(&mut io::stdin(), &mut io::stdout()).map_or(1, |_| 0),
        "answer" => {
            println!("ready");
            eprintln!("for a line");
            io::stdin().read_line(&mut line).unwrap();
            println!("got {}", line.trim_end());
            7
        }
        "exit" => 3,
        other => panic!("no part {other}"),
    };
    io::stdout().flush().unwrap();
    exit(code);
}

async fn start(part: &str, options: SubprocessOptions) -> Result<Process> {
    let mut variables: Vec<_> = env::vars_os().collect();
    variables.push((PART.into(), part.into()));
    let options = options.env(variables);
    let mut words = words_of_itself();
    words.extend(["--exact", "portable::child", "--nocapture", "--quiet"].map(Into::into));
    let program = words.remove(0);
    create_subprocess_exec(program, words, options).await
}

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

fn piped() -> SubprocessOptions {
    SubprocessOptions::piped()
}

#[test]
fn portable_communicate_writes_and_reads_all() {
    run(async {
        let echo = start("echo", piped()).await?;
        assert!(echo.pid() > 0 && echo.returncode().is_none());
        let input = vec![b'x'; 1_000_000];
        let (output, errors) = echo.communicate(Some(&input)).await?;
        assert!(output.unwrap().ends_with(&input));
        assert_eq!((errors, echo.returncode()), (Some(Vec::new()), Some(0)));
        Ok(())
    });
}

#[test]
fn portable_streams_are_read_and_written() {
    run(async {
        let answer = start("answer", piped()).await?;
        let (stdin, stdout) = (answer.stdin.as_ref().unwrap(), answer.stdout.as_ref().unwrap());
        while stdout.readline().await?.trim_ascii() != b"ready" {}
        let mut line = answer.stderr.as_ref().unwrap().readline().await?;
        assert_eq!(line.trim_ascii(), b"for a line");
        stdin.write(b"line\n")?;
        stdin.drain().await?;
        line = stdout.readline().await?;
        assert_eq!(line.trim_ascii(), b"got line");
        assert!(stdout.readline().await?.is_empty());
        assert_eq!(answer.wait().await?, 7);
        stdin.wait_closed().await?;
        assert_eq!(stdin.drain().await.unwrap_err().kind(), ErrorKind::Io);
        Ok(())
    });
}

#[test]
fn portable_communicate_ignores_that_no_input_is_read() {
    run(async {
        let ended = start("exit", piped()).await?;
        let unread = vec![b'x'; 1_000_000];
        let (_, errors) = ended.communicate(Some(&unread)).await?;
        assert_eq!((errors, ended.returncode()), (Some(Vec::new()), Some(3)));
        Ok(())
    });
}

#[test]
fn portable_kill_terminate_and_close_end_a_process() {
    let codes = if cfg!(unix) { [-9, -15, -9] } else { [1; 3] };
    run(async move {
        let close = |own: &Process| {
            own.transport().close();
            Ok(())
        };
        let ends: [&dyn Fn(&Process) -> Result<()>; 3] =
            [&Process::kill, &Process::terminate, &close];
        for (end, code) in ends.iter().zip(codes) {
            let waiting = start("answer", piped()).await?;
            assert_eq!(waiting.returncode(), None);
            end(&waiting)?;
            assert_eq!(waiting.wait().await?, code);
            assert!(waiting.kill().is_err());
        }
        Ok(())
    });
}

#[test]
fn portable_children_end_with_their_loop() {
    let event_loop = EventLoop::new();
    let process =
        run_on(&event_loop, async { start("answer", piped()).await.map(Rc::new) }).unwrap();
    event_loop.close().unwrap();
    assert_eq!(process.returncode(), Some(if cfg!(unix) { -9 } else { 1 }));
}

#[test]
fn portable_stderr_goes_where_stdout_goes() {
    run(async {
        let options = piped().stderr(Stdio::Stdout);
        let answer = start("answer", options).await?;
        let (output, errors) = answer.communicate(Some(b"line\n")).await?;
        let output = String::from_utf8(output.unwrap()).unwrap();
        let lines: Vec<&str> = output.lines().map(str::trim).collect();
        assert!(lines.ends_with(&["ready", "for a line", "got line"]), "{lines:?}");
        assert_eq!((errors, answer.returncode()), (None, Some(7)));
        let options = SubprocessOptions::new().stdout(Stdio::Null).stderr(Stdio::Stdout);
        let ended = start("exit", options.stdin(Stdio::Null)).await?;
        assert_eq!(ended.communicate(None).await?, (None, None));
        Ok(())
    });
}

#[test]
fn portable_outputs_go_to_files_of_the_program() {
    run(async {
        let path = env::temp_dir().join(format!("callsoon-output-{}", std::process::id()));
        let mut options = File::options();
        let mut file = options.read(true).write(true).create(true).truncate(true).open(&path)?;
        let options = SubprocessOptions::new().stdin(Stdio::Pipe);
        let options = options.stdout(Stdio::Fd(file.try_clone()?.into())).stderr(Stdio::Stdout);
        let answer = start("answer", options).await?;
        answer.communicate(Some(b"line\n")).await?;
        let mut said = String::new();
        file.rewind()?;
        file.read_to_string(&mut said)?;
        drop(file);
        fs::remove_file(path)?;
        assert!(said.contains("for a line") && said.trim_end().ends_with("got line"), "{said}");
        Ok(())
    });
}

#[test]
fn portable_shell_runs_a_command() {
    run(async {
        let options = SubprocessOptions::new().stdout(Stdio::Pipe);
        let shell = create_subprocess_shell("echo \"a b\"&& exit 5", options).await?;
        let output = shell.communicate(None).await?.0.unwrap();
        let expected: &[u8] = if cfg!(unix) { b"a b" } else { b"\"a b\"" };
        assert_eq!((output.trim_ascii(), shell.returncode()), (expected, Some(5)));
        Ok(())
    });
}

#[test]
fn portable_missing_program_is_an_error() {
    run(async {
        let started = create_subprocess_exec("no-such-program", [""; 0], piped()).await;
        let error = started.unwrap_err();
        assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::NotFound);
        assert!(error.message().starts_with("can't start \"no-such-program\": "), "{error}");
        Ok(())
    });
}

#[test]
fn portable_missing_folder_is_named_in_the_error() {
    run(async {
        let missing = env::temp_dir().join("callsoon-no-such-folder");
        let message = async |program: &str, folder| {
            let started = create_subprocess_exec(program, [""; 0], piped().cwd(folder)).await;
            started.unwrap_err().message()
        };
        let text = message("no-such-program", &missing).await;
        assert!(text.starts_with(&format!("can't start a process in {missing:?}: ")), "{text}");
        let folder = env::temp_dir();
        let text = message("no-such-program", &folder).await;
        let expected = format!("can't start \"no-such-program\" in {folder:?}: ");
        assert!(text.starts_with(&expected), "{text}");
        Ok(())
    });
}

#[test]
fn portable_close_logs_in_debug_mode_what_it_kills() {
    for debug in [false, true] {
        let logged = log_lines_of(|| {
            run(async move {
                let waiting = start("answer", piped()).await?;
                running_loop()?.set_debug(debug);
                let transport = waiting.transport();
                transport.close();
                transport.close();
                running_loop()?.set_debug(false);
                waiting.wait().await.map(drop)
            });
        });
        let kills: Vec<_> = logged.iter().filter(|line| line.contains("kill")).collect();
        assert_eq!(kills.len(), usize::from(debug), "{logged:?}");
        let begin = "WARN: Close running child process: kill SubprocessTransport { pid: ";
        assert!(kills.iter().all(|line| line.starts_with(begin)), "{kills:?}");
    }
}

/// Fails in each of its calls.
struct Failing;

impl Failing {
    fn fail() -> Result<()> {
        Err(Error::new(ErrorKind::Value, "on purpose"))
    }
}

impl SubprocessProtocol for Failing {
    fn pipe_data_received(&self, _fd: usize, _data: &[u8]) -> Result<()> {
        Failing::fail()
    }

    fn pipe_connection_lost(&self, _fd: usize, _error: Option<Error>) -> Result<()> {
        Failing::fail()
    }

    fn process_exited(&self) -> Result<()> {
        Failing::fail()
    }

    fn connection_lost(&self, _error: Option<Error>) -> Result<()> {
        Failing::fail()
    }
}

#[test]
fn portable_reports_name_the_call_of_the_protocol() {
    let handles = Rc::new(RefCell::new(Vec::new()));
    let own = handles.clone();
    run(async move {
        let on = running_loop()?;
        on.set_exception_handler(Some(Rc::new(move |_, context| {
            own.borrow_mut().extend(context.handle.clone());
        })));
        let options = SubprocessOptions::new().stdout(Stdio::Pipe);
        let (transport, _) = on.subprocess_shell(|| Failing, "echo one", options).await?;
        while transport.get_protocol().is_some() {
            yield_now().await?;
        }
        Ok(())
    });
    let calls = ["data_received", "pipe_lost", "process_exited", "connection_lost"];
    let handles = handles.borrow();
    assert!(
        calls.iter().all(|call| handles.iter().any(|handle| handle.contains(call))),
        "{handles:?}"
    );
    assert_eq!(handles.len(), calls.len());
}
