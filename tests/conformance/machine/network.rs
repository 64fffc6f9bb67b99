//! Streams and servers, and what the program asks of transports.

use callsoon::net::{Server, StreamReader, Transport, open_unix_connection, start_unix_server};
use callsoon::{Error, Result};

use super::args::Args;
use super::failure::{make_error, named};
use super::program::Malformed;
use super::sockets::{End, data};
use super::statement::{Statement, awaits, now};
use super::value::Value;
use super::vars::Name;

pub(crate) fn decode(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    for decode in [decode_transport, decode_reader, decode_reading, decode_server] {
        if let Some(statement) = decode(op, args)? {
            return Ok(Some(statement));
        }
    }
    Ok(None)
}

/// A statement about a transport.
fn on_transport(
    op: &str,
    v: Name,
    act: impl Fn(&Transport) -> Result<()> + 'static,
) -> Option<Statement> {
    let op = op.to_owned();
    now(move |me| {
        let outcome = act(me.end(&v)?.transport()?);
        me.said(&op, &v, outcome)
    })
}

fn decode_transport(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "write" => {
            let (v, text) = (args.name()?, args.name()?);
            on_transport(op, v, move |transport| transport.write(&data(&text)))
        }
        "writelines" => {
            let (v, parts) = (args.name()?, args.names()?);
            let lines = move || parts.iter().map(|part| data(part)).collect::<Vec<_>>();
            on_transport(op, v, move |transport| transport.writelines(lines()))
        }
        "write_eof" => on_transport(op, args.name()?, Transport::write_eof),
        "close" => on_transport(op, args.name()?, |transport| {
            transport.close();
            Ok(())
        }),
        "abort" => on_transport(op, args.name()?, |transport| {
            transport.abort();
            Ok(())
        }),
        "pause_reading" => on_transport(op, args.name()?, |transport| {
            transport.pause_reading();
            Ok(())
        }),
        "resume_reading" => on_transport(op, args.name()?, Transport::resume_reading),
        "limits" => {
            let (v, high, low) = (args.name()?, args.count()?, args.count()?);
            on_transport(op, v, move |transport| {
                transport.set_write_buffer_limits(Some(high), Some(low))
            })
        }
        "transport" => {
            let v = args.name()?;
            now(move |me| {
                let end = me.end(&v)?;
                let transport = end.transport()?;
                let (closing, size) = (transport.is_closing(), transport.write_buffer_size());
                me.say(format_args!("{v} closing {closing} buffered {size}"));
                Ok(())
            })
        }
        "reading" => {
            let v = args.name()?;
            now(move |me| {
                me.say(format_args!("{v} reading {}", me.end(&v)?.transport()?.is_reading()));
                Ok(())
            })
        }
        _ => None,
    })
}

fn decode_reader(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "reader" => {
            let (v, limit) = (args.name()?, args.count()?);
            now(move |me| {
                me.put_end(&v, End::of_reader(StreamReader::with_limit(limit)?));
                Ok(())
            })
        }
        "feed" => {
            let (v, text) = (args.name()?, args.name()?);
            now(move |me| {
                let end = me.end(&v)?;
                if end.fed.get() {
                    return Err(named("AssertionError").into());
                }
                end.reader()?.feed_data(&data(&text));
                Ok(())
            })
        }
        "feed_eof" => {
            let v = args.name()?;
            now(move |me| {
                let end = me.end(&v)?;
                end.fed.set(true);
                end.reader()?.feed_eof();
                Ok(())
            })
        }
        "reader_fails" => {
            let (v, name) = (args.name()?, args.name()?);
            now(move |me| {
                me.end(&v)?.reader()?.set_exception(make_error(&name));
                Ok(())
            })
        }
        "reader_state" => {
            let v = args.name()?;
            now(move |me| {
                let end = me.end(&v)?;
                let (at_eof, error) = (end.reader()?.at_eof(), end.reader()?.exception());
                me.say(format_args!("{v} at_eof {at_eof} exception {}", Value::from(error)));
                Ok(())
            })
        }
        _ => None,
    })
}

