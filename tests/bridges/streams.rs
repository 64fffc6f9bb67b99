//! Iterated sources, as streams.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use callsoon::bridges::{Items, Next, stream};
use callsoon::{
    AsyncGenerator, Error, Queue, Result, create_task, generator, helpers as hp, running_loop,
    sleep, yield_now,
};
use futures_core::Stream;
use futures_core::stream::FusedStream;

use crate::run::{next, poll_once, run, settle};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

async fn collect<S: Next + 'static>(mut items: Items<S>) -> Result<Vec<S::Item>> {
    let mut all = Vec::new();
    while let Some(item) = next(&mut items).await {
        assert!(!items.is_terminated());
        all.push(item?);
    }
    assert!(items.is_terminated());
    assert!(next(&mut items).await.is_none());
    Ok(all)
}

/// Checks each of the sources while it waits and has no item.
async fn with_each_that_waits(check: impl AsyncFn(&str, Box<dyn Erased>)) -> Result<()> {
    let stop = hp::create_future::<()>();
    check("Queue", Box::new(stream(Queue::<u8>::new(0)))).await;
    check("hp::Queue", Box::new(stream(hp::Queue::<u8>::new(&stop).iter()))).await;
    let streamer = hp::ResultStreamer::<u8>::new(&stop);
    check("ResultStreamer", Box::new(stream(streamer.iter()))).await;
    let waits = generator(async |y| {
        sleep(Duration::from_secs(1000)).await?;
        y.give(1).await.map(drop)
    });
    check("AsyncGenerator", Box::new(stream(waits))).await;
    let ticker = hp::ATicker::new(Duration::from_secs(1000), hp::TickerOptions::default());
    ticker.start();
    assert_eq!(ticker.next().await?.unwrap().0, 1);
    check("ATicker", Box::new(stream(ticker))).await;
    Ok(())
}

/// A stream of whatever.
trait Erased {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<()>>>;
}

impl<S: Next + 'static> Erased for Items<S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<()>>> {
        Pin::new(self).poll_next(cx).map(|item| item.map(|item| item.map(drop)))
    }
}

#[test]
fn a_queue_gives_what_is_put_in_until_it_is_shut_down_and_empty() {
    run(async {
        let queue = Queue::new(1);
        let puts = queue.clone();
        let putting = create_task(async move {
            for n in 1..=3 {
                puts.put(n).await?;
            }
            puts.shutdown();
            Ok(())
        });
        assert_eq!(collect(stream(queue)).await?, [1, 2, 3]);
        putting.await
    });
}

#[test]
fn stream_of_a_generator_ends_with_the_error_of_its_body() {
    run(async {
        let numbers = |fails: bool| {
            generator(async move |y| {
                for n in 1..=2 {
                    yield_now().await?;
                    y.give(n).await?;
                }
                if fails { Err(Error::other(std::fmt::Error)) } else { Ok(()) }
            })
        };
        assert_eq!(collect(stream(numbers(false))).await?, [1, 2]);
        let mut items = stream(numbers(true));
        assert_eq!(next(&mut items).await.unwrap()?, 1);
        assert_eq!(next(&mut items).await.unwrap()?, 2);
        let error = next(&mut items).await.unwrap().unwrap_err();
        assert!(error.downcast_ref::<std::fmt::Error>().is_some());
        assert!(items.is_terminated() && next(&mut items).await.is_none());
        Ok(())
    });
}

#[test]
fn the_helpers_iterations_give_what_they_give_by_themselves() {
    run(async {
        let stop = hp::create_future::<()>();
        let queue = hp::Queue::new(&stop);
        queue.append("red");
        queue.append("green");
        queue.append_done();
        assert_eq!(collect(stream(queue.iter())).await?, ["red", "green"]);

        let streamer = hp::ResultStreamer::<u8>::new(&stop);
        streamer.add_value(7, hp::Adding::new()).await?;
        streamer.no_more_work();
        let results = collect(stream(streamer.iter())).await?;
        assert_eq!(
            results.into_iter().map(|result| result.value.ok()).collect::<Vec<_>>(),
            [Some(7)]
        );

        let options = hp::TickerOptions { max_iterations: Some(3), ..Default::default() };
        let ticker = hp::ATicker::new(Duration::from_secs(10), options);
        ticker.start();
        let ten = Duration::from_secs(10);
        assert_eq!(collect(stream(ticker)).await?, [(1, ten), (2, ten), (3, ten)]);
        assert_eq!(running_loop()?.time(), Duration::from_secs(30));
        Ok(())
    });
}

#[test]
fn a_ticker_that_was_not_started_says_so_once() {
    run(async {
        let ticker = hp::tick(Duration::from_secs(1), hp::TickerOptions::default());
        let mut items = stream(ticker);
        assert!(next(&mut items).await.unwrap().is_err());
        assert!(next(&mut items).await.is_none());
        Ok(())
    });
}

#[test]
fn a_cancel_is_the_last_item_of_each() {
    run(async {
        let trace = Trace::new();
        with_each_that_waits(async |name, mut items| {
            let (says, name) = (trace.clone(), name.to_owned());
            let task = create_task(async move {
                let item = poll_fn(|cx| items.poll(cx)).await;
                says.push(format!("{name}: {item:?}, {:?}", poll_fn(|cx| items.poll(cx)).await));
                yield_now().await
            });
            settle().await.unwrap();
            task.cancel_with("enough");
            settle().await.unwrap();
            assert!(task.done() && !task.cancelled());
        })
        .await?;
        let names = ["Queue", "hp::Queue", "ResultStreamer", "AsyncGenerator", "ATicker"];
        let expected = "Some(Err(CancelledError(\"enough\"))), None";
        trace.expect(names.map(|name| format!("{name}: {expected}")));
        Ok(())
    });
}

