//! Processes with streams.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
use std::io::Read;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use callsoon::process::{
    Process, Stdio, SubprocessOptions, create_subprocess_exec, create_subprocess_shell,
};
use callsoon::{
    ErrorKind, EventLoop, ExceptionContext, LoopRef, Result, create_task, gather, run_on,
    running_loop, wait_for, yield_now,
};

use crate::support::log_lines::log_lines_of;

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

fn piped() -> SubprocessOptions {
    SubprocessOptions::piped()
}

async fn shell(command: &str) -> Result<Process> {
    create_subprocess_shell(command, piped()).await
}

// CPython: test_subprocess.SubprocessMixin.test_communicate
// CPython: test_subprocess.SubprocessMixin.test_create_subprocess_exec_with_path
#[test]
fn communicate_writes_and_reads_all() {
    run(async {
        let cat = create_subprocess_exec(Path::new("cat"), [Path::new("-")], piped()).await?;
        assert!(cat.pid() > 0 && cat.returncode().is_none());
        let input = vec![b'x'; 1_000_000];
        let (output, errors) = cat.communicate(Some(&input)).await?;
        assert_eq!((output, errors), (Some(input), Some(Vec::new())));
        assert_eq!((cat.returncode(), cat.wait().await?), (Some(0), 0));
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_read_all_from_pipe_reader
// CPython: test_subprocess.SubprocessMixin.test_stdin_stdout
#[test]
fn streams_of_a_process_are_read_and_written() {
    run(async {
        let sh = shell("read line; echo \"one $line\"; echo two >&2; exit 7").await?;
        let (stdin, stdout) = (sh.stdin.as_ref().unwrap(), sh.stdout.as_ref().unwrap());
        stdin.write(b"line\n")?;
        stdin.drain().await?;
        assert_eq!(stdout.readline().await?, b"one line\n");
        assert_eq!(sh.stderr.as_ref().unwrap().read_to_end().await?, b"two\n");
        assert!(stdout.readline().await?.is_empty());
        assert_eq!(sh.wait().await?, 7);
        stdin.wait_closed().await?;
        assert_eq!(stdin.drain().await.unwrap_err().kind(), ErrorKind::Io);
        Ok(())
    });
}

// CPython: test_subprocess.SubprocessMixin.test_communicate_none_input
// CPython: test_subprocess.SubprocessMixin.test_empty_input
#[test]
fn communicate_without_input_closes_stdin() {
    run(async {
        for input in [None, Some(&b""[..])] {
            let cat = create_subprocess_exec("cat", [""; 0], piped()).await?;
            let (output, errors) = cat.communicate(input).await?;
            assert_eq!((output.unwrap(), errors.unwrap()), (Vec::new(), Vec::new()));
            assert_eq!(cat.returncode(), Some(0));
        }
        Ok(())
    });
}

// CPython: test_subprocess.SubprocessMixin.test_subprocess_communicate_stdout
#[test]
fn processes_at_once_keep_their_outputs() {
    run(async {
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                create_task(async move {
                    let options = SubprocessOptions::new().stdout(Stdio::Pipe);
                    let sh = create_subprocess_shell(&format!("echo {number}"), options).await?;
                    Ok(sh.communicate(None).await?.0.unwrap())
                })
            })
            .collect();
        for (number, output) in gather(&tasks).await?.iter().enumerate() {
            assert_eq!(*output, format!("{number}\n").into_bytes());
        }
        Ok(())
    });
}

#[test]
fn dropped_stdin_is_closed() {
    run(async {
        let mut cat = create_subprocess_exec("cat", [""; 0], piped()).await?;
        cat.stdin.as_ref().unwrap().write(b"last")?;
        drop(cat.stdin.take());
        let (output, _) = cat.communicate(None).await?;
        assert_eq!(output.unwrap(), b"last");
        Ok(())
    });
}

#[test]
fn dropped_process_ends_the_input_of_its_child() {
    run(async {
        let mut cat = create_subprocess_exec("cat", [""; 0], piped()).await?;
        cat.stdin.as_ref().unwrap().write(b"last")?;
        let stdout = cat.stdout.take().unwrap();
        drop(cat);
        assert_eq!(stdout.read_to_end().await?, b"last");
        Ok(())
    });
}

// CPython: test_subprocess.SubprocessMixin.test_shell
// CPython: test_subprocess.SubprocessMixin.test_communicate_ignore_broken_pipe
#[test]
fn communicate_ignores_that_no_input_is_read() {
    run(async {
        let unread = vec![b'x'; 1_000_000];
        let sh = shell("exit 3").await?;
        let (output, errors) = sh.communicate(Some(&unread)).await?;
        assert_eq!((output.unwrap(), errors.unwrap()), (Vec::new(), Vec::new()));
        assert_eq!(sh.returncode(), Some(3));
        Ok(())
    });
}

/// More than a pipe holds waits to be written while the child ends.
// CPython: test_subprocess.SubprocessMixin.test_stdin_broken_pipe
#[test]
fn drain_fails_when_the_child_ends_with_input_unread() {
    run(async {
        let sh = shell("read line").await?;
        let stdin = sh.stdin.as_ref().unwrap();
        let unread = [b"line\n", &vec![b'x'; 1_000_000][..]].concat();
        stdin.write(&unread)?;
        assert!(stdin.transport().write_buffer_size() > 0);
        let error = stdin.drain().await.unwrap_err();
        let kind = error.io_error().expect("the system's").kind();
        assert!(matches!(kind, BrokenPipe | ConnectionReset), "{error}");
        assert_eq!(sh.wait().await?, 0);
        Ok(())
    });
}

/// The first half is more than the reader's limit, so that reading rests until the child has ended.
// CPython: test_subprocess.SubprocessMixin.test_read_stdout_after_process_exit
// CPython: test_subprocess.SubprocessMixin.test_pause_reading
#[test]
fn output_is_read_after_the_exit_of_its_process() {
    run(async {
        let half = "head -c 30000 /dev/zero";
        let command = format!("{half}; read line; {half}; exit 1");
        let sh = create_subprocess_shell(&command, piped().limit(1000)).await?;
        let stdout = sh.stdout.as_ref().unwrap();
        while sh.transport().pipe_transport(1).unwrap().is_reading() {
            yield_now().await?;
        }
        sh.stdin.as_ref().unwrap().write(b"\n")?;
        while sh.returncode().is_none() {
            yield_now().await?;
        }
        let mut length = 0;
        while let part @ 1.. = stdout.read(4096).await?.len() {
            length += part;
            yield_now().await?;
        }
        assert_eq!((length, sh.wait().await?), (60_000, 1));
        Ok(())
    });
}

/// The child waits for a line that never comes.
// CPython: test_subprocess.SubprocessMixin.test_kill
// CPython: test_subprocess.SubprocessMixin.test_subprocess_send_signal_race
#[test]
fn limit_on_wait_ends_at_its_time() {
    let event_loop = EventLoop::with_virtual_time();
    let clock = event_loop.clone();
    let waiting = async move {
        let sh = shell("read line").await?;
        let late = wait_for(sh.wait(), Duration::from_secs(3600)).await.unwrap_err();
        assert_eq!((late.kind(), clock.time().as_secs()), (ErrorKind::Timeout, 3600));
        assert_eq!(sh.returncode(), None);
        sh.kill()?;
        assert_eq!(sh.wait().await?, -9);
        assert_eq!(sh.send_signal(15).unwrap_err().io_error().unwrap().raw_os_error(), Some(3));
        Ok(())
    };
    run_on(&event_loop, waiting).unwrap();
}

// CPython: test_subprocess.SubprocessMixin.test_terminate
// CPython: test_subprocess.SubprocessMixin.test_cancel_process_wait
// CPython: test_subprocess.SubprocessMixin.test_subprocess_concurrent_wait
#[test]
fn several_tasks_wait_for_one_process() {
    run(async {
        let sh = std::rc::Rc::new(shell("read line").await?);
        let waits = |sh: &std::rc::Rc<Process>| {
            let sh = sh.clone();
            create_task(async move { sh.wait().await })
        };
        let (one, two) = (waits(&sh), waits(&sh));
        yield_now().await?;
        one.cancel();
        sh.terminate()?;
        assert!(one.await.unwrap_err().is_cancelled());
        assert_eq!(two.await?, -15);
        Ok(())
    });
}

#[test]
fn any_number_of_a_signal_is_left_to_the_system() {
    const EINVAL: i32 = 22;
    run(async {
        let sh = shell("read line").await?;
        for unknown in [-1, 12345] {
            let error = sh.send_signal(unknown).unwrap_err();
            assert_eq!(error.io_error().unwrap().raw_os_error(), Some(EINVAL));
        }
        sh.send_signal(0)?;
        sh.communicate(Some(b"\n")).await?;
        assert_eq!(sh.returncode(), Some(0));
        if cfg!(target_os = "linux") {
            let sh = shell("read line").await?;
            sh.send_signal(40)?;
            assert_eq!(sh.wait().await?, -40);
        }
        Ok(())
    });
}

// CPython: test_subprocess.SubprocessMixin.test_popen_error
#[test]
fn missing_program_is_an_error() {
    run(async {
        let error = create_subprocess_exec("/no/such/program", [""; 0], piped()).await.unwrap_err();
        assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::NotFound);
        assert!(error.message().starts_with("can't start \"/no/such/program\": "), "{error}");
        let limited = piped().limit(0);
        let error = create_subprocess_exec("true", [""; 0], limited).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value);
        Ok(())
    });
}

