# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a solve is from the truth: raw, with the labs' conventions taken out, and in how it moves.

Wherever two takes are compared, frame by frame, the longer one is cut to the shorter. A sample with a NaN in it has no error: it
takes no part in a mean. `scores.score` gathers every figure of one solve and counts
the frames that had none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .axes import heights, up_index
from .rigid import local_rotations, nearest_rotations, rotation_angles_deg
from .take import Axis, BoolArray, FloatArray

#: A CMU length unit in metres: 1 / 0.45 inch, 5.6444 cm, as the ASF files of CMU scale theirs and the CMU BVH release keeps it.
CMU_UNIT = 0.0254 / 0.45
#: Joints that stand on the floor, and wrists, by their names in the CMU BVH release.
FEET = ("LeftFoot", "LeftToeBase", "RightFoot", "RightToeBase")
WRISTS = ("LeftHand", "RightHand")
#: A foot's joint is in contact below this height above its floor, in m. The floor is this percentile of its heights, a lone frame
#: not being one. 5 cm is also the height of Karunratanakul et al. 2023 (Guided Motion Diffusion).
CONTACT_HEIGHT, FLOOR_PERCENTILE = 0.05, 1.0
#: ... and below this speed, in m/s: the standing feet of CMU's own skeletons stay below 0.2, by their jitter alone.
CONTACT_SPEED = 0.3
#: A joint flips where it turns by more than the first between two frames and by less than the second in truth, in degrees.
FLIP_DEG, NO_FLIP_DEG = 60.0, 30.0


@dataclass(frozen=True, eq=False)
class PoseError:
    """Errors of every joint in every frame.

    Attributes:
        position_mm: (frames, joints), raw.
        rotation_deg: (frames, joints), raw, of global rotations.
        motion_mm: (frames, joints) with one constant offset per joint, in its bone's frame, taken out of the take.
        motion_deg: (frames, joints) with one constant rotation per bone taken out of the take.
    """

    position_mm: FloatArray
    rotation_deg: FloatArray
    motion_mm: FloatArray
    motion_deg: FloatArray


def pose_error(
    positions: FloatArray, global_rotations: FloatArray, true_positions: FloatArray, true_global_rotations: FloatArray
) -> PoseError:
    """Compare two solves of one take.

    Position error is JPE and rotation error global JOE as MoCap-Solver (Chen et al. 2021) and OpenMoCap (arXiv 2508.12610) define
    them, in world space without any alignment; their means over frames and joints are the published figures. The motion errors
    leave what moves: where a lab puts a joint, and how a bone's axes lie, is a convention. With p and R a joint's position and
    global rotation, hats for the solve's, they are |p - p̂ - R̂ o| and the angle between R̂ C and R, with the offset o and the
    rotation C of each joint that fit the whole take best, in least squares. A joint's bone is the one that it turns: an offset
    that is constant in the parent's frame only, as a parent of another length makes it, stays as far as the joint turns.

    Args:
        positions, true_positions: (frames, joints, 3) in metres; the longer take is cut to the shorter.
        global_rotations, true_global_rotations: (frames, joints, 3, 3) global rotations.
    """
    positions, true_positions = cut(positions, true_positions)
    global_rotations, true_global_rotations = cut(global_rotations, true_global_rotations)
    apart = true_positions - positions
    known = np.isfinite(apart).all(axis=(1, 2)) & np.isfinite(global_rotations).all(axis=(1, 2, 3))
    # the least squares of an offset are met by the mean in the bone's frame
    offset = np.einsum("fjki,fjk->ji", global_rotations[known], apart[known]) / max(known.sum(), 1)
    moved = apart - np.einsum("fjik,jk->fji", global_rotations, offset)
    return PoseError(
        np.linalg.norm(apart, axis=-1) * 1000,
        rotation_angles_deg(global_rotations, true_global_rotations),
        np.linalg.norm(moved, axis=-1) * 1000,
        rotation_angles_deg(global_rotations @ bone_constants(global_rotations, true_global_rotations), true_global_rotations),
    )


