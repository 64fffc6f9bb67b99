# An async generator that is read to its end, and one that is left early.
import asyncio


async def pages(count):
    print("connect")
    try:
        for number in range(count):
            await asyncio.sleep(1)
            yield f"page {number}"
    finally:
        await asyncio.sleep(0.5)
        print("disconnect")


async def main():
    async for page in pages(2):
        print(page)

    some = pages(1000)
    async for page in some:
        print(page)
        if page == "page 1":
            break
    await some.aclose()
    print("closed")


asyncio.run(main())
