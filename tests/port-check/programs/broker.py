# Publishers and subscribers: bounded queues, a subscriber that is too slow, one that leaves, a shutdown.
import asyncio


class Broker:
    def __init__(self):
        self.topics = {}
        self.lock = asyncio.Lock()
        self.idle = asyncio.Condition()
        self.in_flight = 0

    async def subscribe(self, topic, size):
        queue = asyncio.Queue(size)
        async with self.lock:
            await asyncio.sleep(0)  # as a look-up elsewhere would take
            self.topics.setdefault(topic, []).append(queue)
        return queue

    async def publish(self, topic, message):
        async with self.idle:
            self.in_flight += 1
        async with self.lock:
            queues = list(self.topics.get(topic, []))
        for queue in queues:
            try:
                async with asyncio.timeout(1):
                    await queue.put(message)
            except TimeoutError:
                print("drops a subscriber of", topic)
                async with self.lock:
                    self.topics[topic].remove(queue)
        async with self.idle:
            self.in_flight -= 1
            self.idle.notify_all()

    async def drain(self):
        async with self.idle:
            await self.idle.wait_for(lambda: self.in_flight == 0)


async def subscriber(broker, name, topic, size, takes, most):
    queue = await broker.subscribe(topic, size)
    seen = 0
    try:
        while seen < most:
            message = await queue.get()
            await asyncio.sleep(takes)
            seen += 1
            print(name, "has read", message)
    except asyncio.CancelledError:
        print(name, "is stopped after", seen)
        raise
    print(name, "leaves")
    return seen


async def publisher(broker, topic, count, every):
    for number in range(count):
        await broker.publish(topic, f"{topic}-{number}")
        await asyncio.sleep(every)


async def main():
    broker = Broker()
    subscribers = [
        asyncio.create_task(subscriber(broker, *options), name=options[0])
        for options in (
            ("quick", "news", 2, 0, 100),
            ("slow", "news", 1, 5, 100),
            ("brief", "news", 2, 0.25, 2),
            ("sport", "sport", 1, 0.5, 100),
        )
    ]
    await asyncio.sleep(0.5)
    async with asyncio.TaskGroup() as group:
        group.create_task(publisher(broker, "news", 5, 0.5))
        group.create_task(publisher(broker, "sport", 4, 0.125))
        group.create_task(publisher(broker, "empty", 2, 0))
    await broker.drain()
    print("drained")
    for task in subscribers:
        task.cancel()
    outcomes = await asyncio.gather(*subscribers, return_exceptions=True)
    print(sum(isinstance(outcome, int) for outcome in outcomes), "have left by themselves")


asyncio.run(main())
