# A cache that speaks in lines, and two clients of it.
import asyncio
import os
import tempfile


class Cache:
    def __init__(self):
        self.values = {}

    def answer(self, words):
        match words:
            case ["set", key, value]:
                self.values[key] = value
                return "stored"
            case ["get", key]:
                return self.values.get(key, "missing")
            case ["delete", key]:
                found = self.values.pop(key, None)
                return "missing" if found is None else "deleted"
            case _:
                return "error"

    async def serve(self, reader, writer):
        while line := await reader.readline():
            answer = self.answer(line.decode().split())
            writer.write(f"{answer}\n".encode())
            await writer.drain()
        writer.close()


async def client(name, path, commands):
    reader, writer = await asyncio.open_unix_connection(path)
    for command in commands:
        writer.write(f"{command}\n".encode())
        answer = await reader.readline()
        print(f"{name}: {command}: {answer.decode().strip()}")
        await asyncio.sleep(1)
    writer.close()
    await writer.wait_closed()


async def main():
    path = f"{tempfile.gettempdir()}/cache-{os.getpid()}-py"
    server = await asyncio.start_unix_server(Cache().serve, path)
    ann = ["set color blue", "get size", "delete size"]
    bob = ["get color", "set size 3", "paint"]
    async with asyncio.TaskGroup() as group:
        group.create_task(client("ann", path, ann))
        group.create_task(client("bob", path, bob))
    server.close()
    await server.wait_closed()
    print("all clients are served")


asyncio.run(main())
