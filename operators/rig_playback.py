# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rig shows once a motion was keyed on it, as Blender evaluates it, and what is to be said where that is another motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import bpy
import numpy as np

from ..model.core.take import FloatArray, IntArray
from ..model.rigs.agreement import Directions, angles_deg, directions, of_retargeted
from ..model.rigs.figure import Anatomy, Performance
from ..model.rigs.retarget import Retargeted
from .playing import shown_at
from .translation import translated

if TYPE_CHECKING:
    from ..model.rigs.channels import Travel

#: On how many frames, evenly spread, it is looked at what Blender shows.
LOOKS = 8
#: What is shown further from what was keyed than these is said: bones in degrees, hips in lengths of the legs.
DOUBT_DEG, DOUBT = 2.0, 0.02
#: Of each part (frames, 3), or (frames, 3, 3).
Parts = dict[str, FloatArray]


class Playback(NamedTuple):
    """How well a rig shows a motion.

    Attributes:
        apart_deg: The mean angle between where limbs, trunk and head of performer and rig point.
        off_deg: The largest one between where the rig's point and where they were keyed to point.
        hips_m: The furthest that its hips are from where they were keyed, in metres.
        leg: Length of its legs in metres.
    """

    apart_deg: float
    off_deg: float
    hips_m: float
    leg: float

    @property
    def is_as_keyed(self) -> bool:
        return self.off_deg < DOUBT_DEG and self.hips_m < DOUBT * self.leg


def play_back(
    armature: bpy.types.Object, moved: Retargeted, performance: Performance, frames: FloatArray, travel: Travel, metres: float, strip: Any
) -> Playback:
    """Compare what Blender shows of a rig on some frames with what was keyed, and with the performer.

    Args:
        armature: The rig's object, keyed.
        moved: What was keyed.
        performance: Whose motion that is.
        frames: (frames,) scene frames of both.
        travel: What carries the character; in place only its height counts.
        metres: For each Blender unit.
        strip: That plays the keys, on the NLA; else None.
    """
    rows, at = _looks(frames, strip)
    heads, deltas = _shown(armature, moved, at, metres)
    body, source = Anatomy(moved.rig, moved.bone_map), Anatomy(performance.rig, performance.bone_map)
    chains = {part: chain for part, chain in source.chains.items() if chain}
    wanted = directions(
        source,
        {part: performance.heads[rows, chain[0]] for part, chain in chains.items()},
        {part: performance.deltas[rows, chain[-1]] for part, chain in chains.items()},
    )
    keyed_heads, keyed_deltas = ({part: each[rows] for part, each in every.items()} for every in of_retargeted(moved))
    keyed = directions(body, keyed_heads, keyed_deltas)
    shown = directions(body, heads, deltas)
    astray = heads["hips"] - keyed_heads["hips"]
    if travel == "PLACE":
        astray[:, :2] = 0.0
    off = max(float(each.max()) for each in angles_deg(keyed, shown).values())
    return Playback(_mean_deg(wanted, shown), off, float(np.linalg.norm(astray, axis=1).max()), body.leg)


def _mean_deg(wanted: Directions, shown: Directions) -> float:
    return float(np.mean([each.mean() for each in angles_deg(wanted, shown).values()]))


def _looks(frames: FloatArray, strip: Any) -> tuple[IntArray, FloatArray]:
    """Which frames are looked at, and the scene frames where they are shown: a strip may play them elsewhere, slower, or in part."""
    inside = np.arange(len(frames))
    at = frames
    if strip is not None:
        first, last = strip.action_frame_start, strip.action_frame_end
        inside = np.flatnonzero((frames >= first) & (frames <= last))
        inside = inside if len(inside) else np.array([np.abs(frames - first).argmin()])
        at = strip.frame_start + strip.scale * (last - frames if strip.use_reverse else frames - first)
    rows = np.unique(inside[((np.arange(LOOKS) + 0.5) * len(inside) / LOOKS).astype(int)])
    return rows, at[rows]


def _shown(armature: bpy.types.Object, moved: Retargeted, at: FloatArray, metres: float) -> tuple[Parts, Parts]:
    """Heads (frames, 3) in metres and deltas (frames, 3, 3) of parts in scene frames (frames,), in the world, as Blender evaluates them."""
    ends = {part: (names[0], names[-1]) for part, names in moved.bone_map.bones.items() if names}
    heads, deltas = ({part: [] for part in ends} for _ in range(2))
    for shown in shown_at(armature, at):
        for part, (first, last) in ends.items():
            heads[part].append(np.array(shown.matrix_world @ shown.pose.bones[first].head) * metres)
            posed = np.array(shown.matrix_world @ shown.pose.bones[last].matrix)[:3, :3]
            turned = posed / np.linalg.norm(posed, axis=0)
            deltas[part].append(turned @ moved.rig.turns[moved.rig.index[last]].T)
    return {part: np.array(each) for part, each in heads.items()}, {part: np.array(each) for part, each in deltas.items()}


def doubts_of(armature: bpy.types.Object, playback: Playback, strip: Any) -> list[str]:
    """What the user should know of a rig that was keyed and does not move so, in his language: one sentence each, none where all is well.

    Args:
        armature: The rig's object.
        playback: What it shows.
        strip: That plays the keys, on the NLA; else None.
    """
    doubts: list[str] = []
    if not playback.is_as_keyed:
        doubts.append(translated(_said(armature, playback, strip)))
    data: Any = armature.data
    if data.pose_position == "REST":
        name = armature.name
        said = translated(f"{name} is in Rest Position, where nothing moves: choose Pose Position in its Object Data properties.")
        doubts.append(said)
    return doubts


def _said(armature: bpy.types.Object, playback: Playback, strip: Any) -> str:
    """That a rig shows something else than was keyed, and, by what else its animation has, whom to ask."""
    off = f"{armature.name} is shown up to {playback.off_deg:.0f}° and its hips up to {100 * playback.hips_m:.0f} cm off what was keyed"
    solo, below, above = _others(armature.animation_data, strip)
    if solo:
        return f"{off}, as the NLA track {solo} is solo: take away its star in the NLA editor."
    if strip is not None and not _plays_whole(armature.animation_data, strip):
        return f"{off}, as the strip {strip.name} does not play wholly: unmute it, blending Replace, influence 1, in the NLA editor."
    if above:
        return f"{off}, as NLA tracks play on top ({above}): mute those that move it in the NLA editor."
    if below:
        return f"{off}, as NLA tracks play below ({below}): mute those that move it in the NLA editor."
    return f"{off}: look for constraints, drivers, parents and bones outside of the bone map that move it, too."


def _plays_whole(animation: Any, strip: Any) -> bool:
    muted = strip.mute or any(track.mute for track in animation.nla_tracks if strip in track.strips[:])
    # of an influence that is not animated Blender keeps that of the last frame it evaluated, 0 beyond the strip
    as_it_is = strip.blend_type == "REPLACE" and not strip.blend_in and not strip.blend_out
    return animation.use_nla and not muted and as_it_is and not strip.use_animated_influence and not strip.use_animated_time


def _others(animation: Any, strip: Any) -> tuple[str, str, str]:
    """Names of tracks of other strips: of one that is solo, of those that play below, of those that play above; "" where there is none."""
    solo, sides = "", (list[str](), list[str]())
    above = 0
    for track in animation.nla_tracks:
        if strip is not None and strip in track.strips[:]:
            above = 1
        elif track.is_solo:
            solo = track.name
        elif animation.use_nla and not track.mute and any(not each.mute for each in track.strips):
            sides[above].append(track.name)
    return solo, ", ".join(sides[0]), ", ".join(sides[1])
