import asyncio
import functools
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import callsoon_trace

PACKAGE = Path(__file__).parent.parent


def trace_of(main, **options):
    with callsoon_trace.trace(virtual_time=True, **options) as traced:
        asyncio.run(main())
    return traced.text().splitlines()


def until_end_of(lines, task):
    return lines[: next(i for i, line in enumerate(lines) if line.startswith(f"end {task}")) + 1]


class Lines(unittest.TestCase):
    def test_sleep(self):
        async def main():
            await asyncio.sleep(2)

        self.assertEqual(until_end_of(trace_of(main), "t1"), [
            "callsoon-trace 1 virtual", "outside", "make t1",
            "turn 1 at 0", "step t1", "make timer1 due 2", "wait t1 on sleep",
            "turn 2 at 2", "timer1", "wake t1",
            "turn 3 at 2", "step t1", "end t1 result",
        ])

    def test_cancel_and_names(self):
        async def worker():
            await asyncio.sleep(5)

        async def main():
            task = asyncio.create_task(worker(), name="the worker")
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                callsoon_trace.log("gone\nfor good")

        self.assertEqual(until_end_of(trace_of(main), "t1")[3:], [
            "turn 1 at 0", "step t1", "make t2:the_worker", "yield t1",
            "turn 2 at 0", "step t2:the_worker", "make timer1 due 5", "wait t2:the_worker on sleep",
            "step t1", "cancel t2:the_worker", "wake t2:the_worker", "wait t1 on t2:the_worker",
            "turn 3 at 0", "step t2:the_worker throws cancelled", "cancel timer1",
            "end t2:the_worker cancelled", "wake t1",
            "turn 4 at 0", "step t1 throws cancelled", "log gone\\nfor good", "end t1 result",
        ])

    def test_errors_are_named(self):
        class BadJob(Exception):
            pass

        async def fail(error):
            raise error

        async def main():
            errors = [BadJob(), TimeoutError(), ConnectionResetError(), BaseExceptionGroup("", [BadJob()])]
            await asyncio.gather(*map(fail, errors), return_exceptions=True)
            try:
                await asyncio.create_task(fail(asyncio.QueueEmpty()))
            except asyncio.QueueEmpty:
                pass

        lines = trace_of(main)
        ends = [line for line in lines if line.startswith("end t")][:5]
        names = ["BadJob", "TimeoutError", "OSError", "ExceptionGroup", "QueueEmpty"]
        self.assertEqual(ends, [f"end t{number} error {name}" for number, name in enumerate(names, 2)])
        self.assertIn("step t1 throws error QueueEmpty", lines)

    @unittest.skipUnless(hasattr(socket, "AF_UNIX"), "needs socket pairs")
    def test_calls_of_asyncio_itself_have_no_lines(self):
        async def main():
            ours, theirs = socket.socketpair()
            loop = asyncio.get_running_loop()
            transport, _protocol = await loop.create_connection(asyncio.Protocol, sock=ours)
            transport.abort()
            await asyncio.sleep(0)
            theirs.close()
            asyncio.gather().add_done_callback(lambda _future: None)

        lines = until_end_of(trace_of(main), "t1")
        self.assertFalse([line for line in lines if "call1" in line], lines)
        self.assertIn("set gather result", lines)

    def test_primitives_are_named(self):
        async def main():
            lock, event, queue = asyncio.Lock(), asyncio.Event(), asyncio.Queue(1)
            semaphore, condition = asyncio.Semaphore(0), asyncio.Condition()
            future = asyncio.get_running_loop().create_future()

            async def wait_for_condition():
                async with condition:
                    await condition.wait()

            await lock.acquire()
            queue.put_nowait(1)
            waits = [lock.acquire(), event.wait(), queue.put(2), semaphore.acquire(), wait_for_condition()]
            tasks = [asyncio.create_task(wait) for wait in waits]
            await asyncio.sleep(0)
            queue.get_nowait()
            tasks.append(asyncio.create_task(asyncio.Queue().get()))
            tasks.append(asyncio.ensure_future(asyncio.wait_for(future, None)))
            await asyncio.wait(tasks, timeout=1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        on = [line.split(" on ")[1] for line in trace_of(main) if line.startswith("wait ")]
        self.assertEqual(on, [
            "Lock.acquire", "Event.wait", "Queue.put", "Semaphore.acquire", "Condition.wait",
            "wait", "Queue.get", "future1", "gather",
        ])

    def test_callbacks_and_handles(self):
        async def main():
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: None)
            loop.call_soon(lambda: None).cancel()
            loop.call_later(3, lambda: None).cancel()
            loop.call_at(1, lambda: loop.call_soon(lambda: None))
            await asyncio.sleep(2)

        lines = until_end_of(trace_of(main), "t1")
        self.assertEqual(lines[4:], [
            "step t1", "make call1", "make call2", "cancel call2", "make timer1 due 3", "cancel timer1",
            "make timer2 due 1", "make timer3 due 2", "wait t1 on sleep",
            "turn 2 at 0", "call1",
            "turn 3 at 1", "timer2", "make call3",
            "turn 4 at 1", "call3",
            "turn 5 at 2", "timer3", "wake t1",
            "turn 6 at 2", "step t1", "end t1 result",
        ])

    def test_pure_python_tasks(self):
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_task_factory(lambda loop, coro, **kwargs: asyncio.tasks._PyTask(coro, loop=loop, **kwargs))
            task = loop.create_task(asyncio.sleep(1))
            await asyncio.sleep(0.5)
            task.cancel()
            await asyncio.wait([task])

        self.assertIn("step t2 throws cancelled", trace_of(main))

    @unittest.skipUnless(hasattr(asyncio, "eager_task_factory"), "has no eager tasks")
    def test_eager_tasks(self):
        async def in_one_step():
            pass

        async def in_two_steps():
            await asyncio.sleep(0)

        def by_class(coroutine):
            return asyncio.Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)

        def by_subclass(coroutine):
            class Task(asyncio.Task):
                pass

            return Task(coroutine, loop=asyncio.get_running_loop(), eager_start=True)

        def by_python_class(coroutine):
            return asyncio.tasks._PyTask(coroutine, loop=asyncio.get_running_loop(), eager_start=True)

        def by_function(coroutine):
            return asyncio.eager_task_factory(asyncio.get_running_loop(), coroutine)

        def by_factory(coroutine):
            loop = asyncio.get_running_loop()
            loop.set_task_factory(asyncio.eager_task_factory)
            try:
                return asyncio.create_task(coroutine)
            finally:
                loop.set_task_factory(None)

        def by_argument(coroutine):
            return asyncio.create_task(coroutine, eager_start=True)

        def by_one_that_asks(coroutine):
            loop = asyncio.get_running_loop()
            self.assertTrue(loop.is_running())
            return asyncio.Task(coroutine, loop=loop, eager_start=True)

        makers = [by_class, by_subclass, by_python_class, by_function, by_factory, by_one_that_asks]
        if sys.version_info >= (3, 14):
            makers.append(by_argument)
        for make in makers:
            async def main():
                first, second = make(in_one_step()), make(in_two_steps())
                await first
                await second

            with self.subTest(make.__name__):
                # As of `create_eager_task`.
                self.assertEqual(until_end_of(trace_of(main), "t1")[3:], [
                    "turn 1 at 0", "step t1", "make t2", "step t2", "end t2 result",
                    "make t3", "step t3", "yield t3", "wait t1 on t3",
                    "turn 2 at 0", "step t3", "end t3 result", "wake t1",
                    "turn 3 at 0", "step t1", "end t1 result",
                ])

    @unittest.skipUnless(hasattr(asyncio, "eager_task_factory"), "has no eager tasks")
    def test_eager_tasks_inside_of_eager_tasks(self):
        async def inner(event):
            callsoon_trace.log("inner")
            await event.wait()

        async def outer(event):
            task = make(inner(event), "inner")
            event.set()
            task.cancel()
            await asyncio.wait([task])
            raise ValueError

        def make(coroutine, name):
            loop = asyncio.get_running_loop()
            return asyncio.Task(coroutine, loop=loop, name=name, eager_start=True)

        async def main():
            task = make(outer(asyncio.Event()), "outer")
            await asyncio.wait([task])
            task.exception()

        lines = until_end_of(trace_of(main), "t1")
        self.assertEqual(lines[4:], [
            "step t1", "make t2:outer", "step t2:outer", "make t3:inner", "step t3:inner", "log inner",
            "wait t3:inner on Event.wait", "wake t3:inner", "cancel t3:inner", "wait t2:outer on wait",
            "wait t1 on wait",
            "turn 2 at 0", "step t3:inner throws cancelled", "end t3:inner cancelled",
            "turn 3 at 0", "callback", "wake t2:outer",
            "turn 4 at 0", "step t2:outer", "end t2:outer error ValueError",
            "turn 5 at 0", "callback", "wake t1",
            "turn 6 at 0", "step t1", "end t1 result",
        ])

    @unittest.skipUnless(hasattr(asyncio, "eager_task_factory"), "has no eager tasks")
    def test_eager_tasks_of_callbacks(self):
        async def fail(error):
            raise error

        async def main():
            loop = asyncio.get_running_loop()
            kept = fail(KeyError())

            def call():
                by = functools.partial(asyncio.Task, loop=loop, eager_start=True)
                by(kept).exception()
                by(fail(asyncio.CancelledError()))
                callsoon_trace.log("behind")

            loop.call_soon(call)
            await asyncio.sleep(0)

        lines = until_end_of(trace_of(main), "t1")
        self.assertEqual(lines[4:], [
            "step t1", "make call1", "yield t1",
            "turn 2 at 0", "call1", "make t2", "step t2", "end t2 error KeyError",
            "make t3", "step t3", "end t3 cancelled", "log behind", "step t1", "end t1 result",
        ])

    @unittest.skipUnless(hasattr(asyncio, "eager_task_factory"), "has no eager tasks")
    def test_tasks_end_as_early_as_without_the_tracer(self):
        async def fail():
            raise ValueError

        async def main():
            loop = asyncio.get_running_loop()
            reported = []
            loop.set_exception_handler(lambda _loop, context: reported.append(context))
            asyncio.Task(fail(), loop=loop, eager_start=True)
            self.assertEqual(len(reported), 1)

        trace_of(main)

    def test_threads_take_no_virtual_time(self):
        async def main():
            await asyncio.to_thread(sum, [1, 2])
            self.assertEqual(asyncio.get_running_loop().time(), 0)

        self.assertIn("wait t1 on run_in_executor", trace_of(main))

    def test_callbacks_from_threads(self):
        async def main():
            loop = asyncio.get_running_loop()
            event = asyncio.Event()
            thread = threading.Thread(target=loop.call_soon_threadsafe, args=(event.set,))
            thread.start()
            thread.join()
            loop.call_soon_threadsafe(lambda: None)
            await event.wait()
            await asyncio.to_thread(lambda: None)

        lines = until_end_of(trace_of(main), "t1")
        self.assertEqual(lines[3:], [
            "turn 1 at 0", "step t1", "make call1", "wait t1 on Event.wait",
            "turn 2 at 0", "callback", "wake t1", "call1",
            "turn 3 at 0", "step t1", "wait t1 on run_in_executor",
            "turn 4 at 0", "callback", "wake t1",
            "turn 5 at 0", "step t1", "end t1 result",
        ])

    def test_far_times(self):
        async def main():
            await asyncio.sleep(1e8 + 0.5)
            await asyncio.sleep(0.25)
            self.assertEqual(asyncio.get_running_loop().time(), 1e8 + 0.75)

        self.assertIn("turn 2 at 100000000.5", trace_of(main))

    def test_stalled_loop_is_an_error(self):
        async def main():
            await asyncio.get_running_loop().create_future()

        with self.assertRaises(callsoon_trace.Stalled):
            trace_of(main)

    def test_child_is_waited_for(self):
        async def main():
            command = "import sys; sys.stdin.read(); print('done')"
            pipe = asyncio.subprocess.PIPE
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", command, stdin=pipe, stdout=pipe)
            self.assertEqual(await child.communicate(b""), (b"done\n", None))

        self.assertIn("end t1 result", trace_of(main))

    def test_wall_clock_is_the_loops(self):
        async def main():
            before = time.time()
            await asyncio.sleep(3600)
            self.assertEqual(time.time() - before, 3600)

        real = time.time
        trace_of(main)
        self.assertIs(time.time, real)

    def test_real_time(self):
        async def main():
            await asyncio.sleep(0)

        with callsoon_trace.trace() as traced:
            asyncio.run(main())
        self.assertTrue(traced.text().startswith("callsoon-trace 1 real\noutside\nmake t1\n"))

    def test_nothing_is_traced_after_the_block(self):
        async def main():
            callsoon_trace.log("not there")

        with callsoon_trace.trace() as traced:
            pass
        asyncio.run(main())
        self.assertEqual(traced.text(), "")


class Command(unittest.TestCase):
    def run_program(self, text, *options):
        with tempfile.TemporaryDirectory() as folder:
            program, trace = Path(folder) / "program.py", Path(folder) / "trace"
            program.write_text(text)
            command = [sys.executable, "-B", "-m", "callsoon_trace", *options, "-o", trace, program, "argument"]
            environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
            ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
            return ran, trace.read_text()

    def test_program_with_arguments(self):
        text = "import asyncio, sys\nasync def main():\n    print(sys.argv[1:])\n    await asyncio.sleep(9)\nasyncio.run(main())\n"
        ran, trace = self.run_program(text, "--virtual-time", "--print")
        self.assertEqual((ran.returncode, ran.stdout), (0, "['argument']\n"), ran.stderr)
        self.assertIn("log ['argument']\nmake timer1 due 9\n", trace)

    def test_program_that_fails_leaves_its_trace(self):
        text = "import asyncio\nasync def main():\n    1 / 0\nasyncio.run(main())\n"
        ran, trace = self.run_program(text)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("end t1 error ZeroDivisionError\n", trace)


if __name__ == "__main__":
    unittest.main()
