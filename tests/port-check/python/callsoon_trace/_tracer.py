"""The tracer: what the tasks, callbacks and timers of a loop do, as lines.

It looks on at the places where a loop makes and runs its handles, and changes no order: each handle
that the loop makes gets a class that tells when it runs and when it is cancelled, and each task an
attribute `cancel` that tells when it is asked to. The first step of an eager task has no handle: it
follows a call of the loop's `is_running`.
"""

import asyncio
import functools
import gc
import re
import sys
import threading
import weakref
from asyncio import events, futures, tasks

from . import _names

VERSION = 1

_TASKS = (tasks.Task, tasks._PyTask)
_STEPS = {"TaskStepMethWrapper", "TaskWakeupMethWrapper"}
_STEP_NAMES = {"task_wakeup", "__step", "__wakeup", "_PyTask__step", "_PyTask__wakeup"}
_DEFAULT_NAME = re.compile(r"Task-\d+")


def format_time(seconds):
    """A time in seconds, to the nanosecond, without zeros at the end."""
    text = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return text or "0"


def task_of_step(callback):
    """The task whose step `callback` is, if it is one."""
    task = getattr(callback, "__self__", None)
    if not isinstance(task, _TASKS):
        return None
    if type(callback).__name__ in _STEPS or getattr(callback, "__name__", "") in _STEP_NAMES:
        return task
    return None


def is_internal(callback):
    """Whether a callback is asyncio's own."""
    while isinstance(callback, functools.partial):
        callback = callback.func
    return (getattr(callback, "__module__", None) or "").split(".")[0] == "asyncio"


def outcome_of(future):
    if future.cancelled():
        return "cancelled"
    # Not `exception()`, after which it would count as retrieved.
    error = future._exception
    return "result" if error is None else f"error {name_of_error(error)}"


def name_of_error(error):
    """The name of an error's class; the system's errors are all of one."""
    if isinstance(error, OSError) and not isinstance(error, TimeoutError) and is_of_system(error):
        return "OSError"
    if isinstance(error, BaseExceptionGroup):
        return "ExceptionGroup"
    return type(error).__name__


def is_of_system(error):
    return type(error).__module__ in ("builtins", "socket", "ssl")


class TracedHandle:
    """What the class of a traced handle has besides its own."""

    __slots__ = ()

    def _run(self):
        tracer = _tracers.get(self._loop)
        if tracer is None:
            return super()._run()
        tracer.begin_entry(self)
        try:
            return super()._run()
        finally:
            tracer.end_entry()

    def cancel(self):
        tracer = None if self._cancelled else _tracers.get(self._loop)
        if tracer is not None:
            tracer.note_handle_cancelled(self)
        super().cancel()


@functools.cache
def _traced_class(plain):
    return type(plain.__name__, (TracedHandle, plain), {"__slots__": (), "__module__": plain.__module__})


class TaskRecord:
    """A task as lines name it: by the last name that the program gave it."""

    def __init__(self, number, task):
        self.number = number
        self.ended = False
        self.name = None
        self._task = weakref.ref(task)

    def read_name(self):
        task = self._task()
        if task is not None:
            name = task.get_name()
            self.name = None if _DEFAULT_NAME.fullmatch(name) or name == "None" else name
        return self.name

    def __str__(self):
        name = self.read_name()
        if name is None:
            return f"t{self.number}"
        return f"t{self.number}:" + re.sub(r"\s", "_", name)


class Cancel:
    """A task's `cancel`, which tells the tracer."""

    def __init__(self, tracer, task):
        self._tracer = tracer
        self._task = weakref.ref(task)

    def __call__(self, msg=None):
        task = self._task()
        if task is None:
            return False
        if not task.done():
            self._tracer.note_cancel(task)
        return type(task).cancel(task, msg)


