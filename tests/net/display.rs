//! The `Debug` texts of what stands for a connection.

use std::os::unix::net::UnixStream;

use callsoon::net::{
    DEFAULT_LIMIT, DatagramProtocol, Protocol, StreamReader, StreamWriter, open_connection,
    start_server,
};
use callsoon::{EventLoop, Result, run_on, running_loop, yield_now};
use rustix::pipe::{PipeFlags, pipe_with};

struct Nothing;

impl Protocol for Nothing {}

impl DatagramProtocol for Nothing {}

fn run(body: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), body).unwrap();
}

#[test]
fn transport_shows_its_state() {
    run(async {
        let on = running_loop()?;
        let (ours, _theirs) = UnixStream::pair()?;
        let (transport, _) = on.connect_accepted_unix_socket(|| Nothing, ours).await?;
        let shown = format!("{transport:?}");
        assert_eq!(
            shown,
            "Transport { closing: false, write_buffer_size: 0, peername: Some(Unix((unnamed))), .. }"
        );
        transport.write(&vec![0; 1_000_000])?;
        transport.close();
        let size = transport.write_buffer_size();
        let shown = format!("{transport:?}");
        assert!(
            shown.starts_with(&format!("Transport {{ closing: true, write_buffer_size: {size}"))
        );
        transport.abort();
        yield_now().await
    });
}

#[test]
fn pipe_shows_its_state() {
    run(async {
        let on = running_loop()?;
        let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (reading, _) = on.connect_read_pipe(|| Nothing, reading).await?;
        let (writing, _) = on.connect_write_pipe(|| Nothing, writing).await?;
        let shown = format!("{reading:?}");
        assert!(shown.starts_with("Transport { closing: false, pipe: Some(File {"), "{shown}");
        let shown = format!("{writing:?}");
        let start = "Transport { closing: false, write_buffer_size: 0, pipe: Some(File {";
        assert!(shown.starts_with(start), "{shown}");
        reading.close();
        writing.close();
        yield_now().await?;
        assert_eq!(format!("{reading:?}"), "Transport { closing: true, pipe: None, .. }");
        let shown = format!("{writing:?}");
        assert_eq!(shown, "Transport { closing: true, write_buffer_size: 0, pipe: None, .. }");
        Ok(())
    });
}

#[test]
fn datagram_transport_shows_its_state() {
    run(async {
        let on = running_loop()?;
        let (transport, _) = on.create_unix_datagram_endpoint(|| Nothing, None, None).await?;
        let shown = format!("{transport:?}");
        assert!(
            shown.starts_with("DatagramTransport { closing: false, write_buffer_size: 0"),
            "{shown}"
        );
        transport.abort();
        yield_now().await
    });
}

#[test]
fn server_and_streams_show_their_state() {
    run(async {
        let serve = async |_: StreamReader, _: StreamWriter| Ok(());
        let server = start_server(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT).await?;
        let port = server.addresses()[0].ip().unwrap().port();
        let shown = format!("{server:?}");
        assert!(
            shown.starts_with("Server { addresses: [") && shown.contains(&port.to_string()),
            "{shown}"
        );
        let (reader, writer) = open_connection("127.0.0.1", port, 100).await?;
        let shown = format!("{reader:?}");
        assert_eq!(shown, "StreamReader { bytes: 0, eof: false, limit: 100, paused: false, .. }");
        let shown = format!("{writer:?}");
        assert!(
            shown.starts_with("StreamWriter { transport: Transport { closing: false"),
            "{shown}"
        );
        writer.close();
        server.close();
        server.wait_closed().await
    });
}
