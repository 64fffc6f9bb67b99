"""Runs the scripts of servers.txt on CPython's servers, and prints the outcome of each step."""

import asyncio
import os
import re
import select
import socket
import sys
import tempfile

FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6}
OPTIONS = {
    "reuse_address": socket.SO_REUSEADDR,
    "reuse_port": socket.SO_REUSEPORT,
    "keep_alive": socket.SO_KEEPALIVE,
}


class World:
    def __init__(self, kind, folder):
        self.kind, self.folder = kind, folder
        self.calls, self.servers, self.paths, self.kept, self.forever = [], {}, {}, [], {}

    def protocol(self):
        world = self

        class Noting(asyncio.Protocol):
            def connection_made(self, transport):
                world.calls.append("made")
                world.kept.append(transport)

        return Noting()

    async def connected(self, reader, writer):
        self.calls.append("made")
        self.kept.append(writer)

    def take(self):
        calls, self.calls = self.calls, []
        return "; ".join(calls) or "-"


def failed(error):
    if isinstance(error, (socket.gaierror, RuntimeError)):
        # Their texts are the system's, or show a server.
        return "RuntimeError" if isinstance(error, RuntimeError) else "OSError"
    text = re.sub(r"^\[Errno \d+\] ", "", str(error))
    text = re.sub(r"\('([^']*)', (\d+)[^)]*\)", r"\1:\2", text)
    text = re.sub(r":\d\d+", ":PORT", text.split(", got ")[0])
    text = re.sub(r"'/.*'", "PATH", re.sub(r": \[errno.*", "", text))
    return f"{type(error).__name__} {text}"


def given(world, name, kind):
    """A socket that is made elsewhere."""
    is_unix = kind.startswith("unix")
    of = socket.SOCK_DGRAM if kind.endswith("datagrams") else socket.SOCK_STREAM
    made = socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET, of)
    made.bind(world.paths[name] if is_unix else ("127.0.0.1", 0))
    if kind.endswith("listening"):
        made.listen()
    return made


def place(world, name, words):
    match words:
        case ["host", host]: return {"host": host, "port": 0}
        case ["all"]: return {"host": None, "port": 0}
        case ["empty"]: return {"host": "", "port": 0}
        case ["hosts"]: return {"host": [], "port": 0}
        case ["hosts", hosts]:
            return {"host": [None if h == "none" else h for h in hosts.split(",")], "port": 0}
        case ["path"]: return {"path": world.paths[name]}
        case ["sock" | "pathsock", kind]: return {"sock": given(world, name, kind)}


async def serve(world, name, at, options):
    arguments = place(world, name, at)
    for option in options:
        key, value = option.split("=")
        if key == "family":
            arguments[key] = FAMILIES[value]
        elif key == "port":
            arguments[key] = world.servers[value].sockets[0].getsockname()[1]
        else:
            arguments[key] = int(value) if key == "backlog" else bool(int(value))
    is_unix = at[0] in ("path", "pathsock")
    if world.kind == "streams":
        start = asyncio.start_unix_server if is_unix else asyncio.start_server
        server = await start(world.connected, **arguments)
    else:
        loop = asyncio.get_running_loop()
        start = loop.create_unix_server if is_unix else loop.create_server
        server = await start(world.protocol, **arguments)
    world.servers[name] = server


def addresses(server):
    return sorted(s.getsockname() for s in server.sockets)


def connect(world, server, count):
    for own in server.sockets:
        for _ in range(count):
            client = socket.socket(own.family, socket.SOCK_STREAM)
            world.kept.append(client)
            client.connect(own.getsockname())
            # The last packet of a handshake may come later than `connect` returns.
            select.select([own], [], [])


def waiting(world, server, count):
    """How many of `count` connections find room, while none is accepted."""
    address, found = server.sockets[0].getsockname(), 0
    for _ in range(count):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        world.kept.append(client)
        client.setblocking(False)
        try:
            client.connect(address)
            found += 1
        except BlockingIOError:
            pass
    return str(found)


def hang_up(world):
    for kept in world.kept:
        kept.close()
    world.kept = []


def left(path, what):
    if what == "file":
        open(path, "w").close()
    else:
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).bind(path)


async def step(world, name, words):
    match words:
        case ["serve", *rest]:
            at = rest[:rest.index("/")] if "/" in rest else rest
            return await serve(world, name, at, rest[len(at) + 1:])
        case ["left", what]: return left(world.paths[name], what)
        case ["hang_up"]: return hang_up(world)
        case ["exists"]: return os.path.exists(world.paths[name])
    server = world.servers[name]
    match words:
        case ["serving"]: return server.is_serving()
        case ["sockets"]: return " ".join(host for host, *_ in addresses(server)) or "none"
        case ["count"]: return str(len(server.sockets))
        case ["start"]: return await server.start_serving()
        case ["close"]: return server.close()
        case ["closed"]: return await server.wait_closed()
        case ["connect", count]: return connect(world, server, int(count))
        case ["waiting", count]: return waiting(world, server, int(count))
        case ["forever"]: world.forever[name] = asyncio.create_task(server.serve_forever())
        case ["ended"]:
            task = world.forever[name]
            if not task.done():
                return "pending"
            return "cancelled" if task.cancelled() else failed(task.exception())
        case ["option", option]:
            return bool(server.sockets[0].getsockopt(socket.SOL_SOCKET, OPTIONS[option]))


async def run(kind, lines):
    with tempfile.TemporaryDirectory() as folder:
        world = World(kind, folder)
        for name in "ABCD":
            world.paths[name] = os.path.join(folder, name)
        for line in lines:
            if line.startswith("turns "):
                calls = []
                for _ in range(int(line[6:])):
                    await asyncio.sleep(0)
                    calls.append(world.take())
                print(line, "->", ", ".join(calls))
                continue
            name, *words = line.split(" ")
            try:
                outcome = await step(world, name, words)
            except Exception as error:
                outcome = failed(error)
            outcome = {None: "ok", True: "true", False: "false"}.get(outcome, outcome)
            print(line, "->", outcome, "|", world.take())
        # One that is accepted right before the end fails an assertion of CPython's.
        for _ in range(10):
            await asyncio.sleep(0)
        for server in world.servers.values():
            server.close()
        for task in world.forever.values():
            task.cancel()
        for _ in range(10):
            hang_up(world)
            await asyncio.sleep(0)


for script in open(sys.argv[1]).read().strip().split("\n\n"):
    head, *lines = script.split("\n")
    print(head)
    asyncio.run(run(head.split(" ")[2], lines))
