"""The same small program on each runtime: its size, its dependencies, how long it takes to build."""

import os
import shutil
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


def asleep(program):
    """Its resident bytes and threads while it sleeps."""
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as running:
        time.sleep(0.005)
        status = Path(f"/proc/{running.pid}/status").read_text()
        assert running.stdout.read() == "5\n", f"{program} doesn't do its work"
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024, int(lines["Threads"])


def build(name):
    package = f"minimal-{name}"
    target = tempfile.mkdtemp()
    try:
        start = time.monotonic()
        cargo("build", "--release", "--quiet", "--offline", "--package", package, "--target-dir", target)
        seconds = time.monotonic() - start
        program = os.path.join(target, "release", package)
        resident, threads = asleep(program)
        return {
            "binary bytes": os.path.getsize(program), "crates": dependencies(package),
            "cold build s": seconds, "resident bytes": resident, "threads": threads,
        }
    finally:
        shutil.rmtree(target)


def take(rounds, contenders):
    cargo("fetch", "--quiet")
    rows = []
    for turn in range(min(rounds, 3)):
        for name in PROGRAMS:
            if not contenders or name in contenders or name == "std":
                row = {"workload": "minimal", "contender": name, "n": 1, "round": turn}
                rows.append({**row, **build(name)})
    return rows
