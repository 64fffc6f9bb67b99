# Jobs at their times: a heap, a task that sleeps until the next, jobs that are added, moved and cancelled.
import asyncio
import heapq


class Scheduler:
    def __init__(self):
        self.jobs = []
        self.made = 0
        self.changed = asyncio.Event()
        self.running = set()

    def add(self, when, name, takes):
        self.made += 1
        heapq.heappush(self.jobs, (when, self.made, name, takes))
        self.changed.set()

    def cancel(self, name):
        self.jobs = [job for job in self.jobs if job[2] != name]
        heapq.heapify(self.jobs)
        self.changed.set()

    async def run(self):
        loop = asyncio.get_running_loop()
        while True:
            self.changed.clear()
            if not self.jobs:
                await self.changed.wait()
                continue
            delay = self.jobs[0][0] - loop.time()
            if delay > 0:
                try:
                    await asyncio.wait_for(self.changed.wait(), delay)
                except TimeoutError:
                    pass
                continue
            _, _, name, takes = heapq.heappop(self.jobs)
            task = asyncio.create_task(self.work(name, takes), name=name)
            self.running.add(task)
            task.add_done_callback(self.running.discard)

    async def work(self, name, takes):
        print("begin", name)
        try:
            await asyncio.sleep(takes)
            print("end", name)
        except asyncio.CancelledError:
            print("break", name)
            raise


async def main():
    loop = asyncio.get_running_loop()
    scheduler = Scheduler()
    runner = asyncio.create_task(scheduler.run(), name="runner")
    scheduler.add(2, "backup", 3)
    scheduler.add(1, "mail", 0.5)
    scheduler.add(6, "never", 1)
    loop.call_later(1.5, scheduler.add, 1.75, "urgent", 1)
    loop.call_later(4, scheduler.cancel, "never")
    reminder = loop.call_later(5, print, "not shown")
    await asyncio.sleep(4.5)
    reminder.cancel()
    loop.call_soon(scheduler.add, 5, "long", 100)
    scheduler.add(5, "short", 0)
    await asyncio.sleep(3)
    print("running", len(scheduler.running))
    left = list(scheduler.running)
    for task in [runner, *left]:
        task.cancel()
    await asyncio.gather(runner, *left, return_exceptions=True)
    print("running", len(scheduler.running))


asyncio.run(main())
