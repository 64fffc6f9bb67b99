# A client that asks again, with a longer pause each time, of a server that is slow or fails at first.
import asyncio


class Unavailable(Exception):
    pass


class Server:
    def __init__(self, script):
        self.script = script  # seconds until the answer, negative for a failure
        self.asked = 0
        self.busy = asyncio.Semaphore(2)

    async def ask(self, what):
        async with self.busy:
            takes = self.script[self.asked % len(self.script)]
            self.asked += 1
            await asyncio.sleep(abs(takes))
            if takes < 0:
                raise Unavailable(what)
            return what.upper()


async def retry(server, what, attempts):
    pause = 0.5
    for attempt in range(attempts):
        try:
            async with asyncio.timeout(2):
                answer = await server.ask(what)
            print(what, "answered", answer)
            return answer
        except TimeoutError:
            print(what, "timed out", attempt)
        except Unavailable:
            print(what, "failed", attempt)
        await asyncio.sleep(pause)
        pause *= 2
    raise Unavailable(what)


async def main():
    server = Server([3, -0.25, 1, -1, 0.5, 4])
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(retry(server, what, 6), name=what) for what in ("a", "b", "c")]
    print(*[task.result() for task in tasks])
    failing = Server([-1])
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(retry(failing, "x", 2), name="x")
            group.create_task(retry(server, "y", 3), name="y")
            group.create_task(asyncio.sleep(60), name="z")
    except* Unavailable as errors:
        print("gave up", *errors.exceptions)


asyncio.run(main())
