# SPDX-License-Identifier: GPL-3.0-or-later
"""The two BVH releases of CMU's motion by cgspeed, put back on the CMU hierarchy and its zero pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..actors.prior import bundled
from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from ..core.take import FloatArray
from ..files.asf_amc import AsfSkeleton

#: The first frame of the exact release is a T-pose; the retargeted one was smoothed, so that it spreads over the next frames.
T_POSE_FRAMES, FADING_FRAMES = 1, 10
#: A bone of the BVH and of the ASF differ by no more than this where they are the same, in units of the file.
SAME_BONE = 1e-3

#: CMU joint: joint of the retargeted skeleton, and the axis and angle in degrees at which the CMU joint stands, globally, in the
#: T-pose of the release. There the retargeted skeleton stands at zero, and from there both turn alike: with T that rotation,
#: G_cmu = G_retargeted T, frame by frame. Found from the T-poses in the exact release and confirmed by the result: knees, elbows
#: and wrists then turn about the ASF's own axes only, and neck, chest and head in the ASF's proportions.
COPIED: dict[str, tuple[str, str, float]] = {
    "Hips": ("hip", "z", 0.0),
    "Spine": ("abdomen", "z", 0.0),
    "Spine1": ("chest", "z", 0.0),
    "Neck": ("neck", "x", -16.0),
    "Head": ("head", "x", 16.0),
    "LeftUpLeg": ("lThigh", "z", -21.0),
    "LeftLeg": ("lShin", "z", -21.0),
    "LeftFoot": ("lFoot", "z", -21.0),
    "RightUpLeg": ("rThigh", "z", 21.0),
    "RightLeg": ("rShin", "z", 21.0),
    "RightFoot": ("rFoot", "z", 21.0),
    "LeftArm": ("lShldr", "z", -8.0),
    "LeftForeArm": ("lForeArm", "z", -8.0),
    "LeftHand": ("lHand", "z", -8.0),
    "RightArm": ("rShldr", "z", 8.0),
    "RightForeArm": ("rForeArm", "z", 8.0),
    "RightHand": ("rHand", "z", 8.0),
}
#: CMU joints that the retargeted skeleton lacks between two that it has, and their part of the bend, about as in the AMC files.
SHARED: dict[str, tuple[str, str, float]] = {"LowerBack": ("Hips", "Spine", 0.5), "Neck1": ("Neck", "Head", 0.67)}
#: How high the balls of the feet are in the AMC files when they stand, in metres.
BALL_HEIGHT_M = 0.04
#: A clip's lowest foot is on the floor in at least this part of its frames.
STANDING = 10.0


def repaired(motion: Motion, asf: AsfSkeleton) -> Motion:
    """A clip of the exact release on its ASF's skeleton, which has the bones that the release drops; without its T-pose.

    Args:
        motion: As `read_bvh` reads it with the ASF's metres per unit.
        asf: Of the same subject.

    Returns:
        What `read_amc` reads from the AMC of the same clip.

    Raises:
        BonesetterError: The joints are not the CMU skeleton's, the bones not the ASF's, or there is nothing but the T-pose.
    """
    theirs, ours = motion.skeleton, asf.skeleton
    if set(theirs.joints) != set(CMU_JOINTS):
        raise BonesetterError("The BVH does not have the 31 joints of the CMU skeleton: choose one of cgspeed's CMU release.")
    order = [theirs.joints.index(name) for name in CMU_JOINTS]
    offsets = theirs.offsets[order]
    kept = np.linalg.norm(offsets, axis=1) > 0
    if np.abs((offsets - ours.offsets)[kept]).max(initial=0.0) > SAME_BONE * asf.metres_per_unit or kept.sum() < len(kept) / 2:
        raise BonesetterError("The bones of the BVH are not the ASF's: choose the ASF of the same subject.")
    _check_frames(motion, T_POSE_FRAMES)
    return Motion(ours, motion.rotations[T_POSE_FRAMES:, order], motion.root[T_POSE_FRAMES:], motion.rate_hz)


def onto_cmu(motion: Motion, skeleton: Skeleton | None = None) -> Motion:
    """A clip of the retargeted release on the CMU hierarchy, standing on the floor y = 0; without its T-pose.

    What the retargeted skeleton does not know (toes, fingers, clavicles) stays as the prior has it on average.

    Args:
        motion: As `read_bvh` reads it, in metres.
        skeleton: A CMU skeleton (default: the prior's mean).

    Raises:
        BonesetterError: It is not the retargeted skeleton, or there is nothing but the T-pose.
    """
    skeleton = skeleton or bundled().mean_actor().skeleton
    missing = [name for name, _, _ in COPIED.values() if name not in motion.skeleton.joints]
    if missing:
        raise BonesetterError(f"The BVH lacks the joint {missing[0]}: choose one of cgspeed's daz-friendly release.")
    _check_frames(motion, FADING_FRAMES)
    global_rotations = _global_rotations(motion.forward()[1][FADING_FRAMES:], motion.skeleton.joints)
    local = global_rotations.copy()
    for joint, parent in enumerate(CMU_PARENTS[1:], start=1):
        local[:, joint] = global_rotations[:, parent].swapaxes(-1, -2) @ global_rotations[:, joint]
    scale = _leg(skeleton, ("LeftLeg", "LeftFoot")) / _leg(motion.skeleton, ("lShin", "lFoot"))
    return _standing(Motion(skeleton, local, motion.root[FADING_FRAMES:] * scale, motion.rate_hz))


def _global_rotations(theirs: FloatArray, joints: tuple[str, ...]) -> FloatArray:
    """(frames, 31, 3, 3) of the CMU joints from the (frames, joints, 3, 3) of the retargeted ones."""
    global_rotations = np.empty((len(theirs), len(CMU_JOINTS), 3, 3))
    for name, (joint, axis, degrees) in COPIED.items():
        global_rotations[:, CMU_JOINTS.index(name)] = (
            theirs[:, joints.index(joint)] @ Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
        )
    for name, (below, above, part) in SHARED.items():
        first, last = (Rotation.from_matrix(global_rotations[:, CMU_JOINTS.index(end)]) for end in (below, above))
        global_rotations[:, CMU_JOINTS.index(name)] = (first * (first.inv() * last) ** part).as_matrix()
    usual = bundled().pose.mean_rotations
    for joint, name in enumerate(CMU_JOINTS):
        if name not in COPIED and name not in SHARED:
            global_rotations[:, joint] = global_rotations[:, CMU_PARENTS[joint]] @ usual[joint]
    return global_rotations


def _leg(skeleton: Skeleton, joints: tuple[str, str]) -> float:
    """Length in metres from the hip to the ankle, by where the knee and the ankle sit."""
    return float(np.linalg.norm(skeleton.offsets[[skeleton.joints.index(joint) for joint in joints]], axis=1).sum())


def _standing(motion: Motion) -> Motion:
    """The same motion with its feet on the floor: the release left the root where longer or shorter legs had it."""
    balls = motion.forward()[0][:, [CMU_JOINTS.index(name) for name in ("LeftToeBase", "RightToeBase")], 1]
    lift = BALL_HEIGHT_M - np.percentile(balls.min(axis=1), STANDING)
    return replace(motion, root=motion.root + np.array([0.0, lift, 0.0]))


def _check_frames(motion: Motion, dropped: int) -> None:
    if motion.frames <= dropped:
        raise BonesetterError("The BVH holds nothing but its T-pose: choose another one.")
