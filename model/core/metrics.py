# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a solve is from the truth: raw, with the labs' conventions taken out, and in how it moves.

Wherever two takes are compared, frame by frame, the longer one is cut to the shorter. A sample with a NaN in it has no error: it
takes no part in a mean. `score` gathers every figure of one solve and counts the frames that had none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .motion import Motion, nearest_rotations
from .take import Axis, BonesetterError, BoolArray, FloatArray

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


@dataclass(frozen=True)
class Figures:
    """One solve against the truth. NaN is a figure that the input does not give.

    All are of the frames that both the solve and the truth have, and what needs two or three frames of those that follow on one
    another; motion errors and all that needs two frames are NaN where there is one.

    Attributes:
        frames: How many were compared, failed ones included.
        failed_frames: How many of them the solve has no finite pose for, and the truth has one; they are in no other figure.
        distance_units: Distance, in CMU units; see `distance_units`.
        smoothness_units: Smoothness, in CMU units per frame; see `smoothness_units`.
        jpe_mm: Mean position error of the joints, see `pose_error`.
        p95_mm, max_mm: Its 95th percentile and maximum over frames and joints.
        joe_global_deg: Mean error of global rotations, see `pose_error`.
        joe_local_deg: Mean error of local rotations, see `local_error`.
        motion_jpe_mm, motion_p95_mm, motion_max_mm: Of the position error with a constant offset per joint taken out.
        motion_joe_global_deg, motion_joe_local_deg: Of the rotation errors with a constant rotation per bone taken out.
        mpe_mm: Mean error of the solver's own markers against the clean ones, see `marker_error_mm`; NaN without markers.
        unplaced_samples: Clean samples, in the frames scored, that the solver has no marker for; they are not in `mpe_mm`.
        jitter_ratio: Mean acceleration of the joints, solve / truth; 1 is right.
        foot_skate_mm_s: Mean horizontal speed of feet that truly stand, see `foot_skate_mm_s`; NaN where none does.
        true_foot_skate_mm_s: The same of the truth itself: what a perfect solve would have.
        flips_per_1000: See `flips_per_1000`.
        wrist_speed_ratio: See `speed_ratio`; below 1 is smeared.
    """

    frames: int
    failed_frames: int
    distance_units: float
    smoothness_units: float
    jpe_mm: float
    p95_mm: float
    max_mm: float
    joe_global_deg: float
    joe_local_deg: float
    motion_jpe_mm: float
    motion_p95_mm: float
    motion_max_mm: float
    motion_joe_global_deg: float
    motion_joe_local_deg: float
    mpe_mm: float
    unplaced_samples: int
    jitter_ratio: float
    foot_skate_mm_s: float
    true_foot_skate_mm_s: float
    flips_per_1000: float
    wrist_speed_ratio: float


def score(
    estimate: Motion,
    truth: Motion,
    markers: FloatArray | None = None,
    true_markers: FloatArray | None = None,
    up_axis: Axis = "Z",
    *,
    feet: Sequence[str] = FEET,
    wrists: Sequence[str] = WRISTS,
) -> Figures:
    """Every figure of one solve.

    Args:
        estimate: The solve; a frame with anything not finite in it has failed. Its bones need not be the truth's.
        truth: On the same joints, axes and frames; its own frames that are not finite are left out and are nobody's failure.
        markers: (frames, markers, 3) in metres: where the solver puts them; NaN where it does not.
        true_markers: (frames, markers, 3) in metres: where the same markers truly were, without noise; NaN where unknown.
        up_axis: The axis that points up, in both.
        feet: Names of the joints whose skating counts.
        wrists: Names of the joints whose speed counts.

    Raises:
        BonesetterError: The skeletons or rates differ, a joint named is not there, or more than half of the frames failed.
    """
    _comparable(estimate, truth)
    names, parents, rate_hz = truth.skeleton.joints, truth.skeleton.parents, truth.rate_hz
    foot_rows, wrist_rows = _rows(names, feet), _rows(names, wrists)
    frames = min(estimate.frames, truth.frames)
    known, solved = _finite(truth, frames), _finite(estimate, frames)
    scored = known & solved
    if 2 * scored.sum() < known.sum() or not scored.any():
        raise BonesetterError(
            f"There is no scoring this solve: {scored.sum()} of its {known.sum()} frames have a pose, and at least half of them must."
        )
    estimate, truth = _only(estimate, scored), _only(truth, scored)
    (positions, global_rotations), (true_positions, true_global_rotations) = estimate.forward(), truth.forward()
    error = pose_error(positions, global_rotations, true_positions, true_global_rotations)
    local_deg, motion_local_deg = local_error(global_rotations, true_global_rotations, parents)
    # from one frame the constants take everything
    moves = 1.0 if scored.sum() > 1 else np.nan
    motion_mm = moves * error.motion_mm
    mpe_mm, unplaced = _marker_figures(markers, true_markers, scored)
    true_feet = true_positions[:, foot_rows]
    return Figures(
        frames=frames,
        failed_frames=int((known & ~solved).sum()),
        distance_units=distance_units(positions, true_positions),
        smoothness_units=smoothness_units(positions, true_positions),
        jpe_mm=_mean(error.position_mm),
        p95_mm=_percentile(error.position_mm, 95),
        max_mm=_percentile(error.position_mm, 100),
        joe_global_deg=_mean(error.rotation_deg),
        joe_local_deg=_mean(local_deg),
        motion_jpe_mm=_mean(motion_mm),
        motion_p95_mm=_percentile(motion_mm, 95),
        motion_max_mm=_percentile(motion_mm, 100),
        motion_joe_global_deg=moves * _mean(error.motion_deg),
        motion_joe_local_deg=moves * _mean(motion_local_deg),
        mpe_mm=mpe_mm,
        unplaced_samples=unplaced,
        jitter_ratio=_ratio(jitter(positions, rate_hz), jitter(true_positions, rate_hz)),
        foot_skate_mm_s=foot_skate_mm_s(positions[:, foot_rows], true_feet, rate_hz, up_axis),
        true_foot_skate_mm_s=foot_skate_mm_s(true_feet, true_feet, rate_hz, up_axis),
        flips_per_1000=flips_per_1000(estimate.rotations, truth.rotations),
        wrist_speed_ratio=speed_ratio(positions[:, wrist_rows], true_positions[:, wrist_rows]),
    )


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
    positions, true_positions = _cut(positions, true_positions)
    global_rotations, true_global_rotations = _cut(global_rotations, true_global_rotations)
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
    global_rotations, true_global_rotations = _cut(global_rotations, true_global_rotations)
    true_local = local_rotations(true_global_rotations, parents)
    corrected = global_rotations @ bone_constants(global_rotations, true_global_rotations)
    return (
        rotation_angles_deg(local_rotations(global_rotations, parents), true_local),
        rotation_angles_deg(local_rotations(corrected, parents), true_local),
    )


