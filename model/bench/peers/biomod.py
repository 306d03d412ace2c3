# SPDX-License-Identifier: GPL-3.0-or-later
"""An articulated actor in biorbd's own format. It needs no biorbd."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .articulation import Articulation


def biomod(body: Articulation) -> str:
    """The body in biorbd's own format: a segment a joint, standing on the joint's axes. The root's markers come first."""
    actor, skeleton = body.actor, body.actor.skeleton
    lines = ["version 4"]
    for joint, parent in enumerate(skeleton.parents):
        above = np.eye(3) if parent < 0 else body.axes[parent].T
        turn = above @ body.rest[joint] @ body.axes[joint]
        place = above @ (body.start if parent < 0 else skeleton.offsets[joint])
        lines += [f"segment {skeleton.joints[joint]}"]
        lines += ["translations xyz"] if parent < 0 else [f"parent {skeleton.joints[parent]}"]
        lines += ["rotations " + "xyz"[: body.angles[joint]]] if body.angles[joint] else []
        lines += ["rtinmatrix 1", "rt", *(written([*row, shift]) for row, shift in zip(turn, place, strict=True)), "0 0 0 1"]
        lines += ["mass 1", "inertia", "1 0 0", "0 1 0", "0 0 1", "com 0 0 0", "endsegment"]
    for row in np.argsort(actor.marker_joints, kind="stable"):
        joint = actor.marker_joints[row]
        place = written(body.axes[joint].T @ actor.marker_offsets[row])
        lines += [f"marker {actor.labels[row]}", f"parent {skeleton.joints[joint]}", f"position {place}", "technical 1", "endmarker"]
    return "\n".join(lines) + "\n"


def written(values: Iterable[float]) -> str:
    """Numbers as biorbd reads them."""
    return " ".join(f"{value:.12f}" for value in values)
