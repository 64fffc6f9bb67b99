"""The Python side of the peers: asyncio's own transports, at the other end of those of the crate.

    python peer.py CERTIFICATE KEY    a command in JSON a line in, an answer a line out
    python peer.py child PLAN         talks over standard input and output
"""

import array
import asyncio
import base64
import contextlib
import json
import pathlib
import random
import ssl
import sys
import tempfile

STEP = 2_654_435_761


def stream(seed, count):
    """The bytes that a side sends: as many of them as one likes."""
    words = array.array("I", ((seed + i * STEP) & 0xFFFFFFFF for i in range(count // 4 + 1)))
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()[:count]


class Sides:
    def __init__(self, certificate, key):
        self.certificate, self.key = certificate, key

    def client(self):
        with open(self.certificate, "rb") as file:
            return ssl.create_default_context(cadata=file.read())

    def server(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with open(self.certificate, "rb") as file:
            text = ssl.DER_cert_to_PEM_cert(file.read())
        with open(self.key, "rb") as file:
            key = base64.encodebytes(file.read()).decode()
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{text}-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n")
            file.flush()
            context.load_cert_chain(file.name)
        return context


async def send(writer, plan, rng):
    data, at = stream(plan["seed"], plan["send"]), 0
    while at < len(data):
        if plan["end"] == "abort" and at >= plan["cut"]:
            writer.transport.abort()
            return
        count = rng.randint(1, plan["piece"])
        parts = [data[at:at + count // 2], data[at + count // 2:at + count]]
        writer.writelines(parts) if rng.random() < 0.3 and all(parts) else writer.write(data[at:at + count])
        at += count
        await writer.drain()
    if plan["end"] == "eof":
        writer.write_eof()


async def receive(reader, plan, rng):
    expected, received, end = stream(plan["peer_seed"], plan["expect"]), bytearray(), "eof"
    try:
        while plan["end"] != "exact" or len(received) < len(expected):
            block = await reader.read(rng.randint(1, plan["read"]))
            if not block:
                break
            received += block
            if plan["slow"]:
                await asyncio.sleep(0.0005)
    except ConnectionError:
        end = "reset"
    return {"received": len(received), "same": expected.startswith(received), "end": end}


async def converse(reader, writer, plan):
    rng = random.Random(plan["seed"])
    sending = asyncio.ensure_future(send(writer, plan, rng))
    result = await receive(reader, plan, rng)
    with contextlib.suppress(OSError):  # also of `write_eof` after a reset
        await sending
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return result


class Datagrams(asyncio.DatagramProtocol):
    """Echoes datagrams turned round, or sends them and waits for the echo of each."""

    def __init__(self, plan, sends):
        self.plan, self.sends, self.at, self.same = plan, sends, 0, True
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        if self.sends:
            transport.sendto(self.message())

    def message(self):
        size = (self.plan["seed"] * 7 + self.at * 131) % 1400 + 1
        return stream(self.plan["seed"] + self.at, size)

    def datagram_received(self, data, address):
        message = self.message()
        self.same &= data == (message[::-1] if self.sends else message)
        if not self.sends:
            self.transport.sendto(message[::-1], address)
        self.at += 1
        if self.at == self.plan["count"]:
            self.done.set_result({"received": self.at, "same": self.same, "end": "eof"})
        elif self.sends:
            self.transport.sendto(self.message())


async def datagrams(command, say):
    loop, address = asyncio.get_running_loop(), command.get("address")
    where = {"remote_addr": tuple(address)} if address else {"local_addr": ("127.0.0.1", 0)}
    make = lambda: Datagrams(command["plan"], address is not None)  # noqa: E731
    transport, protocol = await loop.create_datagram_endpoint(make, **where)
    if not address:
        say({"address": transport.get_extra_info("sockname")})
    say(await protocol.done)
    await asyncio.sleep(0)  # the last echo is sent
    transport.close()


async def listen(command, say, sides):
    done = asyncio.get_running_loop().create_future()

    async def connected(reader, writer):
        try:
            done.set_result(await converse(reader, writer, command["plan"]))
        except Exception as error:
            done.set_exception(error)

    kind = command["kind"]
    if kind == "unix":
        server = await asyncio.start_unix_server(connected, command["path"])
        address = command["path"]
    else:
        tls = {"ssl": sides.server()} if kind == "tls" else {}
        server = await asyncio.start_server(connected, "127.0.0.1", 0, **tls)
        address = server.sockets[0].getsockname()
    say({"address": address})
    say(await done)
    server.close()
    await server.wait_closed()
    if kind == "unix":
        # Before 3.13 the server leaves it.
        pathlib.Path(address).unlink(missing_ok=True)


async def connect(command, say, sides):
    kind, address = command["kind"], command["address"]
    if kind == "unix":
        ends = await asyncio.open_unix_connection(address)
    else:
        tls = {"ssl": sides.client(), "server_hostname": "localhost"} if kind == "tls" else {}
        ends = await asyncio.open_connection(*address, **tls)
    say(await converse(*ends, command["plan"]))


async def spawn(command, say):
    """A child of the other side, whose ends are pipes."""
    process = await asyncio.create_subprocess_exec(
        command["program"], "child", json.dumps(command["child"]), stdin=-1, stdout=-1)
    result = await converse(process.stdout, process.stdin, command["plan"])
    say({**result, "returncode": await process.wait()})


async def main(sides):
    def say(answer):
        print(json.dumps(answer), flush=True)

    for line in sys.stdin:
        command = json.loads(line)
        match command["do"]:
            case "listen": await listen(command, say, sides)
            case "connect": await connect(command, say, sides)
            case "datagrams": await datagrams(command, say)
            case "spawn": await spawn(command, say)


async def child(plan):
    """Talks over standard input and output, and ends with 0 if it has read what it should."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    writing = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, protocol = await loop.connect_write_pipe(lambda: writing, sys.stdout)
    result = await converse(reader, asyncio.StreamWriter(transport, protocol, None, loop), plan)
    return 0 if result["same"] and result["received"] == plan["expect"] else 1


if __name__ == "__main__":
    if sys.argv[1] == "child":
        sys.exit(asyncio.run(child(json.loads(sys.argv[2]))))
    asyncio.run(main(Sides(*sys.argv[1:])))
