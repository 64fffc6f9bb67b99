//! [`Process`]: a child process with streams.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use super::streams::ProcessStreams;
use super::transport::SubprocessTransport;
use crate::asyncio::{AnyFuture, LoopFuture, gather};
use crate::collections::RefCell;
use crate::error::{Error, Result};
use crate::event_loop::LoopRef;
use crate::net::{StreamReader, StreamWriter, Transport, WritingEnd};

/// The output of [`Process::communicate`]: what was written to the standard output and to the
/// standard error, as far as they are pipes.
pub(super) type Outputs = (Option<Vec<u8>>, Option<Vec<u8>>);

/// A child process: `asyncio.subprocess.Process`, as
/// [`create_subprocess_exec`](super::create_subprocess_exec) returns it.
///
/// Dropping it closes its standard input, if that is a pipe, or leaves that to a
/// [`communicate`](Process::communicate) of it; the process goes on, and is reaped when it ends. When
/// the loop closes, a process that goes on is killed and reaped.
pub struct Process {
    /// The standard input, if it is a pipe. Dropping it closes the pipe.
    pub stdin: Option<StreamWriter>,
    /// The standard output, if it is a pipe.
    pub stdout: Option<StreamReader>,
    /// The standard error, if it is a pipe.
    pub stderr: Option<StreamReader>,
    transport: SubprocessTransport,
    /// The input of a `communicate`, until it is written.
    input: Rc<Cell<Option<Vec<u8>>>>,
}

impl Process {
    pub(super) fn new(transport: SubprocessTransport, streams: Rc<ProcessStreams>) -> Process {
        let (stdout, stderr) = (streams.reader(1), streams.reader(2));
        let writer = |pipe| StreamWriter::new(&pipe, streams, None);
        let stdin = transport.pipe_transport(0).map(writer);
        Process { stdin, stdout, stderr, transport, input: Rc::default() }
    }

    /// The transport below.
    #[must_use]
    pub fn transport(&self) -> &SubprocessTransport {
        &self.transport
    }

    /// The number of the process: `pid`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.transport.pid()
    }

    /// The return code once the process has ended: `returncode`. A negative one is the signal that
    /// has ended it.
    #[must_use]
    pub fn returncode(&self) -> Option<i32> {
        self.transport.returncode()
    }

    /// Waits until the process has ended and its pipes are closed, and returns its return code:
    /// `wait`. A process that writes to a pipe which is not read may never end:
    /// [`communicate`](Process::communicate) reads it.
    ///
    /// # Errors
    ///
    /// The cancellation.
    ///
    /// # Cancellation
    ///
    /// The process goes on, and may be waited for again.
    pub fn wait(&self) -> impl Future<Output = Result<i32>> + use<> {
        let transport = self.transport.clone();
        async move { transport.wait().await }
    }

    /// Sends a signal: `send_signal`. See [`SubprocessTransport::send_signal`].
    ///
    /// # Errors
    ///
    /// As [`SubprocessTransport::send_signal`].
    pub fn send_signal(&self, signal: i32) -> Result<()> {
        self.transport.send_signal(signal)
    }

    /// Sends `SIGTERM`: `terminate`.
    ///
    /// # Errors
    ///
    /// As [`SubprocessTransport::send_signal`].
    pub fn terminate(&self) -> Result<()> {
        self.transport.terminate()
    }

    /// Sends `SIGKILL`: `kill`.
    ///
    /// # Errors
    ///
    /// As [`SubprocessTransport::send_signal`].
    pub fn kill(&self) -> Result<()> {
        self.transport.kill()
    }

    /// Writes `input`, closes the standard input, reads both outputs to their ends, and waits for
    /// the process: `communicate`. Streams that are no pipes, or were taken out, are left alone, and
    /// are `None`. That the process reads no input is no error.
    ///
    /// ```
    /// use std::time::Duration;
    /// use callsoon::process::{SubprocessOptions, create_subprocess_exec};
    /// use callsoon::{run, wait_for};
    ///
    /// run(async {
    ///     let sort = create_subprocess_exec("sort", ["-r"], SubprocessOptions::piped()).await?;
    ///     let sorting = sort.communicate(Some(b"a\nb\n"));
    ///     let (output, _) = wait_for(sorting, Duration::from_secs(10)).await?;
    ///     assert_eq!((output.as_deref(), sort.returncode()), (Some(&b"b\na\n"[..]), Some(0)));
    ///     Ok(())
    /// }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The error of a stream; the cancellation.
    ///
    /// # Cancellation
    ///
    /// Cancelled or dropped, nothing is lost: what was read can be read again, from the streams or
    /// by another `communicate`, which needs no input then. (In asyncio it is lost.)
    pub fn communicate(
        &self,
        input: Option<&[u8]>,
    ) -> impl Future<Output = Result<Outputs>> + use<> {
        if let Some(input) = input {
            self.input.set(Some(input.to_vec()));
        }
        let stdin = self.stdin.as_ref().map(StreamWriter::end);
        let readers = [&self.stdout, &self.stderr];
        let readers = readers.map(|reader| reader.as_ref().map(StreamReader::share));
        let (transport, input) = (self.transport.clone(), Rc::clone(&self.input));
        async move {
            let collected = readers.map(|reader| reader.map(Collected::new));
            let on = transport.get_loop();
            let feeding = async move {
                match stdin {
                    Some(stdin) => feed(&stdin, input.take()).await,
                    None => Ok(()),
                }
            };
            let reading = |at: usize| {
                let (own, pipe) = (collected[at].clone(), transport.pipe_transport(at + 1));
                async move {
                    if let Some(own) = own {
                        own.reader.read_to_end_into(&own.bytes).await?;
                        pipe.inspect(Transport::close);
                    }
                    Ok(())
                }
            };
            let works: [Work; 3] = [Box::pin(feeding), Box::pin(reading(0)), Box::pin(reading(1))];
            let parts = Parts::run(on, works)?;
            (&parts.all).await?;
            transport.wait().await?;
            let taken = collected.map(|own| own.map(|own| own.bytes.take()));
            Ok(taken.into())
        }
    }
}

