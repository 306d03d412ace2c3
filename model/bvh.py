# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a solution as BVH: the joints and the zero pose of the CMU BVH release, Y up, in centimetres."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from .atomic import replacing
from .skeleton import Skeleton
from .solution import Solution
from .take import Axis, FloatArray

CM_PER_METRE = 100.0

#: Columns of a take's axes on the file's, which are Y up: (x, y, z) of a Z-up take becomes (x, z, -y).
TO_Y_UP: dict[Axis, FloatArray] = {
    "Y": np.eye(3),
    "Z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}


def write_bvh(solution: Solution, path: Path) -> None:
    """Write a BVH with every frame at the take's rate. The root alone has position channels.

    Args:
        solution: Of a Y-up or a Z-up take; the file is Y up.
        path: Replaced if it exists, and only once the file is whole.
    """
    take = solution.clean.take
    turn = TO_Y_UP[take.up_axis]
    root = solution.positions[:, 0] @ turn.T * CM_PER_METRE
    channels = np.concatenate([root, _channels(solution.rotations, turn)], axis=1)
    row = " ".join(["%.5f"] * channels.shape[1])
    with replacing(path) as stream:
        stream.write("HIERARCHY\n" + "\n".join(_hierarchy(solution.actor.skeleton, 0, 0)) + "\n")
        stream.write(f"MOTION\nFrames: {take.frames}\nFrame Time: {1.0 / take.rate_hz:.9f}\n")
        stream.writelines(row % tuple(frame) + "\n" for frame in channels.tolist())


def _hierarchy(skeleton: Skeleton, joint: int, depth: int) -> Iterator[str]:
    """The lines of a joint and all below it."""
    indent = "\t" * depth
    yield f"{indent}{'JOINT' if depth else 'ROOT'} {skeleton.joints[joint]}"
    yield f"{indent}{{"
    yield f"{indent}\t{_offset(skeleton.offsets[joint])}"
    yield f"{indent}\tCHANNELS {'3' if depth else '6 Xposition Yposition Zposition'} Zrotation Yrotation Xrotation"
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    for child in children:
        yield from _hierarchy(skeleton, child, depth + 1)
    if not children:
        yield from (f"{indent}\tEnd Site", f"{indent}\t{{", f"{indent}\t\t{_offset(skeleton.bones[joint])}", f"{indent}\t}}")
    yield f"{indent}}}"


def _offset(bone: FloatArray) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in bone * CM_PER_METRE)


def _channels(rotations: FloatArray, turn: FloatArray) -> FloatArray:
    """(frames, joints * 3) in degrees, z y x per joint, of local quaternions w x y z, the root's turned onto the file's axes."""
    frames, joints, _ = rotations.shape
    local = np.roll(rotations, -1, axis=-1)
    local[:, 0] = (Rotation.from_matrix(turn) * Rotation.from_quat(local[:, 0])).as_quat()
    with warnings.catch_warnings():
        # Where y is exactly 90 degrees x and z turn about one axis: any split between them is right.
        warnings.filterwarnings("ignore", message="Gimbal lock")
        angles = Rotation.from_quat(local.reshape(-1, 4)).as_euler("ZYX", degrees=True)
    return steady(angles.reshape(frames, joints, 3)).reshape(frames, -1)


def steady(angles: FloatArray) -> FloatArray:
    """The same rotations by angles that do not jump from frame to frame.

    (z, y, x) and (z + 180, 180 - y, x + 180) are one rotation. Which is nearer to the frame before changes only where the
    two kinds cross, and the kind of a frame is the number of crossings up to it.

    Args:
        angles: (frames, joints, 3) in degrees, z y x.
    """
    other = angles * np.array([1.0, -1.0, 1.0]) + 180.0
    stays = np.abs(_wrapped(angles[1:] - angles[:-1])).sum(axis=-1)
    crosses = np.abs(_wrapped(other[1:] - angles[:-1])).sum(axis=-1)
    crossed = np.zeros(angles.shape[:2], dtype=int)
    crossed[1:] = np.cumsum(crosses < stays, axis=0)
    return np.unwrap(np.where(crossed[..., None] % 2 == 1, other, angles), period=360.0, axis=0)


def _wrapped(degrees: FloatArray) -> FloatArray:
    return (degrees + 180.0) % 360.0 - 180.0
