//! Options of servers, beside the scripts of `servers.txt`.

#[cfg(unix)]
use callsoon::net::Protocol;
use callsoon::net::{
    ServerOptions, StreamReader, StreamWriter, open_connection, start_server_with,
};
use callsoon::{EventLoop, Result, run_on, running_loop};

use crate::support::log_lines::log_lines_of;

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

async fn echo(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    writer.write(&reader.readline().await?)?;
    writer.drain().await
}

#[cfg(unix)]
struct Nothing;

#[cfg(unix)]
impl Protocol for Nothing {}

/// A network for documentation is of no interface here.
#[test]
fn server_logs_an_address_of_no_interface_in_debug_mode() {
    let logged = |debug: bool| {
        log_lines_of(|| {
            run(async move {
                running_loop()?.set_debug(debug);
                let (place, options) = (["203.0.113.1", "127.0.0.1"], ServerOptions::new());
                let server = start_server_with(echo, (place, 0), 100, &options).await?;
                assert_eq!(server.addresses().len(), 1);
                server.close();
                Ok(())
            });
        })
    };
    let lines = logged(true);
    let begin = "WARN: error while attempting to bind on address 203.0.113.1:0: ";
    assert!(lines.iter().any(|line| line.starts_with(begin)), "{lines:?}");
    assert!(logged(false).is_empty());
}

#[test]
fn server_with_a_backlog_of_zero_accepts_one_in_a_turn() {
    run(async {
        let options = ServerOptions::new().backlog(0);
        let server = start_server_with(echo, ("127.0.0.1", 0), 100, &options).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        for _ in 0..2 {
            let (reader, writer) = open_connection("127.0.0.1", port, 100).await?;
            writer.write(b"hello\n")?;
            assert_eq!(reader.readline().await?, b"hello\n");
        }
        server.close();
        server.wait_closed().await
    });
}

/// CPython logs `Unable to check or remove stale UNIX socket '...': NotADirectoryError(20, 'Not a directory')`,
/// and at the end `Unable to clean up listening UNIX socket`.
#[cfg(unix)]
#[test]
fn unix_server_logs_a_path_that_it_can_not_remove() {
    use std::fs;
    let folder = std::env::temp_dir().join(format!("callsoon-unremoved-{}", std::process::id()));
    let path = folder.join("socket");
    let (server_at, below) = (path.clone(), folder.clone());
    let lines = log_lines_of(move || {
        run(async move {
            let on = running_loop()?;
            fs::write(&below, "no folder")?;
            let failed = on.create_unix_server(|| Nothing, &server_at).await.err().unwrap();
            let kind = failed.io_error().unwrap().kind();
            assert_eq!(kind, std::io::ErrorKind::NotADirectory);
            fs::remove_file(&below)?;
            fs::create_dir(&below)?;
            let server = on.create_unix_server(|| Nothing, &server_at).await?;
            fs::remove_dir_all(&below)?;
            fs::write(&below, "no folder")?;
            server.close();
            Ok(())
        });
    });
    fs::remove_file(&folder).unwrap();
    let of = |what: &str| format!("ERROR: Unable to {what} UNIX socket {path:?}: ");
    let expected = [of("check or remove stale"), of("clean up listening")];
    assert!(lines.iter().zip(&expected).all(|(line, begin)| line.starts_with(begin)), "{lines:?}");
    assert_eq!(lines.len(), expected.len());
}
