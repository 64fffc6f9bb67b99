//! [`Trace`]: the timeline of a loop, for a viewer.
//!
//! A span is noted when it ends: what it holds by then stands in the list before it. So a panic
//! that goes through a step ends its span, too.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt::{self, Write as _};
use core::mem::take;
use core::time::Duration;
use std::io::{self, Write};
use std::time::Instant;

use crate::collections::RefCell;
use crate::error::Result;
use crate::event_loop::clock::{self, Nanos};
use crate::event_loop::entry::JobKind;
use crate::event_loop::loop_ref::{Entry, LoopRef};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, ThreadId, current_thread};

/// The timeline of a loop: its turns, and in them its waits, steps of tasks, callbacks and due timers,
/// and the work of threads for it. [`stop_trace`](LoopRef::stop_trace) returns it.
///
/// ```
/// use std::time::Duration;
/// use callsoon::{EventLoop, sleep};
///
/// let event_loop = EventLoop::with_virtual_time();
/// event_loop.start_trace(100_000);
/// event_loop.run_until_complete(sleep(Duration::from_secs(1)))?;
/// let trace = event_loop.stop_trace().expect("it was started");
/// trace.write(std::io::sink())?; // or a file, for https://ui.perfetto.dev
/// # Ok::<(), callsoon::Error>(())
/// ```
pub struct Trace(Arc<Recorder>);

impl Trace {
    /// Writes it in the Trace Event Format of Chrome, which Perfetto reads, too: times are in
    /// microseconds of the machine's clock since [`start_trace`](LoopRef::start_trace), also where
    /// the loop's own time is virtual. What was still going on isn't in it.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub fn write(&self, to: impl Write) -> Result<()> {
        let mut to = io::BufWriter::new(to);
        self.0.write(&mut to)?;
        Ok(to.flush()?)
    }

    /// Returns how many events were not kept, because there was no room for more.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.0.lock().missed
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.lock();
        write!(f, "<Trace events={} missed={}>", kept.events.len(), kept.missed)
    }
}

impl LoopRef {
    /// Begins to record what the loop does when, anew if it did already, and keeps up to
    /// `most_events` of it, of some two hundred bytes each. See [`Trace`].
    ///
    /// While it records, each turn, step and callback costs two looks at the machine's clock and
    /// what it takes to note its name.
    pub fn start_trace(&self, most_events: usize) {
        let observers = self.observers();
        observers.tracing.recorder.replace(Some(Arc::new(Recorder::new(most_events))));
        observers.tracing.turns.set(0);
        self.update_observed();
    }

    /// Ends the recording, and gives what there is; `None` if none was going on. The turn and the
    /// step in which this is called are added when they end.
    pub fn stop_trace(&self) -> Option<Trace> {
        let recorder = self.find_observers()?.tracing.recorder.take();
        self.update_observed();
        recorder.map(Trace)
    }

    /// The turn that begins, until this is dropped.
    pub(crate) fn turn_span(&self) -> Option<Span> {
        let observers = self.find_observers()?;
        let tracing = &observers.tracing;
        let recorder = tracing.recorder()?;
        tracing.turns.set(tracing.turns.get() + 1);
        let details = Details::Turn { turn: tracing.turns.get(), loop_time: self.time() };
        Some(Span::begin(recorder, "turn", "turn".to_owned(), details))
    }

    /// The wait that begins, until this is dropped.
    pub(crate) fn wait_span(&self) -> Option<Span> {
        let recorder = self.find_observers()?.tracing.recorder()?;
        Some(Span::begin(recorder, "wait", "wait".to_owned(), Details::None))
    }

    /// Returns the part of the trace that is on now, if any, for the thread that will run `function`.
    pub(crate) fn trace_of<F>(&self, _function: &F) -> ThreadTrace {
        let recorder = self.find_observers().and_then(|observers| observers.tracing.recorder());
        ThreadTrace { recorder, name: core::any::type_name::<F> }
    }
}

/// On its way to a thread with what runs there.
pub(crate) struct ThreadTrace {
    recorder: Option<Arc<Recorder>>,
    name: fn() -> &'static str,
}

impl ThreadTrace {
    /// It runs until what this gives is dropped.
    pub(crate) fn begin(self) -> Option<Span> {
        let name = (self.name)().to_owned();
        self.recorder.map(|to| Span::begin(to, "thread", name, Details::None))
    }
}

/// The trace of a loop, if one is on.
#[derive(Default)]
pub(super) struct Tracing {
    recorder: RefCell<Option<Arc<Recorder>>>,
    turns: Cell<u64>,
}

impl Tracing {
    pub(super) fn is_on(&self) -> bool {
        self.recorder.borrow().is_some()
    }

    fn recorder(&self) -> Option<Arc<Recorder>> {
        self.recorder.borrow().clone()
    }

    /// The entry that is run, until this is dropped.
    pub(super) fn span_of(&self, entry: &Entry) -> Option<Span> {
        let recorder = self.recorder()?;
        let (kind, task) = match entry.kind() {
            JobKind::Step(task) => ("step", Some(task)),
            JobKind::Sleep => ("timer", None),
            _ => ("callback", None),
        };
        let name = entry.title();
        let details = task.map_or(Details::None, Details::Task);
        Some(Span::begin(recorder, kind, name, details))
    }

