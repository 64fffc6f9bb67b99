# Commands of the shell, two at a time, with what they are given and what they say.
import asyncio
from asyncio.subprocess import PIPE, STDOUT

COMMANDS = [
    ("greet", "echo hello; echo bye", ""),
    ("shout", "tr a-z A-Z", "one\ntwo\n"),
    ("count", "wc -l | tr -d ' '", "a\nb\nc\n"),
    ("fail", "echo oops >&2; exit 3", ""),
]


async def run(limit, command, text):
    async with limit:
        process = await asyncio.create_subprocess_shell(
            command, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
        process.stdin.write(text.encode())
        process.stdin.close()
        lines = []
        while line := await process.stdout.readline():
            lines.append(line.decode().strip())
        return await process.wait(), lines


async def main():
    limit = asyncio.Semaphore(2)
    runs = [asyncio.create_task(run(limit, command, text)) for _, command, text in COMMANDS]
    for (name, *_), running in zip(COMMANDS, runs):
        code, lines = await running
        for line in lines:
            print(f"{name}: {line}")
        print(f"{name} ends with {code}")


asyncio.run(main())
