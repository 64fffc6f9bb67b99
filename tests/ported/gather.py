# gather: the first error, and all outcomes.
import asyncio


async def job(seconds, fails=False):
    await asyncio.sleep(seconds)
    print("job of", seconds, "is over")
    if fails:
        raise ValueError(f"after {seconds}")
    return seconds * 10


async def main():
    print(await asyncio.gather(job(3), job(1), job(2)))

    try:
        await asyncio.gather(job(3), job(1, fails=True), job(2))
    except ValueError as error:
        print("first error:", error)  # the others go on

    outcomes = await asyncio.gather(
        job(5), job(4, fails=True), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            print("error", outcome)
        else:
            print("result", outcome)


asyncio.run(main())
