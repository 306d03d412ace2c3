# SPDX-License-Identifier: GPL-3.0-or-later
"""C3D files written with ezc3d or byte by byte, and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ezc3d
import numpy as np

from model.core.take import Take
from model.files.c3d import read_c3d


def write(
    path: Path,
    points: np.ndarray,
    labels: list[str],
    parameters: dict[str, Any] | None = None,
    residuals: np.ndarray | None = None,
    first_frame: int = 0,
) -> Path:
    """Points (3, labels, frames) as they stand, with POINT parameters; None takes one away."""
    content = ezc3d.c3d()
    content["data"]["points"] = np.concatenate([points, np.ones((1, *points.shape[1:]))])
    if residuals is not None:
        content["data"]["meta_points"]["residuals"] = residuals[None]
        content["data"]["meta_points"]["camera_masks"] = np.zeros((7, *points.shape[1:]), dtype=bool)
    content["header"]["points"]["first_frame"] = first_frame
    for name, value in {"RATE": [100.0], "LABELS": labels, "UNITS": ["mm"], **(parameters or {})}.items():
        content.add_parameter("POINT", name, value)
    content.write(str(path))
    return path


def standing(frames: int = 3) -> tuple[np.ndarray, list[str]]:
    """A figure of millimetres, Z up: (3, 4, frames) and its labels."""
    place = np.array([[0, 100, 1700], [0, -100, 1700], [50, 100, 40], [50, -100, 40]], dtype=float).T
    return np.repeat(place[..., None], frames, axis=2), ["LFHD", "RFHD", "LTOE", "RTOE"]


def read_bytes(tmp_path: Path, content: bytes, name: str = "a.c3d") -> Take:
    (tmp_path / name).write_bytes(content)
    return read_c3d(tmp_path / name)
