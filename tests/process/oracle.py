"""Runs the scripts of scripts.txt on CPython's child processes, and prints the calls of their protocol."""

import asyncio
import sys


def shown(data):
    return f"{len(data)} <{data.decode()}>".replace("\n", "\\n")


def error_name(error):
    return "none" if error is None else type(error).__name__


class Noting(asyncio.SubprocessProtocol):
    def __init__(self, calls=None, mark=""):
        self.calls, self.mark = [] if calls is None else calls, mark

    def note(self, call):
        self.calls.append(call + self.mark)

    def connection_made(self, transport):
        self.note("made")

    def pipe_data_received(self, fd, data):
        self.note(f"data {fd} {shown(data)}")

    def pipe_connection_lost(self, fd, error):
        self.note(f"pipe_lost {fd} {error_name(error)}")

    def process_exited(self):
        self.note("exited")

    def connection_lost(self, error):
        self.note(f"lost {error_name(error)}")

    def pause_writing(self):
        self.note("pause")

    def resume_writing(self):
        self.note("resume")


def channel(call):
    match call.split(" "):
        case ["made"]: return 0
        case [_, "0" | "1" | "2" as fd, *_]: return 1 + int(fd)
        case ["pause" | "resume", *_]: return 1
        case ["exited", *_]: return 4
    return 5


def step(transport, words):
    match words:
        case ["write", text]: return transport.get_pipe_transport(0).write(text.replace("\\n", "\n").encode())
        case ["write_much", count]: return transport.get_pipe_transport(0).write(b"x" * int(count))
        case ["close_pipe", fd]: return transport.get_pipe_transport(int(fd)).close()
        case ["pipe_is_closing", fd]: return transport.get_pipe_transport(int(fd)).is_closing()
        case ["close"]: return transport.close()
        case ["is_closing"]: return transport.is_closing()
        case ["returncode"]: return str(transport.get_returncode())
        case ["signal", number]: return transport.send_signal(int(number))
        case ["terminate"]: return transport.terminate()
        case ["kill"]: return transport.kill()
        case ["switch"]: return transport.set_protocol(Noting(transport.get_protocol().calls, " (next)"))
        case ["protocol"]:
            protocol = transport.get_protocol()
            return "none" if protocol is None else protocol.pause_writing()


def outcome(transport, words):
    try:
        value = step(transport, words)
    except Exception as error:
        return error_name(error)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "ok" if value is None else value


async def run(command, lines):
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_shell(Noting, command)
    for line in lines:
        words = line.split(" ")
        if words[0] == "until":
            while not set(line[6:].split(" & ")) <= set(protocol.calls):
                await asyncio.sleep(0)
            # What comes by several pipes comes in any order.
            print(line, "->", "; ".join(sorted(protocol.calls, key=channel)))
            protocol.calls.clear()
        else:
            print(line, "->", outcome(transport, words))
    assert transport.get_returncode() is not None


for script in open(sys.argv[1]).read().strip().split("\n\n"):
    head, command, *lines = script.split("\n")
    print(head)
    asyncio.run(run(command, lines))
