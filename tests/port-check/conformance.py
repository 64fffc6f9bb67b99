"""Runs fresh conformance programs through the tracers of both sides, and compares the traces.

    python conformance.py RUNNER SEED COUNT FAMILY...

RUNNER is the example `conformance_events`. `conformance` calls this. Programs that end as a livelock,
or that the port can't run, are skipped.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "python"), str(HERE.parent / "conformance")]

import logging  # noqa: E402

import callsoon_trace  # noqa: E402
import oracle  # noqa: E402
from callsoon_trace._tracer import Tracer  # noqa: E402


class TracedLoop(oracle.VirtualLoop):
    made = None

    def __init__(self, *args):
        super().__init__(*args)
        TracedLoop.made = Tracer(self, virtual=True)


class Machine(oracle.Machine):
    def wind_down(self):
        """As the port's machine does it, in as many turns as the oracle's, but without a gathering."""
        left = [task for task in self.loop.tasks if not task.done()]
        count = len(left)

        def ended(_task):
            nonlocal count
            count -= 1
            if count == 0:
                self.loop.call_soon(stop)

        def stop():
            self.loop.stop()

        for task in left:
            task.cancel()
        for task in left:
            task.add_done_callback(ended)
        if left:
            self.loop.turns = 0
            self.loop.run_forever()


def generate(seed, count, family):
    command = [sys.executable, HERE.parent / "conformance" / "generate.py"]
    options = ["--seed", seed, "--count", count, "--family", family]
    return subprocess.run([*command, *options], capture_output=True, check=True, text=True).stdout.splitlines()


def main(runner, seed, count, *families):
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    lines = [line for family in families for line in generate(seed, count, family)]
    ran = subprocess.run([runner], input="\n".join(lines) + "\n", capture_output=True, check=True, text=True)
    ports = [json.loads(line) for line in ran.stdout.splitlines()]
    plain, oracle.VirtualLoop = oracle.VirtualLoop, TracedLoop
    differ = skipped = changed = 0
    for line, port in zip(lines, ports, strict=True):
        program = json.loads(line)
        said = Machine(program).execute()
        ours = without_drops(TracedLoop.made.lines())
        theirs = without_drops(port["trace"])
        if said[-1].endswith("livelock") or port["said"][-1].split(": ")[-1].startswith("unsupported"):
            skipped += 1
            continue
        if os.environ.get("PLAIN"):
            # With and without the tracer, one trace.
            oracle.VirtualLoop = plain
            changed += Machine(program).execute() != said
            oracle.VirtualLoop = TracedLoop
        if ours != theirs:
            differ += 1
            if differ <= int(os.environ.get("SHOWN", 3)):
                report(program, ours, theirs)
    print(f"{len(lines)} programs, {differ} differ, {changed} changed by the tracer, {skipped} skipped")
    return 1 if differ or changed else 0


def without_drops(lines):
    """Without what comes of dropping all that is left, once nothing runs any more."""
    last = max((i for i, line in enumerate(lines) if line == "outside"), default=0)
    runs = any(line.startswith("turn ") for line in lines[last:])
    return lines if runs or not last else lines[:last]


def report(program, python, rust):
    pairs = enumerate(zip(python, rust))
    at = next((i for i, (a, b) in pairs if a != b), min(len(python), len(rust)))
    print(f"{program['name']} differs at line {at + 1}")
    for line in python[max(0, at - int(os.environ.get("CONTEXT", 14))):at]:
        print(f"    both   {line}")
    for name, lines in (("python", python), ("rust", rust)):
        for line in lines[at:at + 4]:
            print(f"    {name:6} {line}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
