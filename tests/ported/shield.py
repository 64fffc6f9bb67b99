# A shield: the waiter is cancelled, the inner task goes on.
import asyncio


async def save():
    print("saving")
    await asyncio.sleep(3)
    print("saved")
    return 7


async def request(saving):
    try:
        return await asyncio.shield(saving)
    except asyncio.CancelledError:
        print("the request is cancelled")
        raise


async def main():
    saving = asyncio.create_task(save())
    asking = asyncio.create_task(request(saving))
    await asyncio.sleep(1)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled() and not saving.done()
    print("bytes:", await saving)


asyncio.run(main())
