# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged files of every kind beside takes are read or refused in one sentence, and run nothing. `make fuzz` tries 2,000 each."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from model.core.errors import BonesetterError
from tests.fuzz.kinds import KINDS, mutants, sound

EXAMPLES = int(os.environ.get("BONESETTER_FUZZ", "60"))
#: What a file must not bring about, of what Python tells its auditors.
FORBIDDEN = ("exec", "os.system", "os.exec", "os.posix_spawn", "pickle.find_class", "socket.connect", "subprocess.Popen")


@pytest.fixture(scope="module")
def events() -> list[str]:
    """What was run since the list was emptied; an audit hook stays for the process's life."""
    heard: list[str] = []

    def audit(event: str, _arguments: object) -> None:
        if event in FORBIDDEN:
            heard.append(event)

    sys.addaudithook(audit)
    return heard


@pytest.mark.parametrize("name", list(KINDS))
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path, events: list[str]) -> None:
    kind = KINDS[name]
    path = tmp_path / f"file{kind.suffix}"
    path.write_bytes(sound(name))
    kind.read(path)
    events.clear()
    refused = 0
    for number, content in enumerate(mutants(name, 0, EXAMPLES)):
        path.write_bytes(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                kind.read(path)
        except BonesetterError as error:
            refused += 1
            assert "\n" not in str(error), number
            assert len(str(error)) < 1500, number
    assert refused or name == "report", "which says no more than that a take is not solved yet"
    assert events == []
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["exchanged take", "solved take"])
def test_pickled_arrays_are_refused(name: str, tmp_path: Path, events: list[str]) -> None:
    kind = KINDS[name]
    path = tmp_path / "file.npz"
    path.write_bytes(sound(name))
    with np.load(path) as arrays:
        held = dict(arrays)
    held["labels"] = np.array([print, {}], dtype=object)
    np.savez(path, allow_pickle=True, **held)
    events.clear()
    with pytest.raises(BonesetterError):
        kind.read(path)
    assert events == []


def test_a_report_names_no_file_outside_the_folder(tmp_path: Path) -> None:
    """`--resume` looks only whether files are there, and for those that the command itself names."""
    from model.shell.resume import _of_people
    from model.shell.runs import TakeJob

    job = TakeJob(tmp_path / "a.c3d", {"bvh": tmp_path / "out" / "a.bvh"}, tmp_path / "out" / "a.json", None)
    for people in (["Ann", "../../etc/passwd"], ["/etc/passwd"], ["x\0y"], [3], "", None, {}):
        assert _of_people(job, {"people": people}) == [job]
    (found,) = _of_people(job, {"people": ["Ann"]})
    assert found.exports["bvh"] == tmp_path / "out" / "a.Ann.bvh"
