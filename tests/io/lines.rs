//! Several tasks at one socket: first come, first served, in each direction.

use std::rc::Rc;

use callsoon::io::TcpListener;
use callsoon::{Task, create_task};

use crate::run::{run, settle};
use crate::support::sockets::{AsyncLocalStream, async_local_pair};
use crate::support::trace::Trace;

fn reader(trace: &Trace, stream: &Rc<AsyncLocalStream>, name: &'static str) -> Task<()> {
    let (trace, stream) = (trace.clone(), stream.clone());
    create_task(async move {
        let mut byte = [0];
        let outcome = stream.read(&mut byte).await;
        match outcome {
            Ok(1) => trace.push(format!("{name} reads {}", char::from(byte[0]))),
            other => trace.push(format!("{name}: {other:?}")),
        }
        Ok(())
    })
}

#[test]
fn readers_are_served_in_the_order_in_which_they_came() {
    run(async {
        let trace = Trace::new();
        let (ours, theirs) = async_local_pair()?;
        let ours = Rc::new(ours);
        for name in ["first", "second", "third"] {
            reader(&trace, &ours, name);
        }
        settle().await?;
        trace.expect_nothing();
        theirs.write_all(b"ab").await?;
        settle().await?;
        trace.expect(["first reads a", "second reads b"]);
        // A reader that arrives now is served after the third.
        reader(&trace, &ours, "fourth");
        theirs.write_all(b"cd").await?;
        settle().await?;
        trace.expect(["third reads c", "fourth reads d"]);
        Ok(())
    });
}

#[test]
fn a_reader_that_is_cancelled_leaves_the_line_and_the_data() {
    run(async {
        let trace = Trace::new();
        let (ours, theirs) = async_local_pair()?;
        let ours = Rc::new(ours);
        let mut readers = Vec::new();
        for name in ["first", "second", "third"] {
            readers.push(reader(&trace, &ours, name));
        }
        settle().await?;
        readers[1].cancel();
        theirs.write_all(b"a").await?;
        // The first is cancelled when its byte is there already, and its turn has come.
        readers[0].cancel();
        settle().await?;
        trace.expect([
            "second: Err(CancelledError())",
            "first: Err(CancelledError())",
            "third reads a",
        ]);
        Ok(())
    });
}

#[test]
fn one_task_reads_while_another_writes() {
    run(async {
        let (ours, theirs) = async_local_pair()?;
        let ours = Rc::new(ours);
        let reads = ours.clone();
        let reading = create_task(async move {
            let mut answer = [0; 4];
            reads.read_exact(&mut answer).await?;
            Ok(answer)
        });
        settle().await?;
        ours.write_all(b"ping").await?;
        let mut question = [0; 4];
        theirs.read_exact(&mut question).await?;
        assert_eq!(&question, b"ping");
        theirs.write_all(b"pong").await?;
        assert_eq!(&reading.await?, b"pong");
        Ok(())
    });
}

#[test]
fn concurrent_writes_do_not_interleave() {
    const SIZE: usize = 1 << 20;
    run(async {
        let (ours, theirs) = async_local_pair()?;
        let ours = Rc::new(ours);
        for letter in *b"ab" {
            let writes = ours.clone();
            create_task(async move { writes.write_all(&vec![letter; SIZE]).await });
        }
        let mut all = vec![0; 2 * SIZE];
        theirs.read_exact(&mut all).await?;
        assert!(all[..SIZE].iter().all(|byte| *byte == b'a'));
        assert!(all[SIZE..].iter().all(|byte| *byte == b'b'));
        Ok(())
    });
}

#[test]
fn acceptors_are_served_in_the_order_in_which_they_came() {
    run(async {
        let trace = Trace::new();
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0")?);
        for name in ["first", "second"] {
            let (trace, listener) = (trace.clone(), listener.clone());
            create_task(async move {
                let (_stream, _peer) = listener.accept().await?;
                trace.push(name);
                Ok(())
            });
        }
        settle().await?;
        for name in ["first", "second"] {
            let _client = std::net::TcpStream::connect(listener.local_addr()?)?;
            settle().await?;
            trace.expect([name]);
        }
        Ok(())
    });
}
