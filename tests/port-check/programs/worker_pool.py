# Workers behind a bounded queue: answers by futures, a worker that is replaced, an orderly end.
import asyncio


class Pool:
    def __init__(self, size):
        self.queue = asyncio.Queue(3)
        self.workers = [self.start(number) for number in range(size)]
        self.done = 0

    def start(self, number):
        return asyncio.create_task(self.work(), name=f"worker-{number}")

    async def work(self):
        while True:
            job, answer = await self.queue.get()
            try:
                await asyncio.sleep(job / 4)
                if job == 13:
                    answer.set_exception(ValueError("unlucky"))
                elif not answer.done():
                    answer.set_result(job * job)
                self.done += 1
            except asyncio.CancelledError:
                answer.cancel()
                raise
            finally:
                self.queue.task_done()

    async def ask(self, job):
        answer = asyncio.get_running_loop().create_future()
        await self.queue.put((job, answer))
        return await answer

    async def replace(self, number):
        self.workers[number].cancel()
        await asyncio.wait([self.workers[number]])
        self.workers[number] = self.start(number)

    async def close(self):
        await self.queue.join()
        for worker in self.workers:
            worker.cancel()
        await asyncio.gather(*self.workers, return_exceptions=True)


async def asker(pool, job):
    try:
        print(job, "squared is", await pool.ask(job))
    except ValueError:
        print(job, "has failed")
    except asyncio.CancelledError:
        print(job, "was given up")


async def main():
    pool = Pool(2)
    askers = [asyncio.create_task(asker(pool, job)) for job in (4, 1, 13, 2, 8, 3)]
    await asyncio.sleep(3.5)
    await pool.replace(0)
    print("replaced a worker")
    try:
        print("in time", await asyncio.wait_for(pool.ask(1), 10))
        print("in time", await asyncio.wait_for(pool.ask(20), 1))
    except TimeoutError:
        print("too slow")
    await asyncio.gather(*askers)
    await pool.close()
    print("jobs done", pool.done)


asyncio.run(main())
