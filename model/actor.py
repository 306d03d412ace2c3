# SPDX-License-Identifier: GPL-3.0-or-later
"""The actor: a skeleton of one person's own proportions, and where each marker sits on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .atomic import replacing
from .placement import Placement
from .skeleton import Skeleton
from .take import BonesetterError, FloatArray

FORMAT = "bonesetter-actor"
VERSION = 1
#: A body without a bone longer than this is none.
LEAST_BONE_M = 1e-3


@dataclass(frozen=True, eq=False)
class Actor:
    """A fitted or loaded actor.

    Attributes:
        skeleton: Bones in the zero pose; their directions belong to the actor as their lengths do.
        labels: The markers that are attached, unique.
        marker_joints: For each label, the index of the joint that carries it, or carries most of it.
        marker_offsets: (labels, 3) in metres, from that joint, on the zero pose's axes.
        marker_weights: (labels, joints), rows that sum to 1: which joints move each marker, as linear blend skinning has it;
            None where every marker is moved by its own joint alone.
    """

    skeleton: Skeleton
    labels: tuple[str, ...]
    marker_joints: tuple[int, ...]
    marker_offsets: FloatArray
    marker_weights: FloatArray | None = None

    @property
    def weights(self) -> FloatArray:
        """(labels, joints): `marker_weights`, or ones for the markers' own joints."""
        if self.marker_weights is not None:
            return self.marker_weights
        return np.eye(len(self.skeleton.joints))[list(self.marker_joints)]

    def beside(self, placement: Placement) -> Actor:
        """With further markers where they are usually put, behind its own."""
        others = np.eye(len(self.skeleton.joints))[list(placement.joints)]
        return replace(
            self,
            labels=self.labels + placement.labels,
            marker_joints=self.marker_joints + placement.joints,
            marker_offsets=np.concatenate([self.marker_offsets, placement.offset_mean]),
            marker_weights=None if self.marker_weights is None else np.concatenate([self.marker_weights, others]),
        )

    def only(self, rows: Sequence[int]) -> Actor:
        """With some of its markers, in that order."""
        chosen = list(rows)
        return replace(
            self,
            labels=tuple(self.labels[row] for row in chosen),
            marker_joints=tuple(self.marker_joints[row] for row in chosen),
            marker_offsets=self.marker_offsets[chosen],
            marker_weights=None if self.marker_weights is None else self.marker_weights[chosen],
        )

    def save(self, path: Path) -> None:
        """Write the actor as JSON: metres, the zero pose's axes."""
        joints = self.skeleton.joints
        document = {
            "format": FORMAT,
            "version": VERSION,
            "joints": [
                {
                    "name": name,
                    "parent": None if parent < 0 else joints[parent],
                    "bone": [round(float(v), 6) for v in bone],
                }
                for name, parent, bone in zip(joints, self.skeleton.parents, self.skeleton.bones, strict=True)
            ],
            "markers": [
                {"label": label, "joint": joints[joint], "offset": [round(float(v), 6) for v in offset]} | _shared(joints, weights)
                for label, joint, offset, weights in zip(self.labels, self.marker_joints, self.marker_offsets, self.weights, strict=True)
            ],
        }
        with replacing(path) as stream:
            stream.write(json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Actor:
        """Read an actor.

        Raises:
            BonesetterError: The file is missing, is no actor, or names joints that it does not define.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BonesetterError(f"{path.name} cannot be read ({error.strerror}): choose a file saved by --save-actor.") from error
        except ValueError as error:
            raise BonesetterError(f"{path.name} cannot be read as an actor ({error}): choose a file saved by --save-actor.") from error
        try:
            if document["format"] != FORMAT or document["version"] != VERSION:
                raise ValueError("another format or version")
            names = tuple(str(joint["name"]) for joint in document["joints"])
            parents = tuple(-1 if joint["parent"] is None else names.index(joint["parent"]) for joint in document["joints"])
            bones = np.array([joint["bone"] for joint in document["joints"]], dtype=float).reshape(len(names), 3)
            labels = tuple(str(marker["label"]) for marker in document["markers"])
            marker_joints = tuple(names.index(marker["joint"]) for marker in document["markers"])
            offsets = np.array([marker["offset"] for marker in document["markers"]], dtype=float).reshape(len(labels), 3)
            weights = np.zeros((len(labels), len(names)))
            for row, (marker, joint) in enumerate(zip(document["markers"], marker_joints, strict=True)):
                for name, weight in marker.get("weights", {names[joint]: 1.0}).items():
                    weights[row, names.index(name)] = float(weight)
            sound = (
                parents.count(-1) == 1
                and len(set(names)) == len(names)
                and len(set(labels)) == len(labels)
                and all(parent < joint for joint, parent in enumerate(parents))
                and np.isfinite(bones).all()
                and np.abs(bones).max() > LEAST_BONE_M
                and np.isfinite(offsets).all()
                and (weights >= 0).all()
                and np.allclose(weights.sum(axis=1), 1.0, atol=1e-3)
            )
            if not sound:
                raise ValueError(
                    "names repeat, there is not one root, a child stands before its parent, or numbers make no body or no weights"
                )
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise BonesetterError(f"{path.name} lacks a part of an actor: choose a file saved by --save-actor.") from error
        except ValueError as error:
            raise BonesetterError(f"{path.name} is not a Bonesetter actor ({error}): choose a file saved by --save-actor.") from error
        shared = (weights > 0).sum(axis=1).max(initial=0) > 1
        return cls(Skeleton(names, parents, bones), labels, marker_joints, offsets, weights if shared else None)


def _shared(joints: tuple[str, ...], weights: FloatArray) -> dict[str, dict[str, float]]:
    """What a marker's document says of its joints where there are several."""
    parts = {joints[joint]: round(float(weights[joint]), 6) for joint in np.flatnonzero(weights)}
    return {"weights": parts} if len(parts) > 1 else {}
