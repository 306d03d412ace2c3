# SPDX-License-Identifier: GPL-3.0-or-later
"""From markers to the numbers that a network sees, and from what it answers back to a pose: the study's switches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.rigid import nearest_rotations
from ..core.take import BoolArray, FloatArray
from ..files.asf_amc import ASF_TO_C3D
from ..marker_sets.marker_set import load_marker_set
from .noise_filters import NOISE_FILTERS

#: The six markers on chest, back and waist that the study took the root from.
BODY_LABELS = ("STRN", "T10", "LFWT", "RFWT", "LBWT", "RBWT")
THIGHS = (("LFWT", "LKNE"), ("RFWT", "RKNE"))
#: A rigid alignment needs that many points.
FEWEST_POINTS = 3
#: Sizes are medians over frames: every so many frames are enough. A frame's height needs this part of the markers.
SIZE_STEP, MOST_MARKERS = 4, 0.75

Coordinates = Literal["world", "body"]
Scale = Literal["none", "thigh", "height", "rigid"]
NoiseFilter = Literal["none", "jumps", "groups"]


@dataclass(frozen=True)
class Preprocessing:
    """The switches.

    Attributes:
        coordinates: "world", or "body": seen from the frame that a rigid alignment of the body's markers gives.
        scale: What a take's size is measured by, to be divided by it: "none", the "thigh" (waist to knee), the "height"
            (highest to lowest marker) or "rigid", the median distance of markers on the same bone.
        noise_filter: "jumps": a marker that moves faster than anybody keeps its last place. "groups": a marker that leaves
            its rigid group is missing.
        axes: The order of the numbers of each point that goes in; what comes out is in no order that matters.
    """

    coordinates: Coordinates = "body"
    scale: Scale = "rigid"
    noise_filter: NoiseFilter = "none"
    axes: Literal["xyz", "yzx"] = "xyz"


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a network sees of windows, and how to come back.

    Attributes:
        features: (windows, frames, labels, 4): the place of each marker and whether it is visible; 0 where it is not.
        turn: (windows, frames, 3, 3) from the frame's axes to the world's.
        origin: (windows, frames, 3) in metres, the frame's origin in the world.
        scale: (windows,) metres of the world per unit of the frame.
    """

    features: Tensor
    turn: Tensor
    origin: Tensor
    scale: Tensor


class Reference:
    """A person of mean build in the mean pose, whom every take is aligned and compared with.

    Args:
        prior: Build, marker placement and mean pose.
    """

    def __init__(self, prior: Prior) -> None:
        actor = prior.mean_actor()
        pose = Motion(actor.skeleton, prior.pose.mean_rotations[None], np.zeros((1, 3)), 1.0)
        self.labels = actor.labels
        #: (labels, 3) in metres from the root, on the zero pose's axes.
        self.markers = actor.markers(pose)[0].astype(np.float32)
        self.carriers = np.array(actor.marker_joints)
        self.body = [self.labels.index(label) for label in BODY_LABELS]

    @cached_property
    def thighs(self) -> list[tuple[int, int]]:
        return [(self.labels.index(a), self.labels.index(b)) for a, b in THIGHS]

    @cached_property
    def rigid_pairs(self) -> list[tuple[int, int]]:
        """All pairs of markers on one bone."""
        a, b = np.nonzero(np.triu(self.carriers[:, None] == self.carriers, k=1))
        return list(zip(a.tolist(), b.tolist(), strict=True))

    @cached_property
    def rigid_groups(self) -> list[list[int]]:
        return [[self.labels.index(label) for label in group] for group in load_marker_set().rigid_groups.values()]


@lru_cache(maxsize=2)
def reference_of(prior: Prior) -> Reference:
    """The prior's reference person."""
    return Reference(prior)


def prepare(markers: FloatArray, reference: Reference, switches: Preprocessing, rate_hz: float) -> Prepared:
    """Prepare windows of markers.

    Args:
        markers: (windows, frames, labels, 3) in metres, z up, on the reference's labels; NaN where missing.
        reference: Whom to align with.
        switches: What to do.
        rate_hz: Frames per second.

    Raises:
        BonesetterError: There is not one sample.
    """
    markers = np.asarray(markers, dtype=np.float32)
    if not np.isfinite(markers).any():
        raise BonesetterError("There is no marker to see in this take: choose a take with labelled markers.")
    markers = NOISE_FILTERS[switches.noise_filter](markers, reference.rigid_groups, rate_hz)
    visible = np.isfinite(markers[..., 0])
    windows, frames = markers.shape[:2]
    scale = measured_scale(markers, reference, switches.scale)
    if switches.coordinates == "body":
        turn, origin = body_frames(np.nan_to_num(markers[:, :, reference.body]), visible[:, :, reference.body], reference)
    else:
        turn = np.broadcast_to(np.eye(3, dtype=np.float32), (windows, frames, 3, 3))
        origin = np.zeros((windows, frames, 3), dtype=np.float32)
    seen = np.matmul(markers - origin[:, :, None], turn) / scale[:, None, None, None]
    features = np.concatenate([np.where(visible[..., None], seen, 0.0), visible[..., None]], axis=-1, dtype=np.float32)
    features[..., :3] = features[..., axis_order(switches)]
    return Prepared(*(torch.from_numpy(np.ascontiguousarray(values)) for values in (features, turn, origin, scale)))


