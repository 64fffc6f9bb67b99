//! `Handle`: what can be done to a callback that was scheduled.

use callsoon::EventLoop;

use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

#[test]
fn callback_cancelled_before_or_within_its_turn_does_not_run() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let before = event_loop.call_soon(trace.says("cancelled before the turn")).unwrap();
    before.cancel();
    let late = std::rc::Rc::new(std::cell::Cell::new(None));
    let cancels = late.clone();
    event_loop
        .call_soon(move || {
            let handle: callsoon::Handle = cancels.take().unwrap();
            handle.cancel();
        })
        .unwrap();
    late.set(Some(event_loop.call_soon(trace.says("cancelled within the turn")).unwrap()));
    assert_eq!(event_loop.run_once(None).unwrap(), 3);
    trace.expect_nothing();
}

#[test]
fn cancelling_drops_the_callback_at_once_and_once_only() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let captured = on_drop(trace.says("captured is dropped"));
    let handle = event_loop.call_soon(move || drop(captured)).unwrap();
    let same = handle.clone();
    same.cancel();
    trace.expect(["captured is dropped"]);
    assert!(handle.cancelled());
    handle.cancel();
    event_loop.run_once(None).unwrap();
    trace.expect_nothing();
}

#[test]
fn a_callback_that_cancels_itself_runs_to_its_end() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let own = std::rc::Rc::new(std::cell::OnceCell::<callsoon::Handle>::new());
    let (me, says, captured) =
        (own.clone(), trace.clone(), on_drop(trace.says("captured is dropped")));
    let handle = event_loop
        .call_soon(move || {
            let _captured = captured;
            me.get().unwrap().cancel();
            says.push("still here");
        })
        .unwrap();
    own.set(handle.clone()).unwrap();
    event_loop.run_once(None).unwrap();
    trace.expect(["still here", "captured is dropped"]);
    assert!(handle.cancelled());
}

#[test]
fn a_handle_and_a_timer_show_what_they_are() {
    fn named() {}
    let event_loop = EventLoop::with_virtual_time();
    let handle = event_loop.call_soon(named).unwrap();
    let timer = event_loop.call_at(std::time::Duration::from_millis(1500), named).unwrap();
    let path = std::any::type_name_of_val(&named);
    assert_eq!(format!("{handle:?}"), format!("<Handle {path}>"));
    assert_eq!(format!("{timer:?}"), format!("<TimerHandle when=1.5s {path}>"));
    handle.cancel();
    timer.cancel();
    assert_eq!(format!("{handle:?}"), format!("<Handle cancelled {path}>"));
    assert_eq!(format!("{timer:?}"), format!("<TimerHandle cancelled when=1.5s {path}>"));
}

#[test]
fn handles_outlive_their_loop() {
    let (trace, event_loop) = (Trace::new(), EventLoop::with_virtual_time());
    let second = std::time::Duration::from_secs(1);
    let captured = on_drop(trace.says("dropped with the loop"));
    let soon = event_loop.call_soon(move || drop(captured)).unwrap();
    let captured = on_drop(trace.says("dropped with the timers"));
    let timer = event_loop.call_later(second, move || drop(captured)).unwrap();
    let large = event_loop.call_later(second, {
        let room = [0_u8; 5_000];
        move || assert_eq!(room.len(), 5_000)
    });
    drop(event_loop);
    trace.expect(["dropped with the loop", "dropped with the timers"]);
    soon.cancel();
    timer.clone().cancel();
    assert!(soon.cancelled() && timer.cancelled() && !large.as_ref().unwrap().cancelled());
    assert_eq!(timer.when(), second);
}

#[test]
fn loop_shows_its_state() {
    let event_loop = EventLoop::with_virtual_time();
    assert_eq!(format!("{event_loop:?}"), "<EventLoop running=false closed=false debug=false>");
    assert_eq!(format!("{:?}", event_loop.handle()), "LoopHandle { .. }");
    let inside = event_loop.clone();
    let shows = async move { Ok(format!("{inside:?}")) };
    let shown = event_loop.run_until_complete(shows).unwrap();
    assert_eq!(shown, "<EventLoop running=true closed=false debug=false>");
    event_loop.set_debug(true);
    event_loop.close().unwrap();
    assert_eq!(format!("{event_loop:?}"), "<EventLoop running=false closed=true debug=true>");
}
