"""The same small program on each runtime: its size, its dependencies, how long it takes to build."""

import re
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from .build import FOLDER

PROGRAMS = ["std", "callsoon", "tokio", "smol", "localpool", "monoio", "compio", "glommio"]


def cargo(*arguments, **options):
    return subprocess.run(
        ["cargo", *arguments], cwd=FOLDER / "minimal", check=True, text=True, **options
    )


def dependencies(package):
    """How many crates are built below the program."""
    tree = cargo(
        "tree", "--edges", "normal", "--prefix", "none", "--no-dedupe", "--package", package,
        stdout=subprocess.PIPE,
    )
    return len({line.split(" (")[0] for line in tree.stdout.splitlines() if line}) - 1


def running(program):
    """The most that it holds in memory, and its threads."""
    resident, threads = 0, 0
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = dict(re.findall(r"(VmRSS|Threads):\s+(\d+)", status))
            resident = max(resident, int(found.get("VmRSS", 0)) * 1024)
            threads = max(threads, int(found["Threads"]))
            time.sleep(0.001)
        assert process.stdout.read() == "5\n", f"{program} doesn't do its work"
    return resident, threads


def cpu_seconds():
    """Of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def build(name):
    package = f"minimal-{name}"
    with tempfile.TemporaryDirectory() as target:
        start, cpu_start = time.monotonic(), cpu_seconds()
        options = ["--release", "--quiet", "--offline", "--target-dir", target]
        cargo("build", *options, "--package", package)
        seconds, cpu = time.monotonic() - start, cpu_seconds() - cpu_start
        program = Path(target, "release", package)
        resident, threads = running(program)
        return {
            "binary bytes": program.stat().st_size, "crates": dependencies(package),
            "cold build s": seconds, "of CPU time": cpu,
            "resident bytes": resident, "threads": threads,
        }


def take(rounds, contenders):
    cargo("fetch", "--quiet")
    rows = []
    for turn in range(min(rounds, 3)):
        for name in PROGRAMS:
            if not contenders or name in contenders or name == "std":
                row = {"workload": "minimal", "contender": name, "n": 1, "round": turn}
                rows.append({**row, **build(name)})
    return rows
