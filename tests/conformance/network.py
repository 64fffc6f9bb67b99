"""The network's part of the oracle: streams, servers, transports and protocols, over Unix sockets and
pipes, of which the system tells in the same order whatever program asks."""

import asyncio
import atexit
import fcntl
import itertools
import logging
import os
import re
import shutil
import socket
import tempfile
from asyncio import unix_events
from asyncio.constants import LOG_THRESHOLD_FOR_CONNLOST_WRITES
from asyncio.selector_events import _SelectorSocketTransport, _SelectorTransport
from asyncio.unix_events import _UnixWritePipeTransport

from virtual_time import OrderedWeakSet

RUNS = re.compile(rb"(.)\1*", re.DOTALL)
LONG = 4  # bytes that are alike and shown by their number
SHOWN = 40  # runs
SEND_BUFFER = None  # of sockets and pipes, if not the system's
FOLDER = []  # of this process, for the servers' paths
PATHS = itertools.count()


def data(text):
    """`x*3` is `xxx`; parts stand beside each other, with a `+` between."""
    parts = [part.split("*") for part in text.split("+")]
    return b"".join(part[0].encode() * int(part[1]) if part[1:] else part[0].encode() for part in parts)


def shown(value):
    """The number of bytes, and the bytes: of many that are alike, one and their number."""
    runs = [match.group() for match in itertools.islice(RUNS.finditer(value), SHOWN)]
    text = "".join(
        f"{run[:1].decode()}*{len(run)} " if len(run) >= LONG else run.decode() for run in runs
    )
    return f"{len(value)} <{text}>".replace("\n", "\\n")


def described(error):
    """The error with what it tells of itself; of the system's, its type."""
    name = type(error).__name__
    if isinstance(error, asyncio.IncompleteReadError):
        return f"{name} {shown(error.partial)} {error}"
    if isinstance(error, asyncio.LimitOverrunError):
        return f"{name} {error.consumed} {error}"
    if isinstance(error, (RuntimeError, ValueError)) and not str(error).startswith("server <"):
        return f"{name} {error}"
    return None


class End:
    """One end of a connection: streams, or a protocol."""

    def __init__(self, reader=None, writer=None, transport=None):
        self.reader, self.writer = reader, writer
        self.transport = writer.transport if writer else transport
        self.fed = False

    def ended_in_writing(self):
        """It ended with its last byte, and does not expect to be used then."""
        return getattr(self.transport, "_sock", 0) is None and not self.transport._conn_lost

    def is_lost(self):
        """The call of `connection_lost` is scheduled; a pipe's transport would schedule another."""
        if hasattr(self.transport, "_sock"):
            return self.ended_in_writing()
        return self.transport._closing and not self.transport._buffer

    def set_send_buffer(self, size):
        pipe, sock = self.transport.get_extra_info("pipe"), self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
        if pipe is not None:
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size)

    def drop(self):
        for name in ("_sock", "_pipe"):
            file = getattr(self.transport, name, None)
            if file is not None:
                file.close()


class Proto:
    """What all protocols do: they say what they are called with, and run a callback of the program."""

    def __init__(self, machine, name, opts):
        self.machine, self.name, self.opts = machine, name, opts

    def called(self, event, text=""):
        self.machine.log(self.name, f"{event}{text}")
        if event in self.opts:
            name = self.opts[event]
            self.machine.run_callback(name, self.machine.program["callbacks"][name])

    def connection_made(self, transport):
        self.machine.put_end(self.name, End(transport=transport))
        self.called("made")

    def connection_lost(self, error):
        self.called("lost", f" {self.machine.error_name(error) if error else 'none'}")

    def pause_writing(self):
        self.called("pause")

    def resume_writing(self):
        self.called("resume")

    def eof_received(self):
        self.called("eof")
        return self.opts.get("keep", False)


class Plain(Proto, asyncio.Protocol):
    def data_received(self, data):
        self.called("data", f" {shown(data)}")


class Buffered(Proto, asyncio.BufferedProtocol):
    def get_buffer(self, sizehint):
        self.buffer = bytearray(self.opts["size"])
        return self.buffer

    def buffer_updated(self, count):
        self.called("data", f" {shown(bytes(self.buffer[:count]))}")


def writelines(self, parts):
    """As later CPython mended it: it pauses the protocol, and after a loss it is dropped. After `close` it
    does as `write`."""
    if self._eof:
        raise RuntimeError("Cannot call writelines() after write_eof()")
    if not parts:
        return
    if self._conn_lost:
        if self._conn_lost >= LOG_THRESHOLD_FOR_CONNLOST_WRITES:
            logging.getLogger("asyncio").warning("socket.send() raised exception.")
        self._conn_lost += 1
        return
    if self._closing:
        return self.write(b"".join(parts))
    self._buffer.extend([memoryview(part) for part in parts])
    self._write_ready()
    if self._buffer:
        self._loop._add_writer(self._sock_fd, self._write_ready)
        self._maybe_pause_protocol()