#[test]
fn a_generator_that_goes_on_after_a_cancel_does_so_in_a_stream() {
    run(async {
        let items = stream(generator(async |y| {
            let outcome = sleep(Duration::from_secs(1)).await;
            y.give(outcome.is_err_and(|error| error.is_cancelled())).await.map(drop)
        }));
        let task = create_task(collect(items));
        settle().await?;
        task.cancel();
        assert_eq!(task.await?, [true]);
        Ok(())
    });
}

#[test]
fn a_task_that_polls_several_has_each_cancelled() {
    run(async {
        let (mut one, mut two) = (stream(Queue::<u8>::new(0)), stream(Queue::<u8>::new(0)));
        let task = create_task(async move {
            let mut ends = Vec::new();
            poll_fn(move |cx| {
                for items in [&mut one, &mut two] {
                    if let Poll::Ready(Some(Err(error))) = Pin::new(items).poll_next(cx) {
                        ends.push(error.message());
                    }
                }
                if ends.is_empty() { Poll::Pending } else { Poll::Ready(Ok(ends.clone())) }
            })
            .await
        });
        settle().await?;
        task.cancel_with("enough");
        assert_eq!(task.await?, ["enough", "enough"]);
        Ok(())
    });
}

#[test]
fn an_item_that_comes_between_two_polls_is_there_at_the_next() {
    run(async {
        let stop = hp::create_future::<()>();
        let (queue, values) = (Queue::new(0), hp::Queue::new(&stop));
        let (mut one, mut two) = (stream(queue.clone()), stream(values.iter()));
        assert!(poll_once(&mut one).await.is_pending());
        assert!(poll_once(&mut two).await.is_pending());
        queue.put_nowait(1)?;
        values.append(2);
        settle().await?;
        assert_eq!(next(&mut one).await.unwrap()?, 1);
        assert_eq!(next(&mut two).await.unwrap()?, 2);
        Ok(())
    });
}

/// The module's documentation warns of this.
#[test]
fn a_stream_that_is_kept_and_not_polled_hears_of_a_cancel_later() {
    run(async {
        let task = create_task(async {
            let mut items = stream(Queue::<u8>::new(0));
            assert!(poll_once(&mut items).await.is_pending());
            let slept = sleep(Duration::from_secs(1)).await;
            assert!(slept.unwrap_err().is_cancelled());
            Ok(poll_once(&mut items).await.map(|item| item.map(|item| item.is_err())))
        });
        settle().await?;
        task.cancel();
        assert_eq!(task.await?, Poll::Ready(Some(true)));
        Ok(())
    });
}

#[test]
fn dropped_waiting_stream_passes_its_item_to_the_next_getter() {
    run(async {
        let queue = Queue::new(0);
        let (mut one, mut two) = (stream(queue.clone()), stream(queue.clone()));
        assert!(poll_once(&mut one).await.is_pending());
        assert!(poll_once(&mut two).await.is_pending());
        queue.put_nowait("kept")?;
        drop(one);
        assert_eq!(next(&mut two).await.unwrap()?, "kept");
        Ok(())
    });
}

#[test]
fn ended_stream_drops_its_source_and_a_drop_closes_a_generator() {
    run(async {
        let trace = Trace::new();
        let gives_one = |name: &'static str| -> AsyncGenerator<u8> {
            let says = trace.clone();
            generator(async move |y| {
                let _gone = on_drop(says.says(format!("{name} goes")));
                y.give(1).await?;
                Ok(())
            })
        };
        let (mut ended, mut left) = (stream(gives_one("ended")), stream(gives_one("left")));
        next(&mut ended).await.unwrap()?;
        assert!(next(&mut ended).await.is_none());
        trace.expect(["ended goes"]);
        next(&mut left).await.unwrap()?;
        drop(left);
        settle().await?;
        trace.expect(["left goes"]);
        Ok(())
    });
}

/// A waker of its own between a stream and the task, as combinators have them.
struct Between(Waker);

impl Wake for Between {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

#[test]
fn items_and_cancels_pass_a_combinators_own_waker() {
    run(async {
        let queue = Queue::new(0);
        let mut items = stream(queue.clone());
        let task = create_task(async move {
            let mut seen = Vec::new();
            poll_fn(|cx| {
                let between = Waker::from(Arc::new(Between(cx.waker().clone())));
                let mut cx = Context::from_waker(&between);
                while let Poll::Ready(item) = Pin::new(&mut items).poll_next(&mut cx) {
                    let Some(item) = item else { return Poll::Ready(()) };
                    seen.push(item.map_err(|error| error.is_cancelled()));
                }
                Poll::Pending
            })
            .await;
            Ok(seen)
        });
        settle().await?;
        queue.put_nowait(1)?;
        settle().await?;
        queue.put_nowait(2)?;
        settle().await?;
        task.cancel();
        assert_eq!(task.await?, [Ok(1), Ok(2), Err(true)]);
        Ok(())
    });
}

/// A source with a `next` of its own.
struct Countdown(Rc<str>, u8);

impl Next for Countdown {
    type Item = (Rc<str>, u8);

    async fn next(&mut self) -> Result<Option<Self::Item>> {
        sleep(Duration::from_secs(1)).await?;
        self.1 -= 1;
        Ok((self.1 > 0).then(|| (self.0.clone(), self.1)))
    }
}

#[test]
fn anything_with_a_next_will_do() {
    run(async {
        let seen = collect(stream(Countdown("t".into(), 3))).await?;
        assert_eq!(seen, [("t".into(), 2), ("t".into(), 1)]);
        assert_eq!(format!("{:?}", stream(Countdown("t".into(), 3))), "<Items idle>");
        Ok(())
    });
}
