# A task group: one fails, the others are cancelled and clean up first.
import asyncio


async def fetch(name, seconds):
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        print(name, "hangs up")
        await asyncio.sleep(0.5)
        raise
    if name == "bad":
        raise ValueError("bad page")
    print(name, "fetched")
    return len(name)


async def main():
    async with asyncio.TaskGroup() as group:
        one = group.create_task(fetch("one", 2))
        three = group.create_task(fetch("three", 1))
    print("sizes", one.result(), three.result())

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fetch("quick", 1))
            group.create_task(fetch("bad", 2))
            group.create_task(fetch("slow", 10))
            await asyncio.sleep(3600)
    except* ValueError as failed:
        for error in failed.exceptions:
            print("failed:", error)


asyncio.run(main())
