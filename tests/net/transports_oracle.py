"""Runs the scripts of transports.txt on CPython's transports, and prints the calls of each turn."""

import asyncio
import os
import socket
import sys
import tempfile

from oracle import data, shown


class Log:
    def __init__(self):
        self.calls = []
        self.ends = {}

    def take(self):
        calls, self.calls = self.calls, []
        return "; ".join(calls) or "-"


def error_name(error):
    return "none" if error is None else type(error).__name__


class Base:
    def __init__(self, name, log):
        self.name, self.log, self.keep, self.last = name, log, False, None

    def note(self, call):
        self.log.calls.append(f"{self.name} {call}")

    def connection_made(self, transport):
        self.transport = transport
        self.log.ends[self.name] = self
        self.note("made")

    def connection_lost(self, error):
        self.note(f"lost {error_name(error)}")

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")

    def eof_received(self):
        self.note("eof")
        return self.keep

    def received(self, what, data):
        self.note(f"{what} {shown(data)}")
        if bytes(data).startswith(b"fail"):
            raise ValueError("as told")
        if bytes(data).startswith(b">"):
            switch(self, "next", bytes(data)[1:].decode())

    def next(self, name, kind):
        made = {"p": Plain, "b": Buffered, "d": Datagrams}[kind[0]](name, self.log)
        made.transport, made.keep = self.transport, kind[1:] == "k"
        return made


class Plain(Base, asyncio.Protocol):
    def data_received(self, data):
        self.received("data", data)


class Buffered(Base, asyncio.BufferedProtocol):
    def get_buffer(self, sizehint):
        self.buffer = bytearray(4)
        self.note("get_buffer")
        return self.buffer

    def buffer_updated(self, count):
        self.received("updated", self.buffer[:count])


class Datagrams(Base, asyncio.DatagramProtocol):
    def datagram_received(self, data, address):
        self.last = address
        self.received("datagram", data)

    def error_received(self, error):
        self.note(f"error {error_name(error)}")


def switch(end, name, kind):
    end.transport.set_protocol(end.next(name, kind))


def step(end, words):
    transport = end.transport
    match words:
        case ["write", text]: return transport.write(data(text))
        case ["eof"]: return transport.write_eof()
        case ["close"]: return transport.close()
        case ["abort"]: return transport.abort()
        case ["pause"]: return transport.pause_reading()
        case ["resume"]: return transport.resume_reading()
        case ["is_closing"]: return transport.is_closing()
        case ["is_reading"]: return transport.is_reading()
        case ["buffered"]: return str(transport.get_write_buffer_size())
        case ["limits", high, low]: return transport.set_write_buffer_limits(int(high), int(low))
        case ["keep"]: end.keep = True
        case ["switch", name, kind]: return switch(end, name, kind)
        case ["protocol"]:
            protocol = transport.get_protocol()
            return "none" if protocol is None else protocol.pause_writing()
        case ["send", text]: return transport.sendto(data(text))
        case ["reply", text]: return transport.sendto(data(text), end.last)
        case ["send_elsewhere", text]: return transport.sendto(data(text), ("127.0.0.1", 9))


async def connected(log, kinds):
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        server = await loop.create_unix_server(lambda: kinds[1]("s", log), path)
        await loop.create_unix_connection(lambda: kinds[0]("c", log), path)
        while "s" not in log.ends:
            await asyncio.sleep(0)
        server.close()


async def made(kind, log):
    loop = asyncio.get_running_loop()
    match kind:
        case "pipe":
            reading, writing = os.pipe()
            await loop.connect_read_pipe(lambda: Plain("r", log), open(reading, "rb", 0))
            await loop.connect_write_pipe(lambda: Plain("w", log), open(writing, "wb", 0))
        case "pair":
            one, other = socket.socketpair()
            await loop.connect_read_pipe(lambda: Plain("r", log), one)
            await loop.connect_write_pipe(lambda: Plain("w", log), other)
        case "unix":
            await connected(log, (Plain, Plain))
        case "buffered":
            await connected(log, (Plain, Buffered))
        case "datagrams":
            bound, _ = await loop.create_datagram_endpoint(
                lambda: Datagrams("a", log), ("127.0.0.1", 0))
            await loop.create_datagram_endpoint(
                lambda: Datagrams("b", log), remote_addr=bound.get_extra_info("sockname"))


async def run(kind, lines):
    log = Log()

    def report(loop, context):
        message = context["message"]
        if message.startswith("Exception in callback"):
            message = "Exception in callback"
        log.calls.append(f"! {message}: {error_name(context.get('exception'))}")

    asyncio.get_running_loop().set_exception_handler(report)
    await made(kind, log)
    # The ends of a connection are made in turns of their own.
    print("made ->", "; ".join(sorted(log.take().split("; "))))
    for line in lines:
        match line.split(" "):
            case ["turn"]:
                await asyncio.sleep(0)
                print("turn ->", log.take())
            case [name, *words]:
                try:
                    outcome = shown(step(log.ends[name], words))
                except Exception as error:
                    outcome = error_name(error)
                print(line, "->", outcome, "|", log.take())
    for end in log.ends.values():
        if not end.transport.is_closing():
            end.transport.close()
    for _ in range(3):
        await asyncio.sleep(0)


for script in open(sys.argv[1]).read().strip().split("\n\n"):
    head, *lines = script.split("\n")
    print(head)
    asyncio.run(run(head.split(" ")[2], lines))