/// asyncio's `_feed_stdin`.
async fn feed(stdin: &WritingEnd, input: Option<Vec<u8>>) -> Result<()> {
    let written = input.map_or(Ok(()), |input| stdin.transport().write(&input));
    let outcome = match written {
        Ok(()) => stdin.drain().await,
        failed => failed,
    };
    match outcome {
        Err(error) if !is_closed_by_peer(&error) => return Err(error),
        _ => stdin.transport().close(),
    }
    Ok(())
}

fn is_closed_by_peer(error: &Error) -> bool {
    let kind = error.io_error().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset))
}

/// The bytes that were read of a stream. They are put back if they are not taken.
struct Collected {
    reader: StreamReader,
    bytes: RefCell<Vec<u8>>,
}

impl Collected {
    fn new(reader: StreamReader) -> Rc<Collected> {
        Rc::new(Collected { reader, bytes: RefCell::default() })
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        self.reader.unread(self.bytes.take());
    }
}

type Work = Pin<Box<dyn Future<Output = Result<()>>>>;

/// The parts of `communicate`, which end with it: a task that is cancelled holds what it has until its
/// next step, and this takes that back at once.
struct Parts {
    /// The rest of each task.
    left: [Rc<Cell<Option<Work>>>; 3],
    all: LoopFuture<Vec<()>>,
}

impl Parts {
    fn run(on: &LoopRef, works: [Work; 3]) -> Result<Parts> {
        let left = works.map(|work| Rc::new(Cell::new(Some(work))));
        let tasks = left.iter().map(|left| on.create_task(Steps(Rc::clone(left))));
        // Where one can't be made, those before it end in their first step.
        let tasks = tasks.collect::<Result<Vec<_>>>().inspect_err(|_| drop_all(&left))?;
        Ok(Parts { left, all: gather(&tasks) })
    }
}

fn drop_all(works: &[Rc<Cell<Option<Work>>>]) {
    works.iter().for_each(|work| drop(work.take()));
}

impl Drop for Parts {
    fn drop(&mut self) {
        drop_all(&self.left);
        if self.all.cancel() {
            // It ends with a cancellation, which there is no need to report.
            self.all.add_done_callback(|all: &dyn AnyFuture| drop(all.exception()));
        }
    }
}

/// The body of a task, which ends as cancelled once its work was taken.
struct Steps(Rc<Cell<Option<Work>>>);

impl Future for Steps {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(mut work) = self.0.take() else { return Poll::Ready(Err(Error::cancelled())) };
        let polled = work.as_mut().poll(cx);
        self.0.set(polled.is_pending().then_some(work));
        polled
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Process");
        shown.field("pid", &self.pid()).field("returncode", &self.returncode());
        shown.finish_non_exhaustive()
    }
}
