"""python -m callsoon_trace [--virtual-time] [--print] [--output FILE] program.py ARGS"""

import argparse
import builtins
import os
import runpy
import sys

from . import log, trace


def print_and_log(*words, sep=" ", **options):
    builtins.print(*words, sep=sep, **options)
    if options.get("file") in (None, sys.stdout):
        log((" " if sep is None else sep).join(map(str, words)))


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m callsoon_trace", description=__doc__)
    parser.add_argument("--virtual-time", action="store_true", help="a clock that jumps from timer to timer")
    parser.add_argument("--print", action="store_true", help="what the program prints is logged, too")
    parser.add_argument("--output", "-o", default="-", help="the file for the trace; standard error without")
    parser.add_argument("program")
    parser.add_argument("args", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    sys.argv = [options.program, *options.args]
    sys.path[0] = os.path.dirname(os.path.abspath(options.program))
    names = {"print": print_and_log} if options.print else None
    with trace(virtual_time=options.virtual_time) as traced:
        try:
            runpy.run_path(options.program, names, "__main__")
        finally:
            text = traced.text()
            if options.output == "-":
                sys.stderr.write(text)
            else:
                with open(options.output, "w", encoding="utf-8") as file:
                    file.write(text)


if __name__ == "__main__":
    main()
