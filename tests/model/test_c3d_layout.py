# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a C3D file keeps what it says: every kind of number and processor, and parts that contradict each other."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import ezc3d
import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.files.c3d import read_c3d

from .c3d_bytes import C3D, DEC, INTEL, LABELS, MIPS, figure
from .c3d_files import read_bytes

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("scale", [-1.0, 0.1])
@pytest.mark.parametrize("analog", [0, 7])
def test_every_processor_and_kind_of_number(processor: int, scale: float, analog: int, tmp_path: Path) -> None:
    quality = np.array([[0, 0x0305, -1, 0], [0x7F00, 0, 0, 0], [0, 0, 0, 0x01FF]])
    file = C3D(processor=processor, scale=scale, quality=quality, analog=np.full((3, analog), 5.0) if analog else None)
    file.parameters = {"ANALOG": {"USED": analog, "RATE": 100.0}}
    take = read_bytes(tmp_path, file.bytes())
    wanted = figure() / 1000
    wanted[0, 2] = np.nan
    np.testing.assert_allclose(take.positions, wanted, atol=1e-6)
    # the high byte is the residual, the low one the cameras'
    residuals = np.array([[0, 3, 0, 0], [127, 0, 0, 0], [0, 0, 0, 1]]) * abs(scale) / 1000
    np.testing.assert_allclose(take.residuals, residuals, rtol=1e-6)
    assert (take.labels, take.rate_hz, take.up_axis, take.findings) == (LABELS, 100.0, "Z", ())


@pytest.mark.parametrize(("processor", "scale"), list(itertools.product([INTEL, DEC], [-0.05, 0.1])))
def test_ezc3d_reads_the_same(processor: int, scale: float, tmp_path: Path) -> None:
    quality = np.random.default_rng(0).integers(0, 1 << 15, size=(3, 4))
    take = read_bytes(tmp_path, C3D(processor=processor, scale=scale, quality=quality).bytes())
    content = ezc3d.c3d(str(tmp_path / "a.c3d"))
    np.testing.assert_allclose(take.positions, content["data"]["points"][:3].transpose(2, 1, 0) / 1000, atol=1e-9)
    np.testing.assert_allclose(take.residuals, content["data"]["meta_points"]["residuals"][0].T / 1000, rtol=1e-6)


def test_ezc3d_reads_the_real_takes_the_same(takes_folder: Path) -> None:
    for path in sorted(takes_folder.glob("*/*.c3d")):
        take, content = read_c3d(path), ezc3d.c3d(str(path))
        names = [
            label.strip() for part in ("", "2") for label in content["parameters"]["POINT"].get(f"LABELS{part}", {"value": []})["value"]
        ]
        rows = [names.index(label) for label in take.labels if not label.startswith("*")]
        columns = [column for column, label in enumerate(take.labels) if not label.startswith("*")]
        unit = {"mm": 1e-3, "m": 1.0}[content["parameters"]["POINT"]["UNITS"]["value"][0]]
        residuals = content["data"]["meta_points"]["residuals"][0, rows].T
        points = np.swapaxes(content["data"]["points"][:3, rows], 0, 2) * unit
        missing = (residuals < 0) | ~np.isfinite(points).all(axis=-1) | (points == 0).all(axis=-1)
        points[missing], residuals[missing] = np.nan, 0.0
        np.testing.assert_array_equal(take.positions[:, columns], points)
        np.testing.assert_allclose(take.residuals[:, columns], residuals * unit, rtol=1e-6)
        assert (take.first_frame, take.rate_hz) == (
            content["header"]["points"]["first_frame"] + 1,
            content["header"]["points"]["frame_rate"],
        )


