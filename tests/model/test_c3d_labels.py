# SPDX-License-Identifier: GPL-3.0-or-later
"""Found labels written into a copy of a C3D: samples change columns, all else stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.actors import prior as priors
from model.core.errors import BonesetterError
from model.core.take import Take
from model.files.c3d import Source, read_c3d, read_source
from model.files.c3d_labels import write_labelled_c3d
from model.labelling.labelled import Labelled, TrackLabel

from .c3d_bytes import C3D, DEC, INTEL, MIPS, figure

NAMES = ("*0", "*1", "HEDO", "HEDA", "HEDL", "HEDP")


def labelled_of(take: Take, rows: list[tuple[str, int, int, str]]) -> Labelled:
    """A take whose tracks (column, first, last, kept as) lie in other columns."""
    names = tuple(dict.fromkeys(row[3] for row in rows))
    positions = np.full((take.frames, len(names), 3), np.nan)
    for column, first, last, name in rows:
        positions[first : last + 1, names.index(name)] = take.positions[first : last + 1, take.labels.index(column)]
    found = replace(take, labels=names, positions=positions, residuals=np.zeros(positions.shape[:2]), origins=())
    tracks = tuple(TrackLabel(column, first, last, name, 1.0, "", "Head", name) for column, first, last, name in rows)
    return Labelled(found, tracks, priors.bundled().mean_actor(), None, ())


def source(tmp_path: Path, **kind: Any) -> Path:
    points = np.concatenate([figure(6), figure(6)[:, :2] + 100.0], axis=1)
    analog = np.arange(12).reshape(6, 2)
    parameters = {
        "POINT": {"DESCRIPTIONS": ["one", "two", "head", "", "", ""]},
        "ANALOG": {"USED": 1, "RATE": 200.0, "LABELS": ["Force"]},
        "EVENT": {"USED": 1, "TIMES": [0.5]},
    }
    path = tmp_path / "source.c3d"
    path.write_bytes(C3D(points, NAMES, analog=analog, parameters=parameters, **kind).bytes())
    return path


def words_of(source: Source) -> np.ndarray:
    """(frames, words) as they are stored."""
    layout, kind = source.layout, "<u4" if source.layout.is_float else "<u2"
    content = source.contents.path.read_bytes()
    return np.frombuffer(content, kind, layout.frames * layout.frame_words, layout.start).reshape(layout.frames, -1)


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("scale", [-1.0, 0.1])
@pytest.mark.parametrize("more", [False, True])
def test_tracks_change_columns_and_all_else_stays(tmp_path: Path, processor: int, scale: float, more: bool) -> None:
    path = source(tmp_path, processor=processor, scale=scale)
    take = replace(read_c3d(path), source=path)
    rows = [("*0", 0, 2, "LFHD"), ("*1", 0, 2, "RFHD"), ("*0", 3, 5, "RFHD"), ("*1", 3, 5, "LFHD")]
    rows = [*rows[:3], ("*1", 3, 5, "*0")] if more else rows
    write_labelled_c3d(labelled_of(take, rows), tmp_path / "out.c3d")
    before, after = read_source(path), read_source(tmp_path / "out.c3d")
    names = ("LFHD", "RFHD", *(["*0"] if more else []))
    assert after.take.labels == names
    assert np.allclose(after.take.positions, labelled_of(take, rows).take.positions, atol=1e-4, equal_nan=True)
    assert after.contents.texts("POINT", "LABELS") == (*names, *NAMES[2:])
    assert after.contents.texts("POINT", "DESCRIPTIONS")[len(names)] == "head"
    assert after.layout.analog_words == before.layout.analog_words == 2
    for group in ("ANALOG", "EVENT"):
        assert after.contents.groups[group] == before.contents.groups[group]
    assert np.array_equal(words_of(before)[:, 4 * 2 :], words_of(after)[:, 4 * len(names) :])


def test_more_labels_than_a_parameter_holds(tmp_path: Path) -> None:
    path = tmp_path / "many.c3d"
    points = np.random.default_rng(0).uniform(100.0, 900.0, size=(4, 300, 3))
    path.write_bytes(C3D(points, [f"*{k}" for k in range(250)]).bytes())
    take = replace(read_c3d(path), source=path)
    rows = [(label, 0, 3, f"M{row}") for row, label in enumerate(take.labels)]
    write_labelled_c3d(labelled_of(take, rows), tmp_path / "out.c3d")
    after = read_c3d(tmp_path / "out.c3d")
    assert after.labels == tuple(f"M{row}" for row in range(300))
    assert np.allclose(after.positions, take.positions, atol=1e-6)


def test_a_source_that_has_changed_is_not_copied(tmp_path: Path) -> None:
    path = source(tmp_path)
    take = replace(read_c3d(path), source=path)
    found = labelled_of(take, [("*0", 0, 5, "LFHD")])
    path.write_bytes(C3D(figure(3), ("A", "B", "C", "D")).bytes())
    with pytest.raises(BonesetterError, match="changed since"):
        write_labelled_c3d(found, tmp_path / "out.c3d")
