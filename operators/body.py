# SPDX-License-Identifier: GPL-3.0-or-later
"""Show Body: a mesh of a human, shaped to an armature's bones and moved by them, so that a twisted wrist is seen at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from bpy.props import BoolProperty

from ..model.core.errors import BonesetterError
from .apply_to_rig import own_map
from .polls import is_idle
from .refusals import says_why
from .rig_map import known_map, map_of
from .takes import active_take

if TYPE_CHECKING:
    from ..model.rigs.body import Groups
    from ..model.rigs.rig import BoneMap, Rig

#: Custom property of a body: it is no mesh of the user's.
BODY = "bonesetter_body"
#: What Rigify's deforming bones begin with: without it they are called as the metarig's.
DEFORMING = "DEF-"


def body_of(armature: bpy.types.Object | None) -> bpy.types.Object | None:
    """The body that an armature has, if it is shown."""
    return next((one for one in armature.children if one.type == "MESH" and BODY in one), None) if armature is not None else None


def show_body(scene: bpy.types.Scene, armature: bpy.types.Object, bone_map: BoneMap | None = None) -> bpy.types.Object:
    """Give an armature a body, shaped to its rest pose; the one that it has is replaced.

    Args:
        scene: Its unit scale.
        armature: Whose bones move it.
        bone_map: Of its bones; None for what their names or their shape say.

    Raises:
        BonesetterError: No body is found in the armature, or its scale is uneven.
    """
    from ..model.rigs.body import bone_groups, read_body, shaped
    from ..model.rigs.figure import Anatomy
    from .rigs import read_rig

    metres = scene.unit_settings.scale_length
    rig = read_rig(armature, metres)
    rig, bone_map, prefix = _deforming(armature, rig, bone_map or own_map(armature, rig) or known_map(rig, armature.name))
    bone_map.check(rig)
    target = Anatomy(rig, bone_map)
    body = read_body()
    points = shaped(body, target)
    groups = {f"{prefix}{name}": each for name, each in bone_groups(body, points, target).items()}
    hide_body(armature)
    to_object = np.linalg.inv(np.array(armature.matrix_world, dtype=float))
    local = (points / metres) @ to_object[:3, :3].T + to_object[:3, 3]
    shown = _new_mesh(f"{armature.name} Body", local, body.triangles)
    for home in armature.users_collection:
        home.objects.link(shown)
    shown.parent = armature
    _bind(shown, armature, groups)
    return shown


def hide_body(armature: bpy.types.Object) -> None:
    """Take an armature's body away, if it has one."""
    shown = body_of(armature)
    if shown is not None:
        mesh = shown.data
        bpy.data.objects.remove(shown)
        if isinstance(mesh, bpy.types.Mesh) and mesh.users == 0:
            bpy.data.meshes.remove(mesh)


def fit_body(scene: bpy.types.Scene, armature: bpy.types.Object) -> None:
    """Shape the body that an armature has to bones that have changed."""
    if body_of(armature) is not None:
        show_body(scene, armature)


def _deforming(armature: bpy.types.Object, rig: Rig, bone_map: BoneMap) -> tuple[Rig, BoneMap, str]:
    """A rig's bones that can move a mesh, their map, and what their names begin with; the controls of some rigs cannot."""
    data: Any = armature.data
    deform = {bone.name for bone in data.bones if bone.use_deform}
    if all(name in deform for names in bone_map.bones.values() for name in names):
        return rig, bone_map, ""
    kept = [bone for bone, name in enumerate(rig.names) if name in deform]
    prefix = DEFORMING if any(rig.names[bone].startswith(DEFORMING) for bone in kept) else ""
    row = {bone: place for place, bone in enumerate(kept)} | {-1: -1}
    parents = tuple(row[rig.nearest(bone, kept)] for bone in kept)
    names = tuple(rig.names[bone].removeprefix(prefix) for bone in kept)
    own = replace(rig, names=names, parents=parents, heads=rig.heads[kept], tails=rig.tails[kept], turns=rig.turns[kept])
    return own, known_map(own, armature.name), prefix


def _new_mesh(name: str, points: np.ndarray, triangles: np.ndarray) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(points))
    mesh.vertices.foreach_set("co", points.astype(np.float32).ravel())
    mesh.loops.add(triangles.size)
    mesh.loops.foreach_set("vertex_index", triangles.astype(np.int32).ravel())
    mesh.polygons.add(len(triangles))
    mesh.polygons.foreach_set("loop_start", np.arange(0, triangles.size, 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(triangles), dtype=bool))
    mesh.update(calc_edges=True)
    shown = bpy.data.objects.new(name, mesh)
    shown[BODY] = True
    # the bones are what is selected and posed
    shown.hide_select = True
    return shown


def _bind(shown: bpy.types.Object, armature: bpy.types.Object, groups: Groups) -> None:
    for name, (rows, weights) in groups.items():
        group = shown.vertex_groups.new(name=name)
        for row, weight in zip(rows.tolist(), weights.tolist(), strict=True):
            group.add([row], weight, "REPLACE")
    modifier: Any = shown.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature


class BONESETTER_OT_show_body(bpy.types.Operator):
    """Show a human body that is shaped to the bones and moves with them, so that twisted or flipped limbs are seen; or hide it again"""

    bl_idname = "bonesetter.show_body"
    bl_label = "Show Body"
    bl_options = {"UNDO"}
    on_rig: BoolProperty(name="On Rig", description="On the chosen character instead of the take's own armature", options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        take: Any = active_take(context)
        if take is None or take.bonesetter.armature is None or not take.bonesetter.armature.users_scene:
            cls.poll_message_set("Solve a take first")  # pyright: ignore[reportAttributeAccessIssue]
            return False
        return is_idle(cls)

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        take: Any = active_take(context)
        choice = take.bonesetter.rig
        armature = choice.armature if self.on_rig else take.bonesetter.armature
        if armature is None:
            raise BonesetterError("No character is chosen: choose its armature in Your Rig.")
        if body_of(armature) is not None:
            hide_body(armature)
        else:
            chosen = map_of(choice) if self.on_rig else None
            show_body(context.scene, armature, chosen if chosen is None or not chosen.missing else None)
        return {"FINISHED"}
