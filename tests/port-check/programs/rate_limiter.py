# A token bucket that clients share, one of which has no patience.
import asyncio


class RateLimiter:
    def __init__(self, every, burst):
        self.every = every
        self.burst = burst
        self.tokens = burst
        self.filled = asyncio.get_running_loop().time()
        self.lock = asyncio.Lock()

    def fill(self):
        now = asyncio.get_running_loop().time()
        while self.filled + self.every <= now:
            self.filled += self.every
            self.tokens = min(self.tokens + 1, self.burst)

    async def acquire(self):
        async with self.lock:
            self.fill()
            while self.tokens == 0:
                now = asyncio.get_running_loop().time()
                await asyncio.sleep(self.filled + self.every - now)
                self.fill()
            self.tokens -= 1


async def client(name, limiter, requests, takes):
    for number in range(requests):
        await limiter.acquire()
        print(name, "sends", number)
        await asyncio.sleep(takes)
    return name


async def impatient(limiter):
    given_up = 0
    for _ in range(3):
        try:
            async with asyncio.timeout(0.75):
                await limiter.acquire()
            print("the impatient one sends")
        except TimeoutError:
            given_up += 1
            print("the impatient one gives up")
            await asyncio.sleep(1)
    return given_up


async def main():
    limiter = RateLimiter(0.5, 2)
    clients = [
        asyncio.create_task(client(name, limiter, requests, takes), name=name)
        for name, requests, takes in (("ann", 4, 0), ("bob", 3, 0.25), ("cyd", 2, 1))
    ]
    hasty = asyncio.create_task(impatient(limiter), name="hasty")
    print("done:", *await asyncio.gather(*clients))
    print("given up:", await hasty)
    late = asyncio.create_task(client("late", limiter, 100, 0), name="late")
    await asyncio.sleep(2.125)
    late.cancel()
    try:
        await late
    except asyncio.CancelledError:
        print("late is cancelled, the lock is", "held" if limiter.lock.locked() else "free")


asyncio.run(main())
