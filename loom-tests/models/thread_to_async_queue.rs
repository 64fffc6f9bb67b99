//! Requests to threads, whole.

use super::check::{Search, check, size};
use super::host::event_loop;
use crate::helpers as hp;
use crate::{ErrorKind, Result};

type Queue = hp::ThreadToAsyncQueue<()>;

fn with_queue(
    threads: usize,
    body: impl AsyncFnOnce(Queue, &crate::LoopFuture<()>) -> Result<()> + 'static,
) {
    let event_loop = event_loop();
    event_loop
        .run_until_complete(async move {
            let stop = hp::create_future::<()>();
            let queue = hp::ThreadToAsyncQueue::builder(()).num_threads(threads).build(&stop)?;
            body(queue, &stop).await
        })
        .unwrap();
}

/// The stop comes while a thread takes what was requested: that is answered all the same; what
/// is requested later is cancelled; the threads leave.
#[test]
fn request_against_stop() {
    check("request_against_stop", Search::Preemptions(3), || {
        with_queue(size(1, 3), async |queue, stop| {
            queue.start().await?;
            let early: Vec<_> = (0..size(1, 9)).map(|n| queue.request(move |()| Ok(n))).collect();
            stop.cancel();
            let late = queue.request(|()| Ok(()));
            assert!(late.cancelled());
            for (number, early) in early.iter().enumerate() {
                assert_eq!(early.await?, number);
            }
            queue.finish().await
        });
    });
}

/// The queue finishes while its threads start, take requests, and fall asleep: each request is
/// answered before `finish` returns.
#[test]
fn finish_against_request() {
    check("finish_against_request", Search::Preemptions(3), || {
        with_queue(size(1, 3), async |queue, _stop| {
            queue.start().await?;
            let requests: Vec<_> =
                (0..size(1, 9)).map(|n| queue.request(move |()| Ok(n))).collect();
            queue.finish().await?;
            for (number, request) in requests.iter().enumerate() {
                assert_eq!(request.result()?, number);
            }
            Ok(())
        });
    });
}

/// A request panics on its thread: its future has the panic, and the thread goes on to the next.
#[test]
fn panic_in_a_thread() {
    check("panic_in_a_thread", Search::Preemptions(3), || {
        with_queue(1, async |queue, _stop| {
            queue.start().await?;
            let first = queue.request::<()>(|()| std::panic::resume_unwind(Box::new("on purpose")));
            let second = queue.request(|()| Ok(7));
            assert_eq!((&first).await.unwrap_err().kind(), ErrorKind::Panic);
            assert_eq!(second.await?, 7);
            queue.finish().await
        });
    });
}

/// The queue is dropped, not finished, while its thread takes a request: the request is
/// answered, and the thread leaves (a model ends when all its threads have).
#[test]
fn drop_against_a_thread() {
    check("drop_against_a_thread", Search::Preemptions(3), || {
        with_queue(size(1, 3), async |queue, _stop| {
            queue.start().await?;
            let requests: Vec<_> =
                (0..size(1, 9)).map(|n| queue.request(move |()| Ok(n))).collect();
            drop(queue);
            for (number, request) in requests.iter().enumerate() {
                assert_eq!(request.await?, number);
            }
            Ok(())
        });
    });
}

/// Threads with arguments that the loop has to make.
struct AsksTheLoop(crate::LoopHandle);

impl hp::ThreadHooks for AsksTheLoop {
    type Args = usize;

    fn create_args(&self, _number: usize, _existing: Option<usize>) -> Result<usize> {
        self.0.run_coroutine_threadsafe(|| async { Ok(7) })?.result(None)
    }
}

/// A queue is started while it finishes, and its threads wait for the loop: the finish waits for them,
/// and doesn't stop the loop for that.
#[test]
fn start_amid_a_finish() {
    check("start_amid_a_finish", Search::Preemptions(2), || {
        let event_loop = event_loop();
        event_loop
            .run_until_complete(async {
                let stop = hp::create_future::<()>();
                let hooks = AsksTheLoop(crate::running_loop()?.handle());
                let queue = hp::ThreadToAsyncQueue::builder(hooks).build(&stop)?;
                let queue = std::rc::Rc::new(queue);
                let finishes = std::rc::Rc::clone(&queue);
                let finish = crate::create_task(async move { finishes.finish().await });
                // The finish has seen by then that there is no thread.
                crate::sleep(core::time::Duration::ZERO).await?;
                queue.start().await?;
                finish.await
            })
            .unwrap();
    });
}

/// The loop closes while a thread works at a request, and the queue is dropped later: the answer is
/// refused, and the thread leaves.
#[test]
fn request_against_close() {
    check("request_against_close", Search::Preemptions(3), || {
        let event_loop = event_loop();
        let stop = crate::LoopFuture::<()>::new(&event_loop);
        let future = stop.clone();
        let queue = event_loop
            .run_until_complete(async move {
                let queue = hp::ThreadToAsyncQueue::builder(()).build(&future)?;
                queue.start().await?;
                let requests: Vec<_> =
                    (0..size(1, 9)).map(|n| queue.request(move |()| Ok(n))).collect();
                Ok(std::rc::Rc::new((queue, requests)))
            })
            .unwrap();
        event_loop.close().unwrap();
        for (number, request) in queue.1.iter().enumerate() {
            assert!(!request.done() || request.result().is_ok_and(|answer| answer == number));
        }
        let late = queue.0.request(|()| Ok(()));
        assert!(late.cancelled());
    });
}
