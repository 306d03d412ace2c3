# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs that a take went onto: its action on a strip of the NLA editor, and the take put onto them again once it was solved anew."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import bpy

from ..model.core.take import FloatArray
from .playing import play_frames, plays_where_keyed

if TYPE_CHECKING:
    from ..model.rigs.channels import Travel
    from ..model.rigs.rig import BoneMap


#: A strip that leaves out no more of its action than this, in frames, is not cut.
CUT = 0.01


@dataclass(frozen=True, eq=False)
class Application:
    """How a take went onto a rig.

    Attributes:
        armature: The rig.
        bone_map: Of its bones.
        travel: What carries the character over the floor.
        on_nla: Whether its action is on the NLA.
        hands: How much hands keep their reach.
    """

    armature: bpy.types.Object
    bone_map: BoneMap
    travel: Travel
    on_nla: bool
    hands: float


def note_applied(collection: bpy.types.Collection, application: Application) -> None:
    """Remember that a take went onto a rig as it is solved now."""
    from ..model.rigs.bone_map_file import document_of

    noted = collection.bonesetter.rig.applied
    for row in reversed(range(len(noted))):
        if noted[row].armature is None:
            noted.remove(row)
    item = next((one for one in noted if one.armature == application.armature), None) or noted.add()
    item.armature, item.result = application.armature, collection.bonesetter.result
    item.travel, item.on_nla = application.travel, application.on_nla
    item.hands = application.hands
    item.bone_map = json.dumps(document_of(application.bone_map), ensure_ascii=False)


def outdated(collection: bpy.types.Collection) -> list[Application]:
    """The rigs whose motion is of an earlier solve of a take than its last, as long as they are there."""
    from ..model.rigs.bone_map_file import bone_map_of

    take = collection.bonesetter
    return [
        Application(one.armature, bone_map_of(json.loads(one.bone_map)), one.travel, one.on_nla, one.hands)
        for one in take.rig.applied
        if one.armature is not None and one.armature.users_scene and one.result != take.result
    ]


def push_down(armature: bpy.types.Object, frames: FloatArray, name: str) -> Any:
    """Move an armature's action to a strip of its own, on top of the others; under this name it takes the place of an earlier one.

    That strip stays where it was put, as slow, and cut as short as it was; one that nobody moved goes along with the take.

    Args:
        armature: Whose action has just been keyed.
        frames: (frames,) scene frames.
        name: Of the track and the strip: the take's.

    Returns:
        The strip.
    """
    animation: Any = armature.animation_data
    action, slot = animation.action, animation.action_slot
    first, last = float(frames[0]), max(float(frames[-1]), float(frames[0]) + 1)
    # the action would play on top of its own strip
    animation.action = None
    earlier = next((one for one in animation.nla_tracks if one.name == name and len(one.strips) == 1), None)
    if earlier is not None:
        strip = earlier.strips[0]
        moved = not plays_where_keyed(strip)
        cut = _is_cut(strip) and first <= strip.action_frame_start < strip.action_frame_end <= last
        _keep(strip.action)
        strip.action, strip.action_slot = action, slot
    else:
        track = animation.nla_tracks.new()
        track.name = name
        strip = track.strips.new(name, int(first), action)
        # of a take that is over others show, and are not held below it
        strip.extrapolation, strip.blend_type = "NOTHING", "REPLACE"
        strip.action_slot = slot
        moved = cut = False
    if not cut:
        play_frames(strip, first, last)
    if not moved:
        strip.frame_start_ui = strip.action_frame_start
    return strip


def _is_cut(strip: Any) -> bool:
    """Whether a strip plays a part of its action alone."""
    if strip.action is None:
        return False
    first, last = strip.action.frame_range
    return strip.action_frame_start > first + CUT or strip.action_frame_end < last - CUT


def _keep(action: bpy.types.Action | None) -> None:
    """An action that nothing uses any more would be lost with the file's next save."""
    if action is not None:
        action.use_fake_user = True
