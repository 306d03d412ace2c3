# SPDX-License-Identifier: GPL-3.0-or-later
"""From when to when an armature moves in a scene, whose range is often that of the longest of its takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor
from typing import Any

import bpy

from .keyframes import NEAR, bound_channelbag
from .playing import played_strips


def motion_range(scene: bpy.types.Scene, armature: bpy.types.Object, meshes: Sequence[bpy.types.Object] = ()) -> tuple[int, int]:
    """First and last frame of the scene's range in which an armature has keys or strips.

    That whole range where these do not say when it moves: there are none in it, they go on without end, or something else that is animated
    moves the armature or shapes its meshes.
    """
    whole = scene.frame_start, scene.frame_end
    if any(_is_animated(one) for one in [*(_movers(armature) - {armature}), *(each.data.shape_keys for each in meshes)]):
        return whole
    spans = list(_spans(armature))
    if not spans:
        return whole
    # keys of a take at another rate than the scene's stand between frames
    first = floor(max(whole[0], min(span[0] for span in spans) + NEAR))
    last = ceil(min(whole[1], max(span[1] for span in spans) - NEAR))
    return (first, last) if first < last else whole


def _spans(one: bpy.types.Object) -> Iterator[tuple[float, float]]:
    """First and last frame of each curve and strip that is played; infinite of curves that go on without end."""
    bag = bound_channelbag(one)
    for curve in bag.fcurves if bag is not None else ():
        if curve.mute or curve.is_empty:
            continue
        first, last = curve.range()
        endless = any(not each.mute for each in curve.modifiers) or (curve.extrapolation == "LINEAR" and first < last)
        yield (float("-inf"), float("inf")) if endless else (first, last)
    for strip in played_strips(one):
        yield strip.frame_start, strip.frame_end


def _movers(one: bpy.types.Object) -> set[bpy.types.Object]:
    """An object and all that it moves with: parents, and targets of its constraints and its bones', and theirs."""
    found, asked = {one}, [one]
    while asked:
        each = asked.pop()
        bones = each.pose.bones if each.pose is not None else ()
        held = [constraint for owner in (each, *bones) for constraint in owner.constraints if not constraint.mute]
        new = {target for constraint in held for target in _targets(constraint)} | ({each.parent} if each.parent else set())
        asked += new - found
        found |= new
    return found


def _targets(constraint: Any) -> Iterator[bpy.types.Object]:
    """The objects that a constraint follows: an armature constraint has many."""
    for place in (constraint, *getattr(constraint, "targets", ())):
        if (target := getattr(place, "target", None)) is not None:
            yield target


def _is_animated(datablock: Any) -> bool:
    animation = datablock.animation_data if datablock is not None else None
    return animation is not None and (animation.action is not None or len(animation.nla_tracks) > 0)
