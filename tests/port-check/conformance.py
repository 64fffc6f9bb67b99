"""Runs fresh conformance programs through the tracers of both sides, and compares the traces.

    python conformance.py RUNNER PORT_CHECK SEED COUNT FAMILY...

RUNNER is the example `conformance_events`, PORT_CHECK the program of that name. `conformance` calls this.
Traces that are not equal are given to PORT_CHECK, which must call the differences harmless. Programs that
end as a livelock, or that the port can't run, are skipped.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "python"), str(HERE.parent / "conformance")]

import logging  # noqa: E402

import callsoon_trace  # noqa: E402
import oracle  # noqa: E402
from callsoon_trace._tracer import Tracer  # noqa: E402


# Families with programs that use the helpers of Photons, which are Python there, and the library here.
HELPERS = {"queue", "ticker", "holder", "streamer", "mixed", "tangle"}
HELPERS_FILE = os.path.join("photons_app", "helpers.py")


class HelpersTracer(Tracer):
    """Counts no task that closes a generator which a helper is made of: the port's helpers are none."""

    def __init__(self, *args, **options):
        self.closing = []
        super().__init__(*args, **options)

    def record(self, task):
        record = self._tasks.get(task)
        closes = getattr(task.get_coro(), "closing", None)
        if record is None and any(closes is closing for closing in self.closing):
            record = self._tasks[task] = INSIDE
        return record or super().record(task)

    def emit(self, *parts):
        if INSIDE not in parts:
            super().emit(*parts)


class Inside:
    """The record of a task that has no lines of its own."""

    ended = False

    def read_name(self):
        pass


INSIDE = Inside()


class TracedLoop(oracle.VirtualLoop):
    made = None

    def __init__(self, *args):
        super().__init__(*args)
        TracedLoop.made = HelpersTracer(self, virtual=True)

    def _asyncgen_finalizer_hook(self, agen):
        super()._asyncgen_finalizer_hook(agen)
        if not self.is_closed() and agen.ag_code.co_filename.endswith(HELPERS_FILE):
            TracedLoop.made.closing.append(self._ready[-1]._args[0])


class Machine(oracle.Machine):
    def wind_down(self):
        """As the port's machine does it, in as many turns as the oracle's, but without a gathering."""
        left = [task for task in self.loop.pending() if task not in self.loop.closers]
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
            try:
                self.loop.run_forever()
            except RuntimeError as error:
                if str(error) != "livelock":
                    raise
                self.log("end", "livelock")


def generate(seed, count, family):
    command = [sys.executable, HERE.parent / "conformance" / "generate.py"]
    options = ["--seed", seed, "--count", count, "--family", family]
    return subprocess.run([*command, *options], capture_output=True, check=True, text=True).stdout.splitlines()


def main(runner, port_check, seed, count, *families):
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    programs = [(family, line) for family in families for line in generate(seed, count, family)]
    lines = [line for _family, line in programs]
    ran = subprocess.run([runner], input="\n".join(lines) + "\n", capture_output=True, check=True, text=True)
    ports = [json.loads(line) for line in ran.stdout.splitlines()]
    plain, oracle.VirtualLoop = oracle.VirtualLoop, TracedLoop
    differ = harmless = skipped = changed = 0
    for (family, line), port in zip(programs, ports, strict=True):
        program = json.loads(line)
        said = Machine(program).execute()
        ours, theirs = comparable(TracedLoop.made.lines()), comparable(port["trace"])
        if said[-1].endswith("livelock") or port["said"][-1].split(": ")[-1].startswith("unsupported"):
            skipped += 1
            continue
        if os.environ.get("PLAIN"):
            # With and without the tracer, one trace.
            oracle.VirtualLoop = plain
            changed += Machine(program).execute() != said
            oracle.VirtualLoop = TracedLoop
        insides = ["--without", "set,callback,call,reason"] if family in HELPERS else []
        if ours == theirs:
            continue
        code, text = comparison([port_check, *insides], ours, theirs)
        if code == 0:
            harmless += text.startswith("harmless")
            continue
        differ += 1
        if differ <= int(os.environ.get("SHOWN", 3)):
            print(f"{program['name']}: {text}")
    print(f"{len(lines)} programs, {differ} differ, {harmless} differ harmlessly, {changed} changed by the tracer, {skipped} skipped")
    return 1 if differ or changed else 0


def comparable(lines):
    """Without what comes of dropping all that is left, once nothing runs any more, and without the name of
    the errors that programs raise: the port's machine has the same type for some of Python's own."""
    last = max((i for i, line in enumerate(lines) if line == "outside"), default=0)
    runs = any(line.startswith("turn ") for line in lines[last:])
    lines = lines if runs or not last else lines[:last]
    return [line.removesuffix(" ProgramError") for line in lines]


def comparison(port_check, python, rust):
    """The exit code of PORT_CHECK, and what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("py.trace", "rust.trace")]
        for path, lines in zip(paths, (python, rust)):
            path.write_text("".join(f"{line}\n" for line in lines))
        ran = subprocess.run([*port_check, *paths], capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