def local_rotations(global_rotations: FloatArray, parents: Sequence[int]) -> FloatArray:
    """Local rotations (frames, joints, 3, 3) of global ones, of any hierarchy (-1 is a root's parent)."""
    above = global_rotations[:, list(parents)]
    above[:, np.array(parents) < 0] = np.eye(3)
    return np.swapaxes(above, -1, -2) @ global_rotations


def bone_constants(global_rotations: FloatArray, true_global_rotations: FloatArray) -> FloatArray:
    """The rotation (joints, 3, 3) of each bone that brings `global_rotations @ constant` closest to the truth over a take.

    Closest in the sum of squared differences of the matrices: the chordal mean of R̂^T R, which is the rotation nearest to their
    sum (Hartley et al. 2013, Rotation Averaging), by its singular value decomposition (Umeyama 1991).

    Args:
        global_rotations, true_global_rotations: (frames, joints, 3, 3) global rotations; the longer take is cut to the shorter.
    """
    global_rotations, true_global_rotations = _cut(global_rotations, true_global_rotations)
    between = np.swapaxes(global_rotations, -1, -2) @ true_global_rotations
    return nearest_rotations(between[np.isfinite(between).all(axis=(1, 2, 3))].sum(axis=0))


def rotation_angles_deg(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angle between rotations (..., 3, 3), in degrees; NaN where either is.

    It is acos((tr(A^T B) - 1) / 2), which MoCap-Solver and OpenMoCap clamp because rounding leaves [-1, 1], OpenMoCap so far
    inside that nothing is below 0.256 degrees. Got from sine and cosine it needs no clamp, and is exact at 0 and 180.
    """
    between = np.swapaxes(a, -1, -2) @ b
    axis = [between[..., i, j] - between[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))]
    twice_sine = np.sqrt(axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2)
    return np.degrees(np.arctan2(twice_sine, np.trace(between, axis1=-2, axis2=-1) - 1))


def distance_units(positions: FloatArray, true_positions: FloatArray) -> float:
    """Distance: mean over frames and joints of how far a joint is from the true one, in CMU units (5.6444 cm).

    The study that Bonesetter grew out of gives figures of that name in these units and no formula; the formula is ours.

    Args:
        positions, true_positions: (frames, joints, 3) in metres.
    """
    positions, true_positions = _cut(positions, true_positions)
    return _mean(np.linalg.norm(positions - true_positions, axis=-1)) / CMU_UNIT


def smoothness_units(positions: FloatArray, true_positions: FloatArray) -> float:
    """Smoothness: how differently joints move from frame to frame, in CMU units (5.6444 cm) per frame; 0 is best.

    With p(t) a joint's position, hats for the solve's: the mean over pairs of frames and joints of
    |(p̂(t+1) - p̂(t)) - (p(t+1) - p(t))|. Per frame at the take's own rate: a take sampled twice as fast has about half of it, if
    the difference is motion, and the same, if it is noise. The study gives no formula here either.

    Args:
        positions, true_positions: (frames, joints, 3) in metres.
    """
    positions, true_positions = _cut(positions, true_positions)
    return _mean(np.linalg.norm(np.diff(positions - true_positions, axis=0), axis=-1)) / CMU_UNIT


def marker_error_mm(markers: FloatArray, true_markers: FloatArray) -> float:
    """MPE as MoCap-Solver has it: mean over frames and markers of how far the solver's own markers are from the clean ones, in mm.

    Args:
        markers, true_markers: (frames, markers, 3) in metres.
    """
    markers, true_markers = _cut(markers, true_markers)
    return _mean(np.linalg.norm(markers - true_markers, axis=-1)) * 1000


def jitter(positions: FloatArray, rate_hz: float) -> float:
    """Mean acceleration of points (frames, points, 3) in m/s^2."""
    return _mean(np.linalg.norm(np.diff(positions, n=2, axis=0), axis=-1)) * rate_hz**2


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
    feet, true_feet = _cut(feet, true_feet)
    level = [axis for axis in range(3) if axis != _up(up_axis)]
    speeds = np.linalg.norm(np.diff(feet[..., level], axis=0), axis=-1) * rate_hz
    return _mean(speeds[foot_contact(true_feet, rate_hz, up_axis)]) * 1000


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
    height = feet[..., _up(up_axis)]
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
    rotations, true_rotations = _cut(rotations, true_rotations)
    turns = rotation_angles_deg(rotations[:-1], rotations[1:])
    true_turns = rotation_angles_deg(true_rotations[:-1], true_rotations[1:])
    flips = (turns > FLIP_DEG) & (true_turns < NO_FLIP_DEG)
    return _ratio(1000.0 * flips.sum(), np.isfinite(turns + true_turns).all(axis=1).sum())


def speed_ratio(positions: FloatArray, true_positions: FloatArray) -> float:
    """Fidelity of fast motion: the 99th percentile of the points' speeds, solve / truth. 1 is right; a smeared punch is below. Ours.

    The speeds of all points are taken together, so the faster one has the say: a hand that rests has no fast motion to keep.

    Args:
        positions, true_positions: (frames, points, 3).
    """
    speeds, true_speeds = (np.linalg.norm(np.diff(points, axis=0), axis=-1) for points in _cut(positions, true_positions))
    known = np.isfinite(speeds + true_speeds)
    return _ratio(_percentile(speeds[known], 99), _percentile(true_speeds[known], 99))


def _comparable(estimate: Motion, truth: Motion) -> None:
    a, b = estimate.skeleton, truth.skeleton
    if a.joints != b.joints or a.parents != b.parents:
        raise BonesetterError("The solve and the truth have different joints: bring them onto one skeleton before scoring.")
    if not np.isclose(estimate.rate_hz, truth.rate_hz, rtol=0.01):
        raise BonesetterError(
            f"The solve has {estimate.rate_hz:g} frames per second and the truth {truth.rate_hz:g}: resample one before scoring."
        )


def _rows(joints: tuple[str, ...], names: Sequence[str]) -> list[int]:
    missing = [name for name in names if name not in joints]
    if missing:
        raise BonesetterError(f"The skeleton has no joint {missing[0]}: name its own feet and wrists for scoring.")
    return [joints.index(name) for name in names]


def _finite(motion: Motion, frames: int) -> BoolArray:
    """(frames,): True where the whole pose is finite."""
    rotations, root = np.isfinite(motion.rotations[:frames]), np.isfinite(motion.root[:frames])
    return np.asarray(rotations.all(axis=(1, 2, 3)) & root.all(axis=1))


def _only(motion: Motion, scored: BoolArray) -> Motion:
    """The motion with NaN in all other frames, so that none follows on another that it does not."""
    frames = len(scored)
    rotations = np.where(scored[:, None, None, None], motion.rotations[:frames], np.nan)
    return replace(motion, rotations=rotations, root=np.where(scored[:, None], motion.root[:frames], np.nan))


def _marker_figures(markers: FloatArray | None, true_markers: FloatArray | None, scored: BoolArray) -> tuple[float, int]:
    """MPE in mm over the frames scored, and how many samples the solver has no marker for."""
    if markers is None or true_markers is None:
        return float("nan"), 0
    if markers.shape[1:] != true_markers.shape[1:]:
        raise ValueError(f"markers of the shapes {markers.shape} and {true_markers.shape} are not the same ones")
    markers, true_markers = _cut(markers[: len(scored)], true_markers[: len(scored)])
    counted = np.isfinite(true_markers).all(axis=-1) & scored[: len(true_markers), None]
    placed = np.isfinite(markers).all(axis=-1)
    return marker_error_mm(markers, np.where(counted[..., None], true_markers, np.nan)), int((counted & ~placed).sum())


def _cut(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    frames = min(len(a), len(b))
    return a[:frames], b[:frames]


def _up(axis: Axis) -> int:
    return "XYZ".index(axis)


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _percentile(values: FloatArray, percent: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if known.size else float("nan")


def _ratio(a: float, b: float) -> float:
    """a / b, NaN where there is nothing to compare with."""
    return float(a / b) if b > 0 else float("nan")
