"""Taking samples: one process each, the contenders in turns."""

import json
import os
import subprocess
import sys

from . import build

RESULTS = build.TARGET / "results.jsonl"
# A contender has no such workload.
NO_SUCH = 3


def commands(job, size, contenders):
    """Who takes part, and how."""
    pinned = [] if job.cpu is None else ["taskset", "-c", str(job.cpu)]
    for contender in job.rust:
        if not contenders or contender in contenders:
            yield contender, [*pinned, build.peers(), job.workload, contender, str(size)]
    python = build.python()
    for contender in job.python if python and size <= job.python_limit else []:
        if not contenders or contender in contenders:
            script = str(build.FOLDER / "python" / "bench.py")
            yield contender, [*pinned, python, script, job.workload, contender, str(size)]


def sample(command, environment=None, limit=120):
    """One process's figures; None where it has none, with a word where it should have."""
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=limit,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        print("no end in", limit, "s:", *command, file=sys.stderr)
        return None
    if ran.returncode == 0:
        return json.loads(ran.stdout.splitlines()[-1])
    # A contender that isn't built in says so with 2.
    if ran.returncode not in (2, NO_SUCH):
        print("failed:", *command, *ran.stderr.splitlines()[-1:], file=sys.stderr)
    return None


def take(job, rounds, contenders):
    """All rounds of a job at each of its sizes."""
    rows = []
    for size in job.sizes:
        running = dict(commands(job, size, contenders))
        for turn in range(min(rounds, 3) if size >= 1_000_000 else rounds):
            for contender in list(running):
                figures = sample(running[contender], job.environment)
                if figures is None:
                    del running[contender]
                else:
                    rows.append({**figures, "tag": job.tag, "round": turn})
    return rows


def keep(rows):
    with RESULTS.open("a") as kept:
        for row in rows:
            kept.write(json.dumps(row) + "\n")


def forget():
    RESULTS.unlink(missing_ok=True)


def kept():
    with RESULTS.open() as lines:
        return [json.loads(line) for line in lines]
