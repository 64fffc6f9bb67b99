"""A server that sends back what 64 clients send: each has one message of 64 bytes on its way, or 16
lines of as many bytes. And what it holds for connections over which nothing goes."""

import contextlib
import re
import resource
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from . import build, samples

# AHEAD is that of the program's `echo`.
CLIENTS, SECONDS, AHEAD = 64, 1, 16
# How long a server serves: longer than it is asked, in seconds.
LIFETIME = 4
IDLE, LONG_LIFETIME = 10_000, 60
# How often each client asks a server of which the instructions are counted: a start falls out.
FEW, MANY = 10, 60
RUST = [
    "epoll", "callsoon", "tokio-localset", "tokio-localrt", "smol-local", "smol-static",
    "localpool", "monoio", "monoio-epoll", "compio", "glommio",
    "callsoon-streams", "callsoon-protocol", "tokio-buffered",
]
# These read line by line, and so the contender is what stands before "-lines".
LINES = ["callsoon-streams", "tokio-buffered"]
PYTHON_LINES = ["asyncio-streams", "uvloop-streams"]
PYTHON = ["asyncio-protocol", "asyncio-streams", "uvloop-protocol", "uvloop-streams"]
HOLDING = ["callsoon-streams", "callsoon-protocol", "tokio-buffered"]


def servers(contenders, rust, python, suffix=""):
    def wanted(contender):
        family = contender.split("-")[0]
        return not contenders or contender in ("epoll", *contenders) or family in contenders

    for contender in filter(wanted, rust):
        yield contender, [build.peers(), "serve", contender + suffix]
    for contender in filter(wanted, python) if build.python() else []:
        script = str(build.FOLDER / "python" / "bench.py")
        yield contender, [build.python(), script, "serve", contender + suffix]


@contextlib.contextmanager
def serving(server, lifetime, before=(), to_its_end=False):
    """A server on one CPU: its process, and its port, or None where there is no such server."""
    command = ["taskset", "-c", "0", *before, *server, str(lifetime)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            port = running.stdout.readline().strip()
            yield running.pid, int(port) if port else None
        finally:
            if not to_its_end:
                running.terminate()


def cpu_ns(pid):
    """The CPU time of a process."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads)


def ask(server, load="load", before=(), to_its_end=False):
    """Asks a server on one CPU from the other."""
    with serving(server, LIFETIME, before, to_its_end) as (pid, port):
        if port is None:
            return None
        asking = [build.peers(), load, str(port), str(CLIENTS), str(SECONDS)]
        began = cpu_ns(pid)
        figures = samples.sample(["taskset", "-c", "1", *asking], limit=30)
        if figures is not None:
            figures["server's cpu us"] = (cpu_ns(pid) - began) / 1000 / figures["requests"]
        return figures


def calls_per_request(server, load):
    """How many system calls the server makes for a request, by strace."""
    with tempfile.NamedTemporaryFile("r") as summary:
        figures = ask(server, load, ["strace", "-f", "-c", "-o", summary.name], to_its_end=True)
        total = re.search(r"(\d+)\s+(?:\d+\s+)?total$", summary.read(), re.MULTILINE)
    if figures is None or total is None:
        return {}
    return {"system calls a request": int(total[1]) / figures["requests"]}


def take(rounds, contenders):
    return sample(rounds, "load", 1, dict(servers(contenders, RUST, PYTHON)))


def take_lines(rounds, contenders):
    return sample(rounds, "pipeline", AHEAD, dict(servers(contenders, LINES, PYTHON_LINES, "-lines")))


def ask_in_turns(port, rounds, ahead):
    """Each client asks in each round, and has all answers before the next one."""
    message = (b"7" * 63 + b"\n") * ahead
    with contextlib.ExitStack() as open_ones:
        connect = lambda: socket.create_connection(("127.0.0.1", port))  # noqa: E731
        connections = [open_ones.enter_context(connect()) for _ in range(CLIENTS)]
        for _ in range(rounds):
            for connection in connections:
                connection.sendall(message)
            for connection in connections:
                assert len(connection.recv(len(message), socket.MSG_WAITALL)) == len(message)


def instructions(server, rounds, ahead):
    """All instructions of a server in user space, by valgrind; None where it can't run that."""
    with tempfile.NamedTemporaryFile("r") as log:
        counting = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        counting += [f"--log-file={log.name}"]
        with serving(server, LONG_LIFETIME, counting) as (_, port):
            if port is None:
                return None
            ask_in_turns(port, rounds, ahead)
        total = re.search(r"Collected : (\d+)", log.read())
    return int(total[1]) if total else None


def instructions_per_request(server, ahead):
    if shutil.which("valgrind") is None:
        return {}
    few, many = (instructions(server, rounds, ahead) for rounds in (FEW, MANY))
    if few is None or many is None:
        return {}
    return {"instructions a request": (many - few) / ((MANY - FEW) * CLIENTS * ahead)}


def private_bytes(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * int(re.search(r"Private_Dirty: +(\d+) kB", rollup)[1])


def echo_once(connection):
    connection.sendall(b"7" * 63 + b"\n")
    assert len(connection.recv(64, socket.MSG_WAITALL)) == 64


def hold_idle(server):
    """The memory that a server takes for a connection over which one message has gone."""
    with serving(server, LONG_LIFETIME) as (pid, port), contextlib.ExitStack() as open_ones:
        if port is None:
            return None

        def connect():
            connection = socket.create_connection(("127.0.0.1", port))
            echo_once(open_ones.enter_context(connection))

        connect()
        before = private_bytes(pid)
        for _ in range(IDLE):
            connect()
        return (private_bytes(pid) - before) / IDLE


def take_idle(rounds, contenders):
    least, most = IDLE + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(least, most), most))
    rows = []
    for turn in range(rounds):
        for contender, server in servers(contenders, HOLDING, PYTHON):
            held = hold_idle(server)
            if held is not None:
                rows.append({
                    "workload": "idle_connection", "private bytes": held,
                    "contender": contender, "n": IDLE, "round": turn,
                })
    return rows


def sample(rounds, load, ahead, running):
    rows = []
    for turn in range(rounds):
        for contender, server in running.items():
            figures = ask(server, load)
            if figures is None:
                continue
            once = {}
            if turn == 0:
                once = calls_per_request(server, load) | instructions_per_request(server, ahead)
            del figures["requests"]
            rows.append({**figures, **once, "contender": contender, "n": CLIENTS, "round": turn})
    return rows