def attach(self, transport):
    """A connection that was accepted before `close` ends at once, and not when Python collects it."""
    if self._sockets is None:
        transport._sock.close()
        raise AssertionError
    self._clients.add(transport)


async def wait_for_data(self, name):
    """CPython's ends the wait of the task that came after it, too."""
    if self._waiter is not None:
        raise RuntimeError(f"{name}() called while another coroutine is already waiting for incoming data")
    if self._paused:
        self._paused = False
        self._transport.resume_reading()
    self._waiter = waiter = self._loop.create_future()
    try:
        await waiter
    finally:
        if self._waiter is waiter:
            self._waiter = None


class WritePipe(_UnixWritePipeTransport):
    """CPython watches a pipe that was closed amid `connection_made`, also when it is gone; and one that
    is closed amid `resume_writing` is lost twice."""

    def _read_ready(self):
        if not self._closing or self._buffer:
            super()._read_ready()

    def _call_connection_lost(self, error):
        loop = self._loop
        if loop is None:
            return
        try:
            self._protocol.connection_lost(error)
        finally:
            loop._remove_reader(self._fileno)
            self._pipe.close()
            self._pipe = self._protocol = self._loop = None


def call_connection_lost(self, error):
    """One that is closed amid `resume_writing` is lost twice in CPython."""
    if self._loop is not None:
        _SelectorTransport._call_connection_lost(self, error)


unix_events._UnixWritePipeTransport = WritePipe
_SelectorSocketTransport._call_connection_lost = call_connection_lost
_SelectorSocketTransport.writelines = writelines
asyncio.Server._attach = attach
asyncio.StreamReader._wait_for_data = wait_for_data


