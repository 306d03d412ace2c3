# SPDX-License-Identifier: GPL-3.0-or-later
"""Python interpreters: where one is in what a user chose, and what one says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from .errors import InstallError

#: Where an environment or an installation keeps its interpreter, seen from its folder: venv, conda and python.org, on each platform.
PLACES = ("Scripts/python.exe", "python.exe", "bin/python", "bin/python3")
#: Asked of an interpreter. -I, so that nothing of its user or its surroundings answers instead.
QUESTION = """
import json, platform, sys
print(json.dumps([sys.version_info[:2], platform.machine(), sys.maxsize > 2**32, platform.python_implementation()]))
"""
#: Longest wait for an answer, in s.
PATIENCE = 30.0


class Interpreter(NamedTuple):
    """A Python that runs; its version and its machine as platform.machine() says it."""

    path: str
    version: tuple[int, int]
    machine: str


def resolve(chosen: str) -> str:
    """The interpreter in what the user chose: itself, or in the folder of a Python, a venv or a conda environment.

    Raises:
        InstallError: There is none.
    """
    path = Path(chosen).expanduser()
    if path.is_dir():
        found = next((path / place for place in PLACES if (path / place).is_file()), None)
        if found is None:
            raise InstallError(f"There is no Python in the folder {path}: choose the folder of a venv or conda environment, or its python.")
        return str(found)
    if not path.exists():
        raise InstallError(f"There is no {path}: choose a Python, or clear the field to use the solver that Bonesetter installs.")
    if not os.access(path, os.X_OK):
        raise InstallError(f"{path} is no program: choose a Python, or the folder of a venv or conda environment.")
    return str(path)


def ask(path: str) -> Interpreter:
    """Run an interpreter to learn what it is.

    Raises:
        InstallError: It cannot be run, or is no Python that can carry the solver.
    """
    try:
        done = subprocess.run(
            [path, "-I", "-c", QUESTION], capture_output=True, timeout=PATIENCE, check=False, env=environment(), **quiet()
        )
        version, machine, wide, kind = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"{path} cannot be run ({error}): choose another Python in Bonesetter's preferences.") from error
    except ValueError as error:
        raise InstallError(f"{path} does not answer as a Python does: choose another Python in Bonesetter's preferences.") from error
    if kind != "CPython" or not wide:
        raise InstallError(f"{path} is not a 64-bit CPython: choose another Python in Bonesetter's preferences.")
    return Interpreter(path, (version[0], version[1]), machine)


def environment() -> dict[str, str]:
    """This process's environment without what it sets for its own Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def quiet() -> dict[str, Any]:
    """No console window on Windows."""
    return {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