def to_frame(local: Tensor, root: Tensor, prepared: Prepared) -> tuple[Tensor, Tensor]:
    """A pose as a network is to answer it.

    Args:
        local: (windows, frames, joints, 3, 3) local rotations, the root's in the world.
        root: (windows, frames, 3) in metres.
        prepared: Of the same windows.

    Returns:
        Local rotations, the root's in the frame, and the root's place (windows, frames, 3) in units of the frame.
    """
    seen = local.clone()
    seen[:, :, 0] = prepared.turn.mT @ local[:, :, 0]
    place = (prepared.turn.mT @ (root - prepared.origin)[..., None])[..., 0] / prepared.scale[:, None, None]
    return seen, place


def from_frame(seen: Tensor, place: Tensor, prepared: Prepared) -> tuple[Tensor, Tensor]:
    """The inverse of `to_frame`."""
    local = seen.clone()
    local[:, :, 0] = prepared.turn @ seen[:, :, 0]
    root = (prepared.turn @ place[..., None])[..., 0] * prepared.scale[:, None, None] + prepared.origin
    return local, root


def axis_order(switches: Preprocessing) -> list[int]:
    """Which axis each number of a point is on."""
    return ["xyz".index(axis) for axis in switches.axes]


def measured_scale(markers: FloatArray, reference: Reference, scale: Scale) -> FloatArray:
    """(windows,) size of the person relative to the reference, 1 where it cannot be measured.

    Args:
        markers: (windows, frames, labels, 3) in metres, z up; NaN where missing.
        reference: Whose size is 1.
        scale: What to measure.
    """
    some = markers[:, ::SIZE_STEP]
    if scale == "none":
        return np.ones(len(markers), dtype=np.float32)
    if scale == "height":
        height = some[..., 2]
        low, high = (np.where(np.isnan(height), fill, height) for fill in (np.inf, -np.inf))
        tall = high.max(axis=-1) - low.min(axis=-1)
        # of a few markers nobody knows whether they are the highest and the lowest
        most = np.isfinite(height).mean(axis=-1) >= MOST_MARKERS
        ratio = np.where(most, tall, np.nan)[..., None] / np.ptp(reference.markers[:, 1])
    else:
        pairs = np.array(reference.thighs if scale == "thigh" else reference.rigid_pairs)
        lengths = np.linalg.norm(some[:, :, pairs[:, 0]] - some[:, :, pairs[:, 1]], axis=-1)
        ratio = lengths / np.linalg.norm(reference.markers[pairs[:, 0]] - reference.markers[pairs[:, 1]], axis=-1)
    size = _middle(_middle(ratio))
    return np.where(np.isfinite(size), size, 1.0).astype(np.float32)


def _middle(ratios: FloatArray) -> FloatArray:
    """Median over the second axis of those that are numbers; NaN where there is none."""
    known = np.isfinite(ratios)
    counts = known.sum(axis=1)
    ordered = np.sort(np.where(known, ratios, np.inf), axis=1)
    at = np.maximum(counts - 1, 0)[:, None] // 2
    return np.where(counts > 0, np.take_along_axis(ordered, at, axis=1)[:, 0], np.nan)


def body_frames(points: FloatArray, visible: BoolArray, reference: Reference) -> tuple[FloatArray, FloatArray]:
    """The frame of the trunk, from a rigid alignment of the reference's body markers with those that are visible.

    Kabsch 1976, A solution for the best rotation to relate two sets of vectors. A frame with fewer than three visible
    markers keeps the place of the nearest frame that has them.

    Args:
        points: (windows, frames, body markers, 3) in metres; anything where not visible.
        visible: (windows, frames, body markers).
        reference: The alignment's source.

    Returns:
        Turn (windows, frames, 3, 3) from the zero pose's axes to the world's and the root's place (windows, frames, 3).
    """
    source = reference.markers[reference.body]
    weights = visible / np.maximum(visible.sum(axis=-1, keepdims=True), 1).astype(np.float32)
    middle = np.einsum("wfm,wfmi->wfi", weights, points)
    source_middle = weights @ source
    covariance = np.einsum("wfm,wfmi,mj->wfij", weights, points, source, optimize=True) - middle[..., None] * source_middle[..., None, :]
    turn = nearest_rotations(covariance)
    origin = middle - np.einsum("wfij,wfj->wfi", turn, source_middle)
    known = visible.sum(axis=-1) >= FEWEST_POINTS
    nearest = _nearest_known(known)
    rows = np.arange(len(points))[:, None]
    turn, origin = turn[rows, nearest], origin[rows, nearest]
    lost = ~known.any(axis=1)[:, None]
    turn = np.where(lost[..., None, None], ASF_TO_C3D, turn)
    origin = np.where(lost[..., None], middle, origin)
    return turn.astype(np.float32), origin.astype(np.float32)


def _nearest_known(known: BoolArray) -> NDArray[np.intp]:
    """(windows, frames): index of the nearest frame that is known; 0 where none is."""
    frames = known.shape[1]
    index = np.arange(frames)
    before = np.maximum.accumulate(np.where(known, index, -frames * 2), axis=1)
    after = np.minimum.accumulate(np.where(known, index, frames * 3)[:, ::-1], axis=1)[:, ::-1]
    nearest = np.where(index - before <= after - index, before, after)
    return np.where(known.any(axis=1, keepdims=True), nearest, 0)