class Network:
    """The statements."""

    def log_lost_write(self, record):
        """The warnings of writes after a loss."""
        if record.levelno == logging.WARNING and "raised exception" in record.getMessage():
            self.log("log", record.getMessage())
        return False

    def proto(self, name, opts):
        return (Buffered if "size" in opts else Plain)(self, name, opts)

    def count_of(self, server):
        self.instances[f"{server}."] = self.instances.get(f"{server}.", 0) + 1
        return self.instances[f"{server}."]

    def put_end(self, name, end):
        self.loop.has_sockets = True
        self.vars[name] = end
        self.ends.append(end)
        if SEND_BUFFER is not None and end.transport is not None:
            end.set_send_buffer(SEND_BUFFER)

    def put_server(self, name, server):
        server._clients = OrderedWeakSet()
        self.vars[name] = server
        self.servers.append(server)

    def path_of(self, server):
        self.loop.has_sockets = True
        if not FOLDER:
            FOLDER.append(tempfile.mkdtemp(prefix="callsoon-oracle-"))
            atexit.register(shutil.rmtree, FOLDER[0], ignore_errors=True)
        self.paths[server] = os.path.join(FOLDER[0], str(next(PATHS)))
        return self.paths[server]

    def drop_sockets(self):
        for end in self.ends:
            end.drop()
        for server in self.servers:
            for listening in server._sockets or ():
                listening.close()
        for path in self.paths.values():
            if os.path.exists(path):
                os.unlink(path)

    def said(self, who, what, act):
        """Says what an act that fails tells of it, and lets the error go on."""
        try:
            return act()
        except Exception as error:
            if described(error) is not None:
                self.log(who, f"{what} fails: {described(error)}")
            raise

    async def read(self, who, what, reading):
        try:
            value = await reading
        except Exception as error:
            self.log(who, f"{what} -> {described(error) or self.error_name(error)}")
            raise
        except asyncio.CancelledError as error:
            self.log(who, f"{what} -> cancelled")
            raise
        self.log(who, f"{what} -> {'ok' if value is None else shown(value)}")

    # -- what needs no await

    def transport_op(self, who, op, v, act):
        end = self.vars[v]
        if op == "abort" and end.is_lost():
            return
        if op.startswith("write") and end.ended_in_writing() and not end.transport._eof:
            return
        self.said(who, f"{op} {v}", lambda: act(end.transport))

    def op_write(self, who, v, text):
        self.transport_op(who, "write", v, lambda transport: transport.write(data(text)))

    def op_writelines(self, who, v, parts):
        parts = [data(part) for part in parts]
        self.transport_op(who, "writelines", v, lambda transport: transport.writelines(parts))

    def op_write_eof(self, who, v):
        self.transport_op(who, "write_eof", v, lambda transport: transport.write_eof())

    def op_close(self, who, v):
        self.transport_op(who, "close", v, lambda transport: transport.close())

    def op_abort(self, who, v):
        self.transport_op(who, "abort", v, lambda transport: transport.abort())

    def op_pause_reading(self, who, v):
        self.transport_op(who, "pause_reading", v, lambda transport: transport.pause_reading())

    def op_resume_reading(self, who, v):
        self.transport_op(who, "resume_reading", v, lambda transport: transport.resume_reading())

    def op_limits(self, who, v, high, low):
        self.transport_op(who, "limits", v, lambda transport: transport.set_write_buffer_limits(high, low))

    def op_transport(self, who, v):
        transport = self.vars[v].transport
        closing, size = str(transport.is_closing()).lower(), transport.get_write_buffer_size()
        self.log(who, f"{v} closing {closing} buffered {size}")

    def op_reading(self, who, v):
        self.log(who, f"{v} reading {str(self.vars[v].transport.is_reading()).lower()}")

    def op_reader(self, who, v, limit):
        self.put_end(v, End(asyncio.StreamReader(limit=limit, loop=self.loop)))

    def op_feed(self, who, v, text):
        end = self.vars[v]
        if end.fed:
            raise AssertionError
        end.reader.feed_data(data(text))

    def op_feed_eof(self, who, v):
        self.vars[v].fed = True
        self.vars[v].reader.feed_eof()

    def op_reader_fails(self, who, v, name):
        self.vars[v].reader.set_exception(self.make_error(name))

    def op_reader_state(self, who, v):
        reader = self.vars[v].reader
        error = reader.exception()
        error = type(error).__name__ if isinstance(error, OSError) else self.show(error)
        self.log(who, f"{v} at_eof {str(reader.at_eof()).lower()} exception {error}")

    def op_close_server(self, who, s):
        self.vars[s].close()

    def op_close_clients(self, who, s):
        self.vars[s].close_clients()

    def op_abort_clients(self, who, s):
        self.vars[s].abort_clients()

    def op_serving(self, who, s):
        self.log(who, f"{s} serving {str(self.vars[s].is_serving()).lower()}")

    # -- what awaits

    async def do_serve(self, who, s, limit, coros):
        async def nothing():
            pass

        def connected(reader, writer):
            count = self.count_of(s)
            self.put_end(f"{s}.{count}", End(reader, writer))
            self.log(s, f"connected {s}.{count}")
            return self.make_coro(coros[count - 1]) if count <= len(coros) else nothing()

        serving = asyncio.start_unix_server(connected, self.path_of(s), limit=limit)
        self.put_server(s, await serving)

    async def do_connect(self, who, v, s, limit):
        async def connect():
            self.put_end(v, End(*await asyncio.open_unix_connection(self.paths[s], limit=limit)))

        await self.read(who, f"connect {v}", connect())

    async def do_read(self, who, v, count):
        await self.read(who, f"read {v}", self.vars[v].reader.read(count))

    async def do_readline(self, who, v):
        await self.read(who, f"readline {v}", self.vars[v].reader.readline())

    async def do_readexactly(self, who, v, count):
        await self.read(who, f"readexactly {v}", self.vars[v].reader.readexactly(count))

    async def do_readuntil(self, who, v, separators):
        separators = tuple(map(data, separators))
        await self.read(who, f"readuntil {v}", self.vars[v].reader.readuntil(separators))

    async def do_drain_writer(self, who, v):
        await self.read(who, f"drain {v}", self.vars[v].writer.drain())

    async def do_wait_closed(self, who, v):
        await self.read(who, f"wait_closed {v}", self.vars[v].writer.wait_closed())

    async def do_start_serving(self, who, s):
        async def start():
            if self.vars[s].sockets == ():
                raise RuntimeError("server <> is closed")  # CPython's fails with a TypeError
            await self.vars[s].start_serving()

        await self.read(who, f"start_serving {s}", start())

    async def do_serve_forever(self, who, s):
        await self.read(who, f"serve_forever {s}", self.vars[s].serve_forever())

    async def do_server_closed(self, who, s):
        await self.read(who, f"wait_closed {s}", self.vars[s].wait_closed())

    async def do_protocol_server(self, who, s, opts):
        def factory():
            return self.proto(f"{s}.{self.count_of(s)}", opts)

        self.put_server(s, await self.loop.create_unix_server(factory, self.path_of(s)))

    async def do_protocol_connect(self, who, v, s, opts):
        async def connect():
            await self.loop.create_unix_connection(lambda: self.proto(v, opts), self.paths[s])

        await self.read(who, f"connect {v}", connect())

    async def do_protocol_pair(self, who, one, other, opts, others):
        self.loop.has_sockets = True
        pair = socket.socketpair()

        async def connect():
            await self.loop.connect_accepted_socket(lambda: self.proto(one, opts), pair[0])
            await self.loop.connect_accepted_socket(lambda: self.proto(other, others), pair[1])

        await self.read(who, f"pair {one} {other}", connect())

    async def do_pipe(self, who, reading, writing, opts, others):
        self.loop.has_sockets = True
        ends = os.pipe()

        async def connect():
            await self.loop.connect_read_pipe(lambda: self.proto(reading, opts), open(ends[0], "rb", 0))
            await self.loop.connect_write_pipe(lambda: self.proto(writing, others), open(ends[1], "wb", 0))

        await self.read(who, f"pipe {reading} {writing}", connect())