@pytest.mark.parametrize(
    "odd",
    [
        {"descriptions": False},
        {"groups_last": True},
        {"terminated": False},
        {"padding": 0},
        {"padding": 5000},
        {"parameters": {"TRIAL": {"ACTUAL_START_FIELD": np.array([[1, 0]]), "ACTUAL_END_FIELD": np.array([[3, 0]])}}},
        {"parameters": {"TRIAL": {"ACTUAL_START_FIELD": "one", "ACTUAL_END_FIELD": [np.nan]}}},
        {"parameters": {"POINT": {"LONG_FRAMES": "three"}}},
        {"parameters": {"POINT": {"LONG_FRAMES": [np.inf]}}},
        {"parameters": {"POINT": {"FRAMES": 60_000}}},
        {"parameters": {"POINT": {"LEGAL": (-1, (), b"x")}}},
        {"parameters": {"POINT": {"NOTHING": (-1, (0, 3), b""), "NONE": (4, (0,), b"")}}},
        {"parameters": {"POINT": {"USED": 3}}},
        {"header": {"points": 3}},
        {"header": {"analog": 6}},
        {"parameters": {"ANALOG": {"USED": 6, "RATE": 100.0}}},
        {"parameters": {"ANALOG": {"USED": 6, "RATE": 1e30}}},
        {"header": {"scale": 1.0}},
        {"parameters": {"POINT": {"SCALE": 0.1}}},
        {"header": {"block": 0}},
        {"header": {"rate": 0.0}},
        {"parameters": {"POINT": {"RATE": 0.0}}},
        {"parameters": {"POINT": {"RATE": np.nan}}},
        {"header": {"last": 60_000}, "parameters": {"TRIAL": {"ACTUAL_START_FIELD": [1.0], "ACTUAL_END_FIELD": [3.0]}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("processor", [INTEL, MIPS])
def test_what_contradicts_itself_is_read_where_the_size_proves_it(odd: dict[str, Any], processor: int, tmp_path: Path) -> None:
    file = C3D(figure(40), processor=processor, **odd)
    if odd.get("parameters", {}).get("TRIAL") or "FRAMES" in str(odd):
        file.points = figure(3)
    if odd.get("header", {}).get("block") == 0:
        blocks = len(file.section()) // 512
        file.parameters = {"POINT": {"DATA_START": 2 + blocks}}
    take = read_bytes(tmp_path, file.bytes())
    np.testing.assert_allclose(take.positions, file.points / 1000, atol=1e-6)
    assert (take.labels, take.rate_hz) == (LABELS, 100.0)


def test_what_fits_no_size_says_what_contradicts(tmp_path: Path) -> None:
    file = C3D(figure(400), header={"points": 9}, parameters={"POINT": {"USED": 7}})
    with pytest.raises(BonesetterError, match=r"header says 9 points, POINT:USED 7; .*, and its size fits neither"):
        read_bytes(tmp_path, file.bytes())


@pytest.mark.parametrize("frames", [65_534, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("counter", ["LONG_FRAMES", "TRIAL"])
def test_takes_longer_than_the_header_counts(frames: int, counter: str, tmp_path: Path) -> None:
    points = np.broadcast_to(figure(1)[:, :2], (frames, 2, 3)) + np.arange(frames)[:, None, None] * 1e-3
    end = np.array([frames & 0xFFFF, frames >> 16])
    parameters = {
        "LONG_FRAMES": {"POINT": {"LONG_FRAMES": [float(frames)]}},
        "TRIAL": {"TRIAL": {"ACTUAL_START_FIELD": np.array([1, 0]), "ACTUAL_END_FIELD": end}},
    }[counter]
    file = C3D(points, LABELS[:2], header={"last": min(frames, 65_535)}, parameters=parameters)
    assert read_bytes(tmp_path, file.bytes()).frames == frames


def test_a_longer_take_than_is_there_is_cut_off(tmp_path: Path) -> None:
    file = C3D(figure(50), parameters={"POINT": {"LONG_FRAMES": [70_000.0], "FRAMES": None}}, header={"last": 65_535}, padding=0)
    with pytest.raises(BonesetterError, match="is cut off: it holds 50 of its 65535 frames"):
        read_bytes(tmp_path, file.bytes())


def test_a_scale_of_nothing_is_refused(tmp_path: Path) -> None:
    file = C3D(scale=0.1, header={"scale": 0.0}, parameters={"POINT": {"SCALE": 0.0}})
    with pytest.raises(BonesetterError, match="set POINT:SCALE"):
        read_bytes(tmp_path, file.bytes())


def test_a_sound_file_is_read_with_numpy_alone(tmp_path: Path) -> None:
    """Blender's Python has nothing else, and ezc3d may crash."""
    (tmp_path / "a.c3d").write_bytes(C3D().bytes())
    script = (
        "import sys; from pathlib import Path; from model.files.c3d import read_c3d; read_c3d(Path(sys.argv[1]))\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'ezc3d', 'scipy', 'torch', 'roma'}))"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "a.c3d"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
