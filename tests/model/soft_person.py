# SPDX-License-Identifier: GPL-3.0-or-later
"""A person of 24 joints, named as SMPL names them, whose joints do not sit at the ends of bones and whose markers joints share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from model.actors.actor import Actor
from model.actors.hierarchy import carrying
from model.actors.prior import bundled
from model.core.motion import Motion, forward
from model.core.skeleton import Skeleton
from model.core.take import Take
from model.files.asf_amc import ASF_TO_C3D

#: {joint: (parent, place from there in mm)}; the right is the left's mirror image.
TREE = {
    "pelvis": (None, (0, 0, 0)),
    "left_hip": ("pelvis", (62, -85, -8)),
    "spine1": ("pelvis", (0, 112, -25)),
    "left_knee": ("left_hip", (40, -385, -5)),
    "spine2": ("spine1", (0, 135, 0)),
    "left_ankle": ("left_knee", (-14, -400, -40)),
    "spine3": ("spine2", (0, 55, 25)),
    "left_foot": ("left_ankle", (30, -58, 122)),
    "neck": ("spine3", (0, 212, -35)),
    "left_collar": ("spine3", (75, 115, -20)),
    "head": ("neck", (0, 88, 50)),
    "left_shoulder": ("left_collar", (108, 42, -15)),
    "left_elbow": ("left_shoulder", (258, -12, -24)),
    "left_wrist": ("left_elbow", (252, 8, -4)),
    "left_hand": ("left_wrist", (84, -8, -10)),
}
Markers = dict[str, tuple[str, tuple[int, int, int], dict[str, float]]]
#: {label without its side: (joint, offset in mm, {other joint: its weight})}.
SIDED: Markers = {
    "FWT": ("pelvis", (115, 35, 95), {}),
    "BWT": ("pelvis", (50, 50, -140), {}),
    "THI": ("left_hip", (100, -220, 20), {}),
    "KNE": ("left_knee", (60, 0, 10), {"left_hip": 0.45}),
    "KNI": ("left_knee", (-50, 0, 5), {"left_hip": 0.4}),
    "SHN": ("left_knee", (50, -200, 30), {}),
    "ANK": ("left_ankle", (45, -10, -10), {"left_knee": 0.4}),
    "HEE": ("left_ankle", (0, -50, -70), {}),
    "TOE": ("left_foot", (10, 15, 40), {"left_ankle": 0.3}),
    "MT5": ("left_foot", (45, 0, 10), {"left_ankle": 0.6}),
    "FHD": ("head", (75, 110, 90), {}),
    "BHD": ("head", (75, 100, -80), {}),
    "SHO": ("left_collar", (115, 110, -20), {"left_shoulder": 0.35, "spine3": 0.15}),
    "UPA": ("left_shoulder", (130, 10, -50), {}),
    "ELB": ("left_elbow", (0, 10, -45), {"left_shoulder": 0.5}),
    "ELI": ("left_elbow", (0, -10, 40), {"left_shoulder": 0.4}),
    "FRM": ("left_elbow", (140, 30, -20), {"left_wrist": 0.1}),
    "WRA": ("left_wrist", (0, 5, 40), {"left_elbow": 0.4}),
    "WRB": ("left_wrist", (0, 5, -40), {"left_elbow": 0.4}),
    "FIN": ("left_wrist", (85, 20, 5), {"left_hand": 0.3}),
}
#: More markers of limbs, in the same way.
MORE: Markers = {
    "THF": ("left_hip", (40, -150, 80), {}),
    "SHF": ("left_knee", (-10, -250, 60), {}),
    "MT1": ("left_foot", (-20, 10, 30), {}),
    "UPB": ("left_shoulder", (180, -20, 40), {}),
    "FRB": ("left_elbow", (190, -20, 20), {}),
    "HND": ("left_wrist", (60, 15, -30), {}),
}
MIDDLE: Markers = {
    "C7": ("spine3", (0, 230, -110), {"neck": 0.3}),
    "T10": ("spine2", (0, 40, -120), {"spine1": 0.3}),
    "CLAV": ("spine3", (0, 110, 100), {}),
    "STRN": ("spine3", (0, -30, 135), {"spine2": 0.3}),
}


def mirrored(name: str) -> str:
    return name.replace("left", "right")


def skeleton() -> Skeleton:
    """In metres."""
    tree = {}
    for name, (parent, place) in TREE.items():
        tree[name] = (parent, np.array(place) * 1e-3)
        if mirrored(name) != name:
            assert parent is not None
            tree[mirrored(name)] = (mirrored(parent), np.array(place) * (-1e-3, 1e-3, 1e-3))
    names = tuple(tree)
    parents = tuple(-1 if parent is None else names.index(parent) for parent, _ in tree.values())
    return Skeleton(names, parents, np.zeros((len(names), 3)), np.array([place for _, place in tree.values()]))


def person(*, more: bool = False) -> Actor:
    """Of 44 markers, or of 56, that are moved as linear blend skinning has it."""
    joints, sided = skeleton().joints, SIDED | MORE if more else SIDED
    rows = [(f"L{label}", *place) for label, place in sided.items()] + [(label, *place) for label, place in MIDDLE.items()]
    for label, (joint, offset, others) in sided.items():
        shared = {mirrored(name): weight for name, weight in others.items()}
        rows.append((f"R{label}", mirrored(joint), (-offset[0], *offset[1:]), shared))
    weights = np.zeros((len(rows), len(joints)))
    for row, (_, joint, _, others) in enumerate(rows):
        weights[row, joints.index(joint)] = 1 - sum(others.values())
        weights[row, [joints.index(name) for name in others]] = list(others.values())
    offsets = np.array([offset for _, _, offset, _ in rows]) * 1e-3
    return Actor(skeleton(), tuple(row[0] for row in rows), tuple(joints.index(row[1]) for row in rows), offsets, weights)


def another(actor: Actor, seed: int) -> Actor:
    """Another person in the same markers: every bone 5 to 10 % longer, left and right alike, and every marker 1 to 2 cm elsewhere."""
    random = np.random.default_rng(seed)
    own = actor.skeleton
    assert own.places is not None
    longer = 1 + random.uniform(0.05, 0.10, len(own.joints))
    # a side's joints follow on one another
    for joint, name in enumerate(own.joints):
        if "right" in name:
            longer[joint] = longer[joint - 1]
    ways = random.standard_normal(actor.marker_offsets.shape)
    ways *= random.uniform(0.010, 0.020, (len(ways), 1)) / np.linalg.norm(ways, axis=1, keepdims=True)
    return replace(actor, skeleton=replace(own, places=own.places * longer[:, None]), marker_offsets=actor.marker_offsets + ways)


def skinned(actor: Actor, motion: Motion) -> np.ndarray:
    """(frames, labels, 3) in metres: the weighted mean of every marker's places on its joints, by numpy alone."""
    positions, global_rotations = motion.forward()
    joints = forward(motion.skeleton, np.tile(np.eye(3), (1, len(motion.skeleton.joints), 1, 1)), np.zeros((1, 3)))[0][0]
    places = joints[list(actor.marker_joints)] + actor.marker_offsets
    on_each = positions[:, None] + np.einsum("fjab,mjb->fmja", global_rotations, places[:, None] - joints)
    return np.einsum("mj,fmja->fma", actor.weights, on_each)


