//! A busy loop asks nothing of the machine.

use std::time::Duration;

use crate::machine::Machine;

/// Keeps the loop busy for so many turns: each callback schedules the next one.
fn busy(on: &callsoon::LoopRef, turns: usize) {
    if turns > 0 {
        let next = on.clone();
        on.call_soon(move || busy(&next, turns - 1)).unwrap();
    }
}

#[test]
fn turn_with_ready_work_asks_the_host_for_no_sleep_and_no_time() {
    let (machine, event_loop) = Machine::with_loop();
    busy(&event_loop, 100);
    for _ in 0..100 {
        assert_eq!(event_loop.run_once(None).unwrap(), 1);
    }
    assert_eq!(machine.take_waits(), []);
    assert_eq!(machine.take_looks_at_clock(), 0);
    // With a timer the time matters, and is looked at once a turn.
    event_loop.call_later(Duration::from_secs(1), || ()).unwrap();
    machine.take_looks_at_clock();
    busy(&event_loop, 100);
    for _ in 0..100 {
        assert_eq!(event_loop.run_once(None).unwrap(), 1);
    }
    assert_eq!(machine.take_waits(), []);
    assert_eq!(machine.take_looks_at_clock(), 100);
}

#[cfg(target_os = "linux")]
mod traced {
    use std::cell::Cell;
    use std::fs;
    use std::os::unix::net::UnixStream;
    use std::rc::Rc;
    use std::time::Duration;

    use callsoon::EventLoop;

    use super::busy;
    use crate::support::traced::{is_traced, traced};

    const NAME: &str =
        concat!("system_calls::traced::", "turn_with_ready_work_and_no_fd_makes_no_system_call");
    const SLEEPS: &str = "system_calls::traced::close_timers_share_a_sleep_of_one_system_call";
    const MILLISECOND: Duration = Duration::from_millis(1);
    const TURNS: usize = 1000;

    /// The proof is a system call tracer's: the test runs itself again under `strace`, and looks
    /// at what the loop's thread called between two marks, which are system calls themselves
    /// (questions after files that aren't there). Nothing that the program could count about
    /// itself shows as much: a poll that doesn't wait leaves no trace in it.
    ///
    /// The last stretch, with a socket, shows that calls would be seen.
    #[test]
    #[ignore = "needs strace: --ignored runs it"]
    fn turn_with_ready_work_and_no_fd_makes_no_system_call() {
        if is_traced() {
            return be_traced();
        }
        let calls = traced(NAME);
        assert_eq!(calls_between(&calls, "never-watched"), [""; 0]);
        assert_eq!(calls_between(&calls, "watched-before"), [""; 0]);
        assert!(calls_between(&calls, "watching").len() >= TURNS, "strace shows no polls");
    }

    /// Returns the marking thread's calls between the first and the second mark of this name.
    fn calls_between<'a>(log: &'a str, name: &str) -> Vec<&'a str> {
        let mark = format!("/callsoon-mark/{name}\"");
        let of_thread = |line: &'a str| line.split_whitespace().next();
        let marked = log.lines().find(|line| line.contains(&mark)).expect("a mark");
        let thread = of_thread(marked);
        let mut own = log.lines().filter(|line| of_thread(line) == thread);
        own.find(|line| line.contains(&mark)).expect("the first mark");
        let mut between = Vec::new();
        for line in own {
            if line.contains(&mark) {
                return between;
            }
            between.push(line);
        }
        panic!("no second mark {name}");
    }

    fn marked(name: &str, body: impl FnOnce()) {
        let mark = format!("/callsoon-mark/{name}");
        assert!(fs::metadata(&mark).is_err());
        body();
        assert!(fs::metadata(&mark).is_err());
    }

    fn be_traced() {
        let event_loop = EventLoop::new();
        let turns = || {
            busy(&event_loop, TURNS);
            for _ in 0..TURNS {
                assert_eq!(event_loop.run_once(None).unwrap(), 1);
            }
        };
        turns(); // What memory it needs it has from here on.
        marked("never-watched", turns);
        assert!(!open_files().any(|file| file.contains("eventpoll")));
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let ours = Rc::new(ours);
        event_loop.add_reader(ours.clone(), || ()).unwrap();
        assert!(open_files().any(|file| file.contains("eventpoll")));
        marked("watching", turns);
        event_loop.remove_reader(&ours).unwrap();
        marked("watched-before", turns);
    }

    /// All are due within a millisecond, so that it takes one sleep; or two, as the first may have
    /// begun just when the first of them was a whole number of milliseconds away.
    #[test]
    #[ignore = "needs strace: --ignored runs it"]
    fn close_timers_share_a_sleep_of_one_system_call() {
        if is_traced() {
            return be_traced_asleep();
        }
        let calls = traced(SLEEPS);
        for name in ["parker", "poller"] {
            let calls = calls_between(&calls, name);
            // On a late machine a timer is due before the loop sleeps: that poll doesn't wait.
            let sleeps = calls.iter().filter(|call| !call.contains(", 0)"));
            assert!(sleeps.count() <= 2, "{name}: {calls:#?}");
        }
    }

    fn be_traced_asleep() {
        let event_loop = EventLoop::new();
        let asleep = || {
            let (start, left) = (event_loop.time() + MILLISECOND, Rc::new(Cell::new(20)));
            for number in 0..20 {
                let (left, on) = (left.clone(), event_loop.clone());
                let last_stops = move || {
                    if left.replace(left.get() - 1) == 1 {
                        on.stop();
                    }
                };
                event_loop.call_at(start + number * MILLISECOND / 20, last_stops).unwrap();
            }
            event_loop.run_forever().unwrap();
        };
        asleep(); // What memory it needs it has from here on.
        marked("parker", asleep);
        let (ours, _theirs) = UnixStream::pair().unwrap();
        event_loop.add_reader(ours, || ()).unwrap();
        asleep();
        marked("poller", asleep);
    }

    fn open_files() -> impl Iterator<Item = String> {
        let files = fs::read_dir("/proc/self/fd").unwrap();
        files
            .flatten()
            .filter_map(|file| Some(fs::read_link(file.path()).ok()?.display().to_string()))
    }
}
