//! [`Events`]: the events of a loop's tasks, callbacks and timers, as lines of the language of
//! `docs/port-check.md`.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::event_loop::clock::{Clock, Nanos};
use crate::event_loop::events::{EventLog, LoopEvent, Outcome};
use crate::event_loop::loop_ref::LoopRef;

/// The events of a loop's tasks, callbacks and timers, in order: made by
/// [`stop_events`](LoopRef::stop_events). As text it has a line for each event, and the program
/// `port-check` compares it with the same text from CPython ([the guide](crate::guide::port_check)).
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, sleep};
///
/// let event_loop = EventLoop::with_virtual_time();
/// event_loop.start_events();
/// event_loop.run_until_complete(sleep(Duration::from_secs(2)))?;
/// let events = event_loop.stop_events().expect("it was started").to_string();
/// assert!(events.contains("make timer1 due 2\nwait t1 on sleep\nturn 2 at 2\ntimer1\n"), "{events}");
/// # Ok::<(), callsoon::Error>(())
/// ```
pub struct Events {
    log: EventLog,
    is_virtual: bool,
}

impl LoopRef {
    /// Begins to record what the loop's tasks, callbacks and timers do: see [`Events`]. What was
    /// recorded before and not taken is kept. A loop that was not asked to pays nothing but a look at
    /// a flag for each event; an event takes 8 or 16 bytes.
    pub fn start_events(&self) {
        self.start_event_log();
    }

    /// Ends the recording, as closing the loop does. Returns what was recorded; `None` if nothing was
    /// to be, or it was taken already.
    pub fn stop_events(&self) -> Option<Events> {
        let is_virtual = matches!(self.shared().clock, Clock::Virtual(_));
        self.take_event_log().map(|log| Events { log, is_virtual })
    }
}

impl Events {
    /// Returns how many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.log.events().count()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Events len={}>", self.len())
    }
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "callsoon-trace 1 {}", if self.is_virtual { "virtual" } else { "real" })?;
        let mut lines = Lines::new(f, &self.log);
        self.log.events().try_for_each(|event| lines.write(event))
    }
}

/// A time in seconds, without zeros at the end.
struct Time(Nanos);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECOND: Nanos = 1_000_000_000;
        let fraction = format!("{:09}", self.0 % SECOND);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{}{point}{fraction}", self.0 / SECOND)
    }
}

struct Lines<'a, 'f> {
    to: &'a mut fmt::Formatter<'f>,
    log: &'a EventLog,
    names: BTreeMap<u64, &'a str>,
    turn: u64,
    /// When the turn has begun that has no line yet.
    begun: Option<Nanos>,
    /// The head of an entry that has no line of its own, until there is one below it.
    head: Option<&'static str>,
    timers: Numbers,
    calls: Numbers,
    futures: Numbers,
    /// The numbers of entries of cancelled timers are on the ready queue in front of any other with the
    /// address.
    skipped: BTreeMap<usize, usize>,
    /// The addresses of futures that have ended.
    ended: BTreeSet<usize>,
    /// The name of the error of the next event.
    error: Option<&'static str>,
}

/// The numbers of things by their addresses, and the last number.
#[derive(Default)]
struct Numbers {
    last: u64,
    at: BTreeMap<usize, u64>,
}

impl Numbers {
    fn add(&mut self, address: usize) -> u64 {
        self.last += 1;
        self.at.insert(address, self.last);
        self.last
    }

    fn find_or_add(&mut self, address: usize) -> u64 {
        self.at.get(&address).copied().unwrap_or_else(|| self.add(address))
    }
}

/// The head of what a callback does that has no number.
const CALLBACK: &str = "callback";
/// The head of what happens while the loop does not run.
const OUTSIDE: &str = "outside";
/// The reason of the futures that are told apart by numbers.
const FUTURE: &str = "future";

impl<'a, 'f> Lines<'a, 'f> {
    fn new(to: &'a mut fmt::Formatter<'f>, log: &'a EventLog) -> Lines<'a, 'f> {
        let named = log.events().filter_map(|event| match event {
            LoopEvent::TaskNamed(task, place) => Some((task, log.texts.get(place)?.as_str())),
            _ => None,
        });
        Lines {
            to,
            log,
            names: named.collect(),
            turn: 0,
            begun: None,
            head: Some(OUTSIDE),
            timers: Numbers::default(),
            calls: Numbers::default(),
            futures: Numbers::default(),
            skipped: BTreeMap::new(),
            ended: BTreeSet::new(),
            error: None,
        }
    }

    fn task(&self, task: u64) -> String {
        match self.names.get(&task) {
            Some(name) => format!("t{task}:{}", name.replace(char::is_whitespace, "_")),
            None => format!("t{task}"),
        }
    }

