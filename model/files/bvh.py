# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a solution as BVH: the actor's joints and zero pose (the CMU BVH release's, unless another is given), Y up, in centimetres.
Read any BVH as motion."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..core.axes import TO_Y_UP
from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.parallel import each, side_by_side, usable_cores
from ..core.rotations import rotmat_to_unitquat, unitquat_product, unitquat_to_euler_zyx
from ..core.skeleton import Skeleton
from ..core.take import FloatArray
from ..result.solution import Solution
from ..rigs.choices import SkeletonChoice
from ..rigs.production import JOINTS, Posed, named, on_chosen_bones
from ..storage.atomic import replacing
from .decimals import decimal_lines

CM_PER_METRE = 100.0
#: Of every number of a frame; a file of a long take is made of them. And how many frames are made at once.
DECIMALS, AT_ONCE = 5, 1024


def write_bvh(solution: Solution, path: Path, choice: SkeletonChoice | None = None) -> None:
    """Write a BVH with every frame at the take's rate. The root alone has position channels.

    Args:
        solution: Of a take with any axis up; the file is Y up. What is not keyed is held, since every frame has all channels.
        path: Replaced if it exists, and only once the file is whole.
        choice: On which bones; None for the actor's own.
    """
    solution, take = solution.held(), solution.clean.take
    choice = choice or SkeletonChoice()
    posed = on_chosen_bones(choice, solution.actor.skeleton, solution.rotations, solution.positions)
    if posed.skeleton.joints == JOINTS:
        posed = named(posed, choice.names)
    hierarchy = "\n".join(_hierarchy(posed.skeleton, 0, 0))
    head = f"HIERARCHY\n{hierarchy}\nMOTION\nFrames: {take.frames}\nFrame Time: {1.0 / take.rate_hz:.9f}\n"
    with side_by_side(usable_cores()), replacing(path, binary=True) as stream:
        stream.write(head.encode())
        stream.writelines(each(lambda channels: decimal_lines(channels, DECIMALS), _channels(posed, TO_Y_UP[take.up_axis])))


def write_motion(skeleton: Skeleton, rotations: FloatArray, root: FloatArray, rate_hz: float, path: Path, unit: float = 1.0) -> None:
    """Write any motion as BVH, on the axes that it has, which are Y up in a BVH. The root alone has position channels.

    Args:
        skeleton: Of J joints, the root first.
        rotations: (frames, J, 4) local unit quaternions w x y z from the zero pose.
        root: (frames, 3) in metres.
        rate_hz: Frames per second.
        path: Replaced if it exists, and only once the file is whole.
        unit: Metres of the file's unit: 1 as Blender's importer takes it, 0.01 as most other programs do.
    """
    hierarchy = "\n".join(_hierarchy(skeleton, 0, 0, unit))
    head = f"HIERARCHY\n{hierarchy}\nMOTION\nFrames: {len(root)}\nFrame Time: {1.0 / rate_hz:.9f}\n"
    angles = steady(_angles(rotations[:, _depth_first(skeleton, 0)], np.eye(3)))
    with replacing(path, binary=True) as stream:
        stream.write(head.encode())
        stream.write(decimal_lines(np.concatenate([root / unit, angles.reshape(len(root), -1)], axis=1), DECIMALS))


def _channels(posed: Posed, turn: FloatArray) -> Iterator[FloatArray]:
    """The numbers of some frames after the other: (frames, 3 + 3 joints), the root's place in cm, then z y x of each joint in degrees."""
    order = _depth_first(posed.skeleton, 0)

    def work(start: int) -> tuple[FloatArray, FloatArray]:
        frames = slice(start, start + AT_ONCE)
        return posed.positions[frames, 0] @ turn.T * CM_PER_METRE, _angles(posed.rotations[frames][:, order], turn)

    last: FloatArray | None = None
    for root, angles in each(work, range(0, len(posed.positions), AT_ONCE)):
        smooth = steady(angles if last is None else np.concatenate([last, angles]))[-len(angles) :]
        last = smooth[-1:]
        yield np.concatenate([root, smooth.reshape(len(root), -1)], axis=1)


def _depth_first(skeleton: Skeleton, joint: int) -> list[int]:
    """A joint and all below it, in the order in which a BVH names them."""
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    return [joint, *(below for child in children for below in _depth_first(skeleton, child))]