def taken(actor: Actor, motion: Motion, *, gaps: float = 0.0) -> Take:
    """What cameras see of the person: 1 mm of jitter, and gaps of 20 to 100 frames that make up about a part of the samples."""
    random = np.random.default_rng(0)
    markers = skinned(actor, motion)
    markers += random.normal(scale=1e-3, size=markers.shape)
    for _ in range(round(gaps * markers.shape[0] * markers.shape[1] / 60)):
        start = random.integers(len(markers))
        markers[start : start + random.integers(20, 101), random.integers(len(actor.labels))] = np.nan
    return Take("soft", actor.labels, markers, np.zeros(markers.shape[:2]), motion.rate_hz)


def walking(actor: Actor, motion: Motion) -> Motion:
    """The motion of a bundled skeleton on the person's joints."""
    return Motion(actor.skeleton, carrying(actor, bundled()).local(motion.forward()[1]), motion.root, motion.rate_hz)


def drifting(actor: Actor, degrees: float, frames: int = 480) -> Motion:
    """Every joint turns smoothly about all three axes by chance, whatever people do: so far as a standard deviation; Z up."""
    random = np.random.default_rng(3)
    joints = len(actor.skeleton.joints)
    vectors = gaussian_filter1d(random.standard_normal((frames, joints, 3)), 25, axis=0)
    vectors *= np.radians(degrees) / vectors.std()
    rotations = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(frames, joints, 3, 3)
    time = np.arange(frames) / 120.0
    rotations[:, 0] = ASF_TO_C3D @ Rotation.from_euler("y", 60 * time[:, None], degrees=True).as_matrix() @ rotations[:, 0]
    return Motion(actor.skeleton, rotations, np.stack([np.cos(time), np.sin(time), np.ones(frames)], axis=-1), 120.0)