    /// The words of an outcome: of an error with its name, if it has one.
    fn outcome(&mut self, outcome: Outcome) -> String {
        match (outcome, self.error.take()) {
            (Outcome::Result, _) => "result".into(),
            (Outcome::Cancelled, _) => "cancelled".into(),
            (Outcome::Error, None) => "error".into(),
            (Outcome::Error, Some(name)) => format!("error {name}"),
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) -> fmt::Result {
        if let Some(now) = self.begun.take() {
            self.turn += 1;
            writeln!(self.to, "turn {} at {}", self.turn, Time(now))?;
        }
        if let Some(head) = self.head.take() {
            writeln!(self.to, "{head}")?;
        }
        writeln!(self.to, "{line}")
    }

    /// The line of an entry itself.
    fn entry(&mut self, line: fmt::Arguments<'_>) -> fmt::Result {
        self.head = None;
        self.line(line)
    }

    fn write(&mut self, event: LoopEvent) -> fmt::Result {
        match event {
            LoopEvent::Round(now) => {
                self.begun = Some(now);
                self.head = None;
                Ok(())
            }
            LoopEvent::Outside => {
                self.begun = None;
                self.head = Some(OUTSIDE);
                Ok(())
            }
            LoopEvent::Callback => {
                self.head = Some(CALLBACK);
                Ok(())
            }
            LoopEvent::Entry(address) => self.write_entry(address),
            LoopEvent::FutureMade(address) => {
                self.futures.at.remove(&address);
                self.ended.remove(&address);
                Ok(())
            }
            LoopEvent::FutureEnded(address, reason, outcome) => {
                self.write_future_end(address, self.log.reason_words(reason), outcome)
            }
            LoopEvent::TimerMade(address, when) => {
                self.calls.at.remove(&address);
                let number = self.timers.add(address);
                self.line(format_args!("make timer{number} due {}", Time(when)))
            }
            LoopEvent::CallMade(address) => {
                self.timers.at.remove(&address);
                let number = self.calls.add(address);
                self.line(format_args!("make call{number}"))
            }
            LoopEvent::TimerCancelled(address, is_ready) => {
                if is_ready && self.timers.at.contains_key(&address) {
                    self.skip_next(address);
                }
                self.write(LoopEvent::CallCancelled(address))
            }
            LoopEvent::EntrySkipped(address) => {
                self.skip_next(address);
                Ok(())
            }
            LoopEvent::CallCancelled(address) => {
                let timer = self.timers.at.remove(&address).map(|number| ("timer", number));
                let call = || self.calls.at.remove(&address).map(|number| ("call", number));
                match timer.or_else(call) {
                    Some((kind, number)) => self.line(format_args!("cancel {kind}{number}")),
                    None => Ok(()),
                }
            }
            LoopEvent::Logged(place) => {
                let text = self.log.texts.get(place).map_or("", String::as_str);
                let ends = [("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")];
                let text =
                    ends.iter().fold(text.to_owned(), |text, (end, by)| text.replace(end, by));
                self.line(format_args!("log {text}"))
            }
            LoopEvent::ErrorNamed(place) => {
                self.error = Some(self.log.error_name(place));
                Ok(())
            }
            event => self.write_task_event(event),
        }
    }

    fn skip_next(&mut self, address: usize) {
        *self.skipped.entry(address).or_default() += 1;
    }

    fn write_task_event(&mut self, event: LoopEvent) -> fmt::Result {
        match event {
            LoopEvent::Step(task, throws) => {
                let task = self.task(task);
                match throws {
                    Some(outcome) => {
                        let outcome = self.outcome(outcome);
                        self.entry(format_args!("step {task} throws {outcome}"))
                    }
                    None => self.entry(format_args!("step {task}")),
                }
            }
            LoopEvent::TaskMade(task) => {
                let task = self.task(task);
                self.line(format_args!("make {task}"))
            }
            LoopEvent::Waits(task, reason) => {
                let (task, on) = (self.task(task), self.log.reason_words(reason));
                self.line(format_args!("wait {task} on {on}"))
            }
            LoopEvent::WaitsForFuture(task, address) => {
                let (task, number) = (self.task(task), self.futures.find_or_add(address));
                self.line(format_args!("wait {task} on {FUTURE}{number}"))
            }
            LoopEvent::WaitsForTask(task, on) => {
                let (task, on) = (self.task(task), self.task(on));
                self.line(format_args!("wait {task} on {on}"))
            }
            LoopEvent::Yields(task) => {
                let task = self.task(task);
                self.line(format_args!("yield {task}"))
            }
            LoopEvent::Woken(task) => {
                let task = self.task(task);
                self.line(format_args!("wake {task}"))
            }
            LoopEvent::CancelAsked(task) => {
                let task = self.task(task);
                self.line(format_args!("cancel {task}"))
            }
            LoopEvent::TaskEnded(task, outcome) => {
                let (task, outcome) = (self.task(task), self.outcome(outcome));
                self.line(format_args!("end {task} {outcome}"))
            }
            _ => Ok(()),
        }
    }

    fn write_entry(&mut self, address: usize) -> fmt::Result {
        if let Some(count) = self.skipped.get_mut(&address).filter(|count| **count > 0) {
            *count -= 1;
            self.head = Some(CALLBACK);
            return Ok(());
        }
        if let Some(number) = self.timers.at.remove(&address) {
            return self.entry(format_args!("timer{number}"));
        }
        if let Some(number) = self.calls.at.remove(&address) {
            return self.entry(format_args!("call{number}"));
        }
        // Another callback: it has a line if there is one below it.
        self.head = Some(CALLBACK);
        Ok(())
    }

    fn write_future_end(
        &mut self,
        address: usize,
        reason: &'static str,
        outcome: Outcome,
    ) -> fmt::Result {
        let outcome = self.outcome(outcome);
        if !self.ended.insert(address) {
            return Ok(());
        }
        if reason == FUTURE {
            let number = self.futures.find_or_add(address);
            self.line(format_args!("set {FUTURE}{number} {outcome}"))
        } else {
            self.line(format_args!("set {reason} {outcome}"))
        }
    }
}
