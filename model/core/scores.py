# SPDX-License-Identifier: GPL-3.0-or-later
"""Every figure of one solve against the truth; `metrics.py` defines them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .errors import BonesetterError
from .metrics import (
    FEET,
    WRISTS,
    cut,
    distance_units,
    flips_per_1000,
    foot_skate_mm_s,
    jitter,
    local_error,
    marker_error_mm,
    mean_of,
    percentile_of,
    pose_error,
    ratio_of,
    smoothness_units,
    speed_ratio,
)
from .motion import Motion
from .take import Axis, BoolArray, FloatArray


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
    scored, failed = _scored(estimate, truth)
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
        frames=len(scored),
        failed_frames=failed,
        distance_units=distance_units(positions, true_positions),
        smoothness_units=smoothness_units(positions, true_positions),
        jpe_mm=mean_of(error.position_mm),
        p95_mm=percentile_of(error.position_mm, 95),
        max_mm=percentile_of(error.position_mm, 100),
        joe_global_deg=mean_of(error.rotation_deg),
        joe_local_deg=mean_of(local_deg),
        motion_jpe_mm=mean_of(motion_mm),
        motion_p95_mm=percentile_of(motion_mm, 95),
        motion_max_mm=percentile_of(motion_mm, 100),
        motion_joe_global_deg=moves * mean_of(error.motion_deg),
        motion_joe_local_deg=moves * mean_of(motion_local_deg),
        mpe_mm=mpe_mm,
        unplaced_samples=unplaced,
        jitter_ratio=ratio_of(jitter(positions, rate_hz), jitter(true_positions, rate_hz)),
        foot_skate_mm_s=foot_skate_mm_s(positions[:, foot_rows], true_feet, rate_hz, up_axis),
        true_foot_skate_mm_s=foot_skate_mm_s(true_feet, true_feet, rate_hz, up_axis),
        flips_per_1000=flips_per_1000(estimate.rotations, truth.rotations),
        wrist_speed_ratio=speed_ratio(positions[:, wrist_rows], true_positions[:, wrist_rows]),
    )


def _scored(estimate: Motion, truth: Motion) -> tuple[BoolArray, int]:
    """Which of the frames that both have are compared, and how many more only the truth has a pose for.

    Raises:
        BonesetterError: The solve has a pose in less than half of them.
    """
    frames = min(estimate.frames, truth.frames)
    known, solved = _finite(truth, frames), _finite(estimate, frames)
    scored = known & solved
    if 2 * scored.sum() < known.sum() or not scored.any():
        raise BonesetterError(
            f"There is no scoring this solve: {scored.sum()} of its {known.sum()} frames have a pose, and at least half of them must."
        )
    return scored, int((known & ~solved).sum())


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
    markers, true_markers = cut(markers[: len(scored)], true_markers[: len(scored)])
    counted = np.isfinite(true_markers).all(axis=-1) & scored[: len(true_markers), None]
    placed = np.isfinite(markers).all(axis=-1)
    return marker_error_mm(markers, np.where(counted[..., None], true_markers, np.nan)), int((counted & ~placed).sum())
