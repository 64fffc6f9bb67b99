"""What the program of this folder takes of an emulated Cortex-M4, by executor: see `benches/size`.

The emulator runs it with painted memory, and stands still where the program resets the board: its memory
then says how deep the stack was, and how much of the heap was taken.
"""

import json
import os
import struct
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = "thumbv7em-none-eabihf"
RAM, RAM_SIZE = 0x2000_0000, 64 << 10
PAINT = 0x5A
SLEEPS = 32
MORE = 60

# Features of the program, and those of the same with more tasks: room for timers, where it is fixed.
EXECUTORS = {
    "nothing": ("", None),
    "callsoon": ("callsoon", "callsoon,more"),
    "edge-executor": ("edge,embassy-time/generic-queue-8", "edge,more,embassy-time/generic-queue-64"),
    "embassy-executor": ("embassy", "embassy,more"),
    "lilos": ("lilos", "lilos,more"),
}


class Elf:
    """Sections and symbols of a 32-bit program."""

    def __init__(self, path):
        self.bytes = path.read_bytes()
        offset, _, _, _, _, size, count, names = struct.unpack_from("<IIHHHHHH", self.bytes, 32)
        heads = [struct.unpack_from("<10I", self.bytes, offset + size * at) for at in range(count)]
        self.sections = {self.text(heads[names][4] + head[0]): head for head in heads}

    def text(self, at):
        return self.bytes[at : self.bytes.index(0, at)].decode()

    def flash(self):
        """Bytes of what is kept in flash: what is loaded, and isn't zeros (allocated; no NOBITS)."""
        return sum(head[5] for head in self.sections.values() if head[2] & 2 and head[1] != 8)

    def size(self, *names):
        return sum(self.sections[name][5] for name in names if name in self.sections)

    def symbol(self, name):
        """The address of a symbol, or none."""
        table, names = self.sections[".symtab"], self.sections[".strtab"]
        for at in range(table[4], table[4] + table[5], 16):
            text, value = struct.unpack_from("<II", self.bytes, at)
            if self.text(names[4] + text) == name:
                return value
        return None


def built(features, folder):
    """The program with these features."""
    command = ["../../ci/cross", TARGET, "build", "--quiet", "--release", "--features", features]
    subprocess.run(command, cwd=HERE, env={**os.environ, "CARGO_TARGET_DIR": str(folder)}, check=True)
    return folder / TARGET / "release" / "board"


def memory_at_end(program, free):
    """The board's memory where the program has reset it, painted from the address `free` before."""
    with tempfile.TemporaryDirectory() as folder:
        paint, dump = Path(folder, "paint"), Path(folder, "dump")
        paint.write_bytes(bytes([PAINT]) * (RAM + RAM_SIZE - free))
        command = ["timeout", "120", "qemu-system-arm", "-machine", "mps2-an386", "-cpu", "cortex-m4", "-display", "none"]
        command += ["-serial", "none", "-monitor", "none", "-qmp", "stdio", "-icount", "shift=0,sleep=off"]
        command += ["-S", "-no-reboot", "-no-shutdown", "-kernel", program]
        command += ["-device", f"loader,file={paint},addr={free:#x},force-raw=on"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as emulator:

            def do(name, **arguments):
                emulator.stdin.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                emulator.stdin.flush()

            # It begins when its events are told.
            do("qmp_capabilities")
            do("cont")
            for line in emulator.stdout:
                if json.loads(line).get("event") == "STOP":
                    do("pmemsave", val=RAM, size=RAM_SIZE, filename=str(dump))
                    do("quit")
        return dump.read_bytes()


def measured(features, folder):
    """Bytes by what they are for."""
    program = built(features, folder)
    elf = Elf(program)
    free = elf.symbol("__sheap")
    memory = memory_at_end(program, free)

    def word(name):
        at = elf.symbol(name)
        return struct.unpack_from("<I", memory, at - RAM)[0] if at else 0

    if word("SLEPT") != SLEEPS:
        raise SystemExit(f"with {features}: {word('SLEPT')} sleeps in place of {SLEEPS}")
    deepest = next(at for at in range(free - RAM, RAM_SIZE) if memory[at] != PAINT)
    return {
        "flash": elf.flash(),
        "static": elf.size(".data", ".bss"),
        "heap": word("HEAP_PEAK"),
        "stack": RAM_SIZE - deepest,
    }


def table(folder):
    """One line for each executor."""
    lines = ["|  | flash | statics | heap, peak | stack, peak | a sleeping task |", "| --- |" + " ---: |" * 5]
    for name, (features, more) in EXECUTORS.items():
        row = measured(features, folder)
        cells = [f"{row[part]:,}" for part in ("flash", "static", "heap", "stack")]
        if more:
            many = measured(more, folder)
            taken = sum(many[part] - row[part] for part in ("static", "heap", "stack"))
            cells.append(f"{taken / MORE:.0f}")
        else:
            cells.append("")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target"))))
