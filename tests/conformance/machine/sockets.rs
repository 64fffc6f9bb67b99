//! [`Sockets`]: the ends of connections that a program has, and the paths of its servers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callsoon::net::{
    IncompleteReadError, LimitOverrunError, StreamReader, StreamWriter, Transport,
};
use callsoon::{Error, ErrorKind};

use super::failure::{Done, Flow, error_name, named};
use super::machine::Machine;
use super::speaker::Speaker;
use super::vars::Name;

/// Of this process: no two servers have one path.
static PATHS: AtomicUsize = AtomicUsize::new(0);

/// Bytes that are alike and shown by their number, from so many on.
const LONG: usize = 4;
/// So many runs of bytes are shown.
const SHOWN: usize = 40;

/// One end of a connection: streams, or a protocol.
pub(crate) struct End {
    reader: Option<StreamReader>,
    writer: Option<StreamWriter>,
    transport: Option<Transport>,
    /// A reader that is fed by hand has its end.
    pub(crate) fed: Cell<bool>,
}

impl End {
    pub(crate) fn of_streams(reader: StreamReader, writer: StreamWriter) -> End {
        let transport = Some(writer.transport().clone());
        End { reader: Some(reader), writer: Some(writer), transport, fed: Cell::new(false) }
    }

    pub(crate) fn of_reader(reader: StreamReader) -> End {
        End { reader: Some(reader), writer: None, transport: None, fed: Cell::new(false) }
    }

    pub(crate) fn of_protocol(transport: &Transport) -> End {
        let transport = Some(transport.clone());
        End { reader: None, writer: None, transport, fed: Cell::new(false) }
    }

    pub(crate) fn reader(&self) -> Result<&StreamReader, Error> {
        self.reader.as_ref().ok_or_else(|| named("AttributeError"))
    }

    pub(crate) fn writer(&self) -> Result<&StreamWriter, Error> {
        self.writer.as_ref().ok_or_else(|| named("AttributeError"))
    }

    pub(crate) fn transport(&self) -> Result<&Transport, Error> {
        self.transport.as_ref().ok_or_else(|| named("AttributeError"))
    }
}

#[derive(Default)]
pub(crate) struct Sockets {
    used: Cell<bool>,
    paths: RefCell<HashMap<Name, PathBuf>>,
    made: RefCell<Vec<PathBuf>>,
}

impl Sockets {
    /// Returns whether the program has had any.
    pub(crate) fn are_used(&self) -> bool {
        self.used.get()
    }

    pub(crate) fn use_them(&self) {
        self.used.set(true);
    }

    /// A new path for a server.
    pub(crate) fn new_path(&self, server: &Name) -> PathBuf {
        self.use_them();
        let number = PATHS.fetch_add(1, Ordering::Relaxed);
        let name = format!("callsoon-conformance-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        self.paths.borrow_mut().insert(server.clone(), path.clone());
        self.made.borrow_mut().push(path.clone());
        path
    }

    pub(crate) fn path(&self, server: &Name) -> Result<PathBuf, Error> {
        self.paths.borrow().get(server).cloned().ok_or_else(|| named("KeyError"))
    }

    pub(crate) fn clear(&self) {
        for path in self.made.take() {
            // That of a server that was closed is gone.
            let _ = fs::remove_file(path);
        }
    }
}

impl Machine {
    pub(crate) fn put_end(&self, name: &Name, end: End) {
        self.sockets.use_them();
        self.vars.put(name, end);
    }

    pub(crate) fn end(&self, name: &Name) -> Result<Rc<End>, Error> {
        self.vars.get::<End>(name)
    }
}

impl Speaker {
    /// Awaits, says how it went, and lets an error go on.
    pub(crate) async fn read<T: Shown>(
        &self,
        what: String,
        reading: impl Future<Output = Result<T, Error>>,
    ) -> Done {
        match reading.await {
            Ok(value) => {
                self.say(format_args!("{what} -> {}", value.shown()));
                Ok(())
            }
            Err(error) if error.is_cancelled() => {
                self.say(format_args!("{what} -> cancelled"));
                Err(Flow::Error(error))
            }
            Err(error) => {
                let told = described(&error).unwrap_or_else(|| error_name(&error));
                self.say(format_args!("{what} -> {told}"));
                Err(Flow::Error(error))
            }
        }
    }

    /// Says what an error tells of itself, and lets it go on.
    pub(crate) fn said(&self, op: &str, v: &Name, outcome: Result<(), Error>) -> Done {
        if let Some(told) = outcome.as_ref().err().and_then(described) {
            self.say(format_args!("{op} {v} fails: {told}"));
        }
        Ok(outcome?)
    }
}

/// The error with what it tells of itself.
fn described(error: &Error) -> Option<String> {
    let name = error_name(error);
    if let Some(incomplete) = error.downcast_ref::<IncompleteReadError>() {
        return Some(format!("{name} {} {incomplete}", incomplete.partial.shown()));
    }
    if let Some(overrun) = error.downcast_ref::<LimitOverrunError>() {
        return Some(format!("{name} {} {overrun}", overrun.consumed));
    }
    let message = error.message();
    let tells = matches!(error.kind(), ErrorKind::Runtime | ErrorKind::Value);
    (tells && !message.starts_with("server ")).then(|| format!("{name} {message}"))
}

/// The result of a statement that awaits, for the trace.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for () {
    fn shown(&self) -> String {
        "ok".to_owned()
    }
}

/// The number of bytes, and the bytes: of many that are alike, one and their number.
impl Shown for Vec<u8> {
    fn shown(&self) -> String {
        shown_bytes(self)
    }
}

pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|one, next| one == next).take(SHOWN) {
        let byte = char::from(run[0]);
        match run.len() {
            LONG.. => text += &format!("{byte}*{} ", run.len()),
            count => text.extend(std::iter::repeat_n(byte, count)),
        }
    }
    format!("{} <{}>", bytes.len(), text.replace('\n', "\\n"))
}

/// `x*3` is `xxx`; parts stand beside each other, with a `+` between.
pub(crate) fn data(text: &str) -> Vec<u8> {
    let part = |part: &str| match part.split_once('*') {
        Some((bytes, count)) => bytes.repeat(count.parse().unwrap_or(1)).into_bytes(),
        None => part.as_bytes().to_vec(),
    };
    text.split('+').flat_map(part).collect()
}
