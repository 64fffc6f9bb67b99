//! A program's protocols: each says what it is called with, and runs a callback.

use std::os::unix::net::UnixStream;
use std::rc::Rc;

use callsoon::net::{BufferedProtocol, Protocol, Transport};
use callsoon::{Error, Result};
use rustix::pipe::{PipeFlags, pipe_with};

use super::args::{Args, Options};
use super::failure::error_name;
use super::program::Malformed;
use super::sockets::{End, shown_bytes};
use super::speaker::Speaker;
use super::statement::{Statement, awaits};
use super::vars::Name;

/// The options of a protocol.
#[derive(Clone)]
struct Behaviour {
    /// The size of its own buffers, if it is a buffered one.
    size: Option<usize>,
    /// The answer of `eof_received`.
    keep: bool,
    /// The callbacks of the program, by event.
    callbacks: Rc<[(&'static str, Name)]>,
}

impl Behaviour {
    fn decode(args: &mut Args<'_>) -> Result<Behaviour, Malformed> {
        let options: Options<'_> = args.options()?;
        let mut callbacks = Vec::new();
        for event in ["made", "data", "eof", "lost", "pause", "resume"] {
            if let Some(name) = options.name(event)? {
                callbacks.push((event, name));
            }
        }
        let (size, keep) = (options.count("size")?, options.flag("keep")?);
        Ok(Behaviour { size, keep, callbacks: callbacks.into() })
    }
}

struct Proto {
    me: Speaker,
    name: Name,
    behaviour: Behaviour,
}

impl Proto {
    fn new(me: &Speaker, name: &Name, behaviour: &Behaviour) -> Proto {
        let (me, behaviour) = (me.alone(name.clone()), behaviour.clone());
        Proto { me, name: name.clone(), behaviour }
    }

    fn called(&self, event: &str, text: &str) -> Result<()> {
        self.me.say(format_args!("{event}{text}"));
        let callback = self.behaviour.callbacks.iter().find(|(own, _)| *own == event);
        let Some((_, name)) = callback else { return Ok(()) };
        let body = self.me.callback_body(name)?;
        self.me.alone(name.clone()).run_callback(&body)
    }
}

impl Protocol for Proto {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.me.put_end(&self.name, End::of_protocol(transport));
        self.called("made", "")
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.called("data", &format!(" {}", shown_bytes(data)))
    }

    fn buffered(&self) -> Option<&dyn BufferedProtocol> {
        self.behaviour.size.is_some().then_some(self)
    }

    fn eof_received(&self) -> Result<bool> {
        self.called("eof", "")?;
        Ok(self.behaviour.keep)
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        let error = error.as_ref().map_or_else(|| "none".to_owned(), error_name);
        self.called("lost", &format!(" {error}"))
    }

    fn pause_writing(&self) -> Result<()> {
        self.called("pause", "")
    }

    fn resume_writing(&self) -> Result<()> {
        self.called("resume", "")
    }
}

impl BufferedProtocol for Proto {
    fn get_buffer(&self) -> Result<Vec<u8>> {
        Ok(vec![0; self.behaviour.size.unwrap_or_default()])
    }

    fn buffer_updated(&self, buffer: Vec<u8>, count: usize) -> Result<()> {
        self.data_received(&buffer[..count])
    }
}

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "protocol_server" => {
            let (s, behaviour) = (args.name()?, Behaviour::decode(args)?);
            awaits(async move |me| {
                let (own, of, behaviour) = (me.clone(), s.clone(), behaviour.clone());
                let factory = move || {
                    let count = own.count(&format!("{of}.").into());
                    Proto::new(&own, &format!("{of}.{count}").into(), &behaviour)
                };
                let path = me.sockets.new_path(&s);
                let server = me.event_loop.create_unix_server(factory, path).await?;
                me.vars.put(&s, server);
                Ok(())
            })
        }
        "protocol_connect" => {
            let (v, s, behaviour) = (args.name()?, args.name()?, Behaviour::decode(args)?);
            awaits(async move |me| {
                let connect = async {
                    let path = me.sockets.path(&s)?;
                    let factory = || Proto::new(&me, &v, &behaviour);
                    me.event_loop.create_unix_connection(factory, path).await.map(drop)
                };
                me.read(format!("connect {v}"), connect).await
            })
        }
        "protocol_pair" => two_ends(args, "pair", async |me, one, other| {
            let (ours, theirs) = UnixStream::pair()?;
            let make = |(name, behaviour)| move || Proto::new(me, name, behaviour);
            me.event_loop.connect_accepted_unix_socket(make(one), ours).await?;
            me.event_loop.connect_accepted_unix_socket(make(other), theirs).await.map(drop)
        })?,
        "pipe" => two_ends(args, "pipe", async |me, one, other| {
            let (reading, writing) = pipe_with(PipeFlags::CLOEXEC).map_err(std::io::Error::from)?;
            let make = |(name, behaviour)| move || Proto::new(me, name, behaviour);
            me.event_loop.connect_read_pipe(make(one), reading).await?;
            me.event_loop.connect_write_pipe(make(other), writing).await.map(drop)
        })?,
        _ => None,
    })
}

type Named<'a> = (&'a Name, &'a Behaviour);

/// A statement that makes two ends.
fn two_ends(
    args: &mut Args<'_>,
    what: &'static str,
    make: impl AsyncFn(&Speaker, Named<'_>, Named<'_>) -> Result<()> + Copy + 'static,
) -> Result<Option<Statement>, Malformed> {
    let (one, other) = (args.name()?, args.name()?);
    let (first, second) = (Behaviour::decode(args)?, Behaviour::decode(args)?);
    Ok(awaits(async move |me| {
        me.sockets.use_them();
        let made = make(&me, (&one, &first), (&other, &second));
        me.read(format!("{what} {one} {other}"), made).await
    }))
}
