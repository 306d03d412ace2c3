# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples run, as they stand, in a folder of the user's, and print what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {
    "solve_file": r"markers \d+\.\d mm off on average",
    "make_actor": r"left thigh 0\.[34]\d\d m",
    "evaluate_take": r"as it is: [0-5]\.\d mm.*\n(.*\n)*damaged: \d\.\d mm",
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example(name: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, ROOT / "examples" / f"{name}.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(EXAMPLES[name], done.stdout), done.stdout
