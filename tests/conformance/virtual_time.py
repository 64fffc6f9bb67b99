"""A loop of CPython's asyncio in virtual time: it never waits for a timer, its clock jumps there.

Timers that are due at one time run in the order in which they were made.
"""

import asyncio
import collections.abc
import heapq
import inspect
import selectors
import weakref

NEVER = 1_000_000  # seconds, after which a program with sockets stalls
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

    def _run(self):
        loop = self._loop
        super()._run()
        self = None  # as in asyncio: the frames of an error would keep its task
        loop.after_step()


class Handle(asyncio.Handle):
    """A callback after which the loop looks for what came meanwhile."""

    def _run(self):
        loop = self._loop
        super()._run()
        self = None  # as in asyncio: the frames of an error would keep its task
        loop.after_step()


class OrderedWeakSet:
    """The generators of a loop in the order of their first step, the connections of a server in that
    of accepting: asyncio leaves it open."""

    def __init__(self):
        self._items = {}

    def __iter__(self):
        return iter([item for ref in list(self._items.values()) if (item := ref()) is not None])

    def __len__(self):
        return len(list(iter(self)))

    def add(self, item):
        self._items.pop(id(item), None)  # of one that is gone, whose place is not this one's
        self._items[id(item)] = weakref.ref(item)

    def discard(self, item):
        self._items.pop(id(item), None)

    def clear(self):
        self._items.clear()

    def copy(self):
        return list(self)


class Closing(collections.abc.Coroutine):
    """Closes a dropped generator, and tells the loop of the end by a callback. A done callback would do so
    too, but would keep the task, of which an error is to be reported as soon as it has ended."""

    def __init__(self, closing, loop):
        self.closing, self.loop = closing, loop

    def send(self, value):
        return self._step(self.closing.send, value)

    def throw(self, *error):
        return self._step(self.closing.throw, *error)

    def close(self):
        self.closing.close()

    def __await__(self):
        return self

    def _step(self, step, *args):
        try:
            return step(*args)
        except BaseException:
            self.loop.call_soon(self.loop.closed_dropped)
            raise


class VirtualSelector(selectors.DefaultSelector):
    """Never blocks: waiting for a timer moves the clock to it."""

    loop = None

    def select(self, timeout=None):
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            self.loop.now += NEVER if self.loop.has_sockets else 0
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
        self.has_sockets = False
        self.turns = 0
        self.tasks = []  # those that close a generator aside: an error of theirs would keep frames
        self.made = []  # every task, weakly
        self.after_step = lambda: None
        self._asyncgens = OrderedWeakSet()
        self.closers = weakref.WeakSet()
        self.closing = 0  # dropped generators that are not closed yet
        self.all_closed = None
        self.set_task_factory(self._make_task)

    def _make_task(self, loop, coro, **kwargs):
        task = asyncio.Task(coro, loop=loop, **kwargs)
        self.made.append(weakref.ref(task))
        if inspect.iscoroutine(coro):
            self.tasks.append(task)
        return task

    def make_forgotten(self, coro):
        """Makes a task that nothing keeps: what it is to report, it reports as soon as it has ended."""
        self.made.append(weakref.ref(asyncio.Task(coro, loop=self)))

    def time(self):
        return self.now

    def _write_to_self(self):
        """Nothing: here no thread calls, and a byte would have signals read a turn early."""

    def pending(self):
        """The tasks that are not done, oldest first."""
        return [task for ref in self.made if (task := ref()) is not None and not task.done()]

    def _call_soon(self, callback, args, context):
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def _asyncgen_finalizer_hook(self, agen):
        self._asyncgens.discard(agen)
        if not self.is_closed():
            self.closing += 1
            self.call_soon_threadsafe(self._close_dropped, agen.aclose())

    def _close_dropped(self, closing):
        self.closers.add(self.create_task(Closing(closing, self)))

    _close_dropped.__module__ = "asyncio"  # so that a tracer takes it for none of the program's

    def closed_dropped(self):
        self.closing -= 1
        if self.all_closed is not None and not self.closing and not self.all_closed.done():
            self.all_closed.set_result(None)

    closed_dropped.__module__ = "asyncio"

    async def until_closed(self):
        """Waits for the generators that were dropped and are still being closed."""
        while self.closing:
            self.all_closed = self.create_future()
            await self.all_closed

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
