//! One loop runs on a thread at a time, and knows that it does.

use callsoon::{ErrorKind, EventLoop, running_loop};

use crate::support::trace::Trace;

#[test]
fn is_running_and_running_loop_are_set_during_a_run() {
    let event_loop = EventLoop::with_virtual_time();
    assert!(!event_loop.is_running());
    assert_eq!(running_loop().unwrap_err().message(), "no running event loop");
    let (trace, on) = (Trace::new(), event_loop.clone());
    let says = trace.clone();
    let asks = move || {
        says.push(format!("{} {}", on.is_running(), running_loop().unwrap().ptr_eq(&on)));
    };
    event_loop.call_soon(asks).unwrap();
    event_loop.run_once(None).unwrap();
    trace.expect(["true true"]);
    assert!(!event_loop.is_running());
    assert!(running_loop().is_err());
}

#[test]
fn running_loop_cannot_be_run_again() {
    let trace = Trace::new();
    let event_loop = std::rc::Rc::new(EventLoop::with_virtual_time());
    let (inner, says) = (event_loop.clone(), trace.clone());
    let nests = move || {
        let again = [
            inner.run_once(None).unwrap_err(),
            inner.run_forever().unwrap_err(),
            inner.run_until_complete(async { Ok(()) }).unwrap_err(),
        ];
        for error in again {
            assert_eq!(error.kind(), ErrorKind::Runtime);
            says.push(error.message());
        }
        says.push(inner.all_tasks().len());
    };
    event_loop.call_soon(nests).unwrap();
    event_loop.call_soon(trace.says("the turn goes on")).unwrap();
    assert_eq!(event_loop.run_once(None).unwrap(), 2);
    let refused = "This event loop is already running";
    trace.expect([refused, refused, refused, "0", "the turn goes on"]);
}

/// CPython 3.13.0 differs: there a loop forgets that it runs when a second one is refused.
#[test]
fn a_second_loop_is_refused_and_the_first_one_goes_on() {
    let trace = Trace::new();
    let (event_loop, other) = (EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    let (on, says) = (event_loop.clone(), trace.clone());
    let nests = move || {
        other.call_soon(says.says("never")).unwrap();
        says.push(other.run_once(None).unwrap_err().message());
        says.push(other.run_forever().unwrap_err().message());
        assert!(!other.is_running() && on.is_running());
        assert!(running_loop().unwrap().ptr_eq(&on));
    };
    event_loop.call_soon(nests).unwrap();
    event_loop.run_once(None).unwrap();
    let refused = "Cannot run the event loop while another loop is running";
    trace.expect([refused, refused]);
}

#[test]
fn a_run_that_is_refused_leaves_no_task_behind() {
    let (event_loop, other) = (EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    let trace = Trace::new();
    let says = trace.clone();
    let nests = move || {
        says.push(other.run_until_complete(async { Ok(()) }).unwrap_err().message());
        says.push(other.all_tasks().len());
    };
    event_loop.call_soon(nests).unwrap();
    event_loop.run_once(None).unwrap();
    trace.expect(["Cannot run the event loop while another loop is running", "0"]);
}

#[test]
fn a_future_of_another_loop_can_not_be_run_until_it_is_complete() {
    let (event_loop, other) = (EventLoop::with_virtual_time(), EventLoop::with_virtual_time());
    let error = event_loop.run_until_complete(other.create_future::<()>()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(
        error.message(),
        "The future belongs to a different loop than the one specified as the loop argument"
    );
}

#[test]
fn two_loops_take_turns_on_one_thread() {
    let trace = Trace::new();
    let loops = [EventLoop::with_virtual_time(), EventLoop::with_virtual_time()];
    for (n, event_loop) in loops.iter().enumerate() {
        let (on, says) = (callsoon::LoopRef::clone(event_loop), trace.clone());
        let first = move || {
            says.push(format!("first of {n}"));
            on.call_soon(says.says(format!("second of {n}"))).unwrap();
        };
        event_loop.call_soon(first).unwrap();
    }
    for _ in 0..2 {
        for event_loop in &loops {
            assert_eq!(event_loop.run_once(None).unwrap(), 1);
        }
    }
    trace.expect(["first of 0", "first of 1", "second of 0", "second of 1"]);
}

#[cfg(unix)] // where a thread's values are dropped in the same order each time
#[test]
fn running_on_a_thread_that_ends_says_so() {
    struct RunsAtTheEnd(std::sync::mpsc::Sender<callsoon::Error>);
    impl Drop for RunsAtTheEnd {
        fn drop(&mut self) {
            let event_loop = EventLoop::with_virtual_time();
            let errors = [
                event_loop.run_once(None).unwrap_err(),
                event_loop.run_forever().unwrap_err(),
                event_loop.run_until_complete(async { Ok(()) }).unwrap_err(),
                callsoon::run(async { Ok(()) }).unwrap_err(),
            ];
            errors.into_iter().for_each(|error| self.0.send(error).unwrap());
        }
    }
    thread_local! {
        static LAST: std::cell::RefCell<Option<RunsAtTheEnd>> = const { std::cell::RefCell::new(None) };
    }
    let (tells, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        LAST.with(|last| *last.borrow_mut() = Some(RunsAtTheEnd(tells)));
        EventLoop::with_virtual_time().run_once(Some(std::time::Duration::ZERO)).unwrap();
    });
    thread.join().unwrap();
    let told: Vec<_> =
        told.iter().map(|error| (error.kind(), error.message().to_owned())).collect();
    let message =
        "Cannot run an event loop on a thread that ends: its thread-local values are gone";
    assert_eq!(told, [const { ErrorKind::Runtime }; 4].map(|kind| (kind, message.to_owned())));
}
