# SPDX-License-Identifier: GPL-3.0-or-later
"""C3D files that are cut off, damaged, or none, and those that crashed other readers."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import ezc3d
import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.core.take import Take
from model.files.c3d import read_c3d
from model.files.c3d_writer import write_c3d

from .c3d_bytes import C3D, DEC, INTEL, MIPS, figure
from .c3d_files import read_bytes
from .damage import damaged, one_byte_changes

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.98])
def test_a_file_that_is_cut_off_is_refused(kept: float, small_take: Take, tmp_path: Path) -> None:
    path = tmp_path / "cut.c3d"
    long = replace(small_take, positions=np.tile(small_take.positions, (200, 1, 1)), residuals=np.zeros((1000, 4)))
    write_c3d(long, path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(BonesetterError, match="is cut off: it holds"):
        read_c3d(path)


@pytest.mark.parametrize("content", [b"", b"x", b"HIERARCHY\n" * 100, b"\x02\x50" + bytes(510), b"\x02\x50" + b"\xff" * 2000])
def test_what_is_no_c3d_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.c3d"
    path.write_bytes(content)
    with pytest.raises(BonesetterError, match=r"^a\.c3d is [^\n]*\.$"):
        read_c3d(path)


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.c3d"):
        with pytest.raises(BonesetterError, match="cannot be read"):
            read_c3d(path)


def test_a_file_of_force_plates_alone_is_refused(tmp_path: Path) -> None:
    content = ezc3d.c3d()
    content["data"]["points"] = np.zeros((4, 0, 10))
    content["data"]["rotations"] = np.zeros((4, 4, 0, 10))
    content["data"]["analogs"] = np.ones((1, 1, 100))
    content.add_parameter("POINT", "RATE", [100.0])
    content.add_parameter("ANALOG", "RATE", [1000.0])
    content.add_parameter("ANALOG", "LABELS", ["plate"])
    content.write(str(tmp_path / "a.c3d"))
    with pytest.raises(BonesetterError, match="holds no points"):
        read_c3d(tmp_path / "a.c3d")


def outcome(tmp_path: Path, content: bytes) -> str:
    """What comes of a file: a take that holds together, or one sentence."""
    try:
        take = read_bytes(tmp_path, content)
    except BonesetterError as error:
        assert "\n" not in str(error)
        assert str(error).endswith(".")
        return "sentence"
    assert len(set(take.labels)) == take.positions.shape[1]
    assert take.positions.nbytes <= 6 * len(content) + 1000
    assert np.isfinite(take.residuals).all()
    return "take"


@pytest.mark.filterwarnings("error")
def test_any_byte_of_the_parameters_may_be_changed(tmp_path: Path) -> None:
    """A part of what `make fuzz` does."""
    whole = C3D(parameters={"TRIAL": {"ACTUAL_START_FIELD": np.array([1, 0])}}).bytes()
    outcomes = [outcome(tmp_path, content) for content in itertools.islice(one_byte_changes(whole), 0, None, 7)]
    assert {"take", "sentence"} == set(outcomes)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(300))
def test_damage_gives_a_take_or_one_sentence(seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    file = C3D(figure(20), processor=int(random.choice([INTEL, DEC, MIPS])), scale=float(random.choice([-1.0, 0.1])))
    outcome(tmp_path, damaged(file.bytes(), random))


#: Of `../shared/cases`, what its README says of reading: the labels, or a part of the sentence.
CASES = {
    "trial_field_matrix_pig": 39,
    "bts_analog_only_in_header": 28,
    "point_used_not_header": 39,
    "all_residuals_minus1": "all of its samples as invalid",
    "mips_sgi_int": 36,
    "optitrack_arena_no_desc_length": 36,
    "unit_mete": 39,
    "crash_LEGAL_char_scalar": 41,
    "crash_param_becomes_group": "damaged",
    "hang_name_length": "damaged",
    "latin1_labels_blender_traceback": 41,
}


@pytest.mark.parametrize("name", CASES)
def test_cases_from_outside(name: str) -> None:
    path = Path(os.environ.get("BONESETTER_CASES") or ROOT.parent / "shared" / "cases") / f"{name}.c3d"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    right = CASES[name]
    if isinstance(right, str):
        with pytest.raises(BonesetterError, match=right):
            read_c3d(path)
    else:
        take = read_c3d(path)
        assert len(take.labels) == right
        # a person, not scrambled numbers
        spans = np.nanmax(take.positions, axis=1) - np.nanmin(take.positions, axis=1)
        assert np.nanmax(np.linalg.norm(spans, axis=-1)) < 3.0
        assert all(label.isprintable() for label in take.labels)
