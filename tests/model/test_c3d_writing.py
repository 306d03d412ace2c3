# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes written as C3D files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.core.take import Take
from model.files.c3d import read_c3d
from model.files.c3d_writer import write_c3d
from model.synthetic.synthesis import synthesise


def test_a_written_take_is_read_back(small_take: Take, tmp_path: Path) -> None:
    given = replace(small_take, first_frame=40, residuals=np.zeros((5, 4)), up_axis="Y")
    write_c3d(given, tmp_path / "small.c3d")
    read = read_c3d(tmp_path / "small.c3d")
    np.testing.assert_allclose(read.positions, given.positions, atol=1e-6)
    assert (read.name, read.labels, read.rate_hz, read.first_frame, read.up_axis) == ("small", given.labels, 100.0, 40, "Y")
    assert read.findings == ()


def test_500_markers_and_one_frame(tmp_path: Path) -> None:
    labels = tuple(f"M{index}" for index in range(500))
    write_c3d(Take("many", labels, np.ones((1, 500, 3)), np.zeros((1, 500)), 60.0), tmp_path / "many.c3d")
    take = read_c3d(tmp_path / "many.c3d")
    assert take.labels == labels
    assert take.positions.shape == (1, 500, 3)


def test_a_folder_cannot_be_written_as_a_c3d(tmp_path):
    with pytest.raises(BonesetterError, match="cannot be written"):
        write_c3d(synthesise(0.1).take, tmp_path)


def test_a_take_too_long_to_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="split it"):
        write_c3d(Take("long", ("A",), np.ones((65_536, 1, 3)), np.zeros((65_536, 1)), 100.0), tmp_path / "long.c3d")