// CPython: test_subprocess.SubprocessMixin.test_devnull_output
// CPython: test_subprocess.SubprocessMixin.test_devnull_error
#[test]
fn stderr_goes_where_stdout_goes() {
    run(async {
        let both = "echo one; echo two >&2; echo three";
        let options = SubprocessOptions::new().stdout(Stdio::Pipe).stderr(Stdio::Stdout);
        let sh = create_subprocess_shell(both, options).await?;
        assert_eq!(sh.communicate(None).await?, (Some(b"one\ntwo\nthree\n".to_vec()), None));
        let options = SubprocessOptions::new().stdout(Stdio::Null).stderr(Stdio::Stdout);
        let sh = create_subprocess_shell(both, options).await?;
        assert_eq!(sh.communicate(None).await?, (None, None));
        let (mut reading, writing) = std::os::unix::net::UnixStream::pair()?;
        let options = SubprocessOptions::new().stdout(Stdio::Fd(writing.into()));
        let sh = create_subprocess_shell(both, options.stderr(Stdio::Stdout)).await?;
        sh.wait().await?;
        let mut all = String::new();
        reading.read_to_string(&mut all)?;
        assert_eq!(all, "one\ntwo\nthree\n");
        let options = SubprocessOptions::new().stdin(Stdio::Stdout);
        let error = create_subprocess_shell("true", options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value);
        Ok(())
    });
}

