# Timeouts: one that passes, one that is moved, one around a cancellation.
import asyncio


async def slow(seconds):
    try:
        await asyncio.sleep(seconds)
        return "answer"
    except asyncio.CancelledError:
        await asyncio.sleep(0.25)
        print("the slow one has tidied up")
        raise


async def main():
    try:
        async with asyncio.timeout(1):
            await slow(5)
    except TimeoutError:
        print("out of time")

    async with asyncio.timeout(1) as scope:
        now = asyncio.get_running_loop().time()
        scope.reschedule(now + 10)
        print(await slow(5))

    try:
        await asyncio.wait_for(slow(5), 2)
    except TimeoutError:
        print("out of time again")

    async def impatient():
        async with asyncio.timeout(100):
            await slow(50)

    task = asyncio.create_task(impatient())
    await asyncio.sleep(1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled, which is no timeout")


asyncio.run(main())
