# SPDX-License-Identifier: GPL-3.0-or-later
"""Write takes as C3D files, with ezc3d."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ..core.errors import BonesetterError
from ..core.take import Take
from ..storage.atomic import replacing

#: Frames are counted in 16 bits in a C3D's header, and ezc3d writes no other counter.
MOST_FRAMES = 65_535


def write_c3d(take: Take, path: Path) -> None:
    """Write a take as a C3D file of floats in millimetres; a missing sample gets the residual -1.

    Args:
        take: At most 65,535 frames.
        path: Replaced if it exists.

    Raises:
        BonesetterError: The take is too long for a C3D file, the file cannot be written, or ezc3d is missing.
    """
    try:
        # here, because Blender's engine need not have it
        import ezc3d
    except ImportError as error:
        raise BonesetterError("Writing a new C3D needs ezc3d: install it into the Python that solves.") from error
    # a C3D counts from 1, Motive from 0
    first = max(1, round(take.first_frame))
    if first - 1 + take.frames > MOST_FRAMES:
        first = 1
    if take.frames > MOST_FRAMES:
        raise BonesetterError(f"{take.name} has more than {MOST_FRAMES} frames, more than a C3D file can count: split it.")
    missing = ~take.present.T
    content = ezc3d.c3d()
    points = np.ones((4, len(take.labels), take.frames))
    points[:3] = np.where(missing, 0.0, take.positions.transpose(2, 1, 0) * 1e3)
    content["data"]["points"] = points
    content["data"]["meta_points"]["residuals"] = np.where(missing, -1.0, take.residuals.T * 1e3)[None]
    content["data"]["meta_points"]["camera_masks"] = np.zeros((7, len(take.labels), take.frames), dtype=bool)
    content["header"]["points"]["first_frame"] = first - 1
    content.add_parameter("POINT", "UNITS", ["mm"])
    content.add_parameter("POINT", "RATE", [take.rate_hz])
    content.add_parameter("POINT", "LABELS", list(take.labels))
    content.add_parameter("POINT", "X_SCREEN", ["+X"])
    content.add_parameter("POINT", "Y_SCREEN", [take.up_axis if take.up_axis.startswith("-") else f"+{take.up_axis}"])
    # ezc3d says nothing when it cannot write, so it writes where that is sure to work
    with tempfile.TemporaryDirectory() as folder, replacing(path, binary=True) as stream:
        whole = Path(folder) / "take.c3d"
        content.write(str(whole))
        stream.write(whole.read_bytes())
