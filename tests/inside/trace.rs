//! The timeline: what is written is JSON, and its spans stand inside of each other.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use callsoon::helpers as hp;
use callsoon::{EventLoop, Trace, create_task, run_on, running_loop, sleep, to_thread, yield_now};
use serde_json::Value;

/// A trace of two tasks, a timer, a callback and a thread.
fn traced(most_events: usize) -> Trace {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.start_trace(most_events);
    run_on(&event_loop, async {
        let task = create_task(async {
            yield_now().await?;
            sleep(Duration::from_secs(2)).await
        });
        task.set_name("worker");
        running_loop()?.call_soon(|| ())?;
        task.await?;
        to_thread(|| Ok(())).await
    })
    .unwrap();
    event_loop.stop_trace().expect("it was started")
}

fn events(trace: &Trace) -> Vec<Value> {
    let mut written = Vec::new();
    trace.write(&mut written).unwrap();
    let mut json: Value = serde_json::from_slice(&written).unwrap();
    serde_json::from_value(json["traceEvents"].take()).unwrap()
}

/// Begin and end of an event, in nanoseconds.
fn span(event: &Value) -> (u64, u64) {
    let nanos = |key: &str| (event[key].as_f64().unwrap() * 1000.0).round() as u64;
    (nanos("ts"), nanos("ts") + nanos("dur"))
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["cat"] == kind).collect()
}

#[test]
fn events_are_inside_their_turns_and_turns_do_not_overlap() {
    let trace = traced(100_000);
    assert_eq!(trace.missed(), 0);
    let events = events(&trace);
    let turns = of(&events, "turn");
    assert!(turns.len() > 5, "{turns:?}");
    for (number, turn) in turns.iter().enumerate() {
        assert_eq!((&turn["args"]["turn"], &turn["tid"]), (&(number + 1).into(), &0.into()));
    }
    assert!(turns.windows(2).all(|pair| span(pair[0]).1 <= span(pair[1]).0));
    let on_loop =
        |event: &&Value| event["tid"] == 0 && event["ph"] != "M" && event["cat"] != "turn";
    let mut last_end = 0;
    for event in events.iter().filter(on_loop) {
        let ts = span_or_instant(event);
        let holds = |turn: &&&Value| span(turn).0 <= ts.0 && ts.1 <= span(turn).1;
        assert_eq!(turns.iter().filter(holds).count(), 1, "{event}");
        // Events of a turn don't overlap.
        assert!(ts.0 >= last_end, "{event}");
        last_end = ts.1;
    }
}

fn span_or_instant(event: &Value) -> (u64, u64) {
    if event["ph"] == "X" {
        return span(event);
    }
    assert_eq!(event["ph"], "i", "{event}");
    let at = (event["ts"].as_f64().unwrap() * 1000.0).round() as u64;
    (at, at)
}

#[test]
fn steps_callbacks_timers_waits_and_threads_are_told_apart() {
    let events = events(&traced(100_000));
    let worker: Vec<_> =
        of(&events, "step").into_iter().filter(|e| e["name"] == "worker").collect();
    assert_eq!(worker.len(), 3, "to its yield, to its sleep, to its end: {worker:?}");
    assert!(worker.iter().all(|step| step["args"]["task"] == 2));
    let timers = of(&events, "timer");
    let due: Vec<_> = timers.iter().filter(|event| event["ph"] == "i").collect();
    assert_eq!(due.len(), 1, "{timers:?}");
    assert_eq!(due[0]["args"]["when"], 2.0);
    assert_eq!(timers.len() - due.len(), 1, "it runs: {timers:?}");
    assert!(!of(&events, "wait").is_empty());
    let callbacks = of(&events, "callback");
    let own = |event: &&&Value| event["name"].as_str().unwrap().contains("inside::trace::traced");
    assert_eq!(callbacks.iter().filter(own).count(), 1, "{callbacks:?}");

    let threads = of(&events, "thread");
    assert_eq!(threads.len(), 1, "{threads:?}");
    let tid = &threads[0]["tid"];
    let name = events.iter().find(|event| event["ph"] == "M" && &event["tid"] == tid).unwrap();
    assert!(name["args"]["name"].as_str().unwrap().starts_with("asyncio"), "{name}");
    assert_ne!(tid, 0);
}

#[test]
fn each_thread_of_a_queue_has_what_it_was_asked() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop.start_trace(100_000);
    run_on(&event_loop, async {
        let stop = hp::create_future::<()>();
        let queue = hp::ThreadToAsyncQueue::builder(()).name("asked").num_threads(2);
        let queue = queue.build(&stop)?;
        // A request made before the threads start is theirs, too.
        let early = queue.request(|()| Ok(()));
        queue
            .scope(async |queue| {
                early.await?;
                // Neither returns before both threads have one.
                let both = Arc::new(Barrier::new(2));
                let meet = |both: Arc<Barrier>| {
                    move |(): &mut ()| {
                        both.wait();
                        Ok(())
                    }
                };
                let (one, other) = (queue.request(meet(both.clone())), queue.request(meet(both)));
                one.await?;
                other.await
            })
            .await
    })
    .unwrap();
    let events = events(&event_loop.stop_trace().expect("it was started"));
    let mut threads = Vec::new();
    for request in of(&events, "thread") {
        assert!(request["name"].as_str().unwrap().contains("each_thread_of_a_queue"), "{request}");
        let is_its = |event: &&Value| event["ph"] == "M" && event["tid"] == request["tid"];
        let thread = events.iter().find(is_its).unwrap();
        threads.push(thread["args"]["name"].as_str().unwrap());
    }
    assert_eq!(threads.len(), 3);
    threads.sort_unstable();
    threads.dedup();
    assert_eq!(threads, ["asked-0", "asked-1"]);
}

#[test]
fn what_has_no_room_is_counted() {
    let trace = traced(3);
    assert!(trace.missed() > 3);
    assert_eq!(events(&trace).iter().filter(|event| event["ph"] != "M").count(), 3);
    assert_eq!(format!("{trace:?}"), format!("<Trace events=3 missed={}>", trace.missed()));
}

#[test]
fn panicking_step_has_its_span_and_tracing_is_off_by_default() {
    let event_loop = EventLoop::with_virtual_time();
    assert!(event_loop.stop_trace().is_none());
    event_loop.start_trace(100);
    let panics = event_loop.create_task::<()>(async { panic!("too much") }).unwrap();
    event_loop.run_once(None).unwrap();
    let trace = event_loop.stop_trace().unwrap();
    event_loop.call_soon(|| ()).unwrap();
    event_loop.run_once(None).unwrap();
    assert!(panics.exception().unwrap().is_some());
    let events = events(&trace);
    assert_eq!((of(&events, "turn").len(), of(&events, "step").len()), (1, 1));
    assert!(of(&events, "callback").is_empty());
}
