"""The programs that are measured, and where they are."""

import os
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", FOLDER / "target"))
VENV = TARGET / "peers-venv"


def program(quick=False):
    """Builds `peers`."""
    features = ["--no-default-features", "--features", "monoio"] if quick else []
    command = ["cargo", "build", "--release", "--quiet", *features]
    subprocess.run(command, cwd=FOLDER, check=True, env={**os.environ, "CARGO_TARGET_DIR": str(TARGET)})


def peers():
    return str(TARGET / "release" / "peers")


def python():
    """A Python with uvloop and the original helpers, if there is one."""
    python = VENV / "bin/python"
    return str(python) if python.exists() else None


def make_venv():
    """Makes that Python. PYTHON says with which interpreter, or it is `python3`."""
    if python():
        return
    subprocess.run([os.environ.get("PYTHON", "python3"), "-m", "venv", VENV], check=True)
    try:
        wanted = FOLDER / "python" / "requirements.txt"
        pip = [VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", wanted], check=True)
        # Of what they require the helpers need only delfick_project, and the rest doesn't build.
        subprocess.run([*pip, "--no-deps", "lifx-photons-core==0.40.4"], check=True)
    except BaseException:
        shutil.rmtree(VENV)
        raise
