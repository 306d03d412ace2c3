# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of a rig's bones as arrays that can be cleaned, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..model.core.take import FloatArray, IntArray
from ..model.review.cleanup import BREAKDOWN, EXTREME, USUAL, BoneKeys, Doubt
from ..model.review.thinning import Stretch
from .keyframes import key_code, read_curve, read_keys, replace_keys
from .rigs import object_scale, read_rig
from .space import Timing

ROTATIONS = {"QUATERNION": ("rotation_quaternion", 4), "AXIS_ANGLE": ("rotation_axis_angle", 4)}
#: What is kept of keys that stay as they are.
KEY = {"co": np.float32, "handle_left": np.float32, "handle_right": np.float32} | dict.fromkeys(
    ("interpolation", "easing", "type", "handle_left_type", "handle_right_type"), np.uint8
)
KINDS = {USUAL: "KEYFRAME", EXTREME: "EXTREME", BREAKDOWN: "BREAKDOWN"}
#: Fewer keys are no motion that was solved.
FEWEST = 3
#: Nearer to a sample than this, in samples, a key stands on it.
NEAR = 0.02


@dataclass(frozen=True, eq=False)
class KeyedBone:
    """A bone that is keyed in a take's frames.

    Attributes:
        name: Of the bone.
        curves: Of its rotation, then of its location, as the values of `keys`.
        keys: What they play.
    """

    name: str
    curves: tuple[Any, ...]
    keys: BoneKeys


def keyed_bones(armature: bpy.types.Object, bag: Any, timing: Timing, metres: float) -> list[KeyedBone]:
    """The bones of a rig that have keys throughout a take, parents before their children.

    Args:
        armature: The object.
        bag: The curves.
        timing: Of the take.
        metres: For each Blender unit.

    Raises:
        BonesetterError: The object is not scaled alike along its axes.
    """
    rig = read_rig(armature, metres)
    unit = object_scale(armature) * metres
    curves = {(curve.data_path, curve.array_index): curve for curve in bag.fcurves if len(curve.keyframe_points) >= FEWEST}
    found: list[KeyedBone] = []
    rows: dict[int, int] = {}
    for bone, name in enumerate(rig.names):
        mode, own = _curves_of(armature.pose.bones[name], curves)
        stretches = known_stretches(own[0], timing) if own else ()
        if not stretches:
            continue
        values = np.stack([read_curve(curve, timing.frames)[0] for curve in own], axis=-1)
        above = rig.nearest(bone, rows)
        offset = rig.heads[bone] - (rig.heads[above] if above >= 0 else 0.0)
        length = float(np.linalg.norm(rig.tails[bone] - rig.heads[bone]))
        hangs = rows.get(above, -1)
        rows[bone] = len(found)
        found.append(KeyedBone(name, own, BoneKeys(hangs, offset, rig.turns[bone], length, mode, values, unit, stretches)))
    return found


def _curves_of(bone: Any, curves: dict[tuple[str, int], Any]) -> tuple[str, tuple[Any, ...]]:
    """How a bone's rotation is keyed, and the curves of its rotation and its location, of each all or none."""
    path, count = ROTATIONS.get(bone.rotation_mode, ("rotation_euler", 3))
    turned = [curves.get((bone.path_from_id(path), axis)) for axis in range(count)]
    moved = [curves.get((bone.path_from_id("location"), axis)) for axis in range(3)]
    rotation, location = (tuple(each) if all(one is not None for one in each) else () for each in (turned, moved))
    return bone.rotation_mode if rotation else "", rotation + location


def known_stretches(curve: Any, timing: Timing) -> tuple[Stretch, ...]:
    """First and last sample of each stretch of a take in which a curve moves; between them it is held."""
    keys = read_keys(curve, {"co": np.float32, "interpolation": np.uint8})
    places = (keys["co"][0::2].astype(float) - timing.start) / timing.step
    samples = np.rint(places).astype(int)
    inside = (np.abs(places - samples) < NEAR) & (samples >= 0) & (samples < timing.samples)
    samples, held = samples[inside], keys["interpolation"][inside] == key_code("interpolation", "CONSTANT")
    if len(samples) < FEWEST:
        return ()
    ends = np.flatnonzero(held[:-1] & (np.diff(samples) > 1))
    firsts, lasts = samples[np.concatenate([[0], ends + 1])], samples[np.concatenate([ends, [len(samples) - 1]])]
    return tuple(zip(firsts.tolist(), lasts.tolist(), strict=True))


def write_bone(bone: KeyedBone, kept: IntArray, slopes: FloatArray, doubt: Doubt, timing: Timing) -> None:
    """Give a bone's curves keys in some samples alone, with handles; keys outside of the take stay.

    Args:
        bone: Its values are those of the keys.
        kept: Samples, ascending.
        slopes: (samples, channels) per sample.
        doubt: Where its keys are guessed, which marks them.
        timing: Of the take.
    """
    frames = timing.frames[kept].astype(np.float32)
    before, after = (np.diff(kept, prepend=kept[0] - 3), np.diff(kept, append=kept[-1] + 3))
    codes = np.full(len(kept), key_code("interpolation", "BEZIER"), dtype=np.uint8)
    lasts = {last for _, last in bone.keys.stretches[:-1]}
    codes[np.isin(kept, list(lasts))] = key_code("interpolation", "CONSTANT")
    kinds = np.array([key_code("type", KINDS[int(kind)]) for kind in doubt.kinds(kept)], dtype=np.uint8)
    aligned = np.full(len(kept), key_code("handle_left_type", "ALIGNED"), dtype=np.uint8)
    for channel, curve in enumerate(bone.curves):
        value, slope = bone.keys.values[kept, channel], slopes[kept, channel]
        left, right = (value + sign * slope * length / 3 for sign, length in ((-1, before), (1, after)))
        keys = {
            "co": _pairs(frames, value),
            "handle_left": _pairs(frames - timing.step * before / 3, left),
            "handle_right": _pairs(frames + timing.step * after / 3, right),
            "interpolation": codes,
            "easing": np.zeros(len(kept), dtype=np.uint8),
            "type": kinds,
            "handle_left_type": aligned,
            "handle_right_type": aligned,
        }
        replace_keys(curve, _among_others(curve, keys, timing))


def _pairs(frames: FloatArray, values: FloatArray) -> FloatArray:
    return np.stack([frames, values], axis=-1).astype(np.float32).ravel()


def _among_others(curve: Any, keys: dict[str, Any], timing: Timing) -> dict[str, Any]:
    """Keys between those that a curve has before and after the take."""
    old = read_keys(curve, KEY)
    places = (old["co"][0::2].astype(float) - timing.start) / timing.step
    early, late = places < -NEAR, places > timing.samples - 1 + NEAR
    whole: dict[str, Any] = {}
    for name, values in keys.items():
        width = len(old[name]) // max(len(places), 1)
        rows = old[name].reshape(len(places), width)
        whole[name] = np.concatenate([rows[early].ravel(), values, rows[late].ravel()])
    return whole
