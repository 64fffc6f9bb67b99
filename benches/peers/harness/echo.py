"""A server that sends back what 64 clients send: each has one message of 64 bytes on its way, or 16
lines of as many bytes."""

import re
import subprocess
import tempfile

from . import build, samples

CLIENTS, SECONDS = 64, 1
# How long a server serves: longer than it is asked.
LIFETIME = "4"
RUST = [
    "epoll", "callsoon", "tokio-localset", "tokio-localrt", "smol-local", "smol-static",
    "localpool", "monoio", "monoio-epoll", "compio", "glommio",
    "callsoon-streams", "callsoon-protocol", "tokio-buffered",
]
# These read line by line, and so the contender is what stands before "-lines".
LINES = ["callsoon-streams", "tokio-buffered"]
PYTHON_LINES = ["asyncio-streams", "uvloop-streams"]
PYTHON = ["asyncio-protocol", "asyncio-streams", "uvloop-protocol", "uvloop-streams"]


def servers(contenders, rust, python, suffix=""):
    def wanted(contender):
        family = contender.split("-")[0]
        return not contenders or contender in ("epoll", *contenders) or family in contenders

    for contender in filter(wanted, rust):
        yield contender, [build.peers(), "serve", contender + suffix, LIFETIME]
    for contender in filter(wanted, python) if build.python() else []:
        script = str(build.FOLDER / "python" / "bench.py")
        yield contender, [build.python(), script, "serve", contender + suffix, LIFETIME]


def ask(server, load="load", before=(), to_its_end=False):
    """Starts a server on one CPU and asks it from the other."""
    command = ["taskset", "-c", "0", *before, *server]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            port = running.stdout.readline().strip()
            if not port:
                return None
            load = [build.peers(), load, port, str(CLIENTS), str(SECONDS)]
            return samples.sample(["taskset", "-c", "1", *load], limit=30)
        finally:
            if not to_its_end:
                running.terminate()


def calls_per_request(server, load):
    """How many system calls the server makes for a request, by strace."""
    with tempfile.NamedTemporaryFile("r") as summary:
        figures = ask(server, load, ["strace", "-f", "-c", "-o", summary.name], to_its_end=True)
        total = re.search(r"(\d+)\s+(?:\d+\s+)?total$", summary.read(), re.MULTILINE)
    if figures is None or total is None:
        return {}
    return {"system calls a request": int(total[1]) / figures["requests"]}


def take(rounds, contenders):
    return sample(rounds, "load", dict(servers(contenders, RUST, PYTHON)))


def take_lines(rounds, contenders):
    return sample(rounds, "pipeline", dict(servers(contenders, LINES, PYTHON_LINES, "-lines")))


def sample(rounds, load, running):
    rows = []
    for turn in range(rounds):
        for contender, server in running.items():
            figures = ask(server, load)
            if figures is None:
                continue
            calls = calls_per_request(server, load) if turn == 0 else {}
            del figures["requests"]
            rows.append({**figures, **calls, "contender": contender, "n": CLIENTS, "round": turn})
    return rows
