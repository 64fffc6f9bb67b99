//! A recording that several threads write to.

use super::check::{Search, check};
use super::host::event_loop;
use crate::ThreadPoolExecutor;

/// Two threads note what they ran, and the loop what it did, in a recording with room for less: each
/// function that was awaited is in it or counted as missed, on the row of its own thread.
#[test]
fn spans_of_two_threads() {
    check("spans_of_two_threads", Search::Preemptions(1), || {
        let event_loop = event_loop();
        let on = crate::LoopRef::clone(&event_loop);
        let trace = event_loop
            .run_until_complete(async move {
                let pool = ThreadPoolExecutor::new(2)?;
                on.start_trace(1);
                let run = || on.run_in_executor(Some(&pool), || Ok(())).unwrap();
                let (first, second) = (run(), run());
                // The loop's own turns aren't over yet, and so not in it.
                first.await?;
                second.await?;
                let trace = on.stop_trace().expect("it was started");
                pool.shutdown().await?;
                Ok(std::rc::Rc::new(trace))
            })
            .unwrap();
        let mut text = Vec::new();
        trace.write(&mut text).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let events: Vec<_> = json["traceEvents"].as_array().unwrap().iter().collect();
        let kept: Vec<_> = events.iter().filter(|event| event["ph"] != "M").collect();
        assert_eq!(kept.len(), 1);
        assert!(trace.missed() >= 1);
        let rows = events.len() - kept.len();
        let on_thread = usize::from(kept[0]["cat"] == "thread");
        assert_eq!(kept[0]["tid"], on_thread);
        // A row for the loop, and one for the thread that was noted.
        assert_eq!(rows, 1 + on_thread);
    });
}
