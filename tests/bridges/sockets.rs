//! Sockets by the traits of `futures-io` and hyper.

use std::future::poll_fn;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::pin::Pin;

use callsoon::io::{Async, TcpListener, TcpStream};
use callsoon::{Error, Result, create_task};
use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBuf, Write};

use crate::run::{run, settle};
use crate::support::sockets::{AsyncLocalStream, LocalStream, async_local_pair, local_pair};

fn pair() -> Result<(AsyncLocalStream, LocalStream)> {
    let (ours, theirs) = local_pair()?;
    Ok((AsyncLocalStream::from(ours)?, theirs))
}

async fn tcp_pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

async fn read(mut stream: impl AsyncRead + Unpin, buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, buffer)).await
}

async fn write(mut stream: impl AsyncWrite + Unpin, bytes: &[u8]) -> io::Result<usize> {
    let count = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, bytes)).await?;
    poll_fn(|cx| Pin::new(&mut stream).poll_flush(cx)).await?;
    Ok(count)
}

async fn close(mut stream: impl AsyncWrite + Unpin) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut stream).poll_close(cx)).await
}

/// Sends data both ways over a connection by `futures-io`, up to the end of both sides.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut one: S, mut two: S) -> Result<()> {
    let mut buffer = [0; 8];
    assert_eq!(write(&mut one, b"hello").await?, 5);
    assert_eq!(read(&mut two, &mut buffer).await?, 5);
    assert_eq!(&buffer[..5], b"hello");
    let parts = [IoSlice::new(b"by"), IoSlice::new(b"e!")];
    assert_eq!(poll_fn(|cx| Pin::new(&mut two).poll_write_vectored(cx, &parts)).await?, 4);
    close(&mut two).await?;
    assert_eq!(read(&mut one, &mut buffer).await?, 4);
    assert_eq!(&buffer[..4], b"bye!");
    Ok(())
}

#[test]
fn each_end_reads_the_others_writes_and_close_ends_one_half() {
    run(async {
        let (mut one, mut two) = async_local_pair()?;
        converse(&mut one, &mut two).await?;
        assert_eq!(read(&mut one, &mut [0]).await?, 0);
        assert_eq!(write(&mut one, b"still").await?, 5);
        assert_eq!(read(&mut two, &mut [0; 8]).await?, 5);
        let (mut one, mut two) = tcp_pair().await?;
        converse(&mut one, &mut two).await?;
        assert_eq!(read(&mut one, &mut [0]).await?, 0);
        Ok(())
    });
}

#[test]
fn shared_references_read_and_write_as_their_sources_do() {
    run(async {
        let (one, two) = tcp_pair().await?;
        converse(&one, &two).await?;
        let (one, two) = local_pair()?;
        let (one, two) = (Async::new(one)?, Async::new(two)?);
        converse(&one, &two).await
    });
}

#[test]
fn close_of_any_other_source_is_only_a_flush() {
    run(async {
        let (one, two) = local_pair()?;
        let (mut one, mut two) = (Async::new(one)?, Async::new(two)?);
        converse(&mut one, &mut two).await?;
        assert_eq!(write(&mut two, b"open").await?, 4);
        assert_eq!(read(&mut one, &mut [0; 8]).await?, 4);
        Ok(())
    });
}

#[test]
fn closing_twice_or_after_the_peer_is_no_error() {
    run(async {
        let (mut ours, theirs) = pair()?;
        drop(theirs);
        close(&mut ours).await?;
        close(&mut ours).await?;
        let (mut ours, theirs) = tcp_pair().await?;
        drop(theirs);
        close(&mut ours).await?;
        close(&mut ours).await?;
        Ok(())
    });
}

#[test]
fn a_cancel_is_an_io_error_that_the_question_mark_turns_back() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        let task = create_task(async move {
            let told = read(&mut ours, &mut [0; 8]).await.unwrap_err();
            assert_eq!(told.kind(), io::ErrorKind::Other);
            // Cleaning up may use the same socket.
            write(&mut ours, b"bye").await?;
            Err::<(), io::Error>(told)?;
            Ok(())
        });
        settle().await?;
        task.cancel_with("enough");
        let error = task.await.unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!(error.message(), "enough");
        let mut said = [0; 3];
        theirs.read_exact(&mut said)?;
        assert_eq!(&said, b"bye");
        Ok(())
    });
}

/// Reads by hyper's trait as it does: into a buffer that isn't initialized.
async fn read_hyper(mut stream: impl Read + Unpin, room: usize) -> io::Result<Vec<u8>> {
    let mut memory = vec![MaybeUninit::uninit(); room];
    let mut buffer = ReadBuf::uninit(&mut memory);
    poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, buffer.unfilled())).await?;
    Ok(buffer.filled().to_vec())
}

async fn converse_hyper<S: Read + Write + Unpin>(mut one: S, mut two: S) -> Result<()> {
    assert!(one.is_write_vectored());
    assert_eq!(poll_fn(|cx| Pin::new(&mut one).poll_write(cx, b"hello")).await?, 5);
    assert_eq!(read_hyper(&mut two, 3).await?, b"hel");
    assert_eq!(read_hyper(&mut two, 100_000).await?, b"lo");
    let parts = [IoSlice::new(b"by"), IoSlice::new(b"e!")];
    assert_eq!(poll_fn(|cx| Pin::new(&mut two).poll_write_vectored(cx, &parts)).await?, 4);
    poll_fn(|cx| Pin::new(&mut two).poll_flush(cx)).await?;
    poll_fn(|cx| Pin::new(&mut two).poll_shutdown(cx)).await?;
    assert_eq!(read_hyper(&mut one, 8).await?, b"bye!");
    assert_eq!(read_hyper(&mut one, 8).await?, b"");
    Ok(())
}

#[test]
fn hyper_reads_and_writes_up_to_the_end() {
    run(async {
        let (one, two) = async_local_pair()?;
        converse_hyper(one, two).await?;
        let (one, two) = tcp_pair().await?;
        converse_hyper(one, two).await
    });
}

#[test]
fn what_is_more_than_is_read_at_once_comes_whole() {
    run(async {
        let (mut ours, mut theirs) = pair()?;
        let sent: Vec<u8> = (0..50_000_u32).map(|at| (at % 251) as u8).collect();
        theirs.write_all(&sent)?;
        let mut got = Vec::new();
        while got.len() < sent.len() {
            got.extend(read_hyper(&mut ours, 65_536).await?);
        }
        assert!(got == sent);
        Ok(())
    });
}

#[test]
fn a_cancel_is_found_in_what_hyper_is_told() {
    run(async {
        let (mut ours, _theirs) = pair()?;
        let task = create_task(async move {
            let told = read_hyper(&mut ours, 8).await.unwrap_err();
            Err::<(), _>(Error::find_in(&told).unwrap())
        });
        settle().await?;
        task.cancel();
        assert!(task.await.unwrap_err().is_cancelled());
        Ok(())
    });
}
