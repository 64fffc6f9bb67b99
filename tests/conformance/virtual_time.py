"""A loop of CPython's asyncio in virtual time: it never waits for a timer, its clock jumps there.

Timers that are due at one time run in the order in which they were made.
"""

import asyncio
import heapq
import inspect
import selectors

MAX_TURNS = 20_000  # loop iterations before a program is called a livelock


class Timer(asyncio.TimerHandle):
    """A timer that fires in the order (when, made): asyncio leaves ties open."""

    made = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        Timer.made += 1
        self.made = Timer.made

    def __lt__(self, other):
        return (self._when, self.made) < (other._when, other.made)


class VirtualSelector(selectors.SelectSelector):
    """Never blocks: waiting for a timer moves the clock to it."""

    loop = None

    def select(self, timeout=None):
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            self.loop.stalled = True
            self.loop.stop()
        else:
            self.loop.now = self.loop._scheduled[0]._when
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, selector=None):
        selector = selector or VirtualSelector()
        super().__init__(selector)
        selector.loop = self
        self.now = 0.0
        self.stalled = False
        self.turns = 0
        self.tasks = []
        self.set_task_factory(self._make_task)

    def _make_task(self, loop, coro, **kwargs):
        task = asyncio.Task(coro, loop=loop, **kwargs)
        if inspect.iscoroutine(coro):  # not the closing of a dropped async generator
            self.tasks.append(task)
        return task

    def time(self):
        return self.now

    def call_at(self, when, callback, *args, context=None):
        timer = Timer(round(when, 9), callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def call_later(self, delay, callback, *args, context=None):
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def _run_once(self):
        self.turns += 1
        if self.turns > MAX_TURNS:
            raise RuntimeError("livelock")
        super()._run_once()