def _hierarchy(skeleton: Skeleton, joint: int, depth: int, unit: float = 1 / CM_PER_METRE) -> Iterator[str]:
    """The lines of a joint and all below it."""
    indent = "\t" * depth
    # a space ends a name
    name = "_".join(skeleton.joints[joint].split())
    yield f"{indent}{'JOINT' if depth else 'ROOT'} {name}"
    yield f"{indent}{{"
    yield f"{indent}\t{_offset(skeleton.offsets[joint] / unit)}"
    yield f"{indent}\tCHANNELS {'3' if depth else '6 Xposition Yposition Zposition'} Zrotation Yrotation Xrotation"
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    for child in children:
        yield from _hierarchy(skeleton, child, depth + 1, unit)
    if not children:
        yield from (f"{indent}\tEnd Site", f"{indent}\t{{", f"{indent}\t\t{_offset(skeleton.bones[joint] / unit)}", f"{indent}\t}}")
    yield f"{indent}}}"


def _offset(bone: FloatArray) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in bone)


def _angles(rotations: FloatArray, turn: FloatArray) -> FloatArray:
    """(frames, joints, 3) in degrees, z y x, of local quaternions w x y z, the root's rotated onto the file's axes."""
    local = rotations.copy()
    local[:, 0] = unitquat_product(rotmat_to_unitquat(turn), local[:, 0])
    return np.degrees(unitquat_to_euler_zyx(local))


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


def read_bvh(path: Path, metres_per_unit: float = 1.0 / CM_PER_METRE, rate_hz: float | None = None) -> Motion:
    """Read a BVH with pybvh, which the extra `train` installs; the engine itself reads none and need not have it.

    A root without position channels is refused, and so are position channels below the root: motion without a place is no use,
    and bones that change their length are not a skeleton's.

    Args:
        path: Its name ends in .bvh.
        metres_per_unit: Of the file's offsets and positions; the format does not say.
        rate_hz: Instead of the file's own frame time.

    Returns:
        Motion on the file's own axes and joints. A joint's bone ends at its End Site, or where its first child sits.

    Raises:
        BonesetterError: The file cannot be read or is damaged, or pybvh is missing.
    """
    try:
        import pybvh
    except ImportError as error:
        raise BonesetterError("Reading BVH needs pybvh: install Bonesetter's extra 'train'.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _motion(pybvh.read_bvh_file(path, world_up="+y"), metres_per_unit, rate_hz)
    except OSError as error:
        raise BonesetterError(f"{path.name} cannot be read ({error.strerror or error}): choose another BVH.") from error
    except (ValueError, IndexError, RecursionError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise BonesetterError(f"{path.name} is no BVH that can be read ({reason}): choose another one.") from error


def _motion(file: Any, metres_per_unit: float, rate_hz: float | None) -> Motion:
    """The motion of pybvh's file; a ValueError where its numbers are none."""
    # here, because a solve only writes, and this takes 0.2 s to import
    from scipy.spatial.transform import Rotation

    nodes = [node for node in file.nodes if not node.is_end_site()]
    skeleton = _skeleton(nodes, metres_per_unit)
    numbers = (file.root_pos, file.joint_angles, skeleton.offsets, skeleton.bones)
    if not all(np.isfinite(array).all() for array in numbers) or not 0 < file.frame_time < np.inf:
        raise ValueError("a number in it is not finite")
    rotations = np.empty((*file.joint_angles.shape, 3))
    orders = ["".join(node.rot_channels) for node in nodes]
    for order in set(orders):
        own = [joint for joint, other in enumerate(orders) if other == order]
        angles = file.joint_angles[:, own]
        rotations[:, own] = Rotation.from_euler(order, angles.reshape(-1, 3)).as_matrix().reshape(*angles.shape, 3)
    return Motion(skeleton, rotations, file.root_pos * metres_per_unit, rate_hz or 1.0 / file.frame_time)


def _skeleton(nodes: list[Any], metres_per_unit: float) -> Skeleton:
    """The skeleton of pybvh's nodes, which stand parents first."""
    index = {id(node): joint for joint, node in enumerate(nodes)}
    places = np.array([node.offset for node in nodes]) * metres_per_unit
    places[0] = 0.0
    ends = np.zeros_like(places)
    for joint, node in enumerate(nodes[1:], start=1):
        below = [child for child in node.children if child.is_end_site()] or node.children
        if below:
            ends[joint] = below[0].offset * metres_per_unit
    parents = tuple(-1 if node.parent is None else index[id(node.parent)] for node in nodes)
    return Skeleton(tuple(node.name for node in nodes), parents, ends, places)