// CPython: test_subprocess.SubprocessMixin.test_create_subprocess_env_shell
// CPython: test_subprocess.SubprocessMixin.test_create_subprocess_env_exec
#[test]
fn options_set_environment_folder_and_group() {
    run(async {
        let options = piped().env([("NAME", "value")]).cwd("/").process_group(0);
        let command = "echo \"$NAME,$HOME,$PWD,$(pwd -P)\"; ps -o pgid= -p $$ 2>/dev/null || true";
        let sh = create_subprocess_shell(command, options).await?;
        let (output, _) = sh.communicate(None).await?;
        let output = String::from_utf8(output.unwrap()).unwrap();
        let mut lines = output.lines();
        assert_eq!(lines.next(), Some("value,,/,/"));
        if let Some(group) = lines.next() {
            assert_eq!(group.trim(), sh.pid().to_string());
        }
        Ok(())
    });
}

// CPython: test_subprocess.SubprocessMixin.test_close_kill_running
#[test]
fn closed_transport_kills_the_process() {
    run(async {
        let sh = shell("read line").await?;
        sh.transport().close();
        assert_eq!(sh.wait().await?, -9);
        assert!(sh.transport().is_closing());
        Ok(())
    });
}

#[test]
fn limit_of_a_process_holds_for_its_readers() {
    run(async {
        let none = SubprocessOptions::new().limit(0);
        let refused = create_subprocess_shell("exit", none).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Value);
        let long = "echo 0123456789; echo end";
        let options = SubprocessOptions::new().stdout(Stdio::Pipe).limit(4);
        let sh = create_subprocess_shell(long, options).await?;
        let stdout = sh.stdout.as_ref().unwrap();
        assert_eq!(stdout.readline().await.unwrap_err().kind(), ErrorKind::Value);
        assert!(stdout.read_to_end().await?.ends_with(b"end\n"));
        sh.wait().await.map(drop)
    });
}

#[test]
fn communicate_outlives_its_process() {
    run(async {
        let communicating = shell("cat").await?.communicate(Some(b"input"));
        assert_eq!(communicating.await?.0.unwrap(), b"input");
        Ok(())
    });
}

#[test]
fn communicate_dropped_before_it_runs_keeps_its_input() {
    run(async {
        let cat = shell("cat").await?;
        drop(cat.communicate(Some(b"input")));
        assert_eq!(cat.communicate(None).await?.0.unwrap(), b"input");
        Ok(())
    });
}