def local_error(global_rotations: FloatArray, true_global_rotations: FloatArray, parents: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Angles between two solves' joint-local rotations (JOE as DAMO's evaluation has it), raw and of the motion.

    Motion: axes of bone j that lie otherwise by a constant C_j make R_j C_j of its global rotation R_j, and so, with p its parent,
    C_p^T L_j C_j of its local one L_j = R_p^T R_j: a bone's axes are in its own local rotation and in its children's. The local
    rotations are therefore formed from global ones with the constants of `bone_constants` taken out. Those fit the global
    rotations, so that the motion error of a local one is not the least that it could have, and may even exceed the raw one.
    A root's local rotation is its global one.

    Args:
        global_rotations, true_global_rotations: (frames, joints, 3, 3) global rotations; the longer take is cut to the shorter.
        parents: Index of each joint's parent, -1 for a root.

    Returns:
        Raw and motion error, each (frames, joints) in degrees.
    """
    global_rotations, true_global_rotations = cut(global_rotations, true_global_rotations)
    true_local = local_rotations(true_global_rotations, parents)
    corrected = global_rotations @ bone_constants(global_rotations, true_global_rotations)
    return (
        rotation_angles_deg(local_rotations(global_rotations, parents), true_local),
        rotation_angles_deg(local_rotations(corrected, parents), true_local),
    )


def bone_constants(global_rotations: FloatArray, true_global_rotations: FloatArray) -> FloatArray:
    """The rotation (joints, 3, 3) of each bone that brings `global_rotations @ constant` closest to the truth over a take.

    Closest in the sum of squared differences of the matrices: the chordal mean of R̂^T R, which is the rotation nearest to their
    sum (Hartley et al. 2013, Rotation Averaging), by its singular value decomposition (Umeyama 1991).

    Args:
        global_rotations, true_global_rotations: (frames, joints, 3, 3) global rotations; the longer take is cut to the shorter.
    """
    global_rotations, true_global_rotations = cut(global_rotations, true_global_rotations)
    between = np.swapaxes(global_rotations, -1, -2) @ true_global_rotations
    return nearest_rotations(between[np.isfinite(between).all(axis=(1, 2, 3))].sum(axis=0))


def distance_units(positions: FloatArray, true_positions: FloatArray) -> float:
    """Distance: mean over frames and joints of how far a joint is from the true one, in CMU units (5.6444 cm).

    The study that Bonesetter grew out of gives figures of that name in these units and no formula; the formula is ours.

    Args:
        positions, true_positions: (frames, joints, 3) in metres.
    """
    positions, true_positions = cut(positions, true_positions)
    return mean_of(np.linalg.norm(positions - true_positions, axis=-1)) / CMU_UNIT


def smoothness_units(positions: FloatArray, true_positions: FloatArray) -> float:
    """Smoothness: how differently joints move from frame to frame, in CMU units (5.6444 cm) per frame; 0 is best.

    With p(t) a joint's position, hats for the solve's: the mean over pairs of frames and joints of
    |(p̂(t+1) - p̂(t)) - (p(t+1) - p(t))|. Per frame at the take's own rate: a take sampled twice as fast has about half of it, if
    the difference is motion, and the same, if it is noise. The study gives no formula here either.

    Args:
        positions, true_positions: (frames, joints, 3) in metres.
    """
    positions, true_positions = cut(positions, true_positions)
    return mean_of(np.linalg.norm(np.diff(positions - true_positions, axis=0), axis=-1)) / CMU_UNIT


def marker_error_mm(markers: FloatArray, true_markers: FloatArray) -> float:
    """MPE as MoCap-Solver has it: mean over frames and markers of how far the solver's own markers are from the clean ones, in mm.

    Args:
        markers, true_markers: (frames, markers, 3) in metres.
    """
    markers, true_markers = cut(markers, true_markers)
    return mean_of(np.linalg.norm(markers - true_markers, axis=-1)) * 1000


def jitter(positions: FloatArray, rate_hz: float) -> float:
    """Mean acceleration of points (frames, points, 3) in m/s^2."""
    return mean_of(np.linalg.norm(np.diff(positions, n=2, axis=0), axis=-1)) * rate_hz**2


def foot_skate_mm_s(feet: FloatArray, true_feet: FloatArray, rate_hz: float, up_axis: Axis) -> float:
    """Mean horizontal speed of feet while they truly stand, in mm/s.

    PhysDiff's Skate (Yuan et al. 2023: the mean horizontal displacement of foot joints that are in contact in two adjacent
    frames), per second because takes differ in rate. Mode-adaptive networks (Zhang et al. 2018) measure the same speed, weighted
    by height. There the motion itself says when a foot stands; here the truth does, so no solve can lift its feet to score.

    Args:
        feet, true_feet: (frames, joints, 3) in metres.
        rate_hz: Frames per second.
        up_axis: The axis that points up.
    """
    feet, true_feet = cut(feet, true_feet)
    level = [axis for axis in range(3) if axis != up_index(up_axis)]
    speeds = np.linalg.norm(np.diff(feet[..., level], axis=0), axis=-1) * rate_hz
    return mean_of(speeds[foot_contact(true_feet, rate_hz, up_axis)]) * 1000


def foot_contact(feet: FloatArray, rate_hz: float, up_axis: Axis) -> BoolArray:
    """Where a foot stands: low in two frames that follow on one another, and slow between them.

    Low is less than 5 cm above the joint's own floor, the 1st percentile of its heights in the take: an ankle stands higher than
    a toe. Slow is below 0.3 m/s, a foot that passes close to the floor being no standing one (so Kovar et al. 2002 and after).

    Args:
        feet: (frames, joints, 3) in metres.
        rate_hz: Frames per second.
        up_axis: The axis that points up.

    Returns:
        (frames - 1, joints): True where the joint stands from a frame to the next.
    """
    height = heights(feet, up_axis)
    low = height < np.nanpercentile(height, FLOOR_PERCENTILE, axis=0) + CONTACT_HEIGHT
    slow = np.linalg.norm(np.diff(feet, axis=0), axis=-1) * rate_hz < CONTACT_SPEED
    return low[:-1] & low[1:] & slow


def flips_per_1000(rotations: FloatArray, true_rotations: FloatArray) -> float:
    """How often joints flip, per 1000 frames of the take (pairs of frames that follow on one another, to be exact).

    A joint flips where its local rotation turns by more than 60 degrees between two frames, and by less than 30 in truth. A joint
    that is wrong in one frame flips there and back. How a bone's axes lie makes no difference. Ours.

    Args:
        rotations, true_rotations: (frames, joints, 3, 3) local.
    """
    rotations, true_rotations = cut(rotations, true_rotations)
    turns = rotation_angles_deg(rotations[:-1], rotations[1:])
    true_turns = rotation_angles_deg(true_rotations[:-1], true_rotations[1:])
    flips = (turns > FLIP_DEG) & (true_turns < NO_FLIP_DEG)
    return ratio_of(1000.0 * flips.sum(), np.isfinite(turns + true_turns).all(axis=1).sum())


def speed_ratio(positions: FloatArray, true_positions: FloatArray) -> float:
    """Fidelity of fast motion: the 99th percentile of the points' speeds, solve / truth. 1 is right; a smeared punch is below. Ours.

    The speeds of all points are taken together, so the faster one has the say: a hand that rests has no fast motion to keep.

    Args:
        positions, true_positions: (frames, points, 3).
    """
    speeds, true_speeds = (np.linalg.norm(np.diff(points, axis=0), axis=-1) for points in cut(positions, true_positions))
    known = np.isfinite(speeds + true_speeds)
    return ratio_of(percentile_of(speeds[known], 99), percentile_of(true_speeds[known], 99))


def cut(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both as long as the shorter one."""
    frames = min(len(a), len(b))
    return a[:frames], b[:frames]


def mean_of(values: FloatArray) -> float:
    """Mean of the finite values; NaN where there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def percentile_of(values: FloatArray, percent: float) -> float:
    """Percentile of the finite values; NaN where there is none."""
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if known.size else float("nan")


def ratio_of(a: float, b: float) -> float:
    """a / b, NaN where there is nothing to compare with."""
    return float(a / b) if b > 0 else float("nan")
