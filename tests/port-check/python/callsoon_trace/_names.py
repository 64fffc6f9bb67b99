"""Names for what a task awaits, by the function of asyncio that has made the future."""

import asyncio
import os

_FOLDER = os.path.dirname(asyncio.__file__)

# By the qualified name of the function in asyncio that calls `create_future`.
_REASONS = {
    "sleep": "sleep",
    "Lock.acquire": "Lock.acquire",
    "Event.wait": "Event.wait",
    "Condition.wait": "Condition.wait",
    "Semaphore.acquire": "Semaphore.acquire",
    "Queue.get": "Queue.get",
    "Queue.put": "Queue.put",
    "gather": "gather",  # of nothing
    "shield": "shield",
    "_wait": "wait",
    "_cancel_and_wait": "wait",
    "wait_for": "wait",
    "TaskGroup.__aexit__": "TaskGroup",
    "TaskGroup._aexit": "TaskGroup",
    "wrap_future": "run_in_executor",
    "BaseEventLoop.shutdown_default_executor": "run_in_executor",
}

FUTURE = "future"
GATHER = "gather"
# The reasons of the futures that a program sees: only their ends have lines.
SEEN = {FUTURE, GATHER, "shield"}


def is_of_asyncio(code):
    return os.path.dirname(code.co_filename) == _FOLDER


def reason_of_frame(frame):
    """Why a future is awaited that is made by the function of this frame."""
    code = frame.f_code
    if not is_of_asyncio(code):
        return FUTURE
    name = code.co_qualname
    if name == "Queue.get" and frame.f_back is not None:
        # `as_completed` waits by a queue.
        caller = frame.f_back.f_code
        if is_of_asyncio(caller) and os.path.basename(caller.co_filename) == "tasks.py":
            return "wait"
    if name.startswith("BaseSelectorEventLoop.sock_"):
        return "connect" if name.endswith("sock_connect") else "readiness of a source"
    return _REASONS.get(name, FUTURE)
