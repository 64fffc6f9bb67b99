# Functions that block, on the loop's own threads and on those of a pool.
import asyncio
from concurrent.futures import ThreadPoolExecutor


def digits(text):
    return sum(int(letter) for letter in text)


async def main():
    print("sum", await asyncio.to_thread(digits, "12345"))
    try:
        await asyncio.to_thread(digits, "12x45")
    except ValueError:
        print("that was no number")

    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(2)
    texts = ["1", "22", "333"]
    futures = [loop.run_in_executor(pool, digits, text) for text in texts]
    print("sums", await asyncio.gather(*futures))
    pool.shutdown()
    try:
        loop.run_in_executor(pool, digits, "4")
    except RuntimeError as error:
        print(error)


asyncio.run(main())