class Tracer:
    """What one loop does, as lines. `lines()` returns them."""

    def __init__(self, loop, *, virtual=False):
        self._parts = []
        self._is_virtual = virtual
        self._loop = weakref.ref(loop)
        self._tasks = weakref.WeakKeyDictionary()
        self._task_count = self._future_count = self._timer_count = self._call_count = 0
        self._turn = 0
        self._has_turn = False
        self._head = None
        self._handles = {}  # by id: what lines call a handle that has neither run nor been cancelled
        self._running = None  # the task whose step goes on
        # The tasks whose first step goes on inside of another entry, each with the task that ran before.
        self._eager = []
        self.on_future = lambda future, frame: None
        self._thread = threading.get_ident()
        self._instrument(loop)

    # -- instruments

    def _instrument(self, loop):
        _tracers[loop] = self
        make_call, make_timer = loop._call_soon, loop.call_at
        make_future, run_once = loop.create_future, loop._run_once

        def _call_soon(callback, args, context):
            handle = make_call(callback, args, context)
            handle.__class__ = _traced_class(type(handle))
            if threading.get_ident() == self._thread:
                # Behind the frame of `call_soon`; that of `call_soon_threadsafe` may be the last.
                caller = sys._getframe(1).f_back
                self._note_scheduled(handle, caller is not None and _names.is_of_asyncio(caller.f_code))
            return handle

        def call_at(when, callback, *args, **kwargs):
            timer = make_timer(when, callback, *args, **kwargs)
            timer.__class__ = _traced_class(type(timer))
            self._note_timer(timer)
            return timer

        def create_future():
            future = make_future()
            frame = sys._getframe(1)
            self.on_future(future, frame)
            reason = _names.reason_of_frame(frame)
            if reason != _names.FUTURE:
                future._callsoon_reason = reason
            return future

        def _run_once():
            self._thread = threading.get_ident()
            self._has_turn = True
            self._head = None
            try:
                run_once()
            finally:
                self._has_turn = False
                self._head = "outside"

        def call_soon_threadsafe(callback, *args, context=None):
            loop._check_closed()
            if loop.get_debug():
                loop._check_callback(callback, "call_soon_threadsafe")
            # Another thread must not see the class change: the loop may run the handle at once.
            handle = _traced_class(events._ThreadSafeHandle)(callback, args, loop, context)
            if threading.get_ident() == self._thread:
                self._note_scheduled(handle)
            loop._ready.append(handle)
            loop._write_to_self()
            return handle

        def is_running():
            runs = ask_running()
            if runs and threading.get_ident() == self._thread:
                task = self._find_eager_task(sys._getframe(1))
                if task is not None:
                    self._begin_eager_step(task)
            return runs

        if hasattr(asyncio, "eager_task_factory"):
            ask_running, loop.is_running = loop.is_running, is_running
        loop._call_soon, loop.call_at = _call_soon, call_at
        loop.create_future, loop._run_once = create_future, _run_once
        # From CPython 3.14 on these do not come by `_call_soon`.
        if hasattr(events, "_ThreadSafeHandle"):
            loop.call_soon_threadsafe = call_soon_threadsafe
        # In selector loops readers and writers come by this.
        add_callback = getattr(loop, "_add_callback", None)
        if add_callback is not None:

            def _add_callback(handle):
                if type(handle) is events.Handle:
                    handle.__class__ = _traced_class(type(handle))
                return add_callback(handle)

            loop._add_callback = _add_callback
        self._head = "outside"

    # -- lines

    def emit(self, *parts):
        if self._has_turn:
            self._has_turn = False
            self._turn += 1
            self._parts.append((f"turn {self._turn} at {format_time(self._loop().time())}",))
        if self._head is not None:
            self._parts.append((self._head,))
            self._head = None
        self._parts.append(parts)

    def lines(self):
        kind = "virtual" if self._is_virtual else "real"
        return [f"callsoon-trace {VERSION} {kind}", *(" ".join(map(str, parts)) for parts in self._parts)]

    def log(self, text):
        self._end_eager_steps()
        text = str(text).replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
        self.emit("log", text)

    # -- tasks and futures

    def record(self, task):
        record = self._tasks.get(task)
        if record is None:
            self._task_count += 1
            record = self._tasks[task] = TaskRecord(self._task_count, task)
            try:
                task.cancel = Cancel(self, task)
            except AttributeError:
                pass  # of a class with slots
            self.emit("make", record)
        return record

    def _reason(self, future):
        if isinstance(future, tasks._GatheringFuture):
            return _names.GATHER
        return getattr(future, "_callsoon_reason", _names.FUTURE)

    def _name(self, future):
        if isinstance(future, _TASKS):
            return self.record(future)
        reason = self._reason(future)
        if reason != _names.FUTURE:
            return reason
        number = getattr(future, "_callsoon_number", None)
        if number is None:
            self._future_count += 1
            number = future._callsoon_number = self._future_count
        return f"future{number}"

    def _note_future_end(self, future):
        if isinstance(future, _TASKS):
            record = self.record(future)
            if not record.ended:
                record.ended = True
                record.read_name()
                self.emit("end", record, outcome_of(future))
        elif not getattr(future, "_callsoon_ended", False):
            future._callsoon_ended = True
            if self._reason(future) in _names.SEEN:
                self.emit("set", self._name(future), outcome_of(future))

    def note_cancel(self, task):
        self._end_eager_steps()
        self.emit("cancel", self.record(task))

    # -- eager tasks

    def _find_eager_task(self, frame):
        """The task that is being made in `frame` and takes its first step now, if there is one.

        The constructor of a task in C asks whether the loop runs, just before that step. It has no
        frame, so the task is searched for among the objects: it is the only one of the loop that has a
        coroutine and that no line has named, as others were scheduled when they were made.
        """
        if frame.f_code is tasks._PyTask.__init__.__code__:
            return frame.f_locals["self"]
        # A collection may make a new object an older one. A function that calls `is_running` itself
        # is not worth a search of all objects.
        generations = (0, 1) if "is_running" in frame.f_code.co_names else (0, 1, 2)
        loop = self._loop()
        for generation in generations:
            for task in reversed(gc.get_objects(generation=generation)):
                # Not `isinstance`, which may run code of the object's.
                if not issubclass(type(task), _TASKS) or task.done() or task in self._tasks:
                    continue
                if task._loop is loop and getattr(task, "_coro", None) is not None:
                    return task
        return None

    def _begin_eager_step(self, task):
        self._end_eager_steps()
        self.emit("step", self.record(task))
        self._eager.append((task, self._running, self._watch_end(task)))
        self._running = task

    def _watch_end(self, task):
        """Ends the first step of `task` at once if the task ends in it, as the task then lets its
        coroutine go. Otherwise the next line ends that step. Returns what watches."""
        weak_self, weak_task = weakref.ref(self), weakref.ref(task)

        def end_step(_coroutine):
            self, task = weak_self(), weak_task()
            if self is not None and task is not None and task.done():
                self._end_eager_steps()

        try:
            return weakref.ref(task.get_coro(), end_step)
        except TypeError:
            return None

    def _end_eager_steps(self):
        """Writes the ends of those first steps that are over. Comes before any other line."""
        while self._eager and asyncio.current_task(self._loop()) is not self._eager[-1][0]:
            task, self._running, _watch = self._eager.pop()
            self._after_step(task)

    # -- entries

    def _note_scheduled(self, handle, by_asyncio=False):
        self._end_eager_steps()
        callback, args = handle._callback, handle._args
        task = task_of_step(callback)
        if task is not None:
            if args and futures.isfuture(args[0]):
                self._note_future_end(args[0])
            is_new = task not in self._tasks
            record = self.record(task)
            yields = task is self._running and not args
            if not is_new and not yields:
                self.emit("wake", record)
        elif len(args) == 1 and futures.isfuture(args[0]) and args[0].done():
            future = args[0]
            if not (isinstance(future, tasks._GatheringFuture) and is_end_of_run(callback)):
                self._note_future_end(future)
        elif not (by_asyncio or is_internal(callback)):
            self._call_count += 1
            name = self._handles[id(handle)] = f"call{self._call_count}"
            self.emit("make", name)

    def _note_timer(self, timer):
        if is_limit(timer._callback):
            return
        self._end_eager_steps()
        self._timer_count += 1
        name = self._handles[id(timer)] = f"timer{self._timer_count}"
        self.emit("make", name, "due", format_time(timer._when))

    def note_handle_cancelled(self, handle):
        self._end_eager_steps()
        name = self._handles.pop(id(handle), None)
        if name is not None:
            self.emit("cancel", name)

    def begin_entry(self, handle):
        name = self._handles.pop(id(handle), None)
        self._head = None
        if name is not None:
            self.emit(name)
            return
        callback, args = handle._callback, handle._args
        task = task_of_step(callback)
        if task is not None:
            self._running = task
            if task.done():
                self._running = None
                self._head = "callback"
                return
            self.emit("step", self.record(task), *self._thrown(task, args))
        else:
            self._head = "callback"

    def _thrown(self, task, args):
        if task._must_cancel:
            return ("throws cancelled",)
        awaited = args[0] if args and futures.isfuture(args[0]) else None
        if awaited is None or not awaited.done():
            return ()
        outcome = outcome_of(awaited)
        return () if outcome == "result" else (f"throws {outcome}",)

    def end_entry(self):
        self._end_eager_steps()
        task, self._running = self._running, None
        self._after_step(task)
        self._head = None

    def _after_step(self, task):
        if task is None:
            return
        if task.done():
            self._note_future_end(task)
            return
        awaited = task._fut_waiter
        if awaited is None:
            self.emit("yield", self.record(task))
        else:
            self.emit("wait", self.record(task), "on", self._name(awaited))


def is_end_of_run(callback):
    return getattr(callback, "__name__", "") == "_run_until_complete_cb"


def is_limit(callback):
    """Whether it ends the time of `wait` or `as_completed`, which has no lines: when those take it back
    is left open. Nor has that of a handshake or of the end of a connection over TLS."""
    return getattr(callback, "__module__", "") in ("asyncio.tasks", "asyncio.sslproto")


_tracers = weakref.WeakKeyDictionary()


def tracer_of(loop):
    return _tracers.get(loop)
