# A bounded queue, its producer, its workers, and the end of them.
import asyncio


async def worker(name, queue):
    while True:
        item = await queue.get()
        await asyncio.sleep(item)
        print(name, "has done", item)
        queue.task_done()


async def main():
    queue = asyncio.Queue(2)
    workers = [
        asyncio.create_task(worker(name, queue)) for name in ("ann", "bob")
    ]
    for item in (3, 1, 2, 1, 1):
        await queue.put(item)
        print("put", item, "size", queue.qsize())
    await queue.join()
    print("all is done")
    for task in workers:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    print([task.cancelled() for task in workers].count(True), "workers left")


asyncio.run(main())
