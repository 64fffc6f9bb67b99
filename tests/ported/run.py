"""Runs the Python halves of the ported programs, on CPython 3.13's asyncio in virtual time.
What a program prints is its trace, each line behind the time on the loop's clock.

    python run.py            compares with the kept traces, NAME.txt; exit code 1 if one differs,
                             or if docs/from-asyncio.md leaves out a name that asyncio has
    python run.py --write    keeps the traces
"""

import asyncio
import builtins
import contextlib
import difflib
import io
import re
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "conformance"))

from virtual_time import VirtualLoop, VirtualSelector  # noqa: E402


class Selector(VirtualSelector):
    """The clock stands still while a thread works for the loop, and while nothing but a descriptor can
    be waited for, as of a process: that is waited for."""

    def select(self, timeout=None):
        if timeout is None or self.loop.owed and timeout != 0:
            return super(VirtualSelector, self).select(None)
        return super().select(timeout)


class Loop(VirtualLoop):
    def __init__(self):
        super().__init__(Selector())
        self.owed = 0

    def _write_to_self(self):
        """Wakes the selector: threads call here."""
        asyncio.SelectorEventLoop._write_to_self(self)

    def run_in_executor(self, executor, func, *args):
        future = super().run_in_executor(executor, func, *args)
        self.owed += 1
        future.add_done_callback(self.take)
        return future

    async def shutdown_default_executor(self, timeout=None):
        """Without a limit, which would be over at once."""
        self.owed += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self.owed -= 1

    def take(self, future):
        self.owed -= 1


class Policy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return Loop()


def print_with_time(*words, **options):
    builtins.print(f"{asyncio.get_running_loop().time():g}", *words, **options)


def trace_of(program):
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        runpy.run_path(str(program), {"print": print_with_time})
    return written.getvalue()


def names_left_out():
    guide = (HERE.parent.parent / "docs" / "from-asyncio.md").read_text()
    guide = re.sub(r"```.*?```", "", guide, flags=re.DOTALL)
    quoted = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", guide))))
    methods = [name for name in dir(asyncio.AbstractEventLoop) if name[0] != "_"]
    return sorted({*asyncio.__all__, *methods} - quoted)


def main():
    asyncio.set_event_loop_policy(Policy())
    differ = False
    for program in sorted(HERE.glob("*.py")):
        if program.name == Path(__file__).name:
            continue
        kept, trace = program.with_suffix(".txt"), trace_of(program)
        if "--write" in sys.argv[1:]:
            kept.write_text(trace)
        elif not kept.exists() or kept.read_text() != trace:
            before = kept.read_text() if kept.exists() else ""
            lines = (before.splitlines(True), trace.splitlines(True), kept.name, program.name)
            sys.stdout.writelines(difflib.unified_diff(*lines))
            differ = True
    left_out = names_left_out()
    if left_out:
        print("not in docs/from-asyncio.md:", *left_out)
    sys.exit(differ or bool(left_out))


if __name__ == "__main__":
    main()
