"""Traces of asyncio programs, to be compared with those of their Rust ports.

    python -m callsoon_trace --virtual-time --output py.trace program.py ARGS

writes what the tasks, callbacks and timers of a program do, one line each. In a test:

    with callsoon_trace.trace(virtual_time=True) as traced:
        asyncio.run(main())
    assert traced.text() == ...

Needs nothing but the standard library of CPython 3.11 to 3.14.
"""

import asyncio
import contextlib

from ._tracer import Tracer, format_time, tracer_of
from ._virtual import Stalled, begun_later, virtual_wall_clock, virtualize

__all__ = ["Stalled", "Traced", "attach", "log", "trace"]
__version__ = "0.1.0"


class Traced:
    """The traces of the loops that were made in a `with` block."""

    def __init__(self):
        self.tracers = []

    def text(self):
        """The traces of all loops, one after the other."""
        return "".join(f"{line}\n" for tracer in self.tracers for line in tracer.lines())


def attach(loop, *, virtual_time=False):
    """Traces `loop`, which does not run yet. Returns the tracer, whose `lines()` are the trace.

    With `virtual_time` the loop gets a clock that stands still while callbacks run, and jumps to the
    next timer when nothing is ready.
    """
    clock = virtualize(loop) if virtual_time else None
    tracer = Tracer(loop, virtual=virtual_time)
    if clock is not None:
        make_call = loop.run_in_executor

        def run_in_executor(executor, func, *args):
            with begun_later(executor, func) as func:
                future = make_call(executor, func, *args)
            clock.owe(future)
            return future

        def on_future(future, frame):
            if frame.f_code.co_qualname == "BaseEventLoop.shutdown_default_executor":
                clock.owe(future)

        loop.run_in_executor = run_in_executor
        tracer.on_future = on_future
    return tracer


@contextlib.contextmanager
def trace(*, virtual_time=False):
    """Traces all loops that are made inside of the block, whatever makes them. With `virtual_time` the time that
    passes for `time.time()` is that of the loop, too: Photons' ticker asks it."""
    traced = Traced()
    make = asyncio.SelectorEventLoop.__init__

    def init(self, *args, **kwargs):
        make(self, *args, **kwargs)
        traced.tracers.append(attach(self, virtual_time=virtual_time))

    asyncio.SelectorEventLoop.__init__ = init
    try:
        with virtual_wall_clock() if virtual_time else contextlib.nullcontext():
            yield traced
    finally:
        asyncio.SelectorEventLoop.__init__ = make


def log(text):
    """Adds a line of the program's own to the trace of the running loop; does nothing where no loop
    runs or it is not traced. The Rust half is `callsoon::testing::log`."""
    try:
        tracer = tracer_of(asyncio.get_running_loop())
    except RuntimeError:
        return
    if tracer is not None:
        tracer.log(text)
