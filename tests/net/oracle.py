"""Runs the scripts of scripts.txt on CPython's streams, and prints what each step comes to."""

import asyncio
import os
import sys
import tempfile


def data(text):
    if "*" in text:
        byte, count = text.split("*")
        return byte.encode() * int(count)
    return text.replace("\\n", "\n").encode()


def shown(value):
    if isinstance(value, (bytes, bytearray)):
        text = bytes(value[:40]).decode().replace("\n", "\\n")
        return f"{len(value)} <{text}>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "ok" if value is None else str(value)


def failed(error):
    if isinstance(error, asyncio.IncompleteReadError):
        return f"IncompleteReadError {shown(error.partial)} {error}"
    if isinstance(error, asyncio.LimitOverrunError):
        return f"LimitOverrunError {error.consumed} {error}"
    if isinstance(error, OSError):
        return f"OSError {type(error).__name__}"
    if isinstance(error, ValueError) and "Separator" not in str(error):
        return "ValueError"
    return f"{type(error).__name__} {error}".rstrip()


async def step(ends, words):
    reader, writer = ends[words[0]]
    match words[1], words[2:]:
        case "write", [text]: return writer.write(data(text))
        case "writelines", [text]: return writer.writelines([data(part) for part in text.split("|")])
        case "eof", []: return writer.write_eof()
        case "close", []: return writer.close()
        case "abort", []: return writer.transport.abort()
        case "drain", []: return await writer.drain()
        case "wait_closed", []: return await writer.wait_closed()
        case "is_closing", []: return writer.is_closing()
        case "buffered", []: return writer.transport.get_write_buffer_size() > 0
        case "limits", [high, low]:
            return writer.transport.set_write_buffer_limits(int(high), int(low))
        case "at_eof", []: return reader.at_eof()
        case "read", [count]: return await reader.read(int(count))
        case "read_all", []: return await reader.read()
        case "exactly", [count]: return await reader.readexactly(int(count))
        case "line", []: return await reader.readline()
        case "until", [text]: return await reader.readuntil(tuple(map(data, text.split("|"))))
        case "until", []: return await reader.readuntil(())


async def outcome(awaited):
    try:
        return shown(await asyncio.wait_for(awaited, 5))
    except TimeoutError:
        sys.exit("a step of a script never ends")
    except asyncio.CancelledError:
        return "CancelledError"
    except Exception as error:
        return failed(error)


async def run(limit, lines):
    streams = asyncio.get_running_loop().create_future()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        server = await asyncio.start_unix_server(
            lambda *ends: streams.set_result(ends), path, limit=limit)
        ends = {"c": await asyncio.open_unix_connection(path, limit=limit), "s": await streams}
        server.close()
    started = {}
    for line in lines:
        words = line.split(" ")
        match words:
            case ["spin", count]:
                for _ in range(int(count)):
                    await asyncio.sleep(0)
            case ["start", name, *rest]:
                started[name] = asyncio.create_task(step(ends, rest))
            case ["cancel", name]: print(line, "->", shown(started[name].cancel()))
            case ["done", name]: print(line, "->", shown(started[name].done()))
            case ["join", name]: print(line, "->", await outcome(started[name]))
            case _: print(line, "->", await outcome(step(ends, words)))
    for _, writer in ends.values():
        if writer.transport._sock is not None:  # abort() after the end is an AttributeError
            writer.transport.abort()
    await asyncio.sleep(0)


if __name__ == "__main__":
    for script in open(sys.argv[1]).read().strip().split("\n\n"):
        head, *lines = script.split("\n")
        print(head)
        asyncio.run(run(int(head.split(" ")[2]), lines))