#[test]
fn dropped_communicate_gives_back_at_once() {
    let reports = Rc::new(Cell::new(0));
    let seen = Rc::clone(&reports);
    run(async move {
        let handler = move |_: &LoopRef, _: &ExceptionContext| seen.set(seen.get() + 1);
        running_loop()?.set_exception_handler(Some(Rc::new(handler)));
        let (mut ready, tells) = std::os::unix::net::UnixStream::pair()?;
        let command = "echo one; echo >&2; read line; echo two";
        let options = piped().stderr(Stdio::Fd(tells.into()));
        let mut sh = create_subprocess_shell(command, options).await?;
        let stdin = sh.stdin.take().unwrap();
        ready.read_exact(&mut [0])?;
        let mut communicating = Box::pin(sh.communicate(None));
        for _ in 0..5 {
            let polled = poll_fn(|cx| Poll::Ready(communicating.as_mut().poll(cx).is_ready()));
            assert!(!polled.await);
            yield_now().await?;
        }
        drop(communicating);
        let tasks = callsoon::all_tasks();
        let stdout = sh.stdout.as_ref().unwrap();
        let mut reading = pin!(stdout.readline());
        let read = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx))).await;
        assert!(matches!(read, Poll::Ready(Ok(line)) if line == b"one\n"));
        stdin.write(b"\n")?;
        assert_eq!(stdout.readline().await?, b"two\n");
        assert_eq!((tasks.len(), callsoon::all_tasks().len()), (2, 1));
        sh.wait().await.map(drop)
    });
    assert_eq!(reports.get(), 0);
}

#[test]
fn pipes_of_a_process_stay_known_after_its_end() {
    const SIGCONT: i32 = 18;
    run(async {
        let sh = shell("exit").await?;
        let pipe = |fd| sh.transport().pipe_transport(fd);
        assert!((0..3).all(|fd| pipe(fd).is_some()) && pipe(3).is_none());
        while sh.send_signal(SIGCONT).is_ok() {
            yield_now().await?;
        }
        assert!((0..3).all(|fd| pipe(fd).is_some_and(|pipe| pipe.is_closing())));
        Ok(())
    });
}

// CPython: test_subprocess.SubprocessMixin.test_devnull_input
// CPython: test_subprocess.SubprocessMixin.test_devstdin_input
#[test]
fn standard_input_is_nothing_or_what_is_written() {
    run(async {
        let options = SubprocessOptions::new().stdin(Stdio::Null).stdout(Stdio::Pipe);
        let counting = create_subprocess_shell("wc -c", options).await?;
        let (output, _) = counting.communicate(None).await?;
        assert_eq!((output.unwrap().trim_ascii(), counting.returncode()), (&b"0"[..], Some(0)));
        let counting = shell("wc -c /dev/stdin").await?;
        let (output, _) = counting.communicate(Some(b"abc")).await?;
        assert_eq!(output.unwrap().trim_ascii(), b"3 /dev/stdin");
        assert_eq!(counting.returncode(), Some(0));
        Ok(())
    });
}

/// CPython's `close` reaps it, so that its watcher finds no child and says 255.
#[cfg(target_os = "linux")]
#[test]
fn close_spares_the_code_of_a_process_that_has_ended() {
    let logged = log_lines_of(|| {
        run(async {
            let sh = shell("read line; exit 3").await?;
            // It is written at once, and the loop runs no turn until the process has ended.
            sh.stdin.as_ref().unwrap().write(b"\n")?;
            let state = format!("/proc/{}/stat", sh.pid());
            while !std::fs::read_to_string(&state)?.contains(") Z ") {}
            running_loop()?.set_debug(true);
            sh.transport().close();
            running_loop()?.set_debug(false);
            assert_eq!(sh.wait().await?, 3);
            Ok(())
        });
    });
    assert!(!logged.iter().any(|line| line.contains("kill")), "{logged:?}");
}

/// In CPython the call of `pipe_connection_lost` fails then.
#[test]
fn cancelled_wait_closed_of_stdin_spares_its_end() {
    run(async {
        let told = Rc::new(Cell::new(0));
        let tells = told.clone();
        running_loop()?.set_exception_handler(Some(Rc::new(move |_, _| tells.set(1))));
        let cat = Rc::new(create_subprocess_exec("cat", ["-"], piped()).await?);
        let own = cat.clone();
        let waiting = create_task(async move { own.stdin.as_ref().unwrap().wait_closed().await });
        yield_now().await?;
        waiting.cancel();
        assert!(waiting.await.is_err());
        cat.stdin.as_ref().unwrap().close();
        assert_eq!((cat.wait().await?, told.get()), (0, 0));
        Ok(())
    });
}
