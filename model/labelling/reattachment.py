# SPDX-License-Identifier: GPL-3.0-or-later
"""On which bone each marker is that was made of tracks, by how it moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..actors.prior import Prior
from ..core.stretches import evenly
from ..core.take import BoolArray, FloatArray, IntArray
from .evidence import FARTHEST_M, Evidence
from .landmarks import Landmarks
from .rigidity import stretch
from .surface import Surface
from .tracks import OPEN, Tracks

#: A marker changes its joint where it is stiller on another by this factor, and by so much in m; or at all, if it keeps its distance to the
#: markers of that joint better by the second factor, looked at in so many frames: the body was fitted with the marker on the first.
STILLER, STILLER_M, RIGID, RIGID_FRAMES = 0.7, 0.001, 0.5, 200
#: Beyond this distance from a joint, in m, a marker counts as moving more by this part of what is beyond.
REACH_M, REACH_PART = 0.25, 0.04


@dataclass(frozen=True, eq=False)
class Markers:
    """Markers that were made of tracks.

    Attributes:
        joints: (markers,) index of the joint that carries each.
        offsets: (markers, 3) in metres, from that joint.
        labels: (tracks,) index of the marker of each, `OPEN` for none.
        landmarks: (markers,) index of the landmark by which each sits, -1 for none.
    """

    joints: IntArray
    offsets: FloatArray
    labels: IntArray
    landmarks: IntArray


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of people.

    Attributes:
        prior: Of poses and bones.
        surface: Where their skin is.
        landmarks: Where markers are usually put.
        zero_places: (joints, 3) in metres, of the joints of the mean person in the zero pose.
    """

    prior: Prior
    surface: Surface
    landmarks: Landmarks
    zero_places: FloatArray


def reattached(markers: Markers, labels: IntArray, tracks: Tracks, evidence: Evidence, body: Known, size: float) -> Markers:
    """Every marker on the joint in whose frame its tracks are stillest, or on that of the landmark by which it is, at their middle there.

    Args:
        markers: As they were.
        labels: (tracks,) by which the body was followed.
        tracks: Of the take.
        evidence: Of that body.
        body: What is known of people.
        size: Of that body, of a mean one.
    """
    count = len(markers.joints)
    joints, middles, moves = (
        markers.joints.copy(),
        np.zeros((count, *evidence.places.shape[1:])),
        np.zeros((count, evidence.scatter.shape[1])),
    )
    without = np.bincount(labels[labels != OPEN], minlength=count) == 0
    frames = evenly(0, tracks.frames, RIGID_FRAMES)
    changes = stretch(tracks, labels, count, frames)
    for marker in np.flatnonzero(~without).tolist():
        rows = np.flatnonzero(labels == marker)
        part = tracks.lengths[rows] / tracks.lengths[rows].sum()
        middles[marker] = (part[:, None, None] * evidence.places[rows]).sum(axis=0)
        about = np.minimum(((evidence.places[rows] - middles[marker]) ** 2).sum(-1), FARTHEST_M**2)
        still = np.sqrt((part[:, None] * (evidence.scatter[rows] + about)).sum(axis=0))
        moves[marker] = _with_reach(still, middles[marker], body.surface.carriers)
        best = int(moves[marker].argmin())
        before = int(markers.joints[marker])
        if moves[marker, best] < STILLER * moves[marker, before] - STILLER_M or _rather_with(changes[marker], markers.joints, best, before):
            joints[marker] = best
    own = np.arange(count)
    places = body.zero_places[joints] + middles[own, joints] / size
    landmarks = np.where(without, -1, body.landmarks.nearest(joints, places, moves))
    joints = np.where(landmarks >= 0, body.landmarks.joints[landmarks], joints)
    offsets = np.where(without[:, None], markers.offsets, middles[own, joints])
    return Markers(np.where(without, markers.joints, joints), offsets, labels, np.where(without, markers.landmarks, landmarks))


def _rather_with(changes: FloatArray, joints: IntArray, best: int, own: int) -> bool:
    """Whether a marker keeps its distance to those on one joint so much better than to those on its own."""
    on_best, on_own = (changes[(joints == joint) & np.isfinite(changes)] for joint in (best, own))
    return best != own and len(on_best) > 0 and len(on_own) > 0 and bool(np.median(on_best) < RIGID * np.median(on_own))


def _with_reach(moves: FloatArray, middle: FloatArray, carriers: BoolArray) -> FloatArray:
    """How much a marker moves on each joint (joints,), in m; more where it is far from the joint, of its places (joints, 3)."""
    beyond = np.maximum(np.linalg.norm(middle, axis=-1) - REACH_M, 0.0)
    return np.where(carriers, moves + REACH_PART * beyond, np.inf)


def stillest(evidence: Evidence, track: int, carriers: BoolArray) -> tuple[int, float]:
    """The joint on which a track moves least, and how much, in m."""
    moves = _with_reach(np.sqrt(evidence.scatter[track]), evidence.places[track], carriers)
    joint = int(moves.argmin())
    return joint, float(moves[joint])
