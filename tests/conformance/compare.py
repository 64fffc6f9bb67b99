"""Runs fresh programs on the oracle and on the port, and compares their traces.

    python compare.py RUNNER DIFFERENCES SEED COUNT FAMILY...

RUNNER is the port's program, DIFFERENCES the file for the programs that differ. `fresh`
calls this.
"""

import concurrent.futures
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
CHUNK = 1000  # programs between two looks at how it goes
SECONDS = 600  # a chunk takes a few; from then on it hangs
SHOWN = 5  # differences that are printed


def generate(seed, count, family):
    made = subprocess.run(
        [sys.executable, HERE / "generate.py", "--seed", seed, "--count", count, "--family", family],
        capture_output=True, check=True, text=True,
    )
    return made.stdout.splitlines()


def oracle(lines):
    ran = subprocess.run(
        [sys.executable, HERE / "oracle.py", "--jsonl"],
        input="".join(f"{line}\n" for line in lines), stdout=subprocess.PIPE, check=True, text=True,
    )
    return [json.loads(line)["trace"] for line in ran.stdout.splitlines()]


def port(runner, lines):
    """A trace a program. One that ends the runner has the end as its trace."""
    traces = []
    while len(traces) < len(lines):
        left = "".join(f"{line}\n" for line in lines[len(traces):])
        try:
            ran = subprocess.run([runner, "--jsonl"], input=left, capture_output=True, text=True, timeout=SECONDS)
            out, end = ran.stdout, f"the runner ended with {ran.returncode}: {ran.stderr[-2000:]}"
        except subprocess.TimeoutExpired as hung:
            out, end = (hung.stdout or b"").decode(), "the runner hung"
        traces += [json.loads(line)["trace"] for line in out.splitlines() if line.endswith("}")]
        if len(traces) < len(lines):
            traces.append([end])
    return traces


def first_difference(ours, theirs):
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
    return at, *(trace[at] if at < len(trace) else "(nothing more)" for trace in (ours, theirs))


def report(name, ours, theirs):
    at, our, their = first_difference(ours, theirs)
    print(f"{name} differs at line {at + 1}")
    for line in theirs[max(0, at - 3):at]:
        print(f"    both   {line}")
    print(f"    oracle {their}\n    port   {our}")


def compare(runner, lines, differences, shown):
    """Compares a chunk; how many differ, and how many were left out."""
    half = len(lines) // 2
    with concurrent.futures.ThreadPoolExecutor() as pool:
        expected = list(pool.map(oracle, [lines[:half], lines[half:]]))
        actual = port(runner, lines)
    differ = skipped = 0
    for line, theirs, ours in zip(lines, [*expected[0], *expected[1]], actual, strict=True):
        if theirs[-1].endswith("end: livelock"):
            skipped += 1
        elif ours != theirs:
            differ += 1
            program = json.loads(line)
            differences.write(json.dumps({"program": program, "oracle": theirs, "port": ours}) + "\n")
            if shown + differ <= SHOWN:
                report(program["name"], ours, theirs)
    return differ, skipped


def main(runner, path, seed, count, *families):
    lines = [line for family in families for line in generate(seed, count, family)]
    differ = skipped = 0
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as differences:
        for start in range(0, len(lines), CHUNK):
            found = compare(runner, lines[start:start + CHUNK], differences, differ)
            differ, skipped = differ + found[0], skipped + found[1]
    print(f"{len(lines)} programs, {differ} differ, {skipped} skipped as livelock")
    if differ:
        print(f"those that differ are in {path}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
