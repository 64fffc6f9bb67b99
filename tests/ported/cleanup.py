# A session that says goodbye also when it is cancelled, and one that stays.
import asyncio


async def session():
    print("connected")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print("saying goodbye")
        await asyncio.sleep(0.5)
        print("goodbye was said")
        raise


async def stays():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError as error:
        print("not now:", error)
    await asyncio.sleep(2)
    return "stayed"


async def main():
    task = asyncio.create_task(session())
    await asyncio.sleep(1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("the session is over")
    assert task.cancelled()

    task = asyncio.create_task(stays())
    await asyncio.sleep(1)
    task.cancel("go home")
    print(await task, task.cancelling())


asyncio.run(main())