/// The statements that await an end.
fn decode_reading(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "read" => {
            let (v, count) = (args.name()?, args.whole()?);
            awaits(async move |me| {
                let end = me.end(&v)?;
                let reader = end.reader()?;
                let what = format!("read {v}");
                match usize::try_from(count) {
                    Ok(count) => me.read(what, reader.read(count)).await,
                    Err(_) => me.read(what, reader.read_to_end()).await,
                }
            })
        }
        "readline" => {
            let v = args.name()?;
            awaits(async move |me| {
                me.read(format!("readline {v}"), me.end(&v)?.reader()?.readline()).await
            })
        }
        "readexactly" => {
            let (v, count) = (args.name()?, args.count()?);
            awaits(async move |me| {
                let end = me.end(&v)?;
                me.read(format!("readexactly {v}"), end.reader()?.readexactly(count)).await
            })
        }
        "readuntil" => {
            let (v, separators) = (args.name()?, args.names()?);
            let separators: Vec<Vec<u8>> = separators.iter().map(|text| data(text)).collect();
            awaits(async move |me| {
                let end = me.end(&v)?;
                let separators: Vec<&[u8]> = separators.iter().map(Vec::as_slice).collect();
                me.read(format!("readuntil {v}"), end.reader()?.readuntil_any(&separators)).await
            })
        }
        "drain_writer" => {
            let v = args.name()?;
            awaits(async move |me| {
                me.read(format!("drain {v}"), me.end(&v)?.writer()?.drain()).await
            })
        }
        "wait_closed" => {
            let v = args.name()?;
            awaits(async move |me| {
                me.read(format!("wait_closed {v}"), me.end(&v)?.writer()?.wait_closed()).await
            })
        }
        _ => None,
    })
}

fn decode_server(op: &str, args: &mut Args<'_>) -> Result<Option<Statement>, Malformed> {
    Ok(match op {
        "serve" => {
            let (s, limit, coros) = (args.name()?, args.count()?, args.names()?);
            awaits(async move |me| {
                let (own, of, coros) = (me.alone(s.clone()), s.clone(), coros.clone());
                let connected = move |reader, writer| {
                    let count = own.count(&format!("{of}.").into());
                    let name = format!("{of}.{count}").into();
                    own.put_end(&name, End::of_streams(reader, writer));
                    own.say(format_args!("connected {name}"));
                    let served = coros.get(count - 1).map(|coro| own.coroutine(coro));
                    async move {
                        match served {
                            Some(served) => served.await.map(drop),
                            None => Ok(()),
                        }
                    }
                };
                let path = me.sockets.new_path(&s);
                let server = start_unix_server(connected, path, limit).await?;
                me.vars.put(&s, server);
                Ok(())
            })
        }
        "connect" => {
            let (v, s, limit) = (args.name()?, args.name()?, args.count()?);
            awaits(async move |me| {
                let connect = async {
                    let path = me.sockets.path(&s)?;
                    let (reader, writer) = open_unix_connection(path, limit).await?;
                    me.put_end(&v, End::of_streams(reader, writer));
                    Ok::<_, Error>(())
                };
                me.read(format!("connect {v}"), connect).await
            })
        }
        "start_serving" => {
            let s = args.name()?;
            awaits(async move |me| {
                let server = me.vars.get::<Server>(&s)?;
                me.read(format!("start_serving {s}"), server.start_serving()).await
            })
        }
        "serve_forever" => {
            let s = args.name()?;
            awaits(async move |me| {
                let server = me.vars.get::<Server>(&s)?;
                me.read(format!("serve_forever {s}"), server.serve_forever()).await
            })
        }
        "server_closed" => {
            let s = args.name()?;
            awaits(async move |me| {
                let server = me.vars.get::<Server>(&s)?;
                me.read(format!("wait_closed {s}"), server.wait_closed()).await
            })
        }
        "close_server" => on_server(args.name()?, Server::close),
        "close_clients" => on_server(args.name()?, Server::close_clients),
        "abort_clients" => on_server(args.name()?, Server::abort_clients),
        "serving" => {
            let s = args.name()?;
            now(move |me| {
                me.say(format_args!("{s} serving {}", me.vars.get::<Server>(&s)?.is_serving()));
                Ok(())
            })
        }
        _ => None,
    })
}

fn on_server(s: Name, act: fn(&Server)) -> Option<Statement> {
    now(move |me| {
        act(&*me.vars.get::<Server>(&s)?);
        Ok(())
    })
}
