"""Breaks the sources in one place at a time, in a copy of them, and sees that a check finds it: for
`ci/breaks` and `loom-tests/mutations`, each of which has a list of breaks.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Seconds after which a check is taken to hang: a break that it finds.
LIMIT = 120


def copied(copy):
    """The sources in `copy`: a place of its own, and always the same, as cargo takes what was built of another
    for this where that other is still there.
    """
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    kept = shutil.ignore_patterns("target", ".git")
    for entry in ROOT.iterdir():
        if entry.name in ("target", ".git"):
            continue
        if entry.is_dir():
            shutil.copytree(entry, copy / entry.name, ignore=kept)
        else:
            shutil.copy(entry, copy)


def fails(check, where, env):
    """Returns whether a check fails, or hangs. Nothing that it began is left."""
    ran = subprocess.Popen(check, cwd=where, env=env, start_new_session=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return ran.wait(timeout=LIMIT) != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(ran.pid, signal.SIGKILL)
        ran.wait()


def main(breaks, words, copy, commands):
    """Tries the breaks whose names have one of `words` in them, or all, and returns the exit code.

    A break is its name, what is broken, the file, a text in it, the replacement of that, and what `commands` takes:
    `commands(name, ...)` returns the command that builds, the check that must fail, their folder in the
    copy, and their environment. With `--texts` it is looked only whether each text is still in the
    sources, once.
    """
    for name, what, file, text, *_ in breaks:
        if (ROOT / file).read_text().count(text) != 1:
            print(f"{name}: {what}: not once in {file}: {text!r}", file=sys.stderr)
            return 1
    if words == ["--texts"]:
        return 0
    chosen = [own for own in breaks if not words or any(word in own[0] for word in words)]
    if not chosen:
        print("no break is called that", file=sys.stderr)
        return 2
    copied(copy)
    missed = 0
    for name, what, file, text, replacement, *how in chosen:
        whole = (ROOT / file).read_text()
        (copy / file).write_text(whole.replace(text, replacement, 1))
        build, check, folder, env = commands(name, *how)
        built = subprocess.run(build, cwd=copy / folder, env=env, capture_output=True, text=True)
        if built.returncode:
            print(f"{name}: {what}: doesn't compile\n{built.stderr[-2000:]}", file=sys.stderr)
            return 1
        found = fails(check, copy / folder, env)
        print(f"{'found ' if found else 'MISSED'}  {name}: {what}", flush=True)
        missed += not found
        (copy / file).write_text(whole)
    print(f"{len(chosen) - missed} of {len(chosen)} found")
    return 1 if missed else 0