    pub(super) fn note_due(&self, when: Nanos, entry: &Entry) {
        if let Some(recorder) = self.recorder() {
            let name = "due: ".to_owned() + &entry.title();
            let details = Details::Timer { when: clock::duration(when) };
            recorder.note("timer", name, details, recorder.now(), None);
        }
    }
}

/// The arguments of an event, for a viewer to show.
#[derive(Default)]
enum Details {
    #[default]
    None,
    Turn {
        turn: u64,
        loop_time: Duration,
    },
    Task(u64),
    Timer {
        when: Duration,
    },
}

/// An event that goes on until this is dropped.
pub(crate) struct Span {
    recorder: Arc<Recorder>,
    kind: &'static str,
    name: String,
    details: Details,
    begun: Duration,
}

impl Span {
    fn begin(recorder: Arc<Recorder>, kind: &'static str, name: String, details: Details) -> Span {
        let begun = recorder.now();
        Span { recorder, kind, name, details, begun }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let took = self.recorder.now().saturating_sub(self.begun);
        let (name, details) = (take(&mut self.name), take(&mut self.details));
        self.recorder.note(self.kind, name, details, self.begun, Some(took));
    }
}

/// The events that were recorded, from the loop's thread and others.
struct Recorder {
    start: Instant,
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    events: Vec<Event>,
    missed: usize,
    /// Each thread by its place here, with what it is called.
    threads: Vec<(ThreadId, String)>,
}

struct Event {
    kind: &'static str,
    name: String,
    details: Details,
    thread: usize,
    begun: Duration,
    /// None for what takes no time.
    took: Option<Duration>,
}

impl Recorder {
    fn new(most: usize) -> Recorder {
        let threads = Vec::from([(current_thread().id(), "event loop".to_owned())]);
        let kept = Mutex::new(Kept { threads, ..Kept::default() });
        Recorder { start: Instant::now(), most, kept }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(
        &self,
        kind: &'static str,
        name: String,
        details: Details,
        begun: Duration,
        took: Option<Duration>,
    ) {
        let mut kept = self.lock();
        if kept.events.len() >= self.most {
            kept.missed += 1;
            return;
        }
        let thread = kept.thread();
        kept.events.push(Event { kind, name, details, thread, begun, took });
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let kept = self.lock();
        let pid = std::process::id();
        to.write_all(br#"{"traceEvents":["#)?;
        for (tid, (_, name)) in kept.threads.iter().enumerate() {
            let comma = if tid == 0 { "" } else { "," };
            let name = Json(name);
            write!(
                to,
                r#"{comma}{{"ph":"M","name":"thread_name","pid":{pid},"tid":{tid},"args":{{"name":{name}}}}}"#
            )?;
        }
        let mut events: Vec<&Event> = kept.events.iter().collect();
        // An event that holds others stands before them.
        events.sort_by_key(|event| (event.begun, core::cmp::Reverse(event.took)));
        for event in events {
            event.write(to, pid)?;
        }
        write!(to, r#"],"displayTimeUnit":"ns","missed":{}}}"#, kept.missed)
    }
}

impl Kept {
    fn thread(&mut self) -> usize {
        let current = current_thread();
        let known = self.threads.iter().position(|(id, _)| *id == current.id());
        known.unwrap_or_else(|| {
            self.threads.push((current.id(), current.name().unwrap_or("thread").to_owned()));
            self.threads.len() - 1
        })
    }
}

impl Event {
    fn write(&self, to: &mut impl Write, pid: u32) -> io::Result<()> {
        let (name, kind, tid, ts) = (Json(&self.name), self.kind, self.thread, Micros(self.begun));
        write!(to, r#",{{"name":{name},"cat":"{kind}","pid":{pid},"tid":{tid},"ts":{ts}"#)?;
        match self.took {
            Some(took) => write!(to, r#","ph":"X","dur":{}"#, Micros(took))?,
            None => to.write_all(br#","ph":"i","s":"t""#)?,
        }
        match &self.details {
            Details::None => {}
            Details::Turn { turn, loop_time } => {
                let loop_time = loop_time.as_secs_f64();
                write!(to, r#","args":{{"turn":{turn},"loop time":{loop_time}}}"#)?;
            }
            Details::Task(task) => write!(to, r#","args":{{"task":{task}}}"#)?,
            Details::Timer { when } => {
                write!(to, r#","args":{{"when":{}}}"#, when.as_secs_f64())?;
            }
        }
        to.write_all(b"}")
    }
}

/// A duration in microseconds, to the nanosecond.
struct Micros(Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_micros(), self.0.subsec_nanos() % 1000)
    }
}

/// A text as a string of JSON.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '"' | '\\' => write!(f, "\\{char}")?,
                '\0'..='\u{1f}' => write!(f, "\\u{:04x}", u32::from(char))?,
                _ => f.write_char(char)?,
            }
        }
        f.write_char('"')
    }
}
