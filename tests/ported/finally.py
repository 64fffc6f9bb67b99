# try/finally with awaits in the clean-up: however the body ends.
import asyncio


async def open(how):
    print("open for", how)
    try:
        await asyncio.sleep(1)
        if how == "error":
            raise ValueError("it broke")
        await asyncio.sleep(3600 if how == "cancel" else 1)
        return "used"
    finally:
        print("closing")
        await asyncio.sleep(0.5)
        print("closed")


async def main():
    for how in ("result", "error", "cancel"):
        task = asyncio.create_task(open(how))
        asyncio.get_running_loop().call_later(3, task.cancel)
        try:
            print("result:", await task)
        except ValueError as error:
            print("error:", error)
        except asyncio.CancelledError:
            print("cancelled")


asyncio.run(main())
