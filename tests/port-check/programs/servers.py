# Servers that start at once, later, or with serve_forever, and one without hosts.
import asyncio


async def hang_up(reader, writer):
    writer.close()


async def main():
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    print(f"serves {str(server.is_serving()).lower()}")
    server.close()
    await server.wait_closed()

    server = await asyncio.start_server(
        hang_up, ["127.0.0.1", "127.0.0.1"], 0, start_serving=False
    )
    print(f"serves {str(server.is_serving()).lower()} {len(server.sockets)}")
    await server.start_serving()
    await server.start_serving()
    print(f"serves {str(server.is_serving()).lower()}")
    server.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, start_serving=False)
    forever = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0.5)
    print(f"serves {str(server.is_serving()).lower()}")
    forever.cancel()
    await asyncio.wait([forever])
    print(f"serves {str(server.is_serving()).lower()} {len(server.sockets)}")

    server = await asyncio.start_server(hang_up, [], 0, start_serving=False)


async def guarded():
    try:
        await main()
    except OSError as error:
        print(error)


asyncio.run(guarded())
