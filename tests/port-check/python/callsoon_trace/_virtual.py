"""Virtual time: a clock that stands still while callbacks run, and jumps to the next timer when
nothing is ready."""

import asyncio
import contextlib
import heapq
import math
import threading
import time
from asyncio import events
from concurrent.futures import ThreadPoolExecutor


class Stalled(RuntimeError):
    """Nothing is ready, there is no timer, no socket is watched, and no thread owes an answer: a real loop would
    hang."""


class VirtualTimer(events.TimerHandle):
    """Timers that are due at one time run in the order made: a heap leaves ties open."""

    __slots__ = ("made",)

    def __lt__(self, other):
        if isinstance(other, VirtualTimer):
            return (self._when, self.made) < (other._when, other.made)
        return super().__lt__(other)


class VirtualSelector:
    """Stands before the selector of a loop, and never waits for a timer."""

    def __init__(self, clock, selector):
        self._clock = clock
        self._selector = selector

    def __getattr__(self, name):
        return getattr(self._selector, name)

    def select(self, timeout=None):
        # Looked for first: an event that comes in between is found.
        watches = timeout is None and self._watches()
        ready = self._selector.select(0)
        if ready or timeout == 0:
            return ready
        if self._clock.is_owed():
            # The work of a thread is real, and takes no virtual time.
            return self._selector.select(None)
        if watches:
            return self._selector.select(None)
        if timeout is None:
            raise Stalled("the loop has nothing left that could happen")
        self._clock.jump()
        return ready

    def _watches(self):
        """Whether there is a socket, or a pipe or the end of a child, for which a thread may wait."""
        # The first one is the loop's own, which wakes it.
        sockets = len(self._selector.get_map()) > 1
        return sockets or any("waitpid-" in thread.name for thread in threading.enumerate())


class VirtualClock:
    """The time of one loop."""

    def __init__(self, loop):
        self._loop = loop
        self._now = 0.0
        self._made = 0
        self._owed = []
        loop.time = self.time
        loop.call_at = self.call_at

    def time(self):
        return self._now

    def call_at(self, when, callback, *args, context=None):
        self._loop._check_closed()
        if when is None:
            raise TypeError("when cannot be None")
        timer = VirtualTimer(round(when, 9), callback, args, self._loop, context)
        self._made += 1
        timer.made = self._made
        heapq.heappush(self._loop._scheduled, timer)
        timer._scheduled = True
        return timer

    def jump(self):
        self._now = max(self._now, self._loop._scheduled[0]._when)
        # A timer is due before the time behind it: the two must differ.
        self._loop._clock_resolution = max(1e-9, math.ulp(self._now))

    def owe(self, future):
        """The clock stands still until `future`, which a thread completes, is done."""
        self._owed.append(future)

    def is_owed(self):
        self._owed = [future for future in self._owed if not future.done()]
        return bool(self._owed)


@contextlib.contextmanager
def begun_later(executor, func):
    """`func` for a thread of `executor`, which begins at the end of the block. From CPython 3.14 on a
    future is done at once if the thread was quicker than the loop's thread, and that is left to chance."""
    if not (executor is None or isinstance(executor, ThreadPoolExecutor)):
        yield func
        return
    may_begin = threading.Event()

    def call(*args):
        may_begin.wait()
        return func(*args)

    try:
        yield call
    finally:
        may_begin.set()


@contextlib.contextmanager
def virtual_wall_clock():
    """Has `time.time()` be the time of the loop that runs, where that has virtual time."""
    real = time.time

    def virtual():
        loop = events._get_running_loop()
        clock = getattr(loop, "_selector", None)
        return loop.time() if isinstance(clock, VirtualSelector) else real()

    time.time = virtual
    try:
        yield
    finally:
        time.time = real


def virtualize(loop):
    """Gives `loop`, which does not run yet, virtual time. Returns its clock."""
    if not isinstance(loop, asyncio.SelectorEventLoop):
        raise TypeError("virtual time needs a selector event loop")
    clock = VirtualClock(loop)
    loop._selector = VirtualSelector(clock, loop._selector)
    return clock
