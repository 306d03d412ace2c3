# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports without the search for cyclic garbage."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from model.core.loading import uncollected

ROOT = Path(__file__).resolve().parents[2]
#: Counts the searches while torch is imported, which makes far more objects than set one off.
COUNT = """
import gc
searches = []
from model.shell.solve import _load_solver
gc.callbacks.append(lambda phase, _info: searches.append(phase))
_load_solver("cpu")
assert "torch" in __import__("sys").modules
print(len(searches), gc.isenabled(), gc.get_freeze_count() > 100_000)
"""


def test_nothing_is_searched_while_the_solver_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True", "True"]


def test_who_has_turned_the_search_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()


def test_an_import_that_fails_leaves_the_search_on() -> None:
    try:
        with pytest.raises(ImportError), uncollected():
            raise ImportError
        assert gc.isenabled()
    finally:
        gc.unfreeze()
